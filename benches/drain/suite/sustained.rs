//! Frames a second that the live loop takes without one being lost: at rates that double, for half a second each.

use std::hint;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use monitor::hub::queue::{self, QueueBounds, QueueReceiver, QueueSender, Woken};
use monitor::live::{self, Board, Live, Waiting, Waits};
use monitor::probe::Transport;
use monitor::reader::{self, Source};
use monitor::rt;
use monitor::sys::clock::monotonic_ns;
use monitor::sys::sched;
use monitor_core::event::{Class, Classes};

use super::PRIORITY;
use super::scene::{Scene, live_loop};
use super::traffic::Traffic;

/// Frames a second that are tried, one after the other; the last is more than one CPU sends.
const RATES: [u32; 6] = [12_500, 25_000, 50_000, 100_000, 200_000, 400_000];
const LENGTH: Duration = Duration::from_millis(500);
const QUICK: Duration = Duration::from_millis(20);
/// Between two looks at what was counted.
const LOOK_EVERY: Duration = Duration::from_millis(2);
/// The sender's priority: below the reader's, above all that is ordinary.
const SENDER_PRIORITY: u8 = 20;

/// What came of a rate.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sustained {
    pub(crate) transport: Transport,
    pub(crate) sent: u64,
    pub(crate) delivered: u64,
    /// Counted by the kernel's side as refused for want of room.
    pub(crate) lost: u64,
    /// From the first frame to the last, nanoseconds.
    pub(crate) elapsed: u64,
}

impl Sustained {
    /// Frames that were sent in a second.
    pub(crate) fn rate(&self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "a rate for a person to read")]
        let (sent, elapsed) = (self.sent as f64, self.elapsed.max(1) as f64);
        sent / elapsed * 1e9
    }

    pub(crate) const fn is_accounted(&self) -> bool {
        self.sent == self.delivered + self.lost
    }
}

/// The live loop's counts, and how many records were taken before it began.
struct Watch {
    board: Arc<Board>,
    before: u64,
}

/// Runs the live loop as `run` does, while frames are sent at each rate.
pub(crate) fn measure(scene: &mut Scene, traffic: &mut Traffic, quick: bool) -> Vec<Sustained> {
    let (outlet, receiver) = queue::channel(&QueueBounds::default(), wants()).unwrap();
    let cpu = scene.cpus().sender;
    let outputs = thread::spawn(move || pass_on(receiver, cpu));
    let board = Arc::new(Board::default());
    let watch = Watch { board: Arc::clone(&board), before: scene.counters().records };
    let live = match scene.take_reader() {
        Source::Ring(ring) => spawn(ring, scene, outlet, &board),
        Source::Perf(perf) => spawn(perf, scene, outlet, &board),
    };
    assert!(live.rt().is_real_time(), "no real-time policy; run the bench as root");
    let configurations = traffic.configurations();
    scene.fill(&configurations);
    let length = if quick { QUICK } else { LENGTH };
    let rates = RATES.map(|rate| at_rate(scene, traffic, &watch, rate, length));
    let outcome = live.join().unwrap();
    assert!(outcome.failed.is_none(), "{:?}", outcome.failed);
    drop(outcome.outlet);
    outputs.join().unwrap();
    rates.to_vec()
}

/// What the table wants.
fn wants() -> Classes {
    Classes::NONE.with(Class::Config).with(Class::StreamState)
}

/// As the hub does, on a CPU that is not the reader's.
fn pass_on(mut receiver: QueueReceiver, cpu: usize) {
    sched::set_affinity(cpu).unwrap();
    while receiver.wait(None).unwrap() != Woken::Closed {
        receiver.receive(|_, _| {});
    }
}

fn spawn<T>(reader: T, scene: &Scene, outlet: QueueSender, board: &Arc<Board>) -> Live<QueueSender>
where
    T: reader::Transport + Into<Source> + Send + 'static,
{
    let work = live_loop(reader, &scene.interface, outlet, board);
    let request = rt::Request { priority: PRIORITY, cpu: Some(scene.cpus().reader), lock_memory: true };
    live::spawn(work, request, true, Waits { waiting: Waiting::Block, ..Waits::default() }).unwrap()
}

fn at_rate(
    scene: &mut Scene,
    traffic: &mut Traffic,
    watch: &Watch,
    rate: u32,
    length: Duration,
) -> Sustained {
    let packets = traffic.many(usize::try_from(u128::from(rate) * length.as_millis() / 1_000).unwrap());
    let (sender, cpu) = (scene.sender(), scene.cpus().sender);
    let (before, delivered) = (scene.counters(), watch.delivered(scene));
    let period = 1_000_000_000 / u64::from(rate);
    let elapsed = thread::scope(|scope| {
        let sending = scope.spawn(|| {
            sched::set_affinity(cpu).unwrap();
            sched::set_fifo(SENDER_PRIORITY).unwrap();
            let begun = monotonic_ns();
            for (packet, number) in packets.iter().zip(0..) {
                while monotonic_ns() < begun + number * period {
                    hint::spin_loop();
                }
                sender.send(packet).unwrap();
            }
            monotonic_ns() - begun
        });
        sending.join().unwrap()
    });
    let sent = packets.len() as u64;
    let mut after = scene.counters();
    while after.seen < before.seen + sent {
        thread::sleep(LOOK_EVERY);
        after = scene.counters();
    }
    let delivered = watch.delivered(scene) - delivered;
    Sustained {
        transport: scene.transport,
        sent,
        delivered,
        lost: after.ring_full - before.ring_full,
        elapsed,
    }
}

impl Watch {
    /// Records that the loop has taken, once it has taken all that were submitted, and has shown its counts.
    fn delivered(&self, scene: &Scene) -> u64 {
        loop {
            let delivered = self.board.read().turns.delivered;
            if scene.counters().records == self.before + delivered {
                return delivered;
            }
            thread::sleep(LOOK_EVERY);
        }
    }
}
