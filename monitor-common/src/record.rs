//! One record of the BPF ring: a header, then the bytes of a packet or of one part of it.

/// The record carries a packet that matched.
pub const KIND_PACKET: u8 = 1;
/// The record carries a packet that did not match but looks like a C37.118 frame (only while discovering).
pub const KIND_CANDIDATE: u8 = 2;

/// Seen at tc ingress: the packet came in.
pub const HOOK_TC_INGRESS: u8 = 1;
/// Seen at tc egress: the packet leaves this host.
pub const HOOK_TC_EGRESS: u8 = 2;
/// Seen by an XDP program, before the kernel's own receive stamp.
pub const HOOK_XDP: u8 = 3;

/// [`RecordHeader::vlan_tci`] holds a tag that the kernel had taken out of the packet.
pub const FLAG_VLAN: u8 = 1;

/// Bytes of payload that a record may be reserved for; the ring takes compile-time sizes only. A packet longer than
/// the last class is emitted as consecutive parts of one packet.
pub const SIZE_CLASSES: [usize; 7] = [160, 512, 1_536, 4_096, 9_728, 20_480, 66_048];

/// What stands before the bytes of each record. Times are `CLOCK_MONOTONIC` in nanoseconds and 0 where the stage did
/// not happen or cannot be attributed to this very packet.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "pod", derive(bytemuck::Pod, bytemuck::Zeroable))]
pub struct RecordHeader {
    /// Number of this record among those its CPU has reserved, from 1; a number that is missing is a record that was
    /// thrown away because the packet could not be read.
    pub sequence: u64,
    /// Number of the packet among those its CPU has matched; the parts of one packet share it.
    pub packet: u64,
    /// The clock just before the record was submitted. Of a packet of up to 512 bytes (the first two size classes) that no
    /// tracepoint has stamped it is the clock while the packet was looked at; at XDP that is its receive stamp too.
    pub record_ns: u64,
    /// `netif_receive_skb` (tc), or the XDP program's own entry.
    pub receive_ns: u64,
    /// Entry of the softirq that polled this packet.
    pub softirq_ns: u64,
    /// Entry of the interrupt handler that raised that softirq.
    pub irq_ns: u64,
    /// The network card's own stamp, on the card's clock: nanoseconds, since whatever that counts from. 0 where it gave none,
    /// where it was not asked to, and at XDP.
    pub hardware_ns: u64,
    /// CPU that wrote the record.
    pub cpu: u32,
    /// Inode number of the network namespace that the interface lives in.
    pub netns: u32,
    /// Interface index within that namespace.
    pub ifindex: u32,
    /// Bytes of the whole packet, link header included.
    pub packet_length: u32,
    /// Where in the packet this record's bytes begin.
    pub part_offset: u32,
    /// Bytes that follow this header.
    pub part_length: u32,
    /// Segments that were merged into this packet (0 or 1: none was merged).
    pub segments: u16,
    /// Payload bytes of each merged segment.
    pub segment_size: u16,
    /// VLAN tag that stood outside the packet's bytes, where [`FLAG_VLAN`] is set.
    pub vlan_tci: u16,
    /// Ethertype of that tag (0x8100 or 0x88A8).
    pub vlan_protocol: u16,
    /// [`KIND_PACKET`] or [`KIND_CANDIDATE`].
    pub kind: u8,
    /// [`HOOK_TC_INGRESS`], [`HOOK_TC_EGRESS`] or [`HOOK_XDP`].
    pub hook: u8,
    /// [`FLAG_VLAN`].
    pub flags: u8,
    /// Zero.
    pub reserved: [u8; 5],
}

const _: () = assert!(size_of::<RecordHeader>() == 96);
