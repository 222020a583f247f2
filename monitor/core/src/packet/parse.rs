//! Takes a record apart.

use super::ip::{self, Beside, Networked};
use super::link::{self, Linked};
use super::transport::Transported;
use super::{Addresses, Endpoint, Rct, Record, Transport, VlanTag};

/// A packet, borrowed from its record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packet<'a> {
    /// Sender's and receiver's MAC address, where the link has them.
    pub macs: Option<[[u8; 6]; 2]>,
    /// The outermost tag, whether it stood in the data or outside.
    pub vlan: Option<VlanTag>,
    /// The next tag inside (IEEE 802.1ad, stacked).
    pub inner_vlan: Option<VlanTag>,
    /// No tag was found, and whether there was one is not known.
    pub vlan_unknown: bool,
    /// PRP's trailer, where it has one.
    pub rct: Option<Rct>,
    /// What it carries.
    pub content: Content<'a>,
}

/// What a packet carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content<'a> {
    /// A UDP datagram, whole.
    Udp(Datagram<'a>),
    /// A TCP segment.
    Tcp(Segment<'a>),
    /// Part of a UDP datagram or a TCP segment.
    Fragment(Fragment<'a>),
    /// Neither IP with UDP or TCP in it, nor part of it.
    Other {
        /// Its ethertype; 0 where it has none.
        ethertype: u16,
        /// What stands behind the link header and all tags.
        payload: &'a [u8],
    },
}

/// A UDP datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Datagram<'a> {
    /// Sender.
    pub source: Endpoint,
    /// Receiver.
    pub destination: Endpoint,
    /// Identification in an IPv4 header, where the sender gave one (not 0): a copy of the packet, made by a mirror or
    /// by PRP, has the same.
    pub ip_id: Option<u16>,
    /// TTL of IPv4, hop limit of IPv6.
    pub hop_limit: u8,
    /// Its payload, as far as the capture holds it.
    pub payload: &'a [u8],
    /// Bytes of the payload that the capture cut off.
    pub cut: usize,
}

/// A TCP segment, or several that the kernel merged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment<'a> {
    /// Sender.
    pub source: Endpoint,
    /// Receiver.
    pub destination: Endpoint,
    /// Identification in an IPv4 header, where the sender gave one (not 0): a copy of the packet, made by a mirror or
    /// by PRP, has the same; a retransmission has another.
    pub ip_id: Option<u16>,
    /// Sequence number of the first payload byte (of the SYN where there is one).
    pub sequence: u32,
    /// Number of the byte that the sender expects next from the other side; means nothing without the flag ACK.
    pub acknowledgement: u32,
    /// CWR, ECE, URG, ACK, PSH, RST, SYN, FIN, from bit 7 to bit 0.
    pub flags: u8,
    /// Its payload, as far as the capture holds it.
    pub payload: &'a [u8],
    /// Bytes of the payload that the capture cut off.
    pub cut: usize,
}

/// A fragment of an IP packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fragment<'a> {
    /// Sender's address; IPv4-mapped where it is IPv4.
    pub source: [u8; 16],
    /// Receiver's.
    pub destination: [u8; 16],
    /// Identification, which all fragments of one packet share.
    pub identification: u32,
    /// Number of the protocol inside: 17 for UDP, 6 for TCP.
    pub protocol: u8,
    /// TTL of IPv4, hop limit of IPv6.
    pub hop_limit: u8,
    /// Where its payload belongs in the whole, in bytes.
    pub offset: u16,
    /// Whether more follow.
    pub more: bool,
    /// Its part of the IP payload: the first one begins with the header of UDP or TCP.
    pub payload: &'a [u8],
    /// Bytes of its part that the capture cut off.
    pub cut: usize,
}

/// The header at which a record turned out to be no whole packet: it ends too early, or states a length that it
/// cannot have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Malformed {
    /// The link header or a VLAN tag.
    Link,
    /// The IPv4 or IPv6 header, or an extension header.
    Ip,
    /// The UDP or TCP header.
    Transport,
}

impl<'a> Packet<'a> {
    /// The packet in a record.
    ///
    /// A record that a capture cut (`wire_length` above the bytes it holds) gives what is left of its payload.
    ///
    /// # Errors
    /// [`Malformed`], where a header is cut or states what cannot be. Packets of other protocols are no error.
    #[inline]
    pub fn parse(record: &Record<'a>) -> Result<Self, Malformed> {
        let linked = Linked::parse(record.link, record.bytes)?;
        let [first, second] = linked.tags;
        let [vlan, inner_vlan] = match record.vlan {
            Some(outside) => [Some(outside), first],
            None => [first, second],
        };
        let content = Content::parse(&linked, record)?;
        let vlan_unknown = record.vlan_unknown && vlan.is_none();
        let tags = linked.tags.iter().flatten().count() + usize::from(record.vlan.is_some());
        let rct = linked.macs.and_then(|_| Rct::find(linked.rest, tags));
        Ok(Self { macs: linked.macs, vlan, inner_vlan, vlan_unknown, rct, content })
    }

    /// Its two outermost tags.
    #[must_use]
    pub const fn tags(&self) -> [Option<VlanTag>; 2] {
        [self.vlan, self.inner_vlan]
    }
}

impl<'a> Content<'a> {
    #[inline]
    fn parse(linked: &Linked<'a>, record: &Record<'a>) -> Result<Self, Malformed> {
        let on_wire = usize::try_from(record.wire_length).unwrap_or(usize::MAX);
        let cut = on_wire.saturating_sub(record.bytes.len());
        let beside = Beside { cut, merged: record.segments > 1 };
        let networked = match linked.ethertype {
            link::IPV4 => Networked::ipv4(linked.rest, beside)?,
            link::IPV6 => Networked::ipv6(linked.rest, beside)?,
            ethertype => return Ok(Self::Other { ethertype, payload: linked.rest }),
        };
        match (networked.protocol, networked.part) {
            (ip::UDP | ip::TCP, Some(_)) => Ok(Self::Fragment(Fragment::new(&networked))),
            (ip::UDP, None) => Datagram::new(&networked, beside.merged).map(Self::Udp),
            (ip::TCP, None) => Segment::new(&networked).map(Self::Tcp),
            _ => Ok(Self::Other { ethertype: linked.ethertype, payload: linked.rest }),
        }
    }
}

impl<'a> Datagram<'a> {
    #[inline]
    fn new(ip: &Networked<'a>, merged: bool) -> Result<Self, Malformed> {
        let udp = Transported::udp(ip.payload, ip.cut, merged)?;
        let [source, destination] = endpoints(ip, udp.ports);
        Ok(Self {
            source,
            destination,
            ip_id: ip.ip_id,
            hop_limit: ip.hop_limit,
            payload: udp.payload,
            cut: udp.cut,
        })
    }

    /// Between whom it goes.
    #[must_use]
    pub const fn addresses(&self) -> Addresses {
        Addresses::Ip { source: self.source, destination: self.destination }
    }
}

impl<'a> Segment<'a> {
    fn new(ip: &Networked<'a>) -> Result<Self, Malformed> {
        let tcp = Transported::tcp(ip.payload, ip.cut)?;
        let [source, destination] = endpoints(ip, tcp.ports);
        let Transported { sequence, acknowledgement, flags, payload, cut, .. } = tcp;
        Ok(Self { source, destination, ip_id: ip.ip_id, sequence, acknowledgement, flags, payload, cut })
    }

    /// Between whom it goes.
    #[must_use]
    pub const fn addresses(&self) -> Addresses {
        Addresses::Ip { source: self.source, destination: self.destination }
    }
}

impl<'a> Fragment<'a> {
    fn new(ip: &Networked<'a>) -> Self {
        let (identification, offset, more) =
            ip.part.map_or((0, 0, false), |part| (part.identification, part.offset, part.more));
        let Networked { source, destination, protocol, hop_limit, payload, cut, .. } = *ip;
        Self { source, destination, identification, protocol, hop_limit, offset, more, payload, cut }
    }

    /// Source and destination port, which only a first fragment carries.
    #[must_use]
    pub fn ports(&self) -> Option<[u16; 2]> {
        match (self.offset, self.payload) {
            (0, &[s0, s1, d0, d1, ..]) => Some([u16::from_be_bytes([s0, s1]), u16::from_be_bytes([d0, d1])]),
            _ => None,
        }
    }

    /// What it carries of the payload of UDP or TCP: a first fragment's begins behind their header, where all of that
    /// is there.
    #[must_use]
    pub fn data(&self) -> &'a [u8] {
        let header_size = match (self.offset, self.protocol) {
            (0, ip::UDP) => 8,
            (0, _) => self.payload.get(12).map_or(usize::MAX, |word| usize::from(word >> 4) * 4),
            _ => 0,
        };
        self.payload.get(header_size..).unwrap_or_default()
    }

    /// Whether it is one of IPv6.
    #[must_use]
    pub fn is_ipv6(&self) -> bool {
        !self.source.starts_with(&[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF])
    }

    /// What the packet carries whose fragments, this one among them, make up `payload`.
    ///
    /// # Errors
    /// [`Malformed::Transport`], where the header of UDP or TCP is cut or states what cannot be.
    pub fn whole<'w>(&self, payload: &'w [u8]) -> Result<Content<'w>, Malformed> {
        let Self { source, destination, identification, protocol, hop_limit, .. } = *self;
        let ip_id = u16::try_from(identification).ok().filter(|id| *id != 0 && !self.is_ipv6());
        let whole =
            Networked { source, destination, protocol, part: None, ip_id, hop_limit, payload, cut: 0 };
        match protocol {
            ip::TCP => Segment::new(&whole).map(Content::Tcp),
            _ => Datagram::new(&whole, false).map(Content::Udp),
        }
    }

    /// What carries it.
    #[must_use]
    pub const fn transport(&self) -> Transport {
        match self.protocol {
            ip::TCP => Transport::Tcp,
            _ => Transport::Udp,
        }
    }

    /// Between whom it goes; the ports are 0 where it carries none.
    #[must_use]
    pub fn addresses(&self) -> Addresses {
        let [source, destination] = self.ports().unwrap_or_default();
        Addresses::Ip {
            source: Endpoint { address: self.source, port: source },
            destination: Endpoint { address: self.destination, port: destination },
        }
    }
}

fn endpoints(ip: &Networked<'_>, ports: [u16; 2]) -> [Endpoint; 2] {
    let [source, destination] = ports;
    [Endpoint { address: ip.source, port: source }, Endpoint { address: ip.destination, port: destination }]
}
