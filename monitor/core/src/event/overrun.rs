//! A turn of the real-time thread that took longer than its budget.

/// Why a turn took so long, where the evidence tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum OverrunCause {
    /// Another thread had the CPU in between.
    Preempted,
    /// Memory that was not there, or was not mapped yet.
    PageFault,
    /// The evidence does not tell.
    Unknown,
}

impl OverrunCause {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Preempted, Self::PageFault, Self::Unknown];

    /// Its name in JSON.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Preempted => "preempted",
            Self::PageFault => "page_fault",
            Self::Unknown => "unknown",
        }
    }
}

/// A turn that took longer than its budget. The event's `arrival` is when it began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Overrun {
    /// How long it took, nanoseconds.
    pub turn_ns: u64,
    /// How long it may have taken, nanoseconds.
    pub budget_ns: u64,
    /// Records that it took out of the ring, those that the probe threw away left out.
    pub records: u64,
    /// Why.
    pub cause: OverrunCause,
}
