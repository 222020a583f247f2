//! Sends what a fleet measures: sockets for each stream, paced by absolute deadlines.
//!
//! What is sent and when comes from each stream's [script](super::script); [`worker`] lets it happen, [`link`](mod@link) has
//! the sockets, [`source`] puts the two together and answers commands (clause 6.6). What the kernel refuses to send
//! is counted and ends nothing.

mod books;
mod fragments;
mod link;
mod pace;
mod plan;
mod report;
mod segments;
mod source;
mod tcp;
mod udp;
mod worker;

use std::net::SocketAddr;
use std::panic;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::thread::{self, JoinHandle};

use monitor_core::protocol::c37118::IdCode;

use self::link::{Link, Outlet};
use self::pace::Pace;
use self::source::Source;
use self::worker::{Done, Worker};
use super::error::Error;
use super::fault::FaultKind;
use super::frames::Description;
use super::instant::ReportingInstant;
use super::script::{Cast, Script};
use super::station::{Fleet, LAST_IDCODE, Station};
use super::stop::Stop;

pub use self::link::DataTo;
pub use self::plan::{Plan, Route};
pub use self::report::{Counts, ReceiverReport, Report, StreamReport, Transport};

const THREAD: &str = "simulate";

/// Frames in a second that one thread sends with ease.
const FRAMES_PER_THREAD: u64 = 50_000;

/// A fleet with its sockets, not yet sending.
#[derive(Debug)]
pub struct Sender {
    fleet: Arc<Fleet>,
    plan: Plan,
    streams: Vec<Vec<Station>>,
    links: Vec<Link>,
}

impl Sender {
    /// Opens the sockets of each stream in the calling thread's network namespace. `from` tells the address of the
    /// stream at a place, from 0: where it sends from over UDP, where it listens over TCP; a port 0 is the kernel's
    /// choice.
    ///
    /// # Errors
    /// [`Error::Port`], [`Error::Family`], [`Error::Socket`], [`Error::IdCodes`], [`Error::StreamIdCodes`],
    /// [`Error::Station`].
    pub fn open(fleet: Fleet, plan: Plan, from: impl Fn(u16) -> SocketAddr) -> Result<Self, Error> {
        let streams: Vec<Vec<Station>> =
            fleet.stations().chunks(plan.per_stream.max(1).into()).map(<[Station]>::to_vec).collect();
        check_idcodes(&fleet, &plan, streams.len())?;
        check_faults(&plan)?;
        let mut links = Vec::with_capacity(streams.len());
        for (place, stations) in (0..).zip(&streams) {
            // Frames that cannot be written are told before anything is sent, those of every configuration.
            let mut cast = cast(&plan, place, stations.clone());
            for _ in 0..2 {
                Script::new(cast.clone(), 0)?;
                cast.stations.iter_mut().for_each(Station::switch_phasors);
            }
            links.push(link(&plan, from(place))?);
        }
        Ok(Self { fleet: Arc::new(fleet), plan, streams, links })
    }

    /// Where each stream listens for commands, and sends from.
    #[must_use]
    pub fn addresses(&self) -> Vec<(IdCode, SocketAddr)> {
        let idcodes = (0..).zip(&self.streams).map(|(place, stations)| idcode(&self.plan, place, stations));
        idcodes.zip(&self.links).map(|(idcode, link)| (idcode, link.address())).collect()
    }

    /// Sends on the calling thread, and on more where one cannot keep up, until the plan is fulfilled or `stop` is
    /// set, which is noticed within 20 ms.
    ///
    /// # Panics
    /// Where one of the threads did, with the same payload.
    pub fn run(self, stop: &AtomicBool) -> Report {
        let Self { fleet, plan, streams, links } = self;
        let pace = plan.start_ns.map_or_else(Pace::of_utc, Pace::beginning_at);
        let first = ReportingInstant::at_or_after(plan.start_ns.unwrap_or_else(|| pace.now_ns()), plan.rate);
        let end_ns = plan.instants.map(|count| first.after(count).unix_ns());
        let threads = threads(&plan, streams.len());
        let mut shares: Vec<Vec<Source>> = (0..threads).map(|_| Vec::new()).collect();
        for (place, (stations, link)) in (0_u16..).zip(streams.into_iter().zip(links)) {
            // It could be made when the sender was opened.
            let Ok(script) = Script::new(cast(&plan, place, stations), first.unix_ns()) else { continue };
            shares[usize::from(place) % threads].push(Source::new(script, link, plan.announced.clone()));
        }
        // Streams that one thread can send keep their order among each other, so that one seed gives one wire; of more,
        // which threads share, nobody knows it anyway.
        let together = frames_per_s(&plan, shares.iter().map(Vec::len).sum()) > FRAMES_PER_THREAD;
        let mut workers =
            shares.into_iter().map(|share| Worker::new(share, Arc::clone(&fleet), end_ns, together));
        let own = workers.next();
        let done: Vec<Done> = thread::scope(|scope| {
            let others: Vec<_> = workers.map(|worker| scope.spawn(move || worker.run(pace, stop))).collect();
            let own = own.map(|worker| worker.run(pace, stop));
            let others = others
                .into_iter()
                .map(|other| other.join().unwrap_or_else(|payload| panic::resume_unwind(payload)));
            own.into_iter().chain(others).collect()
        });
        report(done, first.unix_ns())
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
}

fn report(done: Vec<Done>, start_ns: i64) -> Report {
    let mut streams: Vec<StreamReport> = Vec::new();
    let (mut latest_ns, mut first_failure) = (0, None);
    for Done { streams: some, latest_ns: latest, first_failure: failure } in done {
        streams.extend(some);
        latest_ns = latest.cast_unsigned().max(latest_ns);
        first_failure = first_failure.or(failure);
    }
    streams.sort_by_key(|stream| stream.idcode.0);
    let instants = streams.iter().map(|stream| stream.counts.instants).max().unwrap_or(0);
    Report { streams, start_ns, instants, latest_ns, first_failure }
}

fn frames_per_s(plan: &Plan, streams: usize) -> u64 {
    u64::from(plan.rate.get()).saturating_mul(u64::try_from(streams).unwrap_or(u64::MAX))
}

/// How many threads share the streams.
fn threads(plan: &Plan, streams: usize) -> usize {
    let wanted =
        usize::try_from(frames_per_s(plan, streams).div_ceil(FRAMES_PER_THREAD)).unwrap_or(usize::MAX);
    let cpus = thread::available_parallelism().map_or(1, std::num::NonZero::get);
    wanted.clamp(1, cpus)
}

fn idcode(plan: &Plan, place: u16, stations: &[Station]) -> IdCode {
    match stations {
        [one] if plan.per_stream == 1 => one.idcode(),
        _ => IdCode(plan.first_stream_idcode.saturating_add(place)),
    }
}

fn description(plan: &Plan, place: u16, stations: &[Station]) -> Description {
    let Plan { rate, time_base, shape, .. } = *plan;
    Description { idcode: idcode(plan, place, stations), rate, time_base, shape, config_count: 0 }
}

fn cast(plan: &Plan, place: u16, stations: Vec<Station>) -> Cast {
    Cast {
        description: description(plan, place, &stations),
        stations,
        seed: plan.seed,
        announced: plan.announced.clone(),
        config_every_s: plan.config_every_s.get(),
        opens: matches!(plan.route, Route::Udp(_)),
        config3_size: plan.config3_size,
        faults: plan.faults.clone(),
    }
}

/// Faults that the route cannot have.
fn check_faults(plan: &Plan) -> Result<(), Error> {
    for fault in &plan.faults {
        let needs = match fault.kind {
            FaultKind::Segment(_) | FaultKind::Disconnect if matches!(plan.route, Route::Udp(_)) => {
                "a TCP server (--listen)"
            }
            FaultKind::Fragment { .. } if !matches!(plan.route, Route::Udp(_)) => "DATA over UDP (--to)",
            _ => continue,
        };
        return Err(Error::Fault { kind: fault.kind.name(), needs });
    }
    Ok(())
}

/// Streams of several PMUs have IDCODEs of their own.
fn check_idcodes(fleet: &Fleet, plan: &Plan, streams: usize) -> Result<(), Error> {
    if plan.per_stream <= 1 {
        return Ok(());
    }
    let first = plan.first_stream_idcode;
    let count = u16::try_from(streams).unwrap_or(u16::MAX);
    let last = first.checked_add(count.saturating_sub(1)).filter(|&last| first > 0 && last <= LAST_IDCODE);
    let taken = |last| fleet.stations().iter().any(|one| (first..=last).contains(&one.idcode().0));
    match last {
        Some(last) if !taken(last) => Ok(()),
        _ => Err(Error::StreamIdCodes { first, streams: count }),
    }
}

fn link(plan: &Plan, from: SocketAddr) -> Result<Link, Error> {
    let udp = |from: SocketAddr, to: SocketAddr| {
        if to.port() == 0 {
            return Err(Error::Port(to));
        }
        if from.is_ipv4() != to.is_ipv4() {
            return Err(Error::Family { from: from.ip(), to });
        }
        Ok(())
    };
    let server = || {
        tcp::Server::open(from, plan.spontaneous, plan.seed)
            .map_err(|error| Error::socket("TCP", from, error))
    };
    match plan.route {
        Route::Udp(to) => {
            udp(from, to)?;
            let datagrams = udp::Datagrams::open(from, to, plan.spontaneous, plan.ttl);
            Ok(Link::Udp(datagrams.map_err(|error| Error::socket("UDP", from, error))?))
        }
        Route::Tcp => Ok(Link::Tcp(server()?)),
        Route::Control(to) => {
            let place = match to {
                DataTo::Place(place) => place,
                DataTo::Client(port) => SocketAddr::new(from.ip(), port),
            };
            udp(from, place)?;
            // DATA leave from the port that the client knows.
            let server = server()?;
            let from = server.address();
            let socket = udp::open(from, place.ip(), plan.ttl);
            let socket = socket.map_err(|error| Error::socket("UDP", from, error))?;
            Ok(Link::Control(server, Outlet { socket, to }))
        }
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
