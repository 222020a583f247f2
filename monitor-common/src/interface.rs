//! How the kernel side names an interface: an index means nothing without its namespace.

/// Key of the table of monitored interfaces.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "pod", derive(bytemuck::Pod, bytemuck::Zeroable))]
pub struct InterfaceKey {
    /// Inode number of the network namespace.
    pub netns: u32,
    /// Interface index within it.
    pub ifindex: u32,
}

/// Value of that table.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "pod", derive(bytemuck::Pod, bytemuck::Zeroable))]
pub struct InterfaceSettings {
    /// The number by which user space knows the interface.
    pub number: u32,
    /// Zero.
    pub reserved: u32,
}
