//! Where this kernel keeps the members that the programs read.
//!
//! User space looks the offsets up in the kernel's BTF and writes them here before the programs are loaded; the
//! verifier then knows each as a constant, and under `tp_btf` refuses one at which no member of the right kind starts.

use core::ptr;

use monitor_common::Matching;

/// Declares offsets and a function to read each.
macro_rules! offsets {
    ($($(#[$doc:meta])* $symbol:ident => $function:ident;)*) => {$(
        $(#[$doc])*
        #[unsafe(no_mangle)]
        static $symbol: u32 = 0;

        $(#[$doc])*
        #[inline(always)]
        pub fn $function() -> usize {
            // SAFETY: a static of this object. Volatile, or the compiler would take the 0 above for its value.
            unsafe { ptr::read_volatile(&raw const $symbol) as usize }
        }
    )*};
}

offsets! {
    /// `sk_buff.dev`
    OFFSET_SKB_DEV => skb_dev;
    /// `sk_buff.len`
    OFFSET_SKB_LEN => skb_len;
    /// `sk_buff.skb_iif`
    OFFSET_SKB_IIF => skb_iif;
    /// `sk_buff.head`
    OFFSET_SKB_HEAD => skb_head;
    /// `sk_buff.tail`
    OFFSET_SKB_TAIL => skb_tail;
    /// `sk_buff.mac_header`
    OFFSET_SKB_MAC_HEADER => skb_mac_header;
    /// `net_device.ifindex`
    OFFSET_DEV_IFINDEX => dev_ifindex;
    /// `net_device.nd_net.net`
    OFFSET_DEV_NET => dev_net;
    /// `xdp_buff.rxq`
    OFFSET_XDP_RXQ => xdp_rxq;
    /// `xdp_rxq_info.dev`, which is its first member on every kernel known: 0 says nothing here.
    OFFSET_RXQ_DEV => rxq_dev;
    /// `net.ns.inum`
    OFFSET_NET_INUM => net_inum;
    /// `sk_buff.sk`
    OFFSET_SKB_SK => skb_sk;
    /// `sk_buff.protocol`
    OFFSET_SKB_PROTOCOL => skb_protocol;
    /// `sk_buff.network_header`
    OFFSET_SKB_NETWORK_HEADER => skb_network_header;
    /// `sk_buff.transport_header`
    OFFSET_SKB_TRANSPORT_HEADER => skb_transport_header;
    /// `sock.__sk_common.skc_family`
    OFFSET_SOCK_FAMILY => sock_family;
    /// `sock.sk_protocol`
    OFFSET_SOCK_PROTOCOL => sock_protocol;
    /// `sock.__sk_common.skc_num`
    OFFSET_SOCK_NUM => sock_num;
    /// `sock.__sk_common.skc_dport`
    OFFSET_SOCK_DPORT => sock_dport;
    /// `sock.__sk_common.skc_daddr`, behind which `skc_rcv_saddr` stands: 0 on every kernel known.
    OFFSET_SOCK_DADDR => sock_daddr;
    /// `sock.__sk_common.skc_v6_daddr`, behind which `skc_v6_rcv_saddr` stands.
    OFFSET_SOCK_V6_DADDR => sock_v6_daddr;
    /// `sock.__sk_common.skc_net.net`
    OFFSET_SOCK_NET => sock_net;
    /// `sock.sk_receive_queue`
    OFFSET_SOCK_RECEIVE_QUEUE => sock_receive_queue;
    /// `udp_sock.reader_queue`
    OFFSET_UDP_READER_QUEUE => udp_reader_queue;
    /// `tcp_sock.copied_seq`
    OFFSET_TCP_COPIED_SEQ => tcp_copied_seq;
    /// `inet_sock.inet_sport`
    OFFSET_INET_SPORT => inet_sport;
}

/// What a packet's own structures say of it.
#[derive(Clone, Copy)]
pub struct PacketFacts {
    pub ifindex: u32,
    pub netns: u32,
    pub length: u32,
}

/// Whether user space has written the offsets. An object that nobody patched still loads, and stamps nothing.
#[inline(always)]
pub fn known() -> bool {
    skb_dev() != 0 && skb_len() != 0 && dev_ifindex() != 0 && dev_net() != 0 && net_inum() != 0
}

/// Reads a packet's facts where the verifier knows its type (`tp_btf` arguments).
///
/// # Safety
/// `skb` must be the `struct sk_buff *` argument of a `tp_btf` program.
#[inline(always)]
pub unsafe fn typed_facts(skb: *const u8) -> PacketFacts {
    // SAFETY: the caller's promise; each step is a typed pointer that the verifier follows, and a fault reads 0.
    unsafe {
        let dev = member::<*const u8>(skb, skb_dev());
        let net = member::<*const u8>(dev, dev_net());
        PacketFacts {
            ifindex: member(dev, dev_ifindex()),
            netns: member(net, net_inum()),
            length: member(skb, skb_len()),
        }
    }
}

/// Where the linear part of a packet is, from its link header on.
#[derive(Clone, Copy)]
pub struct Linear {
    pub start: usize,
    pub end: usize,
    /// Index of the interface that it came in on; 0 where it has not come in yet, or leaves.
    pub came_in_on: u32,
}

/// Reads it; none where the packet has no link header, or user space has not written the offsets.
///
/// # Safety
/// As [`typed_facts`].
#[inline(always)]
pub unsafe fn typed_linear(skb: *const u8) -> Option<Linear> {
    /// What the kernel writes for a header that is not set.
    const NOT_SET: u16 = u16::MAX;
    if skb_iif() == 0 || skb_head() == 0 || skb_tail() == 0 || skb_mac_header() == 0 {
        return None;
    }
    // SAFETY: the caller's promise. Pointers to bytes are numbers to the verifier.
    unsafe {
        let head = member::<usize>(skb, skb_head());
        let link = member::<u16>(skb, skb_mac_header());
        let tail = member::<u32>(skb, skb_tail());
        if link == NOT_SET {
            return None;
        }
        let (start, end) = (head + usize::from(link), head + tail as usize);
        Some(Linear { start, end, came_in_on: member(skb, skb_iif()) })
    }
}

/// The network namespace of a packet in a program to which the packet is an opaque context (tc): read from its
/// structures, or, where all interfaces of the instance are in one, known without looking. An interface that is moved
/// to another namespace keeps the programs attached to it and is still told as what it was attached as.
#[inline(always)]
pub fn netns_of(skb: *const u8, matching: *const Matching) -> Option<u32> {
    let only = only_netns(matching);
    if only != 0 {
        return Some(only);
    }
    if !known() {
        return None;
    }
    let dev = probe::<*const u8>(skb, skb_dev())?;
    let net = probe::<*const u8>(dev, dev_net())?;
    probe(net, net_inum())
}

/// The same in an XDP program, whose context is the kernel's `struct xdp_buff`.
#[inline(always)]
pub fn netns_of_buffer(buffer: *const u8, matching: *const Matching) -> Option<u32> {
    let only = only_netns(matching);
    if only != 0 {
        return Some(only);
    }
    if !known() || xdp_rxq() == 0 {
        return None;
    }
    let queue = probe::<*const u8>(buffer, xdp_rxq())?;
    let dev = probe::<*const u8>(queue, rxq_dev())?;
    let net = probe::<*const u8>(dev, dev_net())?;
    probe(net, net_inum())
}

#[inline(always)]
fn only_netns(matching: *const Matching) -> u32 {
    // SAFETY: a field of a map value.
    unsafe { (*matching).settings.netns }
}

/// Reads a member through a pointer that the verifier follows.
///
/// # Safety
/// `base` must be a pointer whose type the verifier knows, with a member of type `T` at `offset`.
#[inline(always)]
pub unsafe fn member<T: Copy>(base: *const u8, offset: usize) -> T {
    // SAFETY: the caller's promise. Volatile, so that the access stays one load of its full width.
    unsafe { ptr::read_volatile(base.byte_add(offset).cast::<T>()) }
}

/// Reads a member of whatever lies at an address; none where that cannot be read.
#[inline(always)]
pub fn probe<T: Copy>(base: *const u8, offset: usize) -> Option<T> {
    // SAFETY: the helper checks the address itself and fails where it cannot be read.
    unsafe { aya_ebpf::helpers::bpf_probe_read_kernel(base.wrapping_byte_add(offset).cast::<T>()) }.ok()
}
