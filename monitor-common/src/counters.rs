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
    /// Packets that matched; the number of each is what its parts share.
    pub matched: u64,
    /// Records reserved, those thrown away again included; more than `submitted` where packets were emitted in parts.
    pub records: u64,
    /// Bytes of packets submitted.
    pub bytes: u64,
    /// Times a sleeping reader was woken.
    pub wakeups: u64,
    /// Packets without a receive stamp of their own at tc ingress.
    pub unattributed: u64,
    /// Packets whose interface, read through BTF offsets, was not the one the hook saw.
    pub offset_mismatch: u64,
    /// Frames whose stream has no entry in the table of streams, because it was full.
    pub streams_full: u64,
    /// TCP connections taken up because a segment began like a frame, where any port is matched. Those that are no longer
    /// in their table have been given up for newer ones: nothing else takes one out.
    pub connections: u64,
    /// TCP connections that would have been taken up, and for which the kernel had no place.
    pub connections_refused: u64,
}

const _: () = assert!(size_of::<PacketCounters>() == 112);

/// What readers have taken since the maps were made, and up to where in the ring.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "pod", derive(bytemuck::Pod, bytemuck::Zeroable))]
pub struct Taken {
    /// The reader's position in the ring, bytes since the ring was made, that the counts below belong to.
    pub position: u64,
    /// Records handed out.
    pub delivered: u64,
    /// Records that the probe reserved and threw away (its wake-up marks are not counted).
    pub discarded: u64,
    /// Delivered records whose packet carried a payload to look at.
    pub carried: u64,
    /// Delivered records whose packet carried none (a bare acknowledgement).
    pub no_payload: u64,
    /// Delivered records that are no whole packet, or no packet at all.
    pub malformed: u64,
}

const _: () = assert!(size_of::<Taken>() == 48);

/// The page between probe and reader, mapped by the reader: the sleep protocol, then what was taken, so that the
/// counts outlive every reader.
///
/// A reader writes its counts into the slot that is not current, then makes it current by raising `commits`, then
/// publishes its position to the ring. Killed between any two steps, it leaves counts and position that belong
/// together: those of the current slot.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "pod", derive(bytemuck::Pod, bytemuck::Zeroable))]
pub struct ReaderPage {
    /// Number of the sleep the reader is in or about to enter; 0 while it is awake.
    pub sleeping: u64,
    /// Number of the last sleep a probe has ended; keeps a burst from waking the reader twice.
    pub woken: u64,
    /// Process that reads, or read last; 0 where none has.
    pub reader_pid: u64,
    /// Commits so far; slot `commits % 2` is current.
    pub commits: u64,
    /// The two slots.
    pub taken: [Taken; 2],
}

const _: () = assert!(size_of::<ReaderPage>() == 128);
