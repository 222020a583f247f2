//! The times that tracepoints leave on their CPU for the program that emits the record.

/// One CPU's stamps, `CLOCK_MONOTONIC` nanoseconds; 0 is "none". Each belongs to one owner and is consumed once.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
#[cfg_attr(feature = "pod", derive(bytemuck::Pod, bytemuck::Zeroable))]
pub struct Stages {
    /// Entry of the interrupt handler running now, if its interrupt belongs to a monitored interface.
    pub handler_ns: u64,
    /// Entry of the handler that raised the receive softirq which has not begun yet.
    pub raised_ns: u64,
    /// As `raised_ns`, of the softirq running now, until its first packet takes it.
    pub irq_ns: u64,
    /// Entry of the softirq running now, until its first packet takes it.
    pub softirq_ns: u64,
    /// Address of the packet that the stamps below belong to; 0 once taken.
    pub packet: u64,
    /// `netif_receive_skb` of that packet.
    pub receive_ns: u64,
    /// Softirq entry of that packet.
    pub receive_softirq_ns: u64,
    /// Interrupt entry of that packet.
    pub receive_irq_ns: u64,
    /// Interface index of the interrupt handler running now.
    pub handler_ifindex: u32,
    /// Its network namespace.
    pub handler_netns: u32,
    /// Interface index that `raised_ns` and `irq_ns` belong to.
    pub raised_ifindex: u32,
    /// Its network namespace.
    pub raised_netns: u32,
    /// As `raised_ifindex`, for `irq_ns`.
    pub irq_ifindex: u32,
    /// Its network namespace.
    pub irq_netns: u32,
    /// Interface index read from the packet through BTF offsets: what the self-test compares.
    pub receive_ifindex: u32,
    /// Its network namespace, likewise.
    pub receive_netns: u32,
    /// Length read from the packet, likewise.
    pub receive_length: u32,
    /// Zero.
    pub reserved: u32,
}

const _: () = assert!(size_of::<Stages>() == 104);
