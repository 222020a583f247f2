//! The way of a packet through the rooms: packet, flow, protocol, stream, detect, event.
//!
//! The live loop and `decode FILE` call the same [`Pipeline`]; only the records, the clock and the outlet differ.
//!
//! # Which packets are ours
//! With a set of ports: UDP and TCP packets from or to one of them, whatever the probe matched by. Without one
//! ([`Ports::Any`]): packets whose payload begins with a sound frame, with what claims to be a frame of a stream that is
//! known already (a wrong check there is that stream's loss), or with IEEE 1344 or IEC 61850-90-5, and of a TCP connection
//! in which one was seen all that follows, in both directions. Fragments behind the first carry no ports: whose they
//! are, is known with the first one, or with the whole packet. Every other packet is counted in [`Counts::packets_ignored`], its record as carried or without
//! payload, and its bytes nowhere.
//!
//! # Which event goes when
//! A packet's own event comes first, then a new stream's, then its frames' in the order in which they stand. A
//! configuration that is new goes by [`Outlet::announce`]; its repetitions, which change nothing, go with the data.

mod alignment;
mod bounds;
mod c37118;
mod configuration;
mod flows;
mod fragments;
mod histograms;
mod ports;
mod tick;

pub use alignment::AlignmentSummary;
pub use bounds::Bounds;
pub use histograms::{Percentiles, StageHistograms};
pub use ports::Ports;
pub use tick::STREAMS_PER_TICK;

use crate::event::{
    Addresses, Candidate, Class, ConfigId, Counts, Endpoint, Event, EventKind, FrameEvent, InvalidReason,
    Outlet, Protocol, Stages, StreamAlignment, StreamCounts, StreamId, StreamKey, StreamReport, StreamTiming,
    Transport,
};
use crate::flow::{Continuity, FlowCounts, Flows, Seen};
use crate::packet::{Content, Datagram, Packet, Record, RecordKind};
use crate::protocol::c37118::FrameView;
use crate::stream::{Assemblies, Configs, PacketIdentity, Preload, Strangers, StreamRules, Streams};
use crate::time::{Clock, Nanos};
use alignment::Alignment;
use ports::PortMap;

/// One stream as the summary shows it.
#[derive(Clone, Copy, Debug)]
pub struct StreamSummary {
    /// Its number.
    pub id: StreamId,
    /// What makes it one.
    pub key: StreamKey,
    /// Its counts.
    pub counts: StreamCounts,
    /// How it ran; the rate is that of the whole run.
    pub timing: StreamTiming,
    /// All else that is known of it.
    pub report: StreamReport,
    /// How many more of its missing frames there are than were told of ([`EventKind::Missing`]); negative where frames
    /// that came late were not told of.
    pub untold: i32,
    /// Its part in alignment; none where that is not asked for.
    pub alignment: Option<StreamAlignment>,
}

/// Takes records, gives events. All that it needs is allocated by [`Pipeline::new`].
#[derive(Debug)]
pub struct Pipeline {
    ports: PortMap,
    flows: Flows,
    judge: Judge,
}

/// What is known of streams, and all that was counted: where frames end, wherever they were found.
#[derive(Debug)]
struct Judge {
    streams: Streams,
    configs: Configs,
    assemblies: Assemblies,
    stages: StageHistograms,
    counts: Counts,
    /// The place of the stream that told last.
    teller: usize,
    /// Packets of no stream that is known.
    strangers: Strangers,
    /// The packet whose frames are taken, where it can have copies.
    packet: Option<PacketIdentity>,
    /// The stream of the last DATA that the packet pushed last brought.
    brought: Option<StreamId>,
    /// The latest that it is known to be.
    latest: Nanos,
    /// How far the arrivals' clock may be off; none where nobody knows.
    host_bound_ns: Option<u64>,
    /// Boxed, so that a pipeline without it is no larger.
    alignment: Option<Box<Alignment>>,
}

/// What brought a frame. Frames that lie in one packet share it; one that is put together from several has the time,
/// the stamps and the interface of the packet that completed it.
#[derive(Clone, Copy, Debug)]
struct Carrier {
    seen: Seen,
    addresses: Addresses,
    transport: Transport,
    /// The sender's address and the receiver's.
    between: [[u8; 16]; 2],
    /// Where its TCP flow stands; none of a datagram.
    continuity: Option<Continuity>,
    /// Whether the capture cut its end off.
    cut: bool,
}

impl Carrier {
    const fn new(seen: Seen, [source, destination]: [Endpoint; 2], transport: Transport) -> Self {
        let between = [source.address, destination.address];
        Self {
            seen,
            addresses: Addresses::Ip { source, destination },
            transport,
            between,
            continuity: None,
            cut: false,
        }
    }

    const fn key(&self, idcode: u16) -> StreamKey {
        let [source, destination] = self.between;
        StreamKey { source, destination, transport: self.transport, idcode }
    }

    /// Whether a frame that is none for that reason was damaged. In a TCP flow a frame ends early where bytes are missing,
    /// and in a capture where its end was cut off.
    const fn is_damaged(&self, reason: InvalidReason) -> bool {
        matches!(reason, InvalidReason::Size | InvalidReason::Truncated)
            && matches!(self.transport, Transport::Udp)
            && !self.cut
    }

    const fn frame_event(&self, frame_type: Option<u8>, idcode: Option<u16>) -> FrameEvent {
        let Self { addresses, transport, .. } = *self;
        FrameEvent { protocol: Protocol::C37118, frame_type, idcode, addresses, transport }
    }
}

/// What an event says beside its kind.
#[derive(Clone, Copy, Debug, Default)]
struct About {
    stages: Stages,
    stream: Option<StreamId>,
    config: Option<ConfigId>,
}

impl About {
    fn event(self, seen: &Seen, kind: EventKind) -> Event {
        let Self { stages, stream, config } = self;
        Event {
            arrival: seen.arrival,
            first_arrival: seen.first_arrival,
            bytes: crate::event::BytesAt::default(),
            stages,
            stream,
            config,
            interface: seen.interface,
            kind,
        }
    }
}

impl Pipeline {
    /// Makes the pools: memory as the table of bounds says.
    #[must_use]
    pub fn new(ports: Ports, bounds: &Bounds) -> Self {
        Self::with_rules(ports, bounds, StreamRules::default())
    }

    /// The same, with settings for some streams: the first rule that fits a stream holds for it.
    #[must_use]
    pub fn with_rules(ports: Ports, bounds: &Bounds, rules: StreamRules) -> Self {
        let StreamRules { rules, stations } = rules;
        Self {
            ports: PortMap::new(ports),
            flows: Flows::new(&bounds.flows),
            judge: Judge {
                streams: Streams::new(bounds.streams, rules),
                configs: Configs::new(bounds.streams, bounds.arena(), stations),
                assemblies: Assemblies::new(bounds.config_series, bounds.config_series_bytes),
                stages: StageHistograms::new(),
                counts: Counts::default(),
                teller: 0,
                strangers: Strangers::default(),
                packet: None,
                brought: None,
                latest: Nanos::UNKNOWN,
                host_bound_ns: None,
                alignment: None,
            },
        }
    }

    /// Adds a configuration that did not come over the wire. It lays out DATA that it fits exactly until one comes over
    /// the wire. Allocates: to be called before the first packet.
    pub fn preload(&mut self, preload: Preload) {
        self.judge.configs.preload(preload);
    }

    /// Keeps places for so many answers to requests. Allocates: to be called before the first packet.
    pub fn expect_requested(&mut self, answers: usize) {
        self.judge.configs.expect_requested(answers);
    }

    /// Adds the answer to a request, for which a place was kept, without allocating.
    ///
    /// # Errors
    /// The answer, where no place is left.
    pub fn take_requested(&mut self, answer: Preload) -> Result<(), Preload> {
        self.judge.configs.take_requested(answer)
    }

    /// Says how far the clock of the arrivals may be off from UTC, in nanoseconds, from now on; none, as at the start,
    /// where nobody knows. What is late is judged by it.
    pub const fn set_host_bound(&mut self, ns: Option<u64>) {
        self.judge.host_bound_ns = ns;
    }

    /// Takes one packet through. Never fails: what is wrong with a packet is counted and told as an event.
    pub fn push<C: Clock, O: Outlet>(&mut self, record: &Record<'_>, clock: &mut C, out: &mut O) {
        self.judge.latest = self.judge.latest.max(record.arrival);
        self.judge.packet = None;
        self.judge.brought = None;
        let packet = match (Packet::parse(record), record.kind) {
            (Ok(packet), RecordKind::Packet) => packet,
            (Ok(packet), RecordKind::Candidate) => return self.push_candidate(record, &packet, out),
            (Err(_), kind) => {
                self.count_malformed(record);
                if kind == RecordKind::Packet {
                    offer_packet(record, out);
                }
                return;
            }
        };
        match packet.content {
            Content::Udp(datagram) => self.push_udp(record, &packet, &datagram, clock, out),
            Content::Tcp(segment) => self.push_tcp(record, packet.tags(), &segment, clock, out),
            Content::Fragment(fragment) => {
                self.push_fragment(record, &packet, &fragment, clock, out);
            }
            Content::Other { .. } => {
                self.count_record(record, &[], 0);
                self.judge.counts.packets_ignored += 1;
            }
        }
    }

    /// The stream whose DATA the packet pushed last brought, the last of them where it brought more; none where it
    /// brought none.
    #[must_use]
    pub const fn brought(&self) -> Option<StreamId> {
        self.judge.brought
    }

    /// All that was counted.
    #[must_use]
    pub fn counts(&self) -> Counts {
        Counts {
            alignment: self.alignment().map(|alignment| alignment.counts).unwrap_or_default(),
            streams_refused: self.judge.streams.refused(),
            flows: self.flow_counts(),
            configs_refused: self.judge.configs.refused() + self.judge.assemblies.refused(),
            config_series_lost: self.judge.assemblies.lost(),
            ..self.judge.counts
        }
    }

    fn flow_counts(&self) -> FlowCounts {
        let mut counts = self.flows.counts();
        counts.resync.add(self.judge.counts.flows.resync);
        counts
    }

    /// The streams, in the order in which they were first seen.
    pub fn streams(&self) -> impl Iterator<Item = StreamSummary> {
        self.judge.streams.iter().map(|(id, key, stream)| StreamSummary {
            id,
            key: *key,
            counts: stream.counts,
            timing: stream.timing_of_run(),
            report: stream.report(self.judge.latest),
            untold: stream.untold(),
            alignment: self.judge.alignment.as_ref().map(|alignment| alignment.aligner().stream(id)),
        })
    }

    /// How many streams each rule was for, at one time or another, in their order.
    #[must_use]
    pub fn rules_matched(&self) -> &[u64] {
        self.judge.streams.matched()
    }

    /// Latency by stage of every frame that was decoded.
    #[must_use]
    pub const fn stages(&self) -> &StageHistograms {
        &self.judge.stages
    }

    fn push_udp<C: Clock, O: Outlet>(
        &mut self,
        record: &Record<'_>,
        packet: &Packet<'_>,
        datagram: &Datagram<'_>,
        clock: &mut C,
        out: &mut O,
    ) {
        let Datagram { source, destination, payload, cut, .. } = *datagram;
        self.count_record(record, payload, cut);
        let seen = Seen::of(record);
        let carrier = Carrier { cut: cut > 0, ..Carrier::new(seen, [source, destination], Transport::Udp) };
        let ours = self.ports.matches([source.port, destination.port]);
        if !ours.unwrap_or_else(|| self.judge.begins_known(&carrier, payload)) {
            self.judge.counts.packets_ignored += 1;
            return;
        }
        offer_packet(record, out);
        self.judge.counts.bytes.received += payload.len() as u64;
        if self.judge.is_copy(&carrier, PacketIdentity::of(record, packet, datagram), payload) {
            return;
        }
        self.judge.take_datagram(&carrier, payload, clock, out);
    }

    /// A packet that matched nothing and looks like C37.118: told, and otherwise left alone.
    fn push_candidate<O: Outlet>(&mut self, record: &Record<'_>, packet: &Packet<'_>, out: &mut O) {
        let (addresses, transport, payload, cut) = match packet.content {
            Content::Udp(udp) => (udp.addresses(), Transport::Udp, udp.payload, udp.cut),
            Content::Tcp(tcp) => (tcp.addresses(), Transport::Tcp, tcp.payload, tcp.cut),
            Content::Fragment(part) => (part.addresses(), part.transport(), part.data(), part.cut),
            Content::Other { .. } => return self.count_record(record, &[], 0),
        };
        self.count_record(record, payload, cut);
        self.judge.counts.bytes.received += payload.len() as u64;
        self.judge.counts.bytes.dropped += payload.len() as u64;
        if !out.wants(Class::Candidate) {
            return;
        }
        if let Ok((frame, _)) = FrameView::split(payload) {
            let candidate = Candidate { addresses, transport, idcode: frame.idcode().0 };
            out.offer(
                &About::default().event(&Seen::of(record), EventKind::Candidate(candidate)),
                frame.bytes(),
            );
        }
    }

    fn count_record(&mut self, record: &Record<'_>, payload: &[u8], cut: usize) {
        let records = &mut self.judge.counts.records;
        let counter = match (payload.is_empty(), cut) {
            (false, _) => &mut records.carried,
            (true, 0) => &mut records.no_payload,
            // All of its payload was cut off.
            (true, _) => &mut records.malformed,
        };
        *counter += u64::from(record.records);
    }

    fn count_malformed(&mut self, record: &Record<'_>) {
        self.judge.counts.records.malformed += u64::from(record.records);
    }
}

/// Offers a packet as it was on the wire, to whoever records.
fn offer_packet<O: Outlet>(record: &Record<'_>, out: &mut O) {
    if out.wants(Class::Packet) {
        out.offer(&About::default().event(&Seen::of(record), EventKind::Packet), record.bytes);
    }
}
