//! Counters that always add up: the kernel's, one set for each CPU, and the page shared with the reader.

/// What one CPU did with packets on the monitored interfaces. `seen = ignored + submitted + ring_full + read_failed`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "pod", derive(bytemuck::Pod, bytemuck::Zeroable))]
pub struct PacketCounters {
    /// Packets that reached the hook.
    pub seen: u64,
    /// Packets that matched nothing.
    pub ignored: u64,
    /// Packets that are in the ring whole.
    pub submitted: u64,
    /// Packets that matched and were lost, whole or in part, because the ring had no room.
    pub ring_full: u64,
    /// Packets that matched and whose bytes the kernel did not give.
    pub read_failed: u64,
    /// Records submitted; more than `submitted` where packets were emitted in parts.
    pub records: u64,
    /// Bytes of packets submitted.
    pub bytes: u64,
    /// Times a sleeping reader was woken.
    pub wakeups: u64,
    /// Packets without a receive stamp of their own at tc ingress.
    pub unattributed: u64,
    /// Packets whose interface, read through BTF offsets, was not the one the hook saw.
    pub offset_mismatch: u64,
}

const _: () = assert!(size_of::<PacketCounters>() == 80);

/// The page between probe and reader, mapped by the reader: sleep protocol first, then what the reader took, so that
/// the counts outlive it.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "pod", derive(bytemuck::Pod, bytemuck::Zeroable))]
pub struct ReaderPage {
    /// Number of the sleep the reader is in or about to enter; 0 while it is awake.
    pub sleeping: u64,
    /// Number of the last sleep a probe has ended; keeps a burst from waking the reader twice.
    pub woken: u64,
    /// Records the reader was given.
    pub delivered: u64,
    /// Records the probe reserved and threw away (its wake-up marks are not counted).
    pub discarded: u64,
    /// Delivered records whose packet carried a payload to look at.
    pub carried: u64,
    /// Delivered records whose packet carried none (a bare acknowledgement).
    pub no_payload: u64,
    /// Delivered records that are no whole packet, or no packet at all.
    pub malformed: u64,
    /// Process that reads; 0 for none.
    pub reader_pid: u64,
}

const _: () = assert!(size_of::<ReaderPage>() == 64);
