//! Sends what a fleet measures: a UDP socket for each station, paced by absolute deadlines.
//!
//! Each instant has its deadline on `CLOCK_MONOTONIC`, computed from the frame index, so that nothing adds up to a
//! drift. A sender that was held up sends every instant it missed, at once, and counts them as late: a gap in the
//! frame indices is never this end's doing. What the kernel refuses to send is counted and ends nothing.
//!
//! Between instants it looks for commands (clause 6.6) on the same sockets and answers whoever asked.

use std::net::{SocketAddr, UdpSocket};
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;
use std::{io, panic};

use monitor_core::protocol::c37118::encode::EncodeError;
use monitor_core::protocol::c37118::{Command, CommandView, FrameView, IdCode, TimeTag};

use super::error::Error;
use super::frames::Frames;
use super::instant::{ReportingInstant, ReportingRate, tag_of};
use super::station::{Fleet, GridState};
use super::stop::Stop;
use crate::sys::clock::{monotonic_ns, realtime_ns};

/// How long a command, or the end, may wait to be noticed.
const LOOK_EVERY_NS: u64 = 20_000_000;

/// An instant whose sending begins later than this counts as late: a twentieth of what a P class PMU may take at
/// 50 frames/s (2/Fs, IEEE C37.118.1), and well above what an ordinary thread's wake-up takes on an idle host.
const LATE_AFTER_NS: u64 = 2_000_000;

/// The most datagrams of one station between two instants: a flood of commands holds up no DATA.
const COMMANDS_AT_ONCE: usize = 16;

/// Room for a command; a longer datagram is cut and so refused.
const LARGEST_COMMAND: usize = 2048;

const THREAD: &str = "simulate";

/// How a fleet sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Where DATA, and the configurations that nobody asked for, go.
    pub to: SocketAddr,
    /// Instants in a second.
    pub rate: ReportingRate,
    /// Seconds from one CFG-2 to the next; the first is sent at the start.
    pub config_every_s: NonZeroU32,
    /// After how many instants the sender ends by itself.
    pub instants: Option<u64>,
}

impl Plan {
    /// A minute from one CFG-2 to the next.
    pub const CONFIG_EVERY_S: NonZeroU32 = NonZeroU32::new(60).unwrap();

    /// To `to` at `rate`, with a CFG-2 every minute, until it is stopped.
    #[must_use]
    pub const fn new(to: SocketAddr, rate: ReportingRate) -> Self {
        Self { to, rate, config_every_s: Self::CONFIG_EVERY_S, instants: None }
    }
}

/// A fleet with its sockets, not yet sending.
#[derive(Debug)]
pub struct Sender {
    fleet: Fleet,
    plan: Plan,
    sources: Vec<Source>,
    instants: u64,
    late_instants: u64,
    latest_ns: u64,
    first_failure: Option<String>,
}

impl Sender {
    /// Opens a socket for each station in the calling thread's network namespace. `from` tells the address of the
    /// station at a place, from 0; a port 0 is the kernel's choice.
    ///
    /// # Errors
    /// [`Error::Port`], [`Error::Family`], [`Error::Socket`].
    pub fn open(fleet: Fleet, plan: Plan, from: impl Fn(u16) -> SocketAddr) -> Result<Self, Error> {
        if plan.to.port() == 0 {
            return Err(Error::Port(plan.to));
        }
        let sources = (0..).zip(fleet.stations()).map(|(place, station)| {
            let frames = Frames::new(station.clone(), plan.rate)?;
            Source::open(frames, from(place), plan.to)
        });
        let sources = sources.collect::<Result<_, _>>()?;
        let (instants, late_instants, latest_ns, first_failure) = (0, 0, 0, None);
        Ok(Self { fleet, plan, sources, instants, late_instants, latest_ns, first_failure })
    }

    /// Where each station listens for commands, and sends from.
    #[must_use]
    pub fn addresses(&self) -> Vec<(IdCode, SocketAddr)> {
        self.sources.iter().map(|source| (source.idcode(), source.address)).collect()
    }

    /// Sends on the calling thread until the plan is fulfilled or `stop` is set, which is noticed within 20 ms.
    pub fn run(mut self, stop: &AtomicBool) -> Report {
        let offset = Offset::measure();
        let mut next = ReportingInstant::at_or_after(offset.unix_ns(monotonic_ns()), self.plan.rate);
        self.send_configs(offset);
        let mut look_at = 0;
        while !self.is_done() && !stop.load(Ordering::Relaxed) {
            let due = offset.monotonic_ns(next.unix_ns());
            let now = monotonic_ns();
            if due <= now {
                self.send_instant(next, now - due, offset);
                next = next.next();
            }
            if look_at <= now {
                self.answer(offset);
                look_at = now + LOOK_EVERY_NS;
            }
            sleep_until(offset.monotonic_ns(next.unix_ns()).min(look_at));
        }
        self.report()
    }

    /// The same on a thread of its own, which stays in the sockets' namespace as they do.
    ///
    /// # Errors
    /// [`Error::Thread`].
    pub fn spawn(self) -> Result<RunningSender, Error> {
        let stop = Stop::new();
        let flag = stop.flag();
        let thread = thread::Builder::new()
            .name(THREAD.to_owned())
            .spawn(move || self.run(&flag))
            .map_err(|source| Error::Thread { name: THREAD, source })?;
        Ok(RunningSender { stop, thread })
    }

    fn is_done(&self) -> bool {
        self.plan.instants.is_some_and(|limit| self.instants >= limit)
    }

    fn send_configs(&mut self, offset: Offset) {
        let Self { sources, plan, first_failure, .. } = self;
        for source in sources {
            source.send_config(plan.to, offset, first_failure);
        }
    }

    fn send_instant(&mut self, instant: ReportingInstant, late_ns: u64, offset: Offset) {
        if self.instants > 0 && instant.begins_span_of(self.plan.config_every_s.get()) {
            self.send_configs(offset);
        }
        let Self { fleet, plan, sources, instants, late_instants, latest_ns, first_failure } = self;
        let grid = fleet.grid(instant);
        let late = late_ns > LATE_AFTER_NS;
        for source in sources {
            source.send_data(plan.to, instant, grid, late, first_failure);
        }
        *instants += 1;
        *late_instants += u64::from(late);
        *latest_ns = late_ns.max(*latest_ns);
    }

    fn answer(&mut self, offset: Offset) {
        let Self { sources, first_failure, .. } = self;
        for source in sources {
            source.answer(offset, first_failure);
        }
    }

    fn report(self) -> Report {
        let Self { fleet: _, plan: _, sources, instants, late_instants, latest_ns, first_failure } = self;
        let stations = sources.iter().map(Source::report).collect();
        Report { stations, instants, late_instants, latest_ns, first_failure }
    }
}

/// A sender on its own thread, which ends where this is dropped.
#[derive(Debug)]
pub struct RunningSender {
    stop: Stop,
    thread: JoinHandle<Report>,
}

impl RunningSender {
    /// Ends it, and returns what it has sent.
    ///
    /// # Panics
    /// Where the thread did, with the same payload.
    #[must_use]
    pub fn stop(self) -> Report {
        let Self { stop, thread } = self;
        drop(stop);
        joined(thread)
    }

    /// Waits until its plan is fulfilled, and returns what it has sent.
    ///
    /// # Panics
    /// Where the thread did, with the same payload.
    #[must_use]
    pub fn wait(self) -> Report {
        let Self { stop: _kept, thread } = self;
        joined(thread)
    }
}

fn joined(thread: JoinHandle<Report>) -> Report {
    thread.join().unwrap_or_else(|payload| panic::resume_unwind(payload))
}

/// What was done in all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// Each station, by ascending IDCODE.
    pub stations: Vec<StationReport>,
    /// Instants that came due. Each cost every station one DATA frame, sent, withheld or failed.
    pub instants: u64,
    /// Of those, how many began more than 2 ms after their deadline.
    pub late_instants: u64,
    /// How long after its deadline the latest began, in nanoseconds.
    pub latest_ns: u64,
    /// The first frame that could not be sent, and why.
    pub first_failure: Option<String>,
}

impl Report {
    /// The sum over all stations.
    #[must_use]
    pub fn total(&self) -> Counts {
        self.stations.iter().map(|station| station.counts).fold(Counts::default(), Counts::plus)
    }
}

/// What one station did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StationReport {
    /// Its IDCODE.
    pub idcode: IdCode,
    /// Where it sent from.
    pub address: SocketAddr,
    /// What it sent and received.
    pub counts: Counts,
}

/// Frames of one station, or of all. Instants = data + withheld + `failed_data`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// DATA that the kernel took.
    pub data: u64,
    /// Of those, how many belong to an instant that was late.
    pub late: u64,
    /// DATA not sent, since a command had turned them off.
    pub withheld: u64,
    /// DATA that the kernel did not take.
    pub failed_data: u64,
    /// CFG-2 that the kernel took.
    pub config2: u64,
    /// HDR that the kernel took.
    pub header: u64,
    /// CFG-2 and HDR that the kernel did not take.
    pub failed_other: u64,
    /// CMD received that are for this station.
    pub commands: u64,
    /// Of those, how many ask for what is not simulated, and got no answer.
    pub unanswered: u64,
    /// Datagrams received that are no command for this station.
    pub refused: u64,
}

impl Counts {
    fn plus(self, other: Self) -> Self {
        let Self {
            data,
            late,
            withheld,
            failed_data,
            config2,
            header,
            failed_other,
            commands,
            unanswered,
            refused,
        } = other;
        Self {
            data: self.data + data,
            late: self.late + late,
            withheld: self.withheld + withheld,
            failed_data: self.failed_data + failed_data,
            config2: self.config2 + config2,
            header: self.header + header,
            failed_other: self.failed_other + failed_other,
            commands: self.commands + commands,
            unanswered: self.unanswered + unanswered,
            refused: self.refused + refused,
        }
    }
}

/// One station with its socket.
#[derive(Debug)]
struct Source {
    frames: Frames,
    socket: UdpSocket,
    address: SocketAddr,
    data_on: bool,
    counts: Counts,
}

impl Source {
    fn open(frames: Frames, from: SocketAddr, to: SocketAddr) -> Result<Self, Error> {
        if from.is_ipv4() != to.is_ipv4() {
            return Err(Error::Family { from: from.ip(), to });
        }
        let (socket, address) = open(from).map_err(|source| Error::socket(from, source))?;
        Ok(Self { frames, socket, address, data_on: true, counts: Counts::default() })
    }

    fn idcode(&self) -> IdCode {
        self.frames.station().idcode()
    }

    fn report(&self) -> StationReport {
        StationReport { idcode: self.idcode(), address: self.address, counts: self.counts }
    }

    fn send_data(
        &mut self,
        to: SocketAddr,
        instant: ReportingInstant,
        grid: GridState,
        late: bool,
        first_failure: &mut Option<String>,
    ) {
        let Self { frames, socket, address: _, data_on, counts } = self;
        if !*data_on {
            counts.withheld += 1;
            return;
        }
        match transmit(socket, frames.data(instant, grid), to) {
            Ok(()) => {
                counts.data += 1;
                counts.late += u64::from(late);
            }
            Err(failure) => {
                counts.failed_data += 1;
                first_failure.get_or_insert(failure);
            }
        }
    }

    fn send_config(&mut self, to: SocketAddr, offset: Offset, first_failure: &mut Option<String>) {
        let Self { frames, socket, counts, .. } = self;
        match transmit(socket, frames.config2(offset.tag_now()), to) {
            Ok(()) => counts.config2 += 1,
            Err(failure) => {
                counts.failed_other += 1;
                first_failure.get_or_insert(failure);
            }
        }
    }

    fn send_header(&mut self, to: SocketAddr, offset: Offset, first_failure: &mut Option<String>) {
        let Self { frames, socket, counts, .. } = self;
        match transmit(socket, frames.header(offset.tag_now()), to) {
            Ok(()) => counts.header += 1,
            Err(failure) => {
                counts.failed_other += 1;
                first_failure.get_or_insert(failure);
            }
        }
    }

    /// Takes the commands that have arrived and answers them. Errors of receiving say only that nothing is there.
    fn answer(&mut self, offset: Offset, first_failure: &mut Option<String>) {
        let mut buffer = [0; LARGEST_COMMAND];
        for _ in 0..COMMANDS_AT_ONCE {
            let Ok((length, asker)) = self.socket.recv_from(&mut buffer) else { return };
            match self.command(buffer.get(..length).unwrap_or_default()) {
                Some(command) => {
                    self.counts.commands += 1;
                    self.obey(command, asker, offset, first_failure);
                }
                None => self.counts.refused += 1,
            }
        }
    }

    fn command(&self, datagram: &[u8]) -> Option<Command> {
        let frame = FrameView::new(datagram).ok().filter(|frame| frame.idcode() == self.idcode())?;
        CommandView::new(frame).ok().map(|view| view.command())
    }

    fn obey(
        &mut self,
        command: Command,
        asker: SocketAddr,
        offset: Offset,
        first_failure: &mut Option<String>,
    ) {
        match command {
            Command::TurnOff => self.data_on = false,
            Command::TurnOn => self.data_on = true,
            Command::SendHeader => self.send_header(asker, offset, first_failure),
            Command::SendConfig2 => self.send_config(asker, offset, first_failure),
            Command::SendConfig1 | Command::SendConfig3 | Command::Extended | Command::Other(_) => {
                self.counts.unanswered += 1;
            }
        }
    }
}

fn open(from: SocketAddr) -> io::Result<(UdpSocket, SocketAddr)> {
    let socket = UdpSocket::bind(from)?;
    socket.set_nonblocking(true)?;
    let address = socket.local_addr()?;
    Ok((socket, address))
}

/// Hands one frame to the kernel, or says why not.
fn transmit(socket: &UdpSocket, frame: Result<&[u8], EncodeError>, to: SocketAddr) -> Result<(), String> {
    let frame = frame.map_err(|error| error.to_string())?;
    // A datagram goes whole or not at all.
    socket.send_to(frame, to).map(drop).map_err(|error| format!("{to}: {error}"))
}

/// UTC minus `CLOCK_MONOTONIC`, as it was at the start: a clock that is set while sending makes no jump.
#[derive(Clone, Copy, Debug)]
struct Offset(i64);

impl Offset {
    fn measure() -> Self {
        let before = monotonic_ns();
        let utc = realtime_ns();
        let between = u64::midpoint(before, monotonic_ns());
        Self(utc - between.cast_signed())
    }

    fn unix_ns(self, monotonic_ns: u64) -> i64 {
        monotonic_ns.cast_signed() + self.0
    }

    /// 0 for a time before the host started.
    fn monotonic_ns(self, unix_ns: i64) -> u64 {
        u64::try_from(unix_ns - self.0).unwrap_or(0)
    }

    fn tag_now(self) -> TimeTag {
        tag_of(self.unix_ns(monotonic_ns()))
    }
}

fn sleep_until(deadline_ns: u64) {
    let left = deadline_ns.saturating_sub(monotonic_ns());
    if left > 0 {
        thread::sleep(Duration::from_nanos(left));
    }
}
