//! The other end of the queue: events and bytes are copied into rings, as the queue to the hub does, and nobody reads.

use monitor_core::event::{Class, Event, Outlet};

/// As the queue has by default.
const EVENTS: usize = 16_384;
const BYTES: usize = 3 << 20;

/// Takes everything but packets.
pub(crate) struct Rings {
    events: Vec<Event>,
    bytes: Vec<u8>,
    taken: u64,
    /// Where the next event stands, once the ring is full.
    place: usize,
    position: usize,
}

impl Rings {
    pub(crate) fn new() -> Self {
        Self { events: Vec::with_capacity(EVENTS), bytes: vec![0; BYTES], taken: 0, place: 0, position: 0 }
    }

    pub(crate) const fn taken(&self) -> u64 {
        self.taken
    }
}

impl Outlet for Rings {
    fn wants(&self, class: Class) -> bool {
        class != Class::Packet
    }

    fn offer(&mut self, event: &Event, bytes: &[u8]) -> bool {
        if self.position + bytes.len() > BYTES {
            self.position = 0;
        }
        self.bytes[self.position..self.position + bytes.len()].copy_from_slice(bytes);
        self.position += bytes.len();
        if self.events.len() < EVENTS {
            self.events.push(*event);
        } else {
            self.events[self.place] = *event;
            self.place = (self.place + 1) % EVENTS;
        }
        self.taken += 1;
        true
    }

    fn announce(&mut self, event: &Event, bytes: &[u8]) -> bool {
        self.offer(event, bytes)
    }

    fn taken(&self) -> u64 {
        self.taken
    }

    fn passed(&self) -> u64 {
        self.taken
    }
}
