//! Copies: the same packet, seen again on its way.
//!
//! A mirror of both directions of a port shows a packet twice, PRP (IEC 62439-3) sends it over two LANs, two
//! interfaces may watch one path. None of this is the PMU's doing, and none of it counts as a frame. A *duplicate* is
//! a second packet for an instant that had one.
//!
//! # The rule
//! A packet is a copy of one seen less than [`COPY_WINDOW_NS`] before, with the same beginning (type, IDCODE, SOC,
//! FRACSEC and check of its first frame, and length), if one of these holds:
//!
//! 1. Both carry a PRP trailer: the same sequence number, and the other LAN or another place. A different sequence
//!    number is another packet whatever else agrees.
//! 2. Both carry an identification in their IPv4 header that is not 0: the same one. Senders number packets so that
//!    two differ, and a different one is another packet. Fragments always carry one, in IPv6 too; a datagram that was put
//!    together from fragments is looked at by this rule, since each of them has a PRP trailer of its own.
//! 3. They were seen at different places: another interface, direction, VLAN, pair of MAC addresses or hop limit. A
//!    sender that sends twice is seen twice at one place.
//! 4. The stream is set as mirrored in the configuration file.
//!
//! # Its limits
//! Where a mirror shows both directions of one port without changing a packet, and the sender leaves the identification
//! 0 (IPv6 has none, and Linux may for datagrams that must not be fragmented), a copy and a packet that was sent twice
//! are the same bytes at the same place, and count as a duplicate unless the stream is set as mirrored. A network that
//! itself doubles packets cannot be told from a mirror by rule 2. More than [`SEEN`] packets of one stream within the
//! window push the oldest ones out.

use std::hash::Hasher;

use super::report::CopyCounts;
use super::tally::Tally;
use crate::fold::Fold;
use crate::packet::{Datagram, Direction, Lan, Packet, Rct, Record};
use crate::protocol::c37118::FrameHeader;
use crate::time::Nanos;

/// A copy comes within this: the time after which PRP forgets a sequence number (IEC 62439-3, `EntryForgetTime`).
pub const COPY_WINDOW_NS: i64 = 400_000_000;

/// Packets remembered of each stream: 533 ms at 120 frames/s.
pub const SEEN: usize = 64;

/// What identifies a packet, and where it was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PacketIdentity {
    /// Time tag of its first frame: SOC above, FRACSEC's count below. Those of a stream grow.
    pub time: u64,
    /// Digest of all that copies have in common.
    pub content: u32,
    /// Digest of the place: interface, direction, VLAN, MAC addresses, hop limit.
    pub place: u32,
    /// Interface, in the digest too.
    pub interface: u16,
    /// Identification of the IPv4 header, where not 0.
    pub ip_id: Option<u16>,
    /// PRP's trailer.
    pub rct: Option<Rct>,
    /// It was put together from IP fragments, each of which has a trailer of its own.
    pub fragmented: bool,
}

impl PacketIdentity {
    /// Of a datagram that begins with a frame, and the IDCODE of that; none of another.
    #[must_use]
    #[inline]
    pub fn of(record: &Record<'_>, packet: &Packet<'_>, datagram: &Datagram<'_>) -> Option<(u16, Self)> {
        let payload = datagram.payload;
        let header = FrameHeader::peek(payload).ok()?;
        let head = *payload.first_chunk::<16>()?;
        let end = usize::from(header.framesize).min(payload.len());
        let check = payload[..end].last_chunk::<2>().map_or(0, |check| u16::from_be_bytes(*check));
        let mut content = Fold::default();
        content.write(&head);
        content.write_u64(u64::from(check) << 32 | payload.len() as u64);
        let time = u64::from(header.time.soc()) << 32 | u64::from(header.time.fraction());
        let identity = Self {
            time,
            content: half(content.digest()),
            place: place(record, packet, datagram),
            interface: record.interface.0,
            ip_id: datagram.ip_id,
            rct: packet.rct,
            fragmented: false,
        };
        Some((header.idcode.0, identity))
    }

    /// Of a datagram that was put together from fragments with this identification, the last of which to come was in this
    /// packet.
    #[must_use]
    pub fn of_fragments(
        record: &Record<'_>,
        packet: &Packet<'_>,
        identification: u32,
        datagram: &Datagram<'_>,
    ) -> Option<(u16, Self)> {
        let (idcode, identity) = Self::of(record, packet, datagram)?;
        let [a, b, c, d] = identification.to_be_bytes();
        // IPv6's has 32 bits: those that a sender counts up are the lower ones.
        let ip_id = u16::from_be_bytes([a, b]) ^ u16::from_be_bytes([c, d]);
        Some((idcode, Self { ip_id: Some(ip_id.max(1)), fragmented: true, ..identity }))
    }
}

/// Where a packet was seen on its way.
#[inline]
fn place(record: &Record<'_>, packet: &Packet<'_>, datagram: &Datagram<'_>) -> u32 {
    // No tag's number has so many bits.
    let tag = |tag: Option<crate::packet::VlanTag>| tag.map_or(u64::from(u16::MAX), |tag| tag.id.into());
    let direction = match record.direction {
        Direction::Unknown => 0_u64,
        Direction::Ingress => 1,
        Direction::Egress => 2,
    };
    let mut place = Fold::default();
    let tags = tag(packet.vlan) << 16 | tag(packet.inner_vlan);
    let hops = u64::from(datagram.hop_limit);
    place.write_u64(tags << 32 | u64::from(record.interface.0) << 16 | direction << 8 | hops);
    if let Some([source, destination]) = packet.macs {
        place.write_u64(mac(source));
        place.write_u64(mac(destination));
    }
    half(place.digest())
}

/// As a number.
fn mac(address: [u8; 6]) -> u64 {
    let mut bytes = [0; 8];
    bytes[2..].copy_from_slice(&address);
    u64::from_be_bytes(bytes)
}

fn half(digest: u64) -> u32 {
    let [b0, b1, b2, b3, ..] = digest.to_le_bytes();
    u32::from_le_bytes([b0, b1, b2, b3])
}

/// What a copy is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CopyKind {
    /// On the same interface.
    Mirror,
    /// By PRP's other LAN.
    Prp,
    /// On another interface.
    Interface,
}

/// One packet that was seen.
#[derive(Clone, Copy, Debug, Default)]
struct Entry {
    content: u32,
    place: u32,
    /// The lower half of its arrival, which is unambiguous for four seconds.
    at: u32,
    ip_id: u16,
    interface: u16,
    sequence: u16,
    /// 0: no trailer; else the LAN, 1 or 2.
    lan: u8,
    kept: Kept,
}

/// How a packet came that is remembered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Kept {
    /// None is.
    #[default]
    Nothing,
    Whole,
    /// In IP fragments.
    Fragmented,
}

/// The last packets of one stream.
#[derive(Clone, Debug)]
pub(super) struct CopyWatch {
    /// The newest time tag: no packet with a newer one is a copy.
    newest: u64,
    next: usize,
    seen: [Entry; SEEN],
}

impl CopyWatch {
    pub(super) const fn new() -> Self {
        const FREE: Entry = Entry {
            content: 0,
            place: 0,
            at: 0,
            ip_id: 0,
            interface: 0,
            sequence: 0,
            lan: 0,
            kept: Kept::Nothing,
        };
        Self { newest: 0, next: 0, seen: [FREE; SEEN] }
    }

    /// Where packets of several streams come together, whose time tags do not grow.
    pub(super) const fn of_several() -> Self {
        Self { newest: u64::MAX, ..Self::new() }
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.next == 0 && matches!(self.seen[0].kept, Kept::Nothing)
    }

    /// Looks for the packet of which this is a copy, and how much later it came; remembers it where there is none.
    pub(super) fn take(
        &mut self,
        packet: &PacketIdentity,
        arrival: i64,
        mirrored: bool,
    ) -> Option<(CopyKind, i64)> {
        let entry = Entry::new(packet, arrival);
        if packet.time <= self.newest
            && let Some((first, skew)) = self.find(&entry, mirrored)
        {
            return Some((kind(&first, &entry), skew));
        }
        self.newest = self.newest.max(packet.time);
        if let Some(place) = self.seen.get_mut(self.next) {
            *place = entry;
        }
        self.next = (self.next + 1) % SEEN;
        None
    }

    fn find(&self, entry: &Entry, mirrored: bool) -> Option<(Entry, i64)> {
        self.seen.iter().find_map(|first| {
            if first.content != entry.content || first.kept == Kept::Nothing {
                return None;
            }
            // Records of several interfaces may come a little out of order: the difference has a sign.
            let skew = i64::from(entry.at.wrapping_sub(first.at).cast_signed());
            (skew.abs() < COPY_WINDOW_NS && first.is_same_packet(entry, mirrored)).then_some((*first, skew))
        })
    }
}

impl Entry {
    fn new(packet: &PacketIdentity, arrival: i64) -> Self {
        let PacketIdentity { time: _, content, place, interface, ip_id, rct, fragmented } = *packet;
        let [b0, b1, b2, b3, ..] = arrival.to_le_bytes();
        Self {
            content,
            place,
            at: u32::from_le_bytes([b0, b1, b2, b3]),
            ip_id: ip_id.unwrap_or(0),
            interface,
            sequence: rct.map_or(0, |rct| rct.sequence),
            lan: rct.map_or(0, |rct| rct.lan as u8 + 1),
            kept: if fragmented { Kept::Fragmented } else { Kept::Whole },
        }
    }

    fn is_same_packet(&self, other: &Self, mirrored: bool) -> bool {
        let elsewhere = self.place != other.place;
        let fragmented = Kept::Fragmented == self.kept || Kept::Fragmented == other.kept;
        if self.lan != 0 && other.lan != 0 && !fragmented {
            return self.sequence == other.sequence && (self.lan != other.lan || elsewhere || mirrored);
        }
        if self.ip_id != 0 && other.ip_id != 0 {
            return self.ip_id == other.ip_id;
        }
        elsewhere || mirrored
    }
}

fn kind(first: &Entry, copy: &Entry) -> CopyKind {
    if first.lan != copy.lan && first.lan != 0 && copy.lan != 0 {
        CopyKind::Prp
    } else if first.interface != copy.interface {
        CopyKind::Interface
    } else {
        CopyKind::Mirror
    }
}

/// Packets that belong to no stream that is known, such as commands.
#[derive(Clone, Debug)]
pub struct Strangers(CopyWatch);

impl Default for Strangers {
    fn default() -> Self {
        Self(CopyWatch::of_several())
    }
}

impl Strangers {
    /// Whether a packet is a copy of one that was seen.
    pub fn take_packet(&mut self, packet: &PacketIdentity, arrival: Nanos) -> bool {
        self.0.take(packet, arrival.0, false).is_some()
    }
}

/// What was counted of a stream's copies.
#[derive(Clone, Copy, Debug)]
pub(super) struct CopyTally {
    mirror: u64,
    prp: u64,
    interface: u64,
    lan: [u64; 2],
    skew: Tally,
}

impl CopyTally {
    pub(super) const fn new() -> Self {
        Self { mirror: 0, prp: 0, interface: 0, lan: [0; 2], skew: Tally::new() }
    }

    pub(super) fn add(&mut self, kind: CopyKind, skew_ns: i64) {
        *match kind {
            CopyKind::Mirror => &mut self.mirror,
            CopyKind::Prp => &mut self.prp,
            CopyKind::Interface => &mut self.interface,
        } += 1;
        self.skew.add(skew_ns);
    }

    pub(super) fn count_lan(&mut self, lan: Lan) {
        self.lan[lan as usize] += 1;
    }

    pub(super) fn counts(&self) -> CopyCounts {
        let Self { mirror, prp, interface, lan, skew } = *self;
        CopyCounts { mirror, prp, interface, skew: skew.spread(), lan }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: i64 = 1_000_000;

    fn packet(n: u64) -> PacketIdentity {
        let content = u32::try_from(n).unwrap() ^ 0x5555_5555;
        PacketIdentity { time: n, content, place: 7, interface: 1, ip_id: None, rct: None, fragmented: false }
    }

    fn numbered(ip_id: u16) -> PacketIdentity {
        PacketIdentity { ip_id: Some(ip_id), ..packet(1) }
    }

    fn trailed(sequence: u16, lan: Lan) -> PacketIdentity {
        PacketIdentity { rct: Some(Rct { sequence, lan }), ..packet(1) }
    }

    /// What the second packet is, `after` later.
    fn second(
        first: PacketIdentity,
        second: PacketIdentity,
        after: i64,
        mirrored: bool,
    ) -> Option<(CopyKind, i64)> {
        let mut watch = CopyWatch::new();
        assert_eq!(watch.take(&first, 5, mirrored), None);
        watch.take(&second, 5 + after, mirrored)
    }

    #[test]
    fn the_rule_in_its_cases() {
        let elsewhere = PacketIdentity { place: 8, ..packet(1) };
        let other_interface = PacketIdentity { place: 9, interface: 2, ..packet(1) };
        for (a, b, expected) in [
            (packet(1), packet(1), None),
            (packet(1), packet(2), None),
            (packet(1), elsewhere, Some(CopyKind::Mirror)),
            (packet(1), other_interface, Some(CopyKind::Interface)),
            (numbered(4), numbered(4), Some(CopyKind::Mirror)),
            (numbered(4), numbered(5), None),
            (trailed(4, Lan::A), trailed(4, Lan::B), Some(CopyKind::Prp)),
            (trailed(4, Lan::B), trailed(4, Lan::A), Some(CopyKind::Prp)),
            (trailed(4, Lan::A), trailed(5, Lan::B), None),
            (trailed(4, Lan::A), trailed(4, Lan::A), None),
        ] {
            let told = second(a, b, 3 * MS, false);
            assert_eq!(told, expected.map(|kind| (kind, 3 * MS)), "{a:?} {b:?}");
        }
        assert_eq!(second(packet(1), packet(1), 3 * MS, true), Some((CopyKind::Mirror, 3 * MS)));
        let other_sequence = PacketIdentity { place: 8, interface: 2, ..trailed(5, Lan::B) };
        assert_eq!(
            second(trailed(4, Lan::A), other_sequence, 0, true),
            None,
            "sent twice, and seen elsewhere"
        );
    }

    #[test]
    fn a_copy_comes_soon_or_never() {
        assert_eq!(second(numbered(4), numbered(4), COPY_WINDOW_NS, false), None);
        let early = second(numbered(4), numbered(4), -2 * MS, false);
        assert_eq!(early, Some((CopyKind::Mirror, -2 * MS)), "records a little out of order");
    }

    #[test]
    fn the_last_packets_are_remembered() {
        let mut watch = CopyWatch::new();
        for n in 0..200 {
            assert_eq!(watch.take(&packet(n), n.cast_signed() * MS, false), None);
        }
        let copy = |n| PacketIdentity { place: 8, ..packet(n) };
        assert_eq!(watch.take(&copy(199), 200 * MS, false), Some((CopyKind::Mirror, MS)));
        assert_eq!(watch.take(&copy(136), 200 * MS, false), Some((CopyKind::Mirror, 64 * MS)));
        assert_eq!(watch.take(&copy(135), 200 * MS, false), None, "pushed out");
    }
}
