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
    hub::{
        Certainty, DropLine, DropPlace, DropReason, DropSummary, DropSums, DroppedPacket, Inbox, News,
        Summary, Watched,
    },
    probe::{Drops, Interface, Kernel},
    sys::{clock::monotonic_ns, poll},
};

/// Lines from one window to the next, which is a second: the others are only counted.
const TOLD_MAX: usize = 100;
/// How often the thread looks whether it is to end.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// How often the hub is told that all was read: a system call each.
const TELL_EVERY_NS: i64 = 100_000_000;
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
    /// Where the hub hears of packets that are lost to it.
    inbox: Inbox,
    /// When the ring was last read to its end, and how many packets it had no room for by then.
    read: (i64, u64),
}

impl DropWatch {
    /// From now on, where there is anything to read.
    pub(super) fn start(
        drops: Option<Drops>,
        interfaces: &[Interface],
        kernel: &Arc<Kernel>,
        clock: &Arc<ClockMap>,
        inbox: Inbox,
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
            inbox,
            read: (now(), 0),
        };
        // From here on: the program was attached before.
        reader.inbox.leave(News::Read { what: Watched::Drops, until: reader.read.0 });
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
        let drops = summary(&self.told.state(), &counters);
        filled.counters.drops = Some(DropSums::from(&drops));
        filled.drops = Some(drops);
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
        submitted: counters.submitted,
        told: state.told,
        untold: state.untold,
        ring_full: counters.ring_full,
        by_reason,
        ..DropSummary::default()
    };
    summary.settle();
    summary
}

fn is_loss(reason: &str) -> bool {
    !NOT_LOSS.contains(&reason)
}

impl Reader {
    fn run(mut self, over: &AtomicBool) -> Drops {
        loop {
            // Before the last look: what was written by then is read.
            let (is_last, begun) = (over.load(Ordering::Relaxed), now());
            while let Some(record) = self.drops.next_record() {
                self.take(&record);
            }
            if is_last || begun - self.read.0 >= TELL_EVERY_NS {
                self.tell_read(begun);
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

    /// All that was dropped before `begun` has been told, but for what the ring had no room for.
    fn tell_read(&mut self, begun: i64) {
        let (what, (from, refused)) = (Watched::Drops, self.read);
        let ring_full = self.drops.counters().map(|counters| counters.ring_full);
        if ring_full.as_ref().ok() != Some(&refused) {
            self.inbox.leave(News::Unread { what, from, to: now() });
        }
        self.read = (begun, ring_full.unwrap_or(refused));
        self.inbox.leave(News::Read { what, until: begun });
    }

    /// Tells the hub of a packet that it has not had.
    fn tell_lost(&self, record: &DropRecord, reason: &Arc<str>, place: DropPlace) {
        let evidence = match place {
            DropPlace::BeforeHook => Certainty::Exact,
            DropPlace::Unknown => Certainty::Window,
            DropPlace::AfterHook => return,
        };
        if !is_loss(reason) {
            return;
        }
        self.inbox.leave(News::Dropped(DroppedPacket {
            at: i64::try_from(record.time_ns).unwrap_or(i64::MAX),
            source: record.source,
            destination: record.destination,
            transport: transport(record),
            reason: Arc::clone(reason),
            evidence,
        }));
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
        self.tell_lost(record, &reason, place);
        let mut state = self.told.state();
        *state.counts.entry((Arc::clone(&reason), place)).or_default() += 1;
        if state.lines.len() >= TOLD_MAX {
            state.untold += 1;
            return;
        }
        state.told += 1;
        state.lines.push(DropLine {
            time_ns: self.clock.utc_ns(record.time_ns),
            iface,
            src: address(record.source, record.source_port),
            dst: address(record.destination, record.destination_port),
            transport: transport(record).name(),
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

fn now() -> i64 {
    i64::try_from(monotonic_ns()).unwrap_or(i64::MAX)
}

const fn transport(record: &DropRecord) -> Transport {
    if record.transport == TCP { Transport::Tcp } else { Transport::Udp }
}

fn address(bytes: [u8; 16], port: u16) -> SocketAddr {
    SocketAddr::new(Ipv6Addr::from(bytes).to_canonical(), port)
}
