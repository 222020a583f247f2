//! What the kernel side keeps of each stream, with or without a reader: `bpftool map dump` shows it by these names.

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
