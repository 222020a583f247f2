//! How a channel's numbers become volts, amperes or whatever the user measures: PHUNIT and ANUNIT of CFG-1 and
//! CFG-2 (clause 6.4, Table 9), PHSCALE and ANSCALE of CFG-3 (Table 11).

use super::super::format::PhasorUnit;

/// Bytes of PHUNIT, ANUNIT or DIGUNIT for each channel.
pub(in super::super) const UNIT_SIZE: usize = 4;

/// Bytes of PHSCALE for each phasor.
pub(in super::super) const PHSCALE_SIZE: usize = 12;

/// Bytes of ANSCALE for each analog.
pub(in super::super) const ANSCALE_SIZE: usize = 8;

/// What is done to a phasor's two numbers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum PhasorScaling {
    /// PHUNIT, in CFG-1 and CFG-2.
    Unit {
        /// Its low 24 bits: 10^-5 V or A to a bit of the integer formats; the float formats ignore it.
        factor: u32,
    },
    /// PHSCALE, in CFG-3.
    Scale(PhasorScale3),
}

impl From<u32> for PhasorScaling {
    /// PHUNIT with this factor.
    fn from(factor: u32) -> Self {
        Self::Unit { factor }
    }
}

impl From<PhasorScale3> for PhasorScaling {
    fn from(scale: PhasorScale3) -> Self {
        Self::Scale(scale)
    }
}

/// PHSCALE but for the bit that says V or A (Table 11). The phasor measured is X' = Y * |X| * e^(j (phi - theta)),
/// where X is what stands in the DATA frame, phi its angle. This holds for floats too: a sender that scales them
/// already sets Y to 1 and theta to 0.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PhasorScale3 {
    /// What was done to the phasor on its way; 16 flags.
    pub modifications: Modifications,
    /// Which of the three phases, or of the symmetrical components, it is.
    pub component: PhasorComponent,
    /// Bits 7 to 4 of the type's byte, reserved, as the low bits of this.
    pub reserved: u8,
    /// A byte at the user's disposal.
    pub user: u8,
    /// Y: V or A to a unit of what stands in the DATA frame.
    pub scale: f32,
    /// Theta in rad: subtracted from the angle.
    pub angle_rad: f32,
}

impl PhasorScale3 {
    /// A component that is sent as it is: a scale, no offset of the angle and no modification.
    #[must_use]
    pub const fn new(component: PhasorComponent, scale: f32) -> Self {
        let modifications = Modifications::from_word(0);
        Self { modifications, component, reserved: 0, user: 0, scale, angle_rad: 0.0 }
    }

    const CURRENT: u8 = 1 << 3;

    pub(super) fn read(bytes: [u8; PHSCALE_SIZE]) -> (PhasorUnit, Self) {
        let [m0, m1, kind, user, y0, y1, y2, y3, t0, t1, t2, t3] = bytes;
        let unit = if kind & Self::CURRENT == 0 { PhasorUnit::Volt } else { PhasorUnit::Ampere };
        let scale = Self {
            modifications: Modifications::from_word(u16::from_be_bytes([m0, m1])),
            component: PhasorComponent::from_bits(kind),
            reserved: kind >> 4,
            user,
            scale: f32::from_be_bytes([y0, y1, y2, y3]),
            angle_rad: f32::from_be_bytes([t0, t1, t2, t3]),
        };
        (unit, scale)
    }

    pub(in super::super) fn bytes(&self, unit: PhasorUnit) -> [u8; PHSCALE_SIZE] {
        let Self { modifications, component, reserved, user, scale, angle_rad } = *self;
        let current = if unit == PhasorUnit::Ampere { Self::CURRENT } else { 0 };
        let [m0, m1] = modifications.word().to_be_bytes();
        let [y0, y1, y2, y3] = scale.to_be_bytes();
        let [t0, t1, t2, t3] = angle_rad.to_be_bytes();
        [m0, m1, reserved << 4 | current | component.bits(), user, y0, y1, y2, y3, t0, t1, t2, t3]
    }
}

/// Which component a phasor is: bits 2 to 0 of PHSCALE's third byte (Table 11).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum PhasorComponent {
    /// 0: zero sequence.
    Zero = 0,
    /// 1: positive sequence.
    Positive = 1,
    /// 2: negative sequence.
    Negative = 2,
    /// 3: reserved.
    Reserved3 = 3,
    /// 4: phase A.
    PhaseA = 4,
    /// 5: phase B.
    PhaseB = 5,
    /// 6: phase C.
    PhaseC = 6,
    /// 7: reserved.
    Reserved7 = 7,
}

impl PhasorComponent {
    /// All eight, by their bits.
    pub const ALL: [Self; 8] = [
        Self::Zero,
        Self::Positive,
        Self::Negative,
        Self::Reserved3,
        Self::PhaseA,
        Self::PhaseB,
        Self::PhaseC,
        Self::Reserved7,
    ];

    const fn from_bits(bits: u8) -> Self {
        Self::ALL[(bits & 7) as usize]
    }

    const fn bits(self) -> u8 {
        self as u8
    }

    /// The name that `c37118.config` reports: `zero_sequence`, `positive_sequence`, `negative_sequence`,
    /// `phase_a`, `phase_b`, `phase_c` or `reserved`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Zero => "zero_sequence",
            Self::Positive => "positive_sequence",
            Self::Negative => "negative_sequence",
            Self::PhaseA => "phase_a",
            Self::PhaseB => "phase_b",
            Self::PhaseC => "phase_c",
            Self::Reserved3 | Self::Reserved7 => "reserved",
        }
    }
}

/// What was continuously done to a phasor after it was measured: PHSCALE's first 16 bits (Table 11).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Modifications(u16);

impl Modifications {
    /// The bits that have a meaning, by their places from the least significant, and their names. Bits 0 and 11
    /// to 14 have none.
    const NAMES: [(u16, &'static str); 11] = [
        (1, "upsampled_by_interpolation"),
        (2, "upsampled_by_extrapolation"),
        (3, "downsampled_by_reselection"),
        (4, "downsampled_with_fir_filter"),
        (5, "downsampled_with_other_filter"),
        (6, "filtered"),
        (7, "magnitude_calibrated"),
        (8, "phase_calibrated"),
        (9, "phase_rotated"),
        (10, "pseudo_phasor"),
        (15, "other"),
    ];

    /// From the 16 flags.
    #[must_use]
    pub const fn from_word(word: u16) -> Self {
        Self(word)
    }

    /// The 16 flags.
    #[must_use]
    pub const fn word(self) -> u16 {
        self.0
    }

    /// The names of the flags that are set, as `c37118.config` reports them.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        Self::NAMES.into_iter().filter(move |(bit, _)| self.0 >> bit & 1 == 1).map(|(_, name)| name)
    }
}

/// What is done to an analog's number.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum AnalogScaling {
    /// ANUNIT, in CFG-1 and CFG-2.
    Unit {
        /// How the value was taken.
        kind: AnalogKind,
        /// Its low 24 bits, signed: a scaling whose meaning the user defines. Decoding does not apply it.
        scale: i32,
    },
    /// ANSCALE, in CFG-3.
    Scale(AnalogScale3),
}

/// ANSCALE (Table 11): the value measured is X' = M * X + B, where X stands in the DATA frame. This holds for
/// floats too: a sender that scales them already sets M to 1 and B to 0.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AnalogScale3 {
    /// M.
    pub scale: f32,
    /// B.
    pub offset: f32,
}

impl AnalogScale3 {
    pub(super) fn read(bytes: [u8; ANSCALE_SIZE]) -> Self {
        let [m0, m1, m2, m3, b0, b1, b2, b3] = bytes;
        Self { scale: f32::from_be_bytes([m0, m1, m2, m3]), offset: f32::from_be_bytes([b0, b1, b2, b3]) }
    }

    pub(in super::super) const fn bytes(self) -> [u8; ANSCALE_SIZE] {
        let ([m0, m1, m2, m3], [b0, b1, b2, b3]) = (self.scale.to_be_bytes(), self.offset.to_be_bytes());
        [m0, m1, m2, m3, b0, b1, b2, b3]
    }
}

/// The most significant byte of ANUNIT (Table 9).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AnalogKind {
    /// 0: a single point on the wave.
    PointOnWave,
    /// 1: root mean square.
    Rms,
    /// 2: peak.
    Peak,
    /// 3 to 64 reserved, 65 to 255 the user's own.
    Other(u8),
}

impl AnalogKind {
    pub(super) const fn from_byte(byte: u8) -> Self {
        match byte {
            0 => Self::PointOnWave,
            1 => Self::Rms,
            2 => Self::Peak,
            other => Self::Other(other),
        }
    }

    pub(in super::super) const fn byte(self) -> u8 {
        match self {
            Self::PointOnWave => 0,
            Self::Rms => 1,
            Self::Peak => 2,
            Self::Other(byte) => byte,
        }
    }
}
