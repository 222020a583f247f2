//! A run from attaching to the summary: puts probe, real-time thread, hub and sinks together, and looks after them.
//!
//! The thread that calls [`Session::run`] does what nobody else may: it is the module `caretaker`.

mod caretaker;
mod choice;
mod configurations;
mod discovery;
mod drops;
mod hardware;
mod links;
mod losses;
mod notices;
mod outlet;
mod placement;
mod reads;
mod source;
mod totals;
mod work;

use std::{
    collections::HashMap,
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use monitor_common::Taken;
use monitor_core::{
    event::Wait,
    packet::InterfaceId,
    pipeline::{Bounds, Pipeline, Ports},
    time::Nanos,
};

use crate::{
    clock::{self, ClockMap, Daemons, Offset, Watch},
    config::{StreamName, StreamRules},
    hub::{
        Fanout, Hub, InterfaceNames, Ledger, OnEnd, Registry, Summary, is_closed,
        queue::{self, QueueBounds},
    },
    live::{Board, Budget, Control, LoopCounts, Waits},
    netns::{self, LinkWatch, Netns, Promiscuous},
    probe::{
        Drops, Hook, Interface, Kernel, Matching, Options, Probe, ProbeError, Reads, SelfTest, Sizes,
        Transport,
        pins::{PinError, Pinned},
    },
    reader::{self, Interfaces, ReaderError, Records},
    rt,
    sink::Sink,
    sys::clock::monotonic_ns,
};

use caretaker::Caretaker;
pub use configurations::Sources;
use configurations::{Configurations, Requests};
use discovery::Discovery;
use drops::{DropWatch, Told};
use hardware::Hardware;
use links::Watching;
use losses::{Losses, Shown};
pub use notices::Notices;
use placement::Placement;
use reads::ReadWatch;
use source::{Instance, Source};
use work::{Parts, Work};

/// After detaching, a program that was running on another CPU is given this long to submit its record.
const LAST_RECORDS: Duration = Duration::from_millis(5);

/// Why a run could not be made.
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    /// The kernel side.
    #[error(transparent)]
    Probe(#[from] ProbeError),
    /// Pins.
    #[error(transparent)]
    Pins(#[from] PinError),
    /// The ring.
    #[error(transparent)]
    Reader(#[from] ReaderError),
    /// A network namespace or interface.
    #[error(transparent)]
    Netns(#[from] netns::Error),
    /// The operating system.
    #[error("{what}: {source}")]
    System {
        /// What was tried.
        what: &'static str,
        /// What it said.
        source: io::Error,
    },
}

/// What to run.
#[expect(clippy::struct_excessive_bools, reason = "each is an option of its own, on or off")]
pub struct Plan {
    /// Interfaces to watch, by name, in their namespace.
    pub interfaces: Vec<(Arc<Netns>, String)>,
    /// Where packets are taken on their way in.
    pub hook: Hook,
    /// Ports to match.
    pub ports: Ports,
    /// What carries records to the reader.
    pub transport: Transport,
    /// How large the kernel's maps are.
    pub sizes: Sizes,
    /// Whether to take in what is addressed to others.
    pub promiscuous: bool,
    /// Whether to tell of packets that the kernel drops.
    pub drops: bool,
    /// Whether to ask the network cards for their own stamps, with the hook at tc.
    pub hardware_stamps: bool,
    /// Whether to tell who else reads what is watched.
    pub reads: bool,
    /// How to read.
    pub reading: Reading,
}

/// How to read, whoever attached.
#[derive(Clone, Debug)]
pub struct Reading {
    /// Real-time settings.
    pub rt: rt::Request,
    /// Whether CPUs may go into idle states that take long to leave.
    pub idle_allowed: bool,
    /// How the real-time thread is to wait.
    pub waits: Waits,
    /// How long one of its turns may take.
    pub budget: Budget,
    /// Bounds of the pipeline.
    pub bounds: Bounds,
    /// Configurations that do not come over the wire.
    pub sources: Sources,
    /// The window by which streams are aligned, where they are.
    pub align: Option<Wait>,
    /// Names and settings of streams.
    pub streams: StreamRules,
    /// How long; without end where none is given.
    pub duration: Option<Duration>,
    /// Whether to attach again to an interface that has gone and comes back.
    pub reattach: bool,
    /// Where the time daemons are asked.
    pub daemons: Daemons,
}

/// What a run amounts to.
pub struct Report {
    /// The summary that the sinks were given.
    pub summary: Summary,
    /// Why it ended early, if it did: one sentence for a person.
    pub failed: Option<String>,
}

/// A run that is attached and about to begin.
pub struct Session {
    source: Source,
    hook: Hook,
    interfaces: Vec<Interface>,
    kernel: Arc<Kernel>,
    work: Work,
    receiver: queue::QueueReceiver,
    fanout: Fanout,
    clock: Arc<ClockMap>,
    measured: Offset,
    daemons: Daemons,
    before: Taken,
    board: Arc<Board>,
    notices: Notices,
    discovery: Discovery,
    requests: Requests,
    watches: Vec<(Arc<Netns>, LinkWatch)>,
    known: Interfaces,
    promiscuous: Option<Vec<Promiscuous>>,
    drops: Option<Drops>,
    hardware: Option<Hardware>,
    reads: Option<Reads>,
    reattach: bool,
    here: Arc<Netns>,
    request: rt::Request,
    idle_allowed: bool,
    waits: Waits,
    budget: Budget,
    duration: Option<Duration>,
    output_ended: Arc<AtomicBool>,
    names: Vec<StreamName>,
}

impl Session {
    /// Loads, tests itself, attaches. Frames are stamped and kept from here on.
    ///
    /// # Errors
    /// What this host lacks, or what was asked for and does not exist; nothing is left attached.
    pub fn prepare(plan: &Plan, sinks: Vec<Box<dyn Sink>>, notices: Notices) -> Result<Self, SessionError> {
        let interfaces = Interface::find_all(&plan.interfaces)?;
        let matching = match &plan.ports {
            Ports::Any => Matching::AnyPort,
            Ports::Set(ports) => Matching::Ports(ports.clone()),
        };
        let Plan { hook, transport, sizes, drops, reads, hardware_stamps, .. } = *plan;
        let options = Options { hook, matching, transport, sizes, drops, hardware_stamps, reads };
        let mut probe = Probe::load(&options)?;
        if let SelfTest::Skipped(reason) = probe.self_test()? {
            notices.say(format!("the self-test of the kernel stamps was skipped: {reason}"));
        }
        probe.warnings().iter().for_each(|warning| notices.say(warning.clone()));
        let (drops, reads) = (probe.take_drops(), probe.take_reads());
        let kernel = Arc::clone(probe.kernel());
        let read = match probe.perf_events()? {
            Some(events) => work::perf(&kernel, events, plan.sizes.perf_bytes, &notices)?,
            None => work::ring(&kernel)?,
        };
        let source = (Source::Own(Box::new(probe)), read);
        let mut session =
            Self::assemble(source, interfaces, kernel, &plan.ports, &plan.reading, sinks, notices)?;
        session.hook = plan.hook;
        (session.drops, session.reads) = (drops, reads);
        if hardware_stamps {
            // Before anything is attached: some cards pause when they are asked.
            session.ask_cards(None);
        }
        session.promiscuous = plan.promiscuous.then(|| listen_to_all(&session.interfaces)).transpose()?;
        if let Source::Own(probe) = &mut session.source {
            let told = probe.warnings().len();
            for interface in &session.interfaces {
                probe.attach(interface)?;
            }
            probe.warnings()[told..].iter().for_each(|warning| session.notices.say(warning.clone()));
        }
        Ok(session)
    }

    /// Becomes the reader of an instance that is attached. What it does when it ends changes nothing there.
    ///
    /// # Errors
    /// Where there is no such instance, it is not whole, or somebody reads it already.
    pub fn follow(
        name: &str,
        reading: &Reading,
        sinks: Vec<Box<dyn Sink>>,
        notices: Notices,
    ) -> Result<Self, SessionError> {
        let pinned = Pinned::open(name)?;
        let lock = pinned.lock_reader()?;
        let here = Arc::new(Netns::current()?);
        let interfaces = pinned.record().interfaces.iter().map(|one| one.interface(&here)).collect();
        let (followed, record) = (pinned.followed()?, pinned.record().clone());
        let (hook, hardware_stamps) = (record.hook, record.hardware_stamps);
        let kernel = Arc::new(pinned.into_kernel());
        let ports = match kernel.matching()? {
            Matching::AnyPort => Ports::Any,
            Matching::Ports(ports) => Ports::Set(ports),
        };
        let read = work::ring(&kernel)?;
        let source = (Source::Pinned(Box::new(Instance { followed, record, _lock: lock })), read);
        let mut session = Self::assemble(source, interfaces, kernel, &ports, reading, sinks, notices)?;
        session.hook = hook;
        if hardware_stamps {
            session.ask_cards(Some(name));
        }
        Ok(session)
    }

    /// Asks the network cards for their own stamps, or finds them asked where an instance has.
    fn ask_cards(&mut self, instance: Option<&str>) {
        let mut hardware = Hardware::new(instance, &self.notices);
        hardware.look(&self.interfaces);
        self.work.read_hardware_stamps(hardware.clocks());
        self.hardware = Some(hardware);
    }

    fn assemble(
        (source, read): (Source, reader::Source),
        interfaces: Vec<Interface>,
        kernel: Arc<Kernel>,
        ports: &Ports,
        reading: &Reading,
        mut sinks: Vec<Box<dyn Sink>>,
        notices: Notices,
    ) -> Result<Self, SessionError> {
        let system = |what| move |source| SessionError::System { what, source };
        let known = known_to_the_ring(&interfaces, &kernel)?;
        let records = Records::new(known.clone());
        let discovery = Discovery::new(ports, &interfaces);
        sinks.push(discovery.sink());
        let Sources { preloads, complaints, state, requests } = reading.sources.clone();
        sinks.push(Box::new(Configurations::new(state, notices.clone())));
        for complaint in complaints {
            notices.say(complaint);
        }
        let output_ended = Arc::new(AtomicBool::new(false));
        let fanout =
            Fanout::start(sinks, &on_end(&output_ended, &notices)).map_err(system("starting a sink"))?;
        let (outlet, receiver) = queue::channel(&QueueBounds::default(), fanout.wants())
            .map_err(system("making the queue to the outputs"))?;
        let measured = clock::measure();
        let clock = Arc::new(ClockMap::new(&measured));
        let control = Arc::new(Control::new().map_err(system("making an eventfd"))?);
        let board = Arc::new(Board::default());
        let before = read.taken_before();
        let StreamRules { rules, names } = reading.streams.clone();
        let mut pipeline = Pipeline::with_rules(ports.clone(), &reading.bounds, rules);
        if let Some(wait) = reading.align {
            pipeline = pipeline.with_alignment(wait, &reading.bounds);
        }
        pipeline.expect_requested(requests.len());
        for preload in preloads {
            pipeline.preload(preload);
        }
        let (requests, answers) = Requests::new(requests);
        let (shared_clock, shared_board, budget) = (Arc::clone(&clock), Arc::clone(&board), reading.budget);
        let rest = Parts {
            records,
            pipeline,
            outlet,
            clock: shared_clock,
            control,
            board: shared_board,
            answers,
            budget,
        };
        let work = Work::new(read, rest);
        let here = Arc::new(Netns::current()?);
        let waits = choice::settle(reading.waits.clone(), &reading.rt, &interfaces, here.inode());
        Ok(Self {
            source,
            hook: Hook::default(),
            watches: watch(&interfaces)?,
            interfaces,
            kernel,
            work,
            before,
            receiver,
            fanout,
            clock,
            measured,
            daemons: reading.daemons.clone(),
            board,
            notices,
            discovery,
            known,
            promiscuous: None,
            drops: None,
            hardware: None,
            reads: None,
            reattach: reading.reattach,
            here,
            requests,
            request: reading.rt,
            idle_allowed: reading.idle_allowed,
            waits,
            budget: reading.budget,
            duration: reading.duration,
            output_ended,
            names,
        })
    }

    /// What the pipeline looks for.
    #[must_use]
    pub const fn ports(&self) -> &Ports {
        self.discovery.ports()
    }

    /// Where packets are taken on their way in.
    #[must_use]
    pub const fn hook(&self) -> Hook {
        self.hook
    }

    /// The interfaces that are watched.
    #[must_use]
    pub fn interfaces(&self) -> &[Interface] {
        &self.interfaces
    }

    /// Runs until `stop` is set, the time is over, the output has gone, or no interface is left. Then detaches, reads
    /// what is left in the ring, and gives the sinks the summary. `started` is told what the host granted the real-time
    /// thread, and how it waits, before anything is printed.
    ///
    /// # Errors
    /// Where a thread cannot be had; whatever happens, nothing is left attached.
    #[expect(
        clippy::too_many_lines,
        reason = "the order in which everything begins and ends stands in one place"
    )]
    pub fn run(
        self,
        stop: &AtomicBool,
        started: impl FnOnce(&rt::Outcome, &Waits),
    ) -> Result<Report, SessionError> {
        let Self {
            mut source,
            interfaces,
            kernel,
            work,
            receiver,
            fanout,
            clock,
            board,
            notices,
            before,
            requests,
            waits,
            names: stream_names,
            ..
        } = self;
        let system = |what| move |source| SessionError::System { what, source };
        // First, so that how far the clock may be off is known for as many frames as can be.
        let say = notices.clone();
        let watch = Watch::start(Arc::clone(&clock), self.measured, self.daemons, move |news| say.say(news))
            .map_err(system("starting to watch the clock"))?;
        let losses = Losses::start(&interfaces, &kernel, &notices);
        let drops = DropWatch::start(self.drops, &interfaces, &kernel, &clock, losses.inbox())
            .map_err(system("starting the reader of drops"))?;
        let reads = watch_reads(self.reads)?;
        let begun = monotonic_ns();
        let live = work
            .spawn(self.request, self.idle_allowed, waits)
            .map_err(system("starting the real-time thread"))?;
        started(live.rt(), live.waits());
        let names = interfaces.iter().map(|one| (one.id, one.name.clone()));
        let told = InterfaceNames::default();
        let registry = Registry::new(names).hearing(told.clone()).naming(stream_names);
        let told_drops = drops.as_ref().map(DropWatch::told);
        let hub = Hub::new(receiver, registry, fanout).judging(Ledger::new(losses.inbox()));
        let lost = (told_drops, losses.shown());
        let hub = start_hub(hub, &clock, (&kernel, before), &board, &notices, lost)
            .map_err(system("starting the hub"))?;

        let netns = interfaces.first().map(|interface| Arc::clone(&interface.netns));
        requests.make(netns.as_ref(), &notices).map_err(system("starting a thread for a request"))?;

        let placement = Placement::of(&live, self.here.inode(), &notices);
        let watching = Watching {
            source: &mut source,
            present: interfaces,
            absent: Vec::new(),
            known: self.known,
            names: told,
            reattach: self.reattach,
            promiscuous: self.promiscuous,
            notices: &notices,
            here: self.here,
        };
        let mut caretaker = Caretaker {
            watching,
            kernel: &kernel,
            board: &board,
            notices: &notices,
            discovery: self.discovery,
            watches: self.watches,
            live: &live,
            losses,
            placement,
            hardware: self.hardware,
        };
        let deadline = self.duration.map(|duration| Instant::now() + duration);
        let over = || {
            stop.load(Ordering::Relaxed)
                || self.output_ended.load(Ordering::Relaxed)
                || deadline.is_some_and(|deadline| Instant::now() >= deadline)
        };
        let mut failed = caretaker.look_after(over, deadline);

        let Caretaker { losses, placement, hardware, .. } = caretaker;
        let placed = placement.finish();
        if let Err(error) = source.detach() {
            failed.get_or_insert(error.to_string());
        }
        thread::sleep(LAST_RECORDS);
        let outcome = live.join().map_err(system("ending the real-time thread"))?;
        let duration_ns = monotonic_ns() - begun;
        if let Some(error) = &outcome.failed {
            failed.get_or_insert(error.to_string());
        }
        let lanes = crate::live::LiveOutlet::counts(&outcome.outlet);
        // Without its sender the queue is closed, which ends the hub once it has passed on all that was in it.
        let ran = totals::rt(&outcome, placed, self.budget);
        drop(outcome.outlet);
        let (registry, fanout, mut ledger) = ended(hub).map_err(system("ending the hub"))?;

        let mut summary = Summary::new(&outcome.pipeline, &registry).with_latency(&outcome.pipeline);
        summary.duration_ns = Some(duration_ns);
        summary.clock = Some(totals::clock(watch.report()));
        summary.rt = Some(ran);
        summary.host = losses.finish(&kernel, &board, &notices);
        end_readers(drops, reads, &mut summary)?;
        summary.hardware_stamps = hardware::summed(hardware, outcome.hardware, outcome.counts.packets);
        // Behind all that tells of losses.
        ledger.finish();
        let mut summary = summary.with_blame(&outcome.pipeline, &ledger);
        let (packets, pending) = totals::settled(&kernel, &outcome.source)?;
        let turns = LoopCounts { pending, ..outcome.counts };
        totals::fill(
            &mut summary.counters,
            &packets,
            &turns,
            &before,
            &lanes,
            &fanout.counts().collect::<Vec<_>>(),
        );
        summary.settle();
        finish(fanout, &summary);
        Ok(Report { summary, failed })
    }
}

/// Gives the sinks the summary, and waits for their end.
fn finish(fanout: Fanout, summary: &Summary) {
    for report in fanout.finish(summary.clone()) {
        if !report.finished {
            tracing::warn!("the output {} was still busy when the run ended", report.name);
        }
    }
}

fn watch_reads(reads: Option<Reads>) -> Result<Option<ReadWatch>, SessionError> {
    let system = |source| SessionError::System { what: "starting the reader of reads", source };
    reads.map(ReadWatch::start).transpose().map_err(system)
}

/// What the readers of rings of their own have found.
fn end_readers(
    drops: Option<DropWatch>,
    reads: Option<ReadWatch>,
    summary: &mut Summary,
) -> Result<(), SessionError> {
    drops.map_or(Ok(()), |drops| drops.finish(summary))?;
    reads.map_or(Ok(()), |reads| reads.finish(summary))
}

/// The interfaces that are watched, and those that were before they went and came back: the ring may hold records of
/// both.
fn known_to_the_ring(interfaces: &[Interface], kernel: &Kernel) -> Result<Interfaces, ProbeError> {
    let mut known: Vec<_> = interfaces.iter().map(|one| (one.key, one.id)).collect();
    for (key, number) in kernel.watched()? {
        let is_known = known.iter().any(|(one, _)| *one == key);
        if let (false, Ok(number)) = (is_known, u16::try_from(number)) {
            known.push((key, InterfaceId(number)));
        }
    }
    Ok(Interfaces::new(known))
}

fn watch(interfaces: &[Interface]) -> Result<Vec<(Arc<Netns>, LinkWatch)>, netns::Error> {
    let mut namespaces = HashMap::new();
    for Interface { netns, .. } in interfaces {
        namespaces.entry(netns.inode()).or_insert(netns);
    }
    namespaces.into_values().map(|netns| Ok((Arc::clone(netns), netns.watch()?))).collect()
}

fn listen_to_all(interfaces: &[Interface]) -> Result<Vec<Promiscuous>, netns::Error> {
    interfaces.iter().map(|one| one.netns.run(|| Promiscuous::enable(&one.name))?).collect()
}

fn on_end(output_ended: &Arc<AtomicBool>, notices: &Notices) -> OnEnd {
    let (output_ended, notices) = (Arc::clone(output_ended), notices.clone());
    Arc::new(move |ended| {
        if !is_closed(&ended.error) {
            notices.say(format!("the output {} ended: {}", ended.sink, ended.error));
        }
        output_ended.store(true, Ordering::Relaxed);
    })
}

fn ended(hub: HubThread) -> io::Result<(Registry, Fanout, Ledger)> {
    let panicked = |_| io::Error::other("the hub panicked: please report this as a bug");
    hub.join().map_err(panicked).and_then(|ended| ended)
}

type HubThread = JoinHandle<io::Result<(Registry, Fanout, Ledger)>>;

fn start_hub(
    hub: Hub,
    clock: &Arc<ClockMap>,
    (kernel, before): (&Arc<Kernel>, Taken),
    board: &Arc<Board>,
    notices: &Notices,
    (drops, lost): (Option<Told>, Shown),
) -> io::Result<HubThread> {
    let (clock, kernel, board, notices) =
        (Arc::clone(clock), Arc::clone(kernel), Arc::clone(board), notices.clone());
    thread::Builder::new().name("hub".to_owned()).spawn(move || {
        hub.run(
            || Nanos(clock.utc_ns(monotonic_ns())),
            |window| {
                window.counters = totals::so_far(&kernel, &before, &board);
                window.notices.extend(notices.take_new());
                window.drops = drops.as_ref().map(Told::take).unwrap_or_default();
                window.host = lost.get();
            },
        )
    })
}
