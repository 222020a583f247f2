//! One lane: a ring of events and a ring of the bytes they speak of, single producer, single consumer.

use monitor_core::event::{BytesAt, Event, EventKind, Stages};
use monitor_core::packet::InterfaceId;
use monitor_core::time::Nanos;
use rtrb::{Consumer, Producer, RingBuffer};

use super::LaneBounds;

/// Makes a lane and writes once through all of its memory, so that the real-time thread meets no page fault in it.
pub(super) fn lane(bounds: LaneBounds) -> (LaneSender, LaneReceiver) {
    let (events, event_reader) = touched(bounds.events, BLANK);
    let (bytes, byte_reader) = touched(bounds.bytes, 0_u8);
    let sender = LaneSender { events, bytes, position: 0 };
    (sender, LaneReceiver { events: event_reader, bytes: byte_reader, straddling: Vec::new() })
}

const BLANK: Event = Event {
    arrival: Nanos(0),
    first_arrival: Nanos(0),
    bytes: BytesAt { position: 0, length: 0 },
    stages: Stages::NONE,
    stream: None,
    config: None,
    interface: InterfaceId(0),
    kind: EventKind::Packet,
};

/// Blanks that are made, to be written again and again.
const TOUCHED_AT_ONCE: usize = 4_096;

fn touched<T: Copy>(capacity: usize, blank: T) -> (Producer<T>, Consumer<T>) {
    let (mut producer, mut consumer) = RingBuffer::new(capacity);
    // By slices as long as fit: one at a time it took most of a start where nothing is optimised.
    let blanks = vec![blank; capacity.min(TOUCHED_AT_ONCE)];
    while producer.push_partial_slice(&blanks).1.len() < blanks.len() {}
    if let Ok(all) = consumer.read_chunk(consumer.slots()) {
        all.commit_all();
    }
    (producer, consumer)
}

/// The producing end.
pub(super) struct LaneSender {
    events: Producer<Event>,
    bytes: Producer<u8>,
    /// Bytes ever written.
    position: u64,
}

impl LaneSender {
    /// Sends an event with its bytes, both or neither. The bytes first: whoever sees the event finds them there.
    pub(super) fn push(&mut self, event: &Event, bytes: &[u8]) -> bool {
        let Ok(length) = u32::try_from(bytes.len()) else { return false };
        if self.events.is_full() || self.bytes.push_entire_slice(bytes).is_err() {
            return false;
        }
        let at = BytesAt { position: self.position, length };
        self.position += u64::from(length);
        // There was room for it, and only this end takes room away.
        self.events.push(Event { bytes: at, ..*event }).is_ok()
    }
}

/// The consuming end.
pub(super) struct LaneReceiver {
    events: Consumer<Event>,
    bytes: Consumer<u8>,
    /// Bytes that lie across the ring's end, put together.
    straddling: Vec<u8>,
}

impl LaneReceiver {
    /// Events that are there.
    pub(super) fn available(&self) -> usize {
        self.events.slots()
    }

    /// Hands on the oldest event; its place and that of its bytes are free again afterwards.
    pub(super) fn pop(&mut self, each: &mut impl FnMut(&Event, &[u8])) {
        let Ok(event) = self.events.pop() else { return };
        let Ok(chunk) = self.bytes.read_chunk(event.bytes.length as usize) else { return };
        let (head, tail) = chunk.as_slices();
        if tail.is_empty() {
            each(&event, head);
        } else {
            self.straddling.clear();
            self.straddling.extend_from_slice(head);
            self.straddling.extend_from_slice(tail);
            each(&event, &self.straddling);
        }
        chunk.commit_all();
    }
}
