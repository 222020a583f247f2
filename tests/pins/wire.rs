//! What is put on the wire: the frames of one simulated PMU, as fast as a test wants them.

use std::net::{Ipv4Addr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use monitor::netns::{End, MacAddress};
use monitor::simulate::{Fleet, FleetPlan, Frames, ReportingInstant, ReportingRate};
use monitor_core::protocol::c37118::NominalFrequency;

/// Addresses kept for documentation (RFC 5737).
pub(crate) const PMU: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);
pub(crate) const NOBODY: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 9);
/// Locally administered, and no end's.
pub(crate) const NOBODY_MAC: MacAddress = MacAddress([2, 0, 0, 0, 0, 9]);
/// UDP port of C37.118 by convention.
pub(crate) const PORT: u16 = 4713;
const IDCODE: u16 = 7;
const RATE: ReportingRate = ReportingRate::FIFTY;

/// A simulated PMU that sends when it is told to.
pub(crate) struct Pmu {
    socket: UdpSocket,
    to: Ipv4Addr,
    fleet: Fleet,
    frames: Frames,
    next: ReportingInstant,
    /// Time tags of its DATA frames, in nanoseconds since the Unix epoch.
    pub(crate) sent: Vec<i64>,
}

impl Pmu {
    pub(crate) fn new(end: &End) -> Self {
        Self::on(end, PMU, NOBODY)
    }

    /// Between other addresses.
    pub(crate) fn on(end: &End, from: Ipv4Addr, to: Ipv4Addr) -> Self {
        let plan = FleetPlan { seed: 7, pmus: 1, first_idcode: IDCODE, nominal: NominalFrequency::Hz50 };
        let fleet = Fleet::new(&plan).unwrap();
        let frames = Frames::new(fleet.stations()[0].clone(), RATE).unwrap();
        let socket = end.run(|| UdpSocket::bind((from, 0)).unwrap()).unwrap();
        let next = ReportingInstant::at_or_after(1_700_000_000_000_000_000, RATE);
        Self { socket, to, fleet, frames, next, sent: Vec::new() }
    }

    pub(crate) fn send_config(&mut self) {
        let frame = self.frames.config2(self.next.time_tag()).unwrap();
        self.socket.send_to(frame, (self.to, PORT)).unwrap();
    }

    pub(crate) fn send_data(&mut self) {
        let instant = self.next;
        self.next = instant.next();
        let frame = self.frames.data(instant, self.fleet.grid(instant)).unwrap();
        self.socket.send_to(frame, (self.to, PORT)).unwrap();
        self.sent.push(instant.unix_ns());
    }

    /// As many DATA frames, one behind the other.
    pub(crate) fn send(&mut self, frames: u64) {
        (0..frames).for_each(|_| self.send_data());
    }

    /// Sends DATA frames from a thread of its own until it is stopped.
    pub(crate) fn stream(mut self) -> Stream {
        /// Between two frames: many enough to be there at every moment, too few to fill a ring.
        const PAUSE: Duration = Duration::from_millis(1);
        let stop = Arc::new(AtomicBool::new(false));
        let stopping = Arc::clone(&stop);
        let thread = thread::spawn(move || {
            while !stopping.load(Ordering::Relaxed) {
                self.send_data();
                thread::sleep(PAUSE);
            }
            self
        });
        Stream { stop, thread: Some(thread) }
    }
}

/// A PMU that sends without being told.
pub(crate) struct Stream {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<Pmu>>,
}

impl Stream {
    /// Gives the PMU back.
    pub(crate) fn stop(mut self) -> Pmu {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.take().unwrap().join().unwrap()
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}
