//! What can go wrong.

use super::distribution::Distribution;

/// A kind of fault with its size.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum FaultKind {
    /// The frame is not sent.
    Loss,
    /// The frame is sent again, so many times, one after the other.
    Duplicate {
        /// Copies beside the original: at least 1.
        copies: u16,
        /// From one to the next, in nanoseconds.
        after_ns: u64,
    },
    /// The frame is sent behind the one that is so many instants later.
    Reorder {
        /// Instants: at least 1.
        depth: u16,
    },
    /// The frame is sent later.
    Delay {
        /// By how much.
        by: Distribution,
        /// No frame overtakes another for it.
        ordered: bool,
    },
    /// CHK is wrong.
    Crc,
    /// The frame is cut; FRAMESIZE and all before the cut stay as they were.
    Truncate {
        /// To so many bytes; drawn for each frame where there is none.
        bytes: Option<u16>,
    },
    /// The PMU's clock is ahead of UTC: in a window it jumps there and back.
    ClockOffset {
        /// By so many nanoseconds; behind where negative.
        ns: i64,
    },
    /// The PMU's clock is too fast.
    ClockDrift {
        /// By so many millionths; too slow where negative.
        ppm: f64,
    },
    /// The PMU's time tag stays what it is.
    ClockStuck,
    /// A leap second.
    Leap {
        /// 23:59:59 is left out, rather than 23:59:60 added.
        delete: bool,
        /// The leap bits tell of it.
        announced: bool,
        /// What an added second is tagged as.
        tagged: LeapTag,
    },
    /// Bits of STAT are other ones.
    Stat {
        /// Which are set.
        bits: u16,
        /// Which are cleared before.
        clear: u16,
    },
    /// The time quality is this.
    TimeQuality {
        /// All 8 bits; leap bits of a leap second are added.
        bits: u8,
    },
    /// The configuration changes at the window's beginning: another format, and CFGCNT one more.
    ConfigChange {
        /// For so long before, STAT bit 10 says so, in nanoseconds.
        warning_ns: u64,
        /// The new configuration is sent with the change, whatever is announced.
        sent: bool,
    },
    /// Nothing is sent.
    Silence,
    /// At the window's beginning clients are disconnected, and until its end nobody is let in. TCP alone.
    Disconnect,
    /// The datagram leaves as IP fragments that carry so many bytes, a multiple of 8. UDP alone.
    Fragment {
        /// Bytes of IP payload in each.
        size: u16,
        /// The last fragment first.
        reversed: bool,
        /// One fragment of each datagram is left out.
        incomplete: bool,
    },
    /// How frames are cut into segments. TCP alone.
    Segment(Segmenting),
    /// The frequency is another one.
    FrequencyStep {
        /// By so many Hz.
        hz: f64,
    },
    /// The frequency changes evenly, and stays where it has come to.
    FrequencyRamp {
        /// Hz/s.
        hz_per_s: f64,
    },
    /// DFREQ alone says another rate of change.
    Rocof {
        /// Hz/s added.
        hz_per_s: f64,
    },
    /// Angles are shifted.
    PhaseStep {
        /// By so many rad.
        rad: f64,
    },
    /// Voltages sag.
    Sag {
        /// By so much of what they were: 0 to 1.
        depth: f64,
    },
}

/// What a leap second that is added has as its time tag: SOC has no number for it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LeapTag {
    /// That of the second behind it, 00:00:00, as POSIX counts 23:59:60.
    #[default]
    Next,
    /// That of the second before it, 23:59:59, as a clock that is set back.
    Last,
}

/// How the bytes of a connection are handed to the kernel. Each piece is a segment, unless the kernel has to wait for
/// the client: then it puts pieces together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Segmenting {
    /// So many bytes at a time.
    Bytes(u16),
    /// From one byte to so many at a time, drawn for each piece, whatever frames there are.
    Random(u16),
    /// So many frames together.
    Coalesce(u16),
}

impl FaultKind {
    /// All names.
    pub const NAMES: [&'static str; 22] = [
        "loss",
        "duplicate",
        "reorder",
        "delay",
        "crc",
        "truncate",
        "clock-offset",
        "clock-drift",
        "clock-stuck",
        "leap",
        "stat",
        "time-quality",
        "config-change",
        "silence",
        "disconnect",
        "fragment",
        "segment",
        "frequency-step",
        "frequency-ramp",
        "rocof",
        "phase-step",
        "sag",
    ];

    /// The name that it is asked for by.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Loss => "loss",
            Self::Duplicate { .. } => "duplicate",
            Self::Reorder { .. } => "reorder",
            Self::Delay { .. } => "delay",
            Self::Crc => "crc",
            Self::Truncate { .. } => "truncate",
            Self::ClockOffset { .. } => "clock-offset",
            Self::ClockDrift { .. } => "clock-drift",
            Self::ClockStuck => "clock-stuck",
            Self::Leap { .. } => "leap",
            Self::Stat { .. } => "stat",
            Self::TimeQuality { .. } => "time-quality",
            Self::ConfigChange { .. } => "config-change",
            Self::Silence => "silence",
            Self::Disconnect => "disconnect",
            Self::Fragment { .. } => "fragment",
            Self::Segment(_) => "segment",
            Self::FrequencyStep { .. } => "frequency-step",
            Self::FrequencyRamp { .. } => "frequency-ramp",
            Self::Rocof { .. } => "rocof",
            Self::PhaseStep { .. } => "phase-step",
            Self::Sag { .. } => "sag",
        }
    }

    /// Whether it is of what a PMU measures, not of its stream: then an IDCODE is a PMU's, or that of its stream.
    #[must_use]
    pub const fn is_measured(&self) -> bool {
        matches!(
            self,
            Self::Stat { .. }
                | Self::FrequencyStep { .. }
                | Self::FrequencyRamp { .. }
                | Self::Rocof { .. }
                | Self::PhaseStep { .. }
                | Self::Sag { .. }
        )
    }
}
