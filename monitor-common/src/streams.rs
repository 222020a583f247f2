//! What the kernel side keeps of each stream, with or without a reader: `bpftool map dump` shows it by these names.
//!
//! The table is an array that the programs search themselves. A map of the kernel's that does so costs a call, and much
//! more for a key as long as this.

/// Streams that there is room for; one more finds none. Each takes 88 bytes of the kernel's memory. A power of two.
pub const STREAMS_MAX: usize = 4096;
/// Slots of the table in which a stream may stand. Where all of them are others', it has no entry: of a table half full
/// that befalls one stream in a hundred thousand, of one three quarters full one in a hundred.
pub const STREAM_TRIES: u32 = 16;

const _: () = assert!(STREAMS_MAX.is_power_of_two());

/// Nothing is in the slot.
pub const SLOT_FREE: u32 = 0;
/// A CPU is writing the key. Another that has a frame of the very same stream meanwhile takes the next slot: entries of
/// the same key are one stream, whose counts are added up.
pub const SLOT_BEGUN: u32 = 1;
/// The key is there, and stays.
pub const SLOT_TAKEN: u32 = 2;

/// Key of a stream: who sends to whom, over what, under which IDCODE, seen on which interface. Ports are no part of it:
/// it survives reconnects.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "pod", derive(bytemuck::Pod, bytemuck::Zeroable))]
pub struct StreamKey {
    /// Sender's IPv6 address, or IPv4-mapped one (RFC 4291, 2.5.5.2).
    pub source: [u8; 16],
    /// Receiver's.
    pub destination: [u8; 16],
    /// Inode number of the network namespace of the interface.
    pub netns: u32,
    /// Interface index within it.
    pub ifindex: u32,
    /// IDCODE of the data stream (IEEE C37.118.2-2011, 6.2).
    pub idcode: u16,
    /// Number of the protocol in the IP header: 17 for UDP, 6 for TCP.
    pub transport: u8,
    /// Zero.
    pub reserved: u8,
}

const _: () = assert!(size_of::<StreamKey>() == 44);

/// What was seen of a stream: DATA and CFG frames, one for each datagram or TCP segment that begins like one and holds
/// all of it. Further frames in the same datagram or segment, and TCP frames that begin within one, are not counted
/// here.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "pod", derive(bytemuck::Pod, bytemuck::Zeroable))]
pub struct StreamCounts {
    /// Frames.
    pub frames: u64,
    /// Their lengths by FRAMESIZE.
    pub bytes: u64,
    /// Arrival of the last one, `CLOCK_MONOTONIC` nanoseconds: its receive stamp, or the hook's clock where it has none.
    pub last_ns: u64,
    /// Shortest time from one to the next, at least 1; 0 before the second frame.
    pub gap_min_ns: u64,
    /// Longest; 0 before the second frame.
    pub gap_max_ns: u64,
}

const _: () = assert!(size_of::<StreamCounts>() == 40);

/// A slot of the table of streams.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "pod", derive(bytemuck::Pod, bytemuck::Zeroable))]
pub struct StreamSlot {
    /// Whose it is.
    pub key: StreamKey,
    /// [`SLOT_FREE`], [`SLOT_BEGUN`] or [`SLOT_TAKEN`].
    pub state: u32,
    /// What was seen.
    pub counts: StreamCounts,
}

const _: () = assert!(size_of::<StreamSlot>() == 88);
