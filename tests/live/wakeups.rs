//! The sleep protocol between probe and reader, with the real ones: nobody is woken who is awake, whoever sleeps is
//! woken once, and no wake-up is lost.

use std::fs;
use std::hint;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use libtest_mimic::Trial;
use monitor::netns::Pair;
use monitor::probe::Transport::Perf as PERF;
use monitor::probe::{Attachment, Options, PERF_BYTES, Probe};
use monitor::reader::{Perf, Ring, Sleep, Transport};
use monitor::sys::sched::{affinity, set_affinity};

use crate::harness::until;
use crate::probed::{Probed, options};
use crate::support::{Need, trial};
use crate::wire::{Pmu, datagram, quiet_pair, sender};

pub(crate) fn trials() -> Vec<Trial> {
    const NEEDS: &[Need] = &[Need::Bpf, Need::Veth];
    vec![
        trial("nobody_wakes_a_reader_that_is_awake", NEEDS, nobody_wakes_a_reader_that_is_awake),
        trial("each_sleep_is_ended_by_one_wake_up", NEEDS, || by_ring(each_sleep_is_ended_by_one_wake_up)),
        trial("each_sleep_is_ended_by_one_wake_up_by_perf", NEEDS, || {
            by_perf(each_sleep_is_ended_by_one_wake_up);
        }),
        trial("no_wake_up_is_lost", NEEDS, || {
            by_ring(|pair, probed, ring| {
                no_wake_up_is_lost(pair, probed, ring, 100_000);
            });
        }),
        trial("no_wake_up_is_lost_by_perf", NEEDS, || {
            by_perf(|pair, probed, perf| {
                no_wake_up_is_lost(pair, probed, perf, 50_000);
            });
        }),
    ]
}

/// Long enough that a sleep which lasts as long was not ended by anybody.
const LONG_NS: u64 = 10_000_000_000;

fn nobody_wakes_a_reader_that_is_awake() {
    const PACKETS: u64 = 20_000;
    let mut pair = quiet_pair();
    let probed = Probed::on(&pair);
    let (wire, mut ring) = (sender(&mut pair.stations), probed.ring());
    let packet = datagram(&Pmu::new(7).data());
    let mut read = 0;
    for _ in 0..PACKETS {
        wire.send(&packet).unwrap();
        read += take(&mut ring);
    }
    until("all is read", || {
        read += take(&mut ring);
        read == PACKETS
    });
    let counters = probed.counters();
    assert_eq!((counters.submitted, counters.ring_full, counters.wakeups), (PACKETS, 0, 0));
    assert_eq!(ring.sleeps(), 0);
}

fn by_ring(test: impl FnOnce(&mut Pair, &Probed, Ring)) {
    let mut pair = quiet_pair();
    let probed = Probed::on(&pair);
    let ring = probed.ring();
    test(&mut pair, &probed, ring);
}

fn by_perf(test: impl FnOnce(&mut Pair, &Probed, Perf)) {
    let mut pair = quiet_pair();
    let probe = Probe::load(&Options { transport: PERF, ..options() }).unwrap();
    let probed = Probed::with(probe, Attachment::Best, &pair);
    let perf = probed.perf(PERF_BYTES as usize);
    test(&mut pair, &probed, perf);
}

/// Reads what there is and gives the room back.
fn take(ring: &mut impl Transport) -> u64 {
    let drained = ring.drain_while(usize::MAX, |_, _| true);
    ring.commit(&ring.taken_before());
    assert_eq!(drained.discarded, 0);
    drained.delivered
}

/// The letter of `proc_pid_stat(5)` for the state of a thread.
fn state(thread: &str) -> char {
    let stat = fs::read_to_string(format!("/proc/{thread}/stat")).unwrap();
    stat.rsplit(") ").next().and_then(|rest| rest.chars().next()).unwrap()
}

fn each_sleep_is_ended_by_one_wake_up<T: Transport + Send>(pair: &mut Pair, probed: &Probed, mut ring: T) {
    const SLEEPS: u64 = 100;
    const BURST: u64 = 7;
    let wire = sender(&mut pair.stations);
    let packet = datagram(&Pmu::new(7).data());
    // One CPU handles the packets, one after the other: on two, both may see that the reader sleeps.
    set_affinity(affinity().unwrap().iter().next().unwrap()).unwrap();

    let (going, done) = (AtomicU64::new(0), AtomicU64::new(0));
    thread::scope(|scope| {
        let (name, named) = std::sync::mpsc::channel();
        let (going, done) = (&going, &done);
        scope.spawn(move || {
            name.send(fs::read_link("/proc/thread-self").unwrap().to_str().unwrap().to_owned()).unwrap();
            for sleep in 1..=SLEEPS {
                // From here to the sleep nothing else can block.
                going.store(sleep, Ordering::SeqCst);
                assert_eq!(ring.sleep(&[], LONG_NS).unwrap(), Sleep::Ring);
                let mut read = 0;
                while read < BURST {
                    read += take(&mut ring);
                }
                done.store(sleep, Ordering::SeqCst);
            }
            assert_eq!(ring.sleeps(), SLEEPS);
        });
        let reader = named.recv().unwrap();
        for sleep in 1..=SLEEPS {
            until("the reader sleeps", || going.load(Ordering::SeqCst) == sleep && state(&reader) == 'S');
            (0..BURST).for_each(|_| wire.send(&packet).unwrap());
            until("the reader has read", || done.load(Ordering::SeqCst) == sleep);
            assert_eq!(probed.counters().wakeups, sleep);
        }
    });
}

/// Numbers that look like chance, the same in every run (Marsaglia's xorshift).
struct Chance(u64);

impl Chance {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }
}

fn no_wake_up_is_lost<T: Transport>(pair: &mut Pair, probed: &Probed, mut ring: T, packets: u64) {
    let wire = sender(&mut pair.stations);
    let packet = datagram(&Pmu::new(7).data());
    let [mut read, mut slept, mut lost] = [0_u64; 3];
    thread::scope(|scope| {
        scope.spawn(|| {
            let mut chance = Chance(0x2545_F491_4F6C_DD1D);
            for _ in 0..packets {
                wire.send(&packet).unwrap();
                pause(&mut chance);
            }
        });
        while read < packets {
            let taken = take(&mut ring);
            read += taken;
            if taken == 0 {
                match ring.sleep(&[], LONG_NS).unwrap() {
                    Sleep::Ring => slept += 1,
                    Sleep::TimedOut => lost += 1,
                    Sleep::NotNeeded | Sleep::Other => {}
                }
            }
        }
    });
    let counters = probed.counters();
    assert_eq!((counters.submitted, counters.ring_full), (packets, 0));
    assert_eq!(lost, 0, "of {slept} sleeps");
    assert!(slept > 100, "only {slept} sleeps: nothing was tested");
    // At most one more for each sleep that two CPUs ended at the same time. And fewer than sleeps, where poll itself
    // found a record that was reserved after the reader's last look and submitted after its flag was down again.
    assert!((slept / 2..=2 * ring.sleeps()).contains(&counters.wakeups), "{slept} sleeps: {counters:?}");
}

/// Often none, sometimes long enough for the reader to fall asleep, mostly about as long as it takes to.
fn pause(chance: &mut Chance) {
    const MOST_NS: [u64; 8] = [0, 0, 1_000, 3_000, 10_000, 20_000, 40_000, 100_000];
    let most = MOST_NS[usize::try_from(chance.below(8)).unwrap()];
    let (begun, time) = (Instant::now(), Duration::from_nanos(chance.below(most + 1)));
    while begun.elapsed() < time {
        hint::spin_loop();
    }
}
