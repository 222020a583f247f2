//! What the kernel side tells of watched packets that the kernel freed as dropped (`kfree_skb`).

/// Where a packet was dropped is not known: nothing shows whether the hook had it in its hands.
pub const PLACE_UNKNOWN: u8 = 0;
/// The hook never had it: it is lost to the monitor.
pub const PLACE_BEFORE_HOOK: u8 = 1;
/// The hook had it, and handed it on: it is lost to whoever else on this host was to have it.
pub const PLACE_AFTER_HOOK: u8 = 2;

/// Drops are not told.
pub const DROPS_OFF: u32 = 0;
/// Drops are told, and the hook is at tc.
pub const DROPS_TC: u32 = 1;
/// Drops are told, and the hook is at XDP, where a packet is not yet what is dropped here.
pub const DROPS_XDP: u32 = 2;

/// Packets that the hook handed on and of which it is remembered; the oldest are forgotten first.
pub const HANDED_MAX: usize = 8192;

/// One packet that was dropped.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "pod", derive(bytemuck::Pod, bytemuck::Zeroable))]
pub struct DropRecord {
    /// When: `CLOCK_MONOTONIC` nanoseconds.
    pub time_ns: u64,
    /// Sender's IPv6 address, or IPv4-mapped one (RFC 4291, 2.5.5.2).
    pub source: [u8; 16],
    /// Receiver's.
    pub destination: [u8; 16],
    /// The kernel's `enum skb_drop_reason`; the upper 16 bits are a subsystem's number.
    pub reason: u32,
    /// Inode number of the network namespace of the interface.
    pub netns: u32,
    /// Interface index within it.
    pub ifindex: u32,
    /// Bytes of the IP packet, as its header says.
    pub length: u32,
    /// Sender's port; 0 where the packet is a fragment, whose ports may stand in another.
    pub source_port: u16,
    /// Receiver's, likewise.
    pub destination_port: u16,
    /// Number of the protocol in the IP header: 17 for UDP, 6 for TCP.
    pub transport: u8,
    /// [`PLACE_UNKNOWN`], [`PLACE_BEFORE_HOOK`] or [`PLACE_AFTER_HOOK`].
    pub place: u8,
    /// Zero.
    pub reserved: [u8; 2],
}

const _: () = assert!(size_of::<DropRecord>() == 64);

/// One CPU's counts of dropped packets: `seen = ignored + matched` and `matched = submitted + ring_full`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "pod", derive(bytemuck::Pod, bytemuck::Zeroable))]
pub struct DropCounters {
    /// Every packet that the kernel dropped on this host.
    pub seen: u64,
    /// Those of no watched interface or flow.
    pub ignored: u64,
    /// Those of watched flows.
    pub matched: u64,
    /// Those of which there is a record.
    pub submitted: u64,
    /// Those for whose record there was no room.
    pub ring_full: u64,
}

/// By what a packet that was handed on is known again at the same address, which the kernel uses for another as soon as
/// it is freed.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "pod", derive(bytemuck::Pod, bytemuck::Zeroable))]
pub struct Handed {
    /// The first 8 bytes of its IP header: length and identification among them.
    pub network: u64,
    /// The first 8 bytes of its transport header: ports, and UDP's checksum or TCP's sequence number.
    pub transport: u64,
    /// Inode number of the network namespace of its interface.
    pub netns: u32,
    /// Index of that interface.
    pub ifindex: u32,
}

const _: () = assert!(size_of::<Handed>() == 24);
