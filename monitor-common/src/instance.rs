//! What an attached instance is attached to: kept in a map of its own, pinned beside the others, so that whoever comes
//! later finds it and `bpftool map dump` shows it. The programs do not read it.

/// Interfaces that one instance may watch.
pub const INTERFACES_MAX: usize = 64;
/// Bytes of an interface name, the terminating zero included (`IFNAMSIZ`).
pub const NAME_BYTES: usize = 16;

/// Attaching was begun; what is pinned may not be whole.
pub const STATE_BEGUN: u32 = 0;
/// Everything is attached and pinned.
pub const STATE_ATTACHED: u32 = 1;

/// A filter of the older kind (clsact), which no link keeps: what is needed to remove it.
pub const ATTACHED_CLSACT: u32 = 1;
/// The clsact queueing discipline was added for it.
pub const ADDED_CLSACT: u32 = 2;

/// The programs read the network card's own stamps.
pub const READS_HARDWARE_STAMPS: u32 = 1;

/// One interface of an instance.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "pod", derive(bytemuck::Pod, bytemuck::Zeroable))]
pub struct InstanceInterface {
    /// Inode number of its network namespace.
    pub netns: u32,
    /// Its index there; 0: this line is not in use.
    pub ifindex: u32,
    /// [`ATTACHED_CLSACT`], [`ADDED_CLSACT`].
    pub flags: u32,
    /// Handles of its clsact filters: ingress, egress.
    pub handles: [u32; 2],
    /// Priorities of its clsact filters: ingress, egress.
    pub priorities: [u16; 2],
    /// Its name when it was attached to, filled up with zeros.
    pub name: [u8; NAME_BYTES],
}

/// An attached instance.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "pod", derive(bytemuck::Pod, bytemuck::Zeroable))]
pub struct Instance {
    /// [`crate::ABI_VERSION`] of whoever made it.
    pub abi_version: u32,
    /// [`STATE_BEGUN`] or [`STATE_ATTACHED`].
    pub state: u32,
    /// Hook for what comes in: as in [`crate::RecordHeader::hook`].
    pub hook: u32,
    /// [`READS_HARDWARE_STAMPS`].
    pub flags: u32,
    /// When it was attached: nanoseconds since the Unix epoch, UTC.
    pub attached_ns: i64,
    /// Its interfaces, by their number.
    pub interfaces: [InstanceInterface; INTERFACES_MAX],
}

const _: () = assert!(size_of::<InstanceInterface>() == 40);
const _: () = assert!(size_of::<Instance>() == 24 + 40 * INTERFACES_MAX);
