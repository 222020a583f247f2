//! Who else reads what is watched: the programs that tell of it, and which of them this kernel needs for UDP.

use std::{
    net::{Ipv4Addr, UdpSocket},
    time::Duration,
};

use aya::{
    Btf, Ebpf, EbpfLoader,
    maps::{HashMap, Map, MapData, MapError, PerCpuArray, RingBuf},
    programs::BtfTracePoint,
};
use monitor_common::{READS_ON, ReadCounters, ReadRecord};

use super::{
    ProbeError, attach,
    btf::KernelTypes,
    error::chain,
    kernel::{map_error, missing},
    offsets::Offsets,
};
use crate::sys::memory::page_size;

/// Words of one CPU's counters.
const COUNTER_WORDS: usize = size_of::<ReadCounters>() / size_of::<u64>();
/// Number of UDP in an IP header.
const UDP: u64 = 17;

/// A symbol, and the members whose offsets add up to it.
type Member = (&'static str, &'static [(&'static str, &'static str)]);

/// A program: its name, its tracepoint, and what it reads.
struct Part {
    program: &'static str,
    tracepoint: &'static str,
    members: &'static [Member],
}

const NET: Member = ("OFFSET_SOCK_NET", &[("sock", "__sk_common"), ("sock_common", "skc_net")]);
const FAMILY: Member = ("OFFSET_SOCK_FAMILY", &[("sock", "__sk_common"), ("sock_common", "skc_family")]);
const NUM: Member = ("OFFSET_SOCK_NUM", &[("sock", "__sk_common"), ("sock_common", "skc_num")]);
const DPORT: Member = ("OFFSET_SOCK_DPORT", &[("sock", "__sk_common"), ("sock_common", "skc_dport")]);
const DADDR: Member = ("OFFSET_SOCK_DADDR", &[("sock", "__sk_common"), ("sock_common", "skc_daddr")]);
const V6_DADDR: Member =
    ("OFFSET_SOCK_V6_DADDR", &[("sock", "__sk_common"), ("sock_common", "skc_v6_daddr")]);
const PROTOCOL: Member = ("OFFSET_SOCK_PROTOCOL", &[("sock", "sk_protocol")]);
const HEAD: Member = ("OFFSET_SKB_HEAD", &[("sk_buff", "head")]);
const NETWORK_HEADER: Member = ("OFFSET_SKB_NETWORK_HEADER", &[("sk_buff", "network_header")]);
const TRANSPORT_HEADER: Member = ("OFFSET_SKB_TRANSPORT_HEADER", &[("sk_buff", "transport_header")]);

/// What comes in; without it there is nothing to be late with.
const RECEIVED: Part = Part {
    program: "to_be_read",
    tracepoint: "netif_receive_skb",
    members: &[
        HEAD,
        ("OFFSET_SKB_IIF", &[("sk_buff", "skb_iif")]),
        ("OFFSET_SKB_TAIL", &[("sk_buff", "tail")]),
        ("OFFSET_SKB_MAC_HEADER", &[("sk_buff", "mac_header")]),
    ],
};
const TCP_READ: Part = Part {
    program: "tcp_read",
    tracepoint: "tcp_rcv_space_adjust",
    members: &[
        NET,
        FAMILY,
        NUM,
        DPORT,
        DADDR,
        V6_DADDR,
        ("OFFSET_TCP_COPIED_SEQ", &[("tcp_sock", "copied_seq")]),
    ],
};
const TCP_STATE: Part = Part {
    program: "tcp_state",
    tracepoint: "inet_sock_set_state",
    members: &[
        NET,
        FAMILY,
        PROTOCOL,
        DPORT,
        DADDR,
        V6_DADDR,
        ("OFFSET_INET_SPORT", &[("inet_sock", "inet_sport")]),
    ],
};
/// Up to Linux 6.17 a UDP read frees its datagram here.
const UDP_CONSUMED: Part = Part {
    program: "udp_consumed",
    tracepoint: "consume_skb",
    members: &[
        HEAD,
        TRANSPORT_HEADER,
        ("OFFSET_SKB_SK", &[("sk_buff", "sk")]),
        ("OFFSET_SKB_PROTOCOL", &[("sk_buff", "protocol")]),
        NETWORK_HEADER,
    ],
};
/// From Linux 6.3 on.
const UDP_READ: Part = Part {
    program: "udp_read",
    tracepoint: "sock_recv_length",
    members: &[
        NET,
        FAMILY,
        PROTOCOL,
        NUM,
        DPORT,
        DADDR,
        V6_DADDR,
        HEAD,
        NETWORK_HEADER,
        TRANSPORT_HEADER,
        ("OFFSET_SOCK_RECEIVE_QUEUE", &[("sock", "sk_receive_queue")]),
        ("OFFSET_UDP_READER_QUEUE", &[("udp_sock", "reader_queue")]),
    ],
};
const PARTS: [&Part; 5] = [&RECEIVED, &TCP_READ, &TCP_STATE, &UDP_CONSUMED, &UDP_READ];

/// How this kernel shows reads of UDP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DatagramReads {
    /// It shows the datagram.
    ByPacket,
    /// It shows the socket alone: which datagram was read is inferred.
    BySocket,
}

/// What the programs write.
pub struct Reads {
    ring: RingBuf<MapData>,
    counters: PerCpuArray<MapData, [u64; COUNTER_WORDS]>,
    /// Reads that were made to find out what this kernel shows.
    own: u64,
    tcp: bool,
    udp: Option<DatagramReads>,
}

impl Reads {
    /// Takes the maps, and attaches what this kernel has, by what is known of it ([`globals`]); what it has not goes into the warnings.
    pub(super) fn attach(
        ebpf: &mut Ebpf,
        btf: &Btf,
        known: &Offsets,
        warnings: &mut Vec<String>,
    ) -> Result<Self, ProbeError> {
        let (ring, counters) = (taken(ebpf, "READS")?, taken(ebpf, "READ_COUNTERS")?);
        let mut reads = Self { ring, counters, own: 0, tcp: false, udp: None };
        RECEIVED.load(ebpf, btf, known)?;
        match TCP_READ.load(ebpf, btf, known) {
            Ok(()) => reads.tcp = true,
            Err(error) => warnings.push(format!("how late TCP is read is not told: {error}")),
        }
        if reads.tcp
            && let Err(error) = TCP_STATE.load(ebpf, btf, known)
        {
            warnings
                .push(format!("what was not read of a TCP socket that was closed counts as unread: {error}"));
        }
        match reads.attach_udp(ebpf, btf, known) {
            Ok(by) => reads.udp = Some(by),
            Err(error) => warnings.push(format!("how late UDP is read is not told: {error}")),
        }
        Ok(reads)
    }

    /// By packet where a datagram over the loopback shows that the kernel does so; by socket else.
    fn attach_udp(
        &mut self,
        ebpf: &mut Ebpf,
        btf: &Btf,
        known: &Offsets,
    ) -> Result<DatagramReads, ProbeError> {
        let by_packet = UDP_CONSUMED.load(ebpf, btf, known);
        let shown = by_packet.is_ok().then(|| self.is_shown(ebpf)).transpose()?.flatten();
        if shown == Some(true) {
            return Ok(DatagramReads::ByPacket);
        }
        if by_packet.is_ok() {
            UDP_CONSUMED.unload(ebpf)?;
        }
        match UDP_READ.load(ebpf, btf, known) {
            Ok(()) => Ok(DatagramReads::BySocket),
            // Where no datagram could be sent (no loopback), a kernel without the other is one that has this.
            Err(_) if shown.is_none() && by_packet.is_ok() => {
                UDP_CONSUMED.load(ebpf, btf, known).map(|()| DatagramReads::ByPacket)
            }
            Err(error) => Err(error),
        }
    }

    /// Sends itself a datagram over the loopback and reads it: whether the programs tell of it; none where it cannot be
    /// sent.
    fn is_shown(&mut self, ebpf: &mut Ebpf) -> Result<Option<bool>, ProbeError> {
        let Ok((socket, port)) = looped_back() else { return Ok(None) };
        // In any network namespace.
        let key = UDP << 16 | u64::from(port);
        let map = ebpf.map_mut("READ_PORTS").ok_or_else(|| missing("READ_PORTS"))?;
        let mut ports: HashMap<_, u64, u32> =
            HashMap::try_from(map).map_err(|error| map_error("READ_PORTS", &error))?;
        ports.insert(key, 1, 0).map_err(|error| map_error("READ_PORTS", &error))?;
        let read = socket.send(&[0]).and_then(|_| socket.recv(&mut [0]));
        let told = std::iter::from_fn(|| self.next_record()).count();
        self.own += told as u64;
        ports.remove(&key).map_err(|error| map_error("READ_PORTS", &error))?;
        Ok(read.is_ok().then_some(told > 0))
    }

    /// Whether this kernel shows how far TCP is read.
    #[must_use]
    pub const fn shows_tcp(&self) -> bool {
        self.tcp
    }

    /// How this kernel shows reads of UDP, if it does.
    #[must_use]
    pub const fn shows_udp(&self) -> Option<DatagramReads> {
        self.udp
    }

    /// The next record.
    pub fn next_record(&mut self) -> Option<ReadRecord> {
        let item = self.ring.next()?;
        item.get(..size_of::<ReadRecord>()).map(bytemuck::pod_read_unaligned)
    }

    /// What the programs counted, over all CPUs. Stays readable after they are detached.
    ///
    /// # Errors
    /// Where the map cannot be read.
    pub fn counters(&self) -> Result<ReadCounters, ProbeError> {
        let cpus = self.counters.get(&0, 0).map_err(|error| map_error("READ_COUNTERS", &error))?;
        let mut sum = [0; COUNTER_WORDS];
        for cpu in cpus.iter() {
            sum.iter_mut().zip(cpu).for_each(|(sum, count)| *sum += count);
        }
        let ReadCounters { seen, matched, submitted, .. } = bytemuck::cast(sum);
        let own = self.own;
        Ok(ReadCounters {
            seen: seen - own,
            matched: matched - own,
            submitted: submitted - own,
            ..bytemuck::cast(sum)
        })
    }
}

impl Part {
    /// Loads the program and attaches it.
    fn load(&self, ebpf: &mut Ebpf, btf: &Btf, known: &Offsets) -> Result<(), ProbeError> {
        let is_missing = |(symbol, _): &&Member| !known.iter().any(|(one, _)| one == symbol);
        if let Some((_, path)) = self.members.iter().find(is_missing) {
            let member = path.iter().map(|(of, member)| format!("{of}.{member}")).collect::<Vec<_>>();
            return Err(ProbeError::Member { member: member.join(", ") });
        }
        let program: &mut BtfTracePoint = attach::program(ebpf, self.program)?;
        program.load(self.tracepoint, btf).map_err(|error| attach::refused(self.program, &error))?;
        program.attach().map_err(|error| attach::attach_error(self.program, self.tracepoint, &error))?;
        Ok(())
    }

    fn unload(&self, ebpf: &mut Ebpf) -> Result<(), ProbeError> {
        let program: &mut BtfTracePoint = attach::program(ebpf, self.program)?;
        let undone = program.unload();
        undone
            .map_err(|error| ProbeError::Program { program: self.program.to_owned(), reason: chain(&error) })
    }
}

fn offset(types: &KernelTypes, &(symbol, path): &Member) -> Result<(&'static str, u32), ProbeError> {
    let sum = path.iter().try_fold(0, |sum, (of, member)| Ok(sum + types.offset(of, member)?))?;
    Ok((symbol, sum))
}

/// A socket that is connected to itself, and its port.
fn looped_back() -> std::io::Result<(UdpSocket, u16)> {
    /// A loopback that has not brought it by then does not.
    const WAIT: Duration = Duration::from_secs(1);
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
    let address = socket.local_addr()?;
    socket.connect(address)?;
    socket.set_read_timeout(Some(WAIT))?;
    Ok((socket, address.port()))
}

fn taken<T>(ebpf: &mut Ebpf, name: &str) -> Result<T, ProbeError>
where
    T: TryFrom<Map, Error = MapError>,
{
    let map = ebpf.take_map(name).ok_or_else(|| missing(name))?;
    T::try_from(map).map_err(|error| map_error(name, &error))
}

/// Symbols and what is written to them before an object is loaded that is to tell of reads. A member that this kernel
/// has not is left out: the program that needs it is not loaded, and said to be missing.
pub(super) fn globals() -> Result<Offsets, ProbeError> {
    let types = KernelTypes::of_running_kernel()?;
    let members = PARTS.iter().flat_map(|part| part.members).filter_map(|member| offset(&types, member).ok());
    Ok(members.chain([("READS_ASKED", READS_ON)]).collect())
}

/// Makes the maps as small as they can be: nothing will be in them.
pub(super) fn leave_out(loader: &mut EbpfLoader<'_>) {
    const FEWEST: u32 = 1;
    loader
        .map_max_entries("READ_PORTS", FEWEST)
        .map_max_entries("READS", u32::try_from(page_size()).unwrap_or(4096));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_running_kernel_shows_reads_of_tcp_and_has_what_the_programs_read() {
        let Ok(types) = KernelTypes::of_running_kernel() else {
            println!("skipped: this kernel publishes no BTF");
            return;
        };
        for member in PARTS.iter().flat_map(|part| part.members) {
            assert!(offset(&types, member).is_ok(), "{member:?}");
        }
        // `skc_rcv_saddr` behind `skc_daddr`, and likewise of IPv6: both are read at once.
        let at = |member| types.offset("sock_common", member).unwrap();
        assert_eq!(at("skc_rcv_saddr"), at("skc_daddr") + 4);
        assert_eq!(at("skc_v6_rcv_saddr"), at("skc_v6_daddr") + 16);
    }
}
