//! TCP connections that are known to carry C37.118 frames, where any port may: what the programs keep of each.

/// Connections kept at a time unless user space chooses another number at load; a new one takes the place of the one that
/// was quiet for longest. Each takes about 100 bytes of the kernel's memory.
pub const CONNECTIONS_MAX: u32 = 8192;

/// Key of a connection, the same whichever way a segment goes: the end with the smaller port stands first (of equal
/// ports, the one whose address is smaller, as two 64-bit numbers in the machine's byte order). Neither interface nor VLAN is part of it: a tap may show each direction on an
/// interface of its own.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "pod", derive(bytemuck::Pod, bytemuck::Zeroable))]
pub struct ConnectionKey {
    /// IPv6 addresses, or IPv4-mapped ones (RFC 4291, 2.5.5.2).
    pub addresses: [[u8; 16]; 2],
    /// Their ports.
    pub ports: [u16; 2],
}

const _: () = assert!(size_of::<ConnectionKey>() == 36);

/// What is known of a connection.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "pod", derive(bytemuck::Pod, bytemuck::Zeroable))]
pub struct Connection {
    /// Which end is the PMU, 0 or 1: the one that sent a frame other than a command, or was sent a command.
    pub pmu: u32,
}
