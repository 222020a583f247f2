//! What alignment counts.

/// All streams together. Every frame that was offered is in exactly one of the counters behind the first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AlignCounts {
    /// Decoded DATA frames of all streams, copies left out.
    pub offered: u64,
    /// Put into their instant.
    pub aligned: u64,
    /// Too late: their instant was over, and they were waited for.
    pub late: u64,
    /// Of a stream that did not take part yet, for an instant that was over: it takes part from here on.
    pub joining: u64,
    /// For an instant that has a frame of their stream.
    pub duplicate: u64,
    /// Of a stream whose time tags are too far from the others' (a stale frame, a clock that jumped).
    pub out_of_step: u64,
    /// For which no instant could be opened: as many as there are places for were open.
    pub instants_full: u64,
    /// Of a rate for which there was no place.
    pub rates_full: u64,
    /// Without a reporting rate, or without an arrival time.
    pub unaligned: u64,
    /// Instants that are over. `instants = complete + incomplete + cut`.
    pub instants: u64,
    /// With a frame of every stream that was expected.
    pub complete: u64,
    /// Whose window ended before.
    pub incomplete: u64,
    /// Which ended with the run, or because the clock was set, before their window did; nobody is said to be absent.
    pub cut: u64,
    /// PMUs whose values were not kept: their instant held as many as there are places for. Their frames are aligned.
    pub values_full: u64,
}

impl AlignCounts {
    /// Every number in a fixed order. Destructured, so that a new one cannot be forgotten.
    pub const fn numbers(&mut self) -> [&mut u64; 14] {
        let Self {
            offered,
            aligned,
            late,
            joining,
            duplicate,
            out_of_step,
            instants_full,
            rates_full,
            unaligned,
            instants,
            complete,
            incomplete,
            cut,
            values_full,
        } = self;
        [
            offered,
            aligned,
            late,
            joining,
            duplicate,
            out_of_step,
            instants_full,
            rates_full,
            unaligned,
            instants,
            complete,
            incomplete,
            cut,
            values_full,
        ]
    }

    /// Frames and instants that no other counter holds; anything but 0 is a bug.
    #[must_use]
    pub const fn unaccounted(&self) -> u64 {
        let Self {
            aligned, late, joining, duplicate, out_of_step, instants_full, rates_full, unaligned, ..
        } = *self;
        let frames =
            aligned + late + joining + duplicate + out_of_step + instants_full + rates_full + unaligned;
        self.offered.abs_diff(frames) + self.instants.abs_diff(self.complete + self.incomplete + self.cut)
    }
}

/// One stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StreamAlignment {
    /// Its frames that were put into their instant.
    pub aligned: u64,
    /// Instants that were over without it, although it was expected.
    pub absent: u32,
    /// Its frames that came too late for their instant: of `absent`, those that came after all.
    pub late: u32,
    /// Its frames with a time tag too far from the other streams'.
    pub out_of_step: u32,
}
