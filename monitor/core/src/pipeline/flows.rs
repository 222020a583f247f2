//! TCP segments and IP fragments: what is put together from them, and where their bytes are counted.

use super::{Carrier, Judge, Pipeline, offer_packet};
use crate::event::{Endpoint, Outlet, StreamKey, Transport};
use crate::flow::{Copied, Finder, FlowKey, FragmentCopy, FragmentTaken, Seen, Whole, may_begin_other};
use crate::packet::{Content, Datagram, Fragment, Packet, Record, Segment, VlanTag};
use crate::protocol::c37118::FrameHeader;
use crate::stream::{CopyKind, PacketIdentity};
use crate::time::Clock;

/// The tags of a packet, the outermost first.
type Tags = [Option<VlanTag>; 2];

impl Pipeline {
    pub(super) fn push_tcp<C: Clock, O: Outlet>(
        &mut self,
        record: &Record<'_>,
        tags: Tags,
        segment: &Segment<'_>,
        clock: &mut C,
        out: &mut O,
    ) {
        self.count_record(record, segment.payload, segment.cut);
        let seen = Seen::of(record);
        if !self.is_ours(&seen, tags, segment) {
            self.judge.counts.packets_ignored += 1;
            return;
        }
        offer_packet(record, out);
        self.take_segment(&seen, tags, segment, clock, out);
    }

    fn is_ours(&self, seen: &Seen, tags: Tags, segment: &Segment<'_>) -> bool {
        let Segment { source, destination, payload, .. } = *segment;
        self.ports.matches([source.port, destination.port]).unwrap_or_else(|| {
            self.flows.is_known(&FlowKey::new(tags, source, destination))
                || self.judge.begins_known(&tcp_carrier(seen, segment), payload)
        })
    }

    fn take_segment<C: Clock, O: Outlet>(
        &mut self,
        seen: &Seen,
        tags: Tags,
        segment: &Segment<'_>,
        clock: &mut C,
        out: &mut O,
    ) {
        let Self { flows, judge, .. } = self;
        judge.packet = None;
        judge.counts.bytes.received += segment.payload.len() as u64;
        let key = FlowKey::new(tags, segment.source, segment.destination);
        let mut carrier = tcp_carrier(seen, segment);
        let taken = flows.push_segment(&key, segment, seen, &mut |seen, found, continuity| {
            (carrier.seen, carrier.continuity) = (*seen, Some(continuity));
            judge.take_found(&carrier, found, clock, out);
        });
        if let Some(copy) = taken.copy {
            judge.take_copied_segment(&tcp_carrier(seen, segment), segment.payload, &copy);
        }
        let bytes = &mut judge.counts.bytes;
        bytes.duplicate += taken.duplicate;
        bytes.dropped += taken.dropped;
        bytes.buffered = flows.buffered();
    }

    pub(super) fn push_fragment<C: Clock, O: Outlet>(
        &mut self,
        record: &Record<'_>,
        packet: &Packet<'_>,
        fragment: &Fragment<'_>,
        clock: &mut C,
        out: &mut O,
    ) {
        self.count_record(record, fragment.data(), fragment.cut);
        let (seen, tags) = (Seen::of(record), packet.tags());
        let (lan, ours) = (packet.rct.map(|rct| rct.lan), self.fragment_is_ours(tags, fragment));
        let taken = self.flows.push_fragment(tags, fragment, &seen, lan, ours);
        if taken.ignored == 0 {
            offer_packet(record, out);
        }
        self.judge.count_fragment(&taken, self.flows.buffered());
        if let Some(copy) = &taken.copy {
            self.judge.take_copied_fragment(fragment, copy);
        }
        if let Some(whole) = taken.whole {
            self.take_whole(record, packet, fragment, &whole, clock, out);
        }
    }

    /// Whether a fragment's packet is asked for, where it tells.
    fn fragment_is_ours(&self, tags: Tags, fragment: &Fragment<'_>) -> Option<bool> {
        let ports = fragment.ports()?;
        self.ports.matches(ports).or_else(|| {
            // Any port will do, but not anything: it is said at once of most packets that they are none of ours.
            let [source, destination] = [(fragment.source, ports[0]), (fragment.destination, ports[1])]
                .map(|(address, port)| Endpoint { address, port });
            let may_be = FrameHeader::peek(fragment.data()).is_ok()
                || may_begin_other(fragment.data())
                || fragment.transport() == Transport::Tcp
                    && self.flows.is_known(&FlowKey::new(tags, source, destination));
            (!may_be).then_some(false)
        })
    }

    /// Takes a packet that was put together from fragments as one that came whole.
    fn take_whole<C: Clock, O: Outlet>(
        &mut self,
        record: &Record<'_>,
        packet: &Packet<'_>,
        fragment: &Fragment<'_>,
        whole: &Whole,
        clock: &mut C,
        out: &mut O,
    ) {
        let tags = packet.tags();
        let assembled = self.flows.assemble(whole);
        let bytes = assembled.bytes();
        let seen = self.flows.seen(&assembled, 0..bytes.len());
        let payload = match fragment.whole(bytes) {
            Ok(Content::Udp(datagram)) => {
                let carrier = udp_carrier(&seen, &datagram);
                let ports = [datagram.source.port, datagram.destination.port];
                let ours = self.ports.matches(ports);
                if ours.unwrap_or_else(|| self.judge.begins_known(&carrier, datagram.payload)) {
                    self.judge.counts.bytes.received += datagram.payload.len() as u64;
                    let identity =
                        PacketIdentity::of_fragments(record, packet, fragment.identification, &datagram);
                    let mut at = UDP_HEADER;
                    let is_copy = self.judge.is_copy(&carrier, identity, datagram.payload);
                    let mut finder = Finder::new(if is_copy { &[] } else { datagram.payload });
                    for found in &mut finder {
                        let end = at + found.bytes().len();
                        let carrier = Carrier { seen: self.flows.seen(&assembled, at..end), ..carrier };
                        self.judge.take_found(&carrier, found, clock, out);
                        at = end;
                    }
                    self.judge.counts.flows.resync.add(finder.work());
                    Some(datagram.payload.len())
                } else {
                    None
                }
            }
            Ok(Content::Tcp(segment)) if self.is_ours(&seen, tags, &segment) => {
                self.take_segment(&seen, tags, &segment, clock, out);
                Some(segment.payload.len())
            }
            Ok(_) => None,
            // A header that is none: its bytes are nobody's frames.
            Err(_) => Some(0),
        };
        let counts = &mut self.judge.counts;
        match payload {
            Some(payload) => {
                let behind = whole.payload.saturating_sub(payload as u64);
                counts.bytes.received += behind;
                counts.bytes.dropped += behind;
            }
            None => counts.packets_ignored += whole.packets,
        }
        self.flows.put_back(assembled);
    }
}

impl Judge {
    /// A segment that is a copy: it belongs to the stream whose frame it begins with, where it begins with one.
    fn take_copied_segment(&mut self, carrier: &Carrier, payload: &[u8], copy: &Copied) {
        self.counts.copies += 1;
        let kind = if copy.on == copy.first_on { CopyKind::Mirror } else { CopyKind::Interface };
        let header = FrameHeader::peek(payload).ok();
        let id = header.and_then(|header| self.streams.find(&carrier.key(header.idcode.0)));
        if let Some((_, stream)) = id.and_then(|id| self.streams.get_mut(id)) {
            stream.take_copy(kind, copy.skew_ns);
        }
    }

    /// The first fragment of a datagram, seen again: it stands for the whole, which belongs to the stream whose frame
    /// it begins with.
    fn take_copied_fragment(&mut self, fragment: &Fragment<'_>, copy: &FragmentCopy) {
        if fragment.transport() != Transport::Udp {
            return;
        }
        self.counts.copies += 1;
        let FragmentCopy { skew_ns, first_at, at } = *copy;
        let kind = match (first_at.lan, at.lan) {
            (Some(first), Some(lan)) if first != lan => CopyKind::Prp,
            _ if first_at.interface != at.interface => CopyKind::Interface,
            _ => CopyKind::Mirror,
        };
        let Ok(header) = FrameHeader::peek(fragment.data()) else { return };
        let Fragment { source, destination, .. } = *fragment;
        let key = StreamKey { source, destination, transport: Transport::Udp, idcode: header.idcode.0 };
        let id = self.streams.find(&key);
        if let Some((_, stream)) = id.and_then(|id| self.streams.get_mut(id)) {
            stream.take_copy(kind, skew_ns);
            stream.count_lan(at.lan);
        }
    }

    const fn count_fragment(&mut self, taken: &FragmentTaken, buffered: u64) {
        let bytes = &mut self.counts.bytes;
        bytes.received = bytes.received + taken.received - taken.taken_back;
        bytes.duplicate += taken.duplicate;
        bytes.dropped += taken.dropped;
        bytes.buffered = buffered;
        self.counts.packets_ignored += taken.ignored;
    }
}

/// Bytes of a UDP header.
const UDP_HEADER: usize = 8;

const fn tcp_carrier(seen: &Seen, segment: &Segment<'_>) -> Carrier {
    Carrier::new(*seen, [segment.source, segment.destination], Transport::Tcp)
}

const fn udp_carrier(seen: &Seen, datagram: &Datagram<'_>) -> Carrier {
    Carrier::new(*seen, [datagram.source, datagram.destination], Transport::Udp)
}
