//! Who reads a socket that watched packets have come to: one program for each way in which this kernel shows it.
//!
//! TCP says after every copy out of a socket up to where its bytes have been read. UDP shows a read by freeing the
//! datagram (up to Linux 6.17), or tells but the socket and how much was read (from 6.3): which datagram is next then
//! tells, at the next read, which it was. All run in the thread that reads, and what is of no such socket costs a look
//! at a table.

use core::ptr;

use aya_ebpf::{
    helpers::{
        bpf_get_current_pid_tgid, bpf_ktime_get_ns,
        generated::{bpf_get_current_comm, bpf_probe_read_kernel},
    },
    macros::btf_tracepoint,
    programs::BtfTracePointContext,
};
use monitor_common::{READ_CLOSED, READ_DATAGRAM, READ_OPENED, READ_SOCKET, READ_STREAM, ReadCounters};

use crate::{
    addresses::mapped,
    counting::add_shared,
    maps::READ_PORTS,
    matching::{ETHERTYPE_IPV4, ETHERTYPE_IPV6, PROTOCOL_TCP, PROTOCOL_UDP},
    offsets::{self, member, probe},
    reads::{Record, asked, count, counters, datagram_mark, port_key, submit},
};

/// `AF_INET` and `AF_INET6` (`include/linux/socket.h`).
const INET: u16 = 2;
const INET6: u16 = 10;
/// `MSG_PEEK` (`include/linux/socket.h`): the datagram stays where it is.
const PEEK: i32 = 2;
/// `TCP_ESTABLISHED` and `TCP_CLOSE` (`include/net/tcp_states.h`).
const ESTABLISHED: i32 = 1;
const CLOSE: i32 = 7;
/// Where the addresses stand in an IP header.
const IPV4_ADDRESSES: usize = 12;
const IPV6_ADDRESSES: usize = 8;

/// Bytes were copied out of a TCP socket, which has been told up to where.
#[btf_tracepoint(function = "tcp_rcv_space_adjust")]
pub fn tcp_read(ctx: BtfTracePointContext) -> i32 {
    let Some(counters) = counters() else { return 0 };
    if !asked() || offsets::sock_num() == 0 || offsets::tcp_copied_seq() == 0 {
        return 0;
    }
    count!(counters, seen);
    let socket: *const u8 = ctx.arg(0);
    // SAFETY: argument 0 of this tracepoint is a `struct sock *`.
    let port = unsafe { member::<u16>(socket, offsets::sock_num()) };
    if !is_watched(netns_of(socket), PROTOCOL_TCP, port) {
        count!(counters, ignored);
        return 0;
    }
    let copied: u32 = probe(socket, offsets::tcp_copied_seq()).unwrap_or(0);
    tell_of(
        socket,
        port,
        Read { mark: copied.into(), length: 0, transport: PROTOCOL_TCP, what: READ_STREAM },
        counters,
    );
    0
}

/// A TCP connection begins, or its socket has come to its end.
#[btf_tracepoint(function = "inet_sock_set_state")]
pub fn tcp_state(ctx: BtfTracePointContext) -> i32 {
    let Some(counters) = counters() else { return 0 };
    if !asked() || offsets::inet_sport() == 0 || offsets::sock_protocol() == 0 {
        return 0;
    }
    count!(counters, seen);
    let (socket, state): (*const u8, i32) = (ctx.arg(0), ctx.arg(2));
    // SAFETY: argument 0 of this tracepoint is a `struct sock *`.
    let protocol = unsafe { member::<u16>(socket, offsets::sock_protocol()) };
    // Its own number may have been given back already.
    let port = u16::from_be(probe(socket, offsets::inet_sport()).unwrap_or(0));
    let what = if state == CLOSE { READ_CLOSED } else { READ_OPENED };
    if state != CLOSE && state != ESTABLISHED
        || protocol != u16::from(PROTOCOL_TCP)
        || !is_watched(netns_of(socket), PROTOCOL_TCP, port)
    {
        count!(counters, ignored);
        return 0;
    }
    tell_of(socket, port, Read { mark: 0, length: 0, transport: PROTOCOL_TCP, what }, counters);
    0
}

/// Something was received from a socket of any kind.
#[btf_tracepoint(function = "sock_recv_length")]
pub fn udp_read(ctx: BtfTracePointContext) -> i32 {
    let Some(counters) = counters() else { return 0 };
    if !asked() || offsets::sock_protocol() == 0 || offsets::sock_num() == 0 {
        return 0;
    }
    count!(counters, seen);
    let (socket, length, flags): (*const u8, i32, i32) = (ctx.arg(0), ctx.arg(1), ctx.arg(2));
    // SAFETY: argument 0 of this tracepoint is a `struct sock *`.
    let (protocol, family, port) = unsafe {
        (
            member::<u16>(socket, offsets::sock_protocol()),
            member::<u16>(socket, offsets::sock_family()),
            member::<u16>(socket, offsets::sock_num()),
        )
    };
    let is_udp = protocol == u16::from(PROTOCOL_UDP) && (family == INET || family == INET6);
    if !is_udp || length < 0 || flags & PEEK != 0 || !is_watched(netns_of(socket), PROTOCOL_UDP, port) {
        count!(counters, ignored);
        return 0;
    }
    let read = Read {
        mark: next_datagram(socket),
        length: length.cast_unsigned(),
        transport: PROTOCOL_UDP,
        what: READ_SOCKET,
    };
    tell_of(socket, port, read, counters);
    0
}

/// The mark of the next datagram that waits in a socket; 0 where none does. Another thread that reads the same
/// socket may take it away meanwhile: what is read is then stale, or nothing.
#[inline(always)]
fn next_datagram(socket: *const u8) -> u64 {
    let first = |queue: usize| {
        let next: *const u8 = probe(socket, queue)?;
        // An empty queue points at itself.
        (next != socket.wrapping_byte_add(queue)).then_some(next)
    };
    let next = match first(offsets::udp_reader_queue()) {
        Some(next) => Some(next),
        None => first(offsets::sock_receive_queue()),
    };
    let Some(packet) = next else { return 0 };
    let head: *const u8 = probe(packet, offsets::skb_head()).unwrap_or(ptr::null());
    let network: u16 = probe(packet, offsets::skb_network_header()).unwrap_or(0);
    let transport: u16 = probe(packet, offsets::skb_transport_header()).unwrap_or(0);
    let (network, udp) = (probe(head, network.into()), probe(head, transport.into()));
    datagram_mark(network.unwrap_or(0), udp.unwrap_or(0))
}

/// A packet has served its purpose. That it was one which a UDP socket had in its queue is told by the number that the
/// kernel keeps there (`struct udp_dev_scratch`) in the place of the pointer to its interface, and by its having no
/// socket: a copy for a packet socket has one.
#[btf_tracepoint(function = "consume_skb")]
pub fn udp_consumed(ctx: BtfTracePointContext) -> i32 {
    let Some(counters) = counters() else { return 0 };
    if !asked() || offsets::skb_protocol() == 0 || offsets::skb_transport_header() == 0 {
        return 0;
    }
    count!(counters, seen);
    let skb: *const u8 = ctx.arg(0);
    // SAFETY: argument 0 of this tracepoint is the packet's `struct sk_buff *`.
    let (protocol, owner) = unsafe {
        (
            u16::from_be(member::<u16>(skb, offsets::skb_protocol())),
            member::<*const u8>(skb, offsets::skb_sk()),
        )
    };
    let is_ip = protocol == ETHERTYPE_IPV4 || protocol == ETHERTYPE_IPV6;
    if !is_ip || !owner.is_null() || !was_queued(skb) {
        count!(counters, ignored);
        return 0;
    }
    // SAFETY: as above. Pointers to bytes are numbers to the verifier.
    let (head, network, transport) = unsafe {
        (
            member::<usize>(skb, offsets::skb_head()),
            member::<u16>(skb, offsets::skb_network_header()),
            member::<u16>(skb, offsets::skb_transport_header()),
        )
    };
    let head: *const u8 = ptr::without_provenance(head);
    let header: u64 = probe(head, transport.into()).unwrap_or(0);
    // Both ports, in the order in which they lie in memory.
    let (remote_port, port) = (u16::from_be(header as u16), u16::from_be((header >> 16) as u16));
    if !is_watched(0, PROTOCOL_UDP, port) {
        count!(counters, ignored);
        return 0;
    }
    let network = head.wrapping_byte_add(network.into());
    let mark = datagram_mark(probe(network, 0).unwrap_or(0), header);
    let mut record = begun(Read { mark, length: 0, transport: PROTOCOL_UDP, what: READ_DATAGRAM });
    (record.local_port, record.remote_port) = (port, remote_port);
    if protocol == ETHERTYPE_IPV6 {
        read_halves(network.wrapping_byte_add(IPV6_ADDRESSES), &mut record.remote);
        read_halves(network.wrapping_byte_add(IPV6_ADDRESSES + 16), &mut record.local);
    } else {
        let both: u64 = probe(network, IPV4_ADDRESSES).unwrap_or(0);
        record.remote = [0, mapped(both as u32)];
        record.local = [0, mapped((both >> 32) as u32)];
    }
    counted(submit(record), counters);
    0
}

/// Whether the place of the pointer to the interface holds a number: no address of the kernel's is below half of all.
#[inline(always)]
fn was_queued(skb: *const u8) -> bool {
    let dev: u64 = probe(skb, offsets::skb_dev()).unwrap_or(0);
    dev != 0 && dev >> 63 == 0
}

#[inline(always)]
fn is_watched(netns: u32, transport: u8, port: u16) -> bool {
    // SAFETY: only asks whether the entry is there.
    unsafe { READ_PORTS.get(port_key(netns, transport, port)) }.is_some()
}

/// The network namespace of a socket.
#[inline(always)]
fn netns_of(socket: *const u8) -> u32 {
    // SAFETY: every caller's socket is argument 0 of its tracepoint, a `struct sock *`.
    unsafe {
        let net = member::<*const u8>(socket, offsets::sock_net());
        member(net, offsets::net_inum())
    }
}

/// What is told of a read beside who and where.
struct Read {
    mark: u64,
    length: u32,
    transport: u8,
    what: u8,
}

/// A record of now and of the thread that runs.
#[inline(always)]
fn begun(read: Read) -> Record {
    let mut name = [0_u64; 2];
    // SAFETY: `name` has room for the 16 bytes; the other helpers have no precondition.
    let (time_ns, process) = unsafe {
        bpf_get_current_comm((&raw mut name).cast(), size_of_val(&name) as u32);
        (bpf_ktime_get_ns(), (bpf_get_current_pid_tgid() >> 32) as u32)
    };
    Record {
        time_ns,
        mark: read.mark,
        remote: [0; 2],
        local: [0; 2],
        name,
        socket: 0,
        process,
        netns: 0,
        length: read.length,
        lost: 0,
        remote_port: 0,
        local_port: 0,
        transport: read.transport,
        what: read.what,
        reserved: 0,
    }
}

#[inline(always)]
fn tell_of(socket: *const u8, port: u16, read: Read, counters: *mut ReadCounters) {
    let mut record = begun(read);
    record.socket = socket as u64;
    record.local_port = port;
    record.remote_port = u16::from_be(probe(socket, offsets::sock_dport()).unwrap_or(0));
    record.netns = netns_of(socket);
    let family: u16 = probe(socket, offsets::sock_family()).unwrap_or(0);
    if family == INET6 {
        let addresses = socket.wrapping_byte_add(offsets::sock_v6_daddr());
        read_halves(addresses, &mut record.remote);
        read_halves(addresses.wrapping_byte_add(16), &mut record.local);
    } else {
        let both: u64 = probe(socket, offsets::sock_daddr()).unwrap_or(0);
        record.remote = [0, mapped(both as u32)];
        record.local = [0, mapped((both >> 32) as u32)];
    }
    counted(submit(record), counters);
}

/// Reads an IPv6 address in halves; they stay as they were where it cannot be read.
#[inline(always)]
fn read_halves(from: *const u8, to: &mut [u64; 2]) {
    // SAFETY: `to` has room for the 16 bytes; the helper checks the address itself and fails where it cannot be read.
    unsafe { bpf_probe_read_kernel(ptr::from_mut(to).cast(), 16, from.cast()) };
}

#[inline(always)]
fn counted(submitted: bool, counters: *mut ReadCounters) {
    count!(counters, matched);
    if submitted {
        count!(counters, submitted);
    } else {
        count!(counters, full);
    }
}
