//! How many channels each simulated PMU has.

/// The most channels of one kind that a PMU gets; a frame's size bounds them further.
pub const MOST_CHANNELS: u16 = 256;

/// Phasors, analogs and digital words of a PMU.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    phasors: u16,
    analogs: u16,
    digitals: u16,
}

impl Shape {
    /// Three voltages, three currents, a positive sequence of each; two powers; a word of switches.
    pub const USUAL: Self = Self { phasors: 8, analogs: 2, digitals: 1 };

    /// `None` where one number is above [`MOST_CHANNELS`].
    #[must_use]
    pub const fn new(phasors: u16, analogs: u16, digitals: u16) -> Option<Self> {
        if phasors > MOST_CHANNELS || analogs > MOST_CHANNELS || digitals > MOST_CHANNELS {
            return None;
        }
        Some(Self { phasors, analogs, digitals })
    }

    /// Phasors of each PMU.
    #[must_use]
    pub const fn phasors(self) -> u16 {
        self.phasors
    }

    /// Analogs of each PMU.
    #[must_use]
    pub const fn analogs(self) -> u16 {
        self.analogs
    }

    /// Digital status words of each PMU, 16 bits each.
    #[must_use]
    pub const fn digitals(self) -> u16 {
        self.digitals
    }
}
