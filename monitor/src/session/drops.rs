//! What the kernel dropped of watched flows: read by a thread of its own, so that it costs the real-time thread nothing.

use std::{
    collections::HashMap,
    io,
    net::{Ipv6Addr, SocketAddr},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use monitor_common::{DropCounters, DropRecord, InterfaceKey, PLACE_AFTER_HOOK, PLACE_BEFORE_HOOK};
use monitor_core::event::Transport;

use super::SessionError;
use crate::{
    clock::ClockMap,
    hub::{DropLine, DropPlace, DropReason, DropSummary, Summary},
    probe::{Drops, Interface, Kernel},
    sys::poll,
};

/// Lines from one window to the next, which is a second: the others are only counted.
const TOLD_MAX: usize = 100;
/// How often the thread looks whether it is to end.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// What is dropped for these reasons was for nobody on this host: another host's (promiscuous mode), of a port that no
/// socket listens on, of a protocol that nothing takes.
const NOT_LOSS: [&str; 3] = ["OTHERHOST", "NO_SOCKET", "UNHANDLED_PROTO"];
/// Number of TCP in an IP header.
const TCP: u8 = 6;

/// What was read and not yet shown, and how much in all.
#[derive(Default)]
struct State {
    lines: Vec<DropLine>,
    told: u64,
    untold: u64,
    counts: HashMap<(Arc<str>, DropPlace), u64>,
}

/// Lines on their way to the outputs. Clones share them.
#[derive(Clone, Default)]
pub(super) struct Told(Arc<Mutex<State>>);

impl Told {
    /// Those since the last call.
    pub(super) fn take(&self) -> Vec<DropLine> {
        std::mem::take(&mut self.state().lines)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The thread.
pub(super) struct DropWatch {
    told: Told,
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Drops>,
}

/// What it knows.
struct Reader {
    drops: Drops,
    told: Told,
    kernel: Arc<Kernel>,
    clock: Arc<ClockMap>,
    names: Vec<(u32, Arc<str>)>,
    numbers: HashMap<InterfaceKey, u32>,
    reasons: HashMap<u32, Arc<str>>,
}

impl DropWatch {
    /// From now on, where there is anything to read.
    pub(super) fn start(
        drops: Option<Drops>,
        interfaces: &[Interface],
        kernel: &Arc<Kernel>,
        clock: &Arc<ClockMap>,
    ) -> io::Result<Option<Self>> {
        let Some(drops) = drops else { return Ok(None) };
        let (told, stop) = (Told::default(), Arc::new(AtomicBool::new(false)));
        let reader = Reader {
            drops,
            told: told.clone(),
            kernel: Arc::clone(kernel),
            clock: Arc::clone(clock),
            names: interfaces.iter().map(|one| (one.id.0.into(), one.name.as_str().into())).collect(),
            numbers: HashMap::new(),
            reasons: HashMap::new(),
        };
        let over = Arc::clone(&stop);
        let thread = thread::Builder::new().name("drops".to_owned()).spawn(move || reader.run(&over))?;
        Ok(Some(Self { told, stop, thread }))
    }

    /// Where the lines are.
    pub(super) fn told(&self) -> Told {
        self.told.clone()
    }

    /// Reads what is left, after the program was detached, and fills in what came of it all.
    pub(super) fn finish(self, filled: &mut Summary) -> Result<(), SessionError> {
        // Relaxed: the thread looks at nothing else that this one has written; the join is what orders the counts.
        self.stop.store(true, Ordering::Relaxed);
        let drops = self.thread.join().map_err(|_| SessionError::System {
            what: "ending the reader of drops",
            source: io::Error::other("it panicked: please report this as a bug"),
        })?;
        let counters = drops.counters()?;
        filled.last_drops = self.told.take();
        filled.drops = Some(summary(&self.told.state(), &counters));
        Ok(())
    }
}

fn summary(state: &State, counters: &DropCounters) -> DropSummary {
    let one = |((reason, place), packets): (&(Arc<str>, DropPlace), &u64)| DropReason {
        reason: Arc::clone(reason),
        place: *place,
        loss: is_loss(reason),
        packets: *packets,
    };
    let mut by_reason: Vec<_> = state.counts.iter().map(one).collect();
    by_reason.sort_by(|a, b| (b.packets, &a.reason, a.place).cmp(&(a.packets, &b.reason, b.place)));
    let mut summary = DropSummary {
        seen: counters.seen,
        ignored: counters.ignored,
        matched: counters.matched,
        told: state.told,
        untold: state.untold,
        ring_full: counters.ring_full,
        by_reason,
        ..DropSummary::default()
    };
    summary.settle(counters.submitted);
    summary
}

fn is_loss(reason: &str) -> bool {
    !NOT_LOSS.contains(&reason)
}

impl Reader {
    fn run(mut self, over: &AtomicBool) -> Drops {
        loop {
            // Before the last look: what was written by then is read.
            let is_last = over.load(Ordering::Relaxed);
            while let Some(record) = self.drops.next_record() {
                self.take(&record);
            }
            if is_last {
                return self.drops;
            }
            let time = u64::try_from(LOOK_EVERY.as_nanos()).unwrap_or(u64::MAX);
            if poll::poll(&[self.drops.ring()], Some(time)).is_err() {
                thread::sleep(LOOK_EVERY);
            }
        }
    }

    fn take(&mut self, record: &DropRecord) {
        let reasons = self.drops.reasons();
        let reason = self.reasons.entry(record.reason).or_insert_with(|| reasons.name(record.reason).into());
        let reason = Arc::clone(reason);
        let place = match record.place {
            PLACE_BEFORE_HOOK => DropPlace::BeforeHook,
            PLACE_AFTER_HOOK => DropPlace::AfterHook,
            _ => DropPlace::Unknown,
        };
        let iface = self.name(InterfaceKey { netns: record.netns, ifindex: record.ifindex });
        let mut state = self.told.state();
        *state.counts.entry((Arc::clone(&reason), place)).or_default() += 1;
        if state.lines.len() >= TOLD_MAX {
            state.untold += 1;
            return;
        }
        state.told += 1;
        let transport = if record.transport == TCP { Transport::Tcp } else { Transport::Udp };
        state.lines.push(DropLine {
            time_ns: self.clock.utc_ns(record.time_ns),
            iface,
            src: address(record.source, record.source_port),
            dst: address(record.destination, record.destination_port),
            transport: transport.name(),
            loss: is_loss(&reason),
            reason,
            place,
            length: record.length,
        });
    }

    /// An interface that came back has another index and the number that it had.
    fn name(&mut self, key: InterfaceKey) -> Option<Arc<str>> {
        if !self.numbers.contains_key(&key) {
            self.numbers.extend(self.kernel.watched().unwrap_or_default());
        }
        let number = self.numbers.get(&key)?;
        self.names.iter().find(|(one, _)| one == number).map(|(_, name)| Arc::clone(name))
    }
}

fn address(bytes: [u8; 16], port: u16) -> SocketAddr {
    SocketAddr::new(Ipv6Addr::from(bytes).to_canonical(), port)
}
