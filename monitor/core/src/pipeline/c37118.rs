//! What becomes of the C37.118 frames in a datagram.

use super::{About, Carrier, Judge};
use crate::event::{
    Class, ConfigId, EventKind, InvalidReason, Outcome, Outlet, Stage, Stages, StreamId, UndecodedReason,
};
use crate::flow::{Finder, Found, Invalid, begins_other};
use crate::protocol::c37118::{Continuation, FrameHeader, FrameKind, FrameView};
use crate::stream::{Configs, PacketIdentity, SourceKey, Stream, Streams};
use crate::time::Clock;

/// What became of a sound frame, and what its event refers to.
pub(super) struct Judged {
    pub(super) decoded: Result<(), UndecodedReason>,
    pub(super) stream: Option<StreamId>,
    pub(super) config: Option<ConfigId>,
    /// Whether it is news that data must not crowd out.
    pub(super) announce: bool,
}

impl Judged {
    pub(super) const fn decoded(stream: Option<StreamId>) -> Self {
        Self { decoded: Ok(()), stream, config: None, announce: false }
    }

    pub(super) const fn undecoded(reason: UndecodedReason, stream: Option<StreamId>) -> Self {
        Self { decoded: Err(reason), stream, config: None, announce: false }
    }

    const fn outcome(&self) -> Outcome {
        match self.decoded {
            Ok(()) => Outcome::Decoded,
            Err(reason) => Outcome::Undecoded(reason),
        }
    }
}

impl Judge {
    /// Whether a payload begins with a sound frame, or with what claims to be one of a stream that is known, or with one
    /// of another protocol that is told apart.
    pub(super) fn begins_known(&self, carrier: &Carrier, payload: &[u8]) -> bool {
        match FrameHeader::peek(payload) {
            Ok(header) => {
                FrameView::split(payload).is_ok()
                    || self.streams.find(&carrier.key(header.idcode.0)).is_some()
            }
            Err(_) => begins_other(payload),
        }
    }

    /// Whether a packet is a copy of one that was seen: then it is counted, and its payload with it. Remembers it where
    /// it is none.
    pub(super) fn is_copy(
        &mut self,
        carrier: &Carrier,
        identity: Option<(u16, PacketIdentity)>,
        payload: &[u8],
    ) -> bool {
        self.packet = identity.map(|(_, packet)| packet);
        let Some((idcode, packet)) = identity else { return false };
        let arrival = carrier.seen.arrival;
        let is_copy = match self.streams.find_mut(&carrier.key(idcode)) {
            Some((_, stream)) => stream.take_packet(&packet, arrival),
            None => self.strangers.take_packet(&packet, arrival),
        };
        if is_copy {
            self.counts.copies += 1;
            self.counts.bytes.duplicate += payload.len() as u64;
        }
        is_copy
    }

    /// Takes all frames out of a datagram; every byte of it is counted once.
    pub(super) fn take_datagram<C: Clock, O: Outlet>(
        &mut self,
        carrier: &Carrier,
        payload: &[u8],
        clock: &mut C,
        out: &mut O,
    ) {
        let mut finder = Finder::new(payload);
        for found in &mut finder {
            self.take_found(carrier, found, clock, out);
        }
        self.counts.flows.resync.add(finder.work());
    }

    /// Takes something that was found, in a datagram or in a stream.
    pub(super) fn take_found<C: Clock, O: Outlet>(
        &mut self,
        carrier: &Carrier,
        found: Found<'_>,
        clock: &mut C,
        out: &mut O,
    ) {
        let length = found.bytes().len() as u64;
        let bytes = &mut self.counts.bytes;
        match found {
            Found::Frame(frame) => {
                bytes.in_frames += length;
                self.take_frame(carrier, frame, clock, out);
            }
            Found::Invalid(invalid) => {
                let counter = if invalid.in_frames { &mut bytes.in_frames } else { &mut bytes.skipped };
                *counter += length;
                if !self.take_unchecked(carrier, &invalid, clock, out) {
                    self.take_invalid(carrier, &invalid, out);
                }
            }
            Found::Skipped(_) => bytes.skipped += length,
        }
    }

    /// A CFG-3's fragment whose CHK is not its own looks broken by itself.
    fn take_unchecked<C: Clock, O: Outlet>(
        &mut self,
        carrier: &Carrier,
        invalid: &Invalid<'_>,
        clock: &mut C,
        out: &mut O,
    ) -> bool {
        invalid.reason == InvalidReason::Crc
            && invalid.frame_type == Some(FrameKind::Config3 as u8)
            && self.take_fragment(carrier, invalid.bytes, clock, out)
    }

    fn take_invalid<O: Outlet>(&mut self, carrier: &Carrier, invalid: &Invalid<'_>, out: &mut O) {
        self.counts.frames.invalid += 1;
        self.counts.frames.invalid_by_reason[invalid.reason as usize] += 1;
        let mut about = About { stages: Stages::new(&carrier.seen.stamps, None), ..About::default() };
        let id = invalid.idcode.and_then(|idcode| self.streams.find(&carrier.key(idcode)));
        let stream = id.and_then(|id| self.streams.get_mut(id)).map(|(_, stream)| stream);
        if invalid.reason == InvalidReason::Crc {
            self.counts.frames.crc_errors += 1;
            about.stream = id;
            if let Some(stream) = stream {
                stream.counts.crc_errors = stream.counts.crc_errors.saturating_add(1);
                stream.take_damaged();
            }
        } else if let Some(stream) = stream.filter(|_| carrier.is_damaged(invalid.reason)) {
            stream.take_damaged();
        }
        if out.wants(Class::Frame) {
            let frame = carrier.frame_event(invalid.frame_type, invalid.idcode);
            let kind = EventKind::Frame(frame, Outcome::Invalid(invalid.reason));
            out.offer(&about.event(&carrier.seen, kind), invalid.bytes);
        }
    }

    fn take_frame<C: Clock, O: Outlet>(
        &mut self,
        carrier: &Carrier,
        frame: FrameView<'_>,
        clock: &mut C,
        out: &mut O,
    ) {
        let part = Continuation::of(&frame).is_some_and(|place| place != Continuation::Only);
        if part && self.take_fragment(carrier, frame.bytes(), clock, out) {
            return;
        }
        let judged = match frame.kind() {
            FrameKind::Data => self.judge_data(carrier, frame, out),
            FrameKind::Config1 | FrameKind::Config2 | FrameKind::Config3 => {
                self.judge_config(carrier, frame, out)
            }
            FrameKind::Header => Judged::decoded(self.streams.find(&carrier.key(frame.idcode().0))),
            // A command goes to the sender of the stream that it names: it belongs to none.
            FrameKind::Command => Judged::decoded(None),
        };
        self.conclude(carrier, frame, &judged, clock, out);
    }

    /// Counts a frame that was judged, and tells of it.
    pub(super) fn conclude<C: Clock, O: Outlet>(
        &mut self,
        carrier: &Carrier,
        frame: FrameView<'_>,
        judged: &Judged,
        clock: &mut C,
        out: &mut O,
    ) {
        if frame.kind() == FrameKind::Data && judged.stream.is_some() {
            self.brought = judged.stream;
        }
        let at = judged.decoded.is_ok().then(|| clock.monotonic()).flatten();
        let stages = Stages::new(&carrier.seen.stamps, at);
        self.count_frame(frame, judged, &stages);
        self.tell_frame(carrier, frame, judged, stages, out);
        self.tell_instants(out);
    }

    fn count_frame(&mut self, frame: FrameView<'_>, judged: &Judged, stages: &Stages) {
        let frames = &mut self.counts.frames;
        frames.found += 1;
        frames.c37118[frame.kind() as usize] += 1;
        match judged.decoded {
            Ok(()) => {
                frames.decoded += 1;
                self.stages.record(stages);
                let stream = judged.stream.filter(|_| frame.kind() == FrameKind::Data);
                if let Some((_, stream)) = stream.and_then(|id| self.streams.get_mut(id))
                    && let Some(ns) = stages.get(Stage::ReceiveToDecoded)
                {
                    stream.take_latency(ns);
                }
            }
            Err(reason) => frames.undecoded[reason as usize] += 1,
        }
    }

    fn tell_frame<O: Outlet>(
        &mut self,
        carrier: &Carrier,
        frame: FrameView<'_>,
        judged: &Judged,
        stages: Stages,
        out: &mut O,
    ) {
        if let Some(id) = judged.stream {
            self.tell_opened(carrier, id, out);
        }
        let event = carrier.frame_event(Some(frame.kind() as u8), Some(frame.idcode().0));
        let wanted = out.wants(Class::Frame) || event.is_configuration() && out.wants(Class::Config);
        if !judged.announce && !wanted {
            return;
        }
        let about = About { stages, stream: judged.stream, config: judged.config };
        let event = about.event(&carrier.seen, EventKind::Frame(event, judged.outcome()));
        if judged.announce {
            let announced = out.announce(&event, frame.bytes());
            if let Some(config) = judged.config {
                self.configs.set_announced(config, announced);
            }
        } else {
            out.offer(&event, frame.bytes());
        }
    }

    /// Tells of a stream that is new, or of which nobody could be told before, or for which another rule holds now.
    pub(super) fn tell_opened<O: Outlet>(&mut self, carrier: &Carrier, id: StreamId, out: &mut O) {
        let Some((key, stream)) = self.streams.get_mut(id) else { return };
        if !stream.announced {
            let about = About { stream: Some(id), ..About::default() };
            let opened = EventKind::StreamOpened(*key, stream.rule());
            stream.announced = out.announce(&about.event(&carrier.seen, opened), &[]);
        }
    }
}

/// The stream of a DATA or configuration frame, new or seen before; none where there is no place for one more.
pub(super) fn open<'s>(
    streams: &'s mut Streams,
    configs: &mut Configs,
    carrier: &Carrier,
    frame: FrameView<'_>,
    packet: Option<PacketIdentity>,
) -> Option<(StreamId, &'s mut Stream)> {
    let idcode = frame.idcode().0;
    let [address, _] = carrier.between;
    let opened = streams.open(&carrier.key(idcode), carrier.addresses.ports(), || {
        configs.source(&SourceKey { address, idcode })
    })?;
    if let Some(packet) = packet {
        opened.1.remember(&packet, carrier.seen.arrival);
    }
    Some(opened)
}
