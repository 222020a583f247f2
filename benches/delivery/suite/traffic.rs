//! What is sent: frames of simulated PMUs, made before the block begins, each at its instant.

use std::thread::{self, JoinHandle};
use std::time::Duration;

use monitor::simulate::{Fleet, FleetPlan, Frames, ReportingInstant, nominal_for};
use monitor::sys::clock::{monotonic_ns, realtime_ns};
use monitor::sys::packet::FrameSender;
use monitor::sys::{sched, sleep};

use super::model::Model;
use packets::{IPV4, UDP};

#[path = "../../../tests/support/packets.rs"]
#[expect(dead_code, reason = "tests need more kinds of packet than the bench")]
mod packets;

pub(crate) const PORT: u16 = 4713;
pub(crate) const FIRST_IDCODE: u16 = 101;
/// The sender's priority: below the reader's, above all that is ordinary.
const PRIORITY: u8 = 20;
/// Between the configurations, at the very beginning, and the first DATA.
const CONFIGURED: u64 = 20_000_000;
/// So long before an instant the sender is awake: a wake-up takes less, mostly.
const AHEAD: u64 = 100_000;
/// The least and the most bytes of a packet before the payload: Ethernet, IPv4 and UDP.
const HEADERS: usize = 14 + 20 + 8;

/// Packets in the order in which they are sent.
pub(crate) struct Traffic(Vec<(u64, Vec<u8>)>);

impl Traffic {
    /// Of a model, for so long.
    pub(crate) fn new(model: Model, length: Duration, seed: u64) -> Self {
        let (rate, pmus) = (model.rate(), model.streams());
        let plan = FleetPlan { seed, pmus, first_idcode: FIRST_IDCODE, nominal: nominal_for(rate) };
        let fleet = Fleet::new(&plan).unwrap();
        let frames = fleet.stations().iter().map(|station| Frames::new(station.clone(), rate).unwrap());
        let mut frames: Vec<Frames> = frames.collect();
        let first = ReportingInstant::at_or_after(realtime_ns(), rate);
        let configurations = frames.iter_mut().map(|one| (0, packet(one.config2(first.time_tag()).unwrap())));
        let mut sent: Vec<_> = configurations.collect();
        let period = 1_000_000_000 / i64::from(rate.get());
        let mut instants = vec![first.unix_ns(); frames.len()];
        for arrival in model.arrivals(length, seed) {
            let stream = usize::from(arrival.stream);
            // A PMU sends instant after instant, whenever they arrive.
            let instant = ReportingInstant::nearest(instants[stream], rate);
            instants[stream] += period;
            let bytes = frames[stream].data(instant, fleet.grid(instant)).unwrap();
            sent.push((CONFIGURED + arrival.at, packet(bytes)));
        }
        Self(sent)
    }

    pub(crate) const fn packets(&self) -> usize {
        self.0.len()
    }

    /// Sends all of it from `begin` on, in nanoseconds of the monotonic clock, on a CPU of its own.
    pub(crate) fn send(self, sender: FrameSender, begin: u64, cpu: usize) -> JoinHandle<()> {
        thread::spawn(move || {
            sched::set_affinity(cpu).unwrap();
            sched::set_fifo(PRIORITY).unwrap();
            for (at, packet) in &self.0 {
                let at = begin + at;
                if at > monotonic_ns() + AHEAD {
                    sleep::until(at - AHEAD).unwrap();
                }
                while monotonic_ns() < at {
                    std::hint::spin_loop();
                }
                sender.send(packet).unwrap();
            }
        })
    }
}

fn packet(frame: &[u8]) -> Vec<u8> {
    packets::ethernet(IPV4, &packets::ipv4(UDP, &packets::udp(40_000, PORT, frame)))
}

/// The number of the stream that a packet belongs to, and whether it is DATA (IEEE C37.118.2-2011, 6.2: the type bits of
/// SYNC); none where it was not sent here.
pub(crate) fn stream_of(packet: &[u8]) -> Option<(usize, bool)> {
    let (headers, frame) = packet.split_at_checked(HEADERS)?;
    let is_ours = headers[12..14] == IPV4.to_be_bytes() && headers[36..38] == PORT.to_be_bytes();
    let idcode = u16::from_be_bytes([*frame.get(4)?, *frame.get(5)?]);
    let is_data = frame.get(1)? & 0x70 == 0;
    is_ours.then(|| (usize::from(idcode.checked_sub(FIRST_IDCODE).unwrap()), is_data))
}
