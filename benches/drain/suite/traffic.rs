//! What is sent: DATA of simulated PMUs, each block's the next instants of all of them.

use std::thread;
use std::time::Duration;

use monitor::simulate::{Fleet, FleetPlan, Frames, ReportingInstant, ReportingRate, nominal_for};
use monitor::sys::clock::realtime_ns;

use packets::{IPV4, UDP};

#[path = "../../../tests/support/packets.rs"]
#[expect(dead_code, reason = "tests need more kinds of packet than the bench")]
mod packets;

pub(crate) const PORT: u16 = 4713;
/// Before the frame in a packet: Ethernet, IPv4 and UDP.
pub(crate) const HEADERS: usize = 14 + 20 + 8;
const PMUS: u16 = 12;
const FRAMES_PER_S: u16 = 200;
/// Of every PMU in a block: 2400 frames in all, which both transports have room for. A second of them.
const INSTANTS: usize = 200;

pub(crate) struct Traffic {
    fleet: Fleet,
    frames: Vec<Frames>,
    next: ReportingInstant,
}

impl Traffic {
    pub(crate) fn new() -> Self {
        let rate = ReportingRate::new(FRAMES_PER_S).unwrap();
        let plan = FleetPlan { seed: 1, pmus: PMUS, first_idcode: 101, nominal: nominal_for(rate) };
        let fleet = Fleet::new(&plan).unwrap();
        let frames = fleet.stations().iter().map(|one| Frames::new(one.clone(), rate).unwrap()).collect();
        Self { fleet, frames, next: ReportingInstant::at_or_after(realtime_ns(), rate) }
    }

    pub(crate) fn configurations(&mut self) -> Vec<Vec<u8>> {
        let tag = self.next.time_tag();
        self.frames.iter_mut().map(|one| packet(one.config2(tag).unwrap())).collect()
    }

    /// The next instants, once the last of them has come: frames from the future would be told as what they are.
    pub(crate) fn block(&mut self) -> Vec<Vec<u8>> {
        let packets = self.data(INSTANTS);
        let ahead = u64::try_from(self.next.unix_ns() - realtime_ns()).unwrap_or(0);
        thread::sleep(Duration::from_nanos(ahead));
        packets
    }

    /// So many frames at once, whatever the time.
    pub(crate) fn many(&mut self, frames: usize) -> Vec<Vec<u8>> {
        self.data(frames.div_ceil(usize::from(PMUS)))
    }

    fn data(&mut self, instants: usize) -> Vec<Vec<u8>> {
        let Self { fleet, frames, next } = self;
        let mut packets = Vec::with_capacity(instants * frames.len());
        for _ in 0..instants {
            let instant = *next;
            *next = instant.next();
            packets
                .extend(frames.iter_mut().map(|one| packet(one.data(instant, fleet.grid(instant)).unwrap())));
        }
        packets
    }
}

fn packet(frame: &[u8]) -> Vec<u8> {
    packets::ethernet(IPV4, &packets::ipv4(UDP, &packets::udp(40_000, PORT, frame)))
}
