//! The real-time thread allocates nothing from its first turn to its last: the real loop on a real ring, on a veth pair,
//! with new streams, new and changed configurations, bad frames, fragments and packets in parts. Each thread has a switch
//! of its own, so that what the test does meanwhile does not count.
#![expect(clippy::unwrap_used, reason = "a panic gives a test's failure its place")]
#![expect(unsafe_code, reason = "an allocator that counts is an implementation of an unsafe trait")]

#[path = "live/probed.rs"]
mod probed;
mod support;
#[expect(dead_code, reason = "the live tests use the rest of it")]
#[path = "live/wire.rs"]
mod wire;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::hint::black_box;
use std::net::UdpSocket;
use std::process::ExitCode;
use std::sync::Arc;
use std::thread;

use libtest_mimic::{Arguments, run};
use monitor::clock::{self, ClockMap};
use monitor::hub::queue::{self, QueueBounds, Woken};
use monitor::live::{Board, Control, Loop, Snapshot};
use monitor::netns::Pair;
use monitor::probe::{Attachment, Options, PERF_BYTES, Probe};
use monitor::reader::{Interfaces, Records, Transport};
use monitor_core::event::{Class, Classes, UndecodedReason};
use monitor_core::flow::FlowBounds;
use monitor_core::pipeline::{Bounds, Pipeline, Ports};
use monitor_core::protocol::c37118::encode::reseal;
use support::{Need, trial};

use probed::Probed;
use wire::{EPHEMERAL, PDC, PMU, PORT, Pmu, TCP_PORT, addressed_pair, allow_big_packets, datagram, sender};

struct Counting;

thread_local! {
    /// Allocations of this thread since it was asked to count them.
    static ALLOCATIONS: Cell<Option<u64>> = const { Cell::new(None) };
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

// SAFETY: every call goes to the system's allocator with its arguments unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get().map(|count| count + 1));
        // SAFETY: the caller keeps to the contract of `alloc`, which is the same.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        // SAFETY: `place` came from the system's allocator, by `alloc` above.
        unsafe { System.dealloc(place, layout) }
    }
}

/// Does `work` and gives how often it allocated.
fn allocations<T>(work: impl FnOnce() -> T) -> (T, u64) {
    ALLOCATIONS.set(Some(0));
    let done = work();
    (done, ALLOCATIONS.take().unwrap())
}

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let live = &[Need::Bpf, Need::Veth, Need::Iproute];
    let trials = vec![
        trial("allocations_are_counted", &[], allocations_are_counted),
        trial("the_loop_allocates_nothing", live, || {
            let pair = addressed_pair();
            let probed = Probed::on(&pair);
            let ring = probed.ring();
            the_loop_allocates_nothing(pair, probed, ring);
        }),
        trial("the_loop_over_perf_allocates_nothing", live, || {
            let pair = addressed_pair();
            let options = Options { transport: monitor::probe::Transport::Perf, ..probed::options() };
            let probed = Probed::with(Probe::load(&options).unwrap(), Attachment::Best, &pair);
            let perf = probed.perf(PERF_BYTES as usize);
            the_loop_allocates_nothing(pair, probed, perf);
        }),
    ];
    run(&arguments, trials).exit_code()
}

fn allocations_are_counted() {
    assert_eq!(allocations(|| black_box(Box::new(7))).1, 1);
    assert_eq!(allocations(|| black_box(vec![0_u8; 100])).1, 1);
    assert_eq!(allocations(|| black_box(7)).1, 0);
}

/// Little for flows.
const FLOWS: FlowBounds = FlowBounds { flows: 4, fragmented: 2, pool_bytes: 256 << 10, flow_bytes: 96 << 10 };

/// Few of everything, so that every bound is met.
const BOUNDS: Bounds = Bounds {
    streams: 40,
    configs: 10,
    pmus: 10,
    channels: 200,
    pmus_per_config: 4,
    channels_per_config: 64,
    flows: FLOWS,
    config_series: 2,
    config_series_bytes: 1_024,
    instants: 8,
    pmus_per_instant: 16,
};
/// More PMUs than there are places for.
const PMUS: u16 = 60;
const FRAMES: u64 = 30;

fn the_loop_allocates_nothing<T: Transport + Send>(mut pair: Pair, mut probed: Probed, transport: T) {
    let (control, board) = (Arc::new(Control::new().unwrap()), Arc::new(Board::default()));
    let wants = Class::ALL.into_iter().fold(Classes::NONE, Classes::with);
    let (outlet, mut receiver) = queue::channel(&QueueBounds::default(), wants).unwrap();
    let mut work = Loop::new(
        transport,
        Records::new(Interfaces::new([(probed.interface.key, probed.interface.id)])),
        Pipeline::new(Ports::Set(vec![PORT, TCP_PORT]), &BOUNDS),
        outlet,
        Arc::new(ClockMap::new(&clock::measure())),
        Arc::clone(&control),
        Arc::clone(&board),
    );
    let counted = thread::scope(|scope| {
        let real_time = scope.spawn(move || {
            let (ended, allocations) = allocations(|| work.run());
            ended.unwrap();
            (allocations, work.counts())
        });
        let hub = scope.spawn(move || {
            let mut events = 0;
            while receiver.wait(None).unwrap() != Woken::Closed {
                events += receiver.receive(|_, _| {});
            }
            events
        });
        send(&mut pair);
        probed.probe.detach().unwrap();
        control.stop().unwrap();
        let (allocations, counts) = real_time.join().unwrap();
        assert!(hub.join().unwrap() > 0);
        assert!(counts.woken > 0, "it never slept: {counts:?}");
        let counters = probed.counters();
        assert_eq!(counts.delivered, counters.records);
        assert!(counters.records > counters.submitted, "none in parts: {counters:?}");
        allocations
    });
    everything_happened(&board.read());
    assert_eq!(counted, 0, "allocations on the real-time thread");
}

fn send(pair: &mut Pair) {
    let wire = sender(&mut pair.stations);
    let put = |payload: &[u8]| wire.send(&datagram(payload)).unwrap();
    for idcode in 1..=PMUS {
        let mut pmu = Pmu::new(idcode);
        put(&pmu.data());
        put(&pmu.config());
        (0..FRAMES).for_each(|_| put(&pmu.data()));
        put(&changed(&pmu.config()));
        put(&pmu.data());
        put(&pmu.header_of(60));
        let mut wrong = pmu.data();
        *wrong.last_mut().unwrap() ^= 1;
        put(&wrong);
        put(&[&b"\xAA\x01\x00"[..], &pmu.data(), b"\xAA\xAA"].concat());
    }
    let socket = pair.stations.run(|| UdpSocket::bind((PMU, EPHEMERAL)).unwrap()).unwrap();
    socket.send_to(&vec![0xAA; 20_000], (PDC, PORT)).unwrap();
    allow_big_packets(pair);
    let (address, megabytes) = ((wire::PDC_6, TCP_PORT), vec![0x55; 8 << 20]);
    let listener = pair.monitor.run(|| std::net::TcpListener::bind(address).unwrap()).unwrap();
    thread::scope(|scope| {
        scope.spawn(|| std::io::copy(&mut listener.accept().unwrap().0, &mut std::io::sink()).unwrap());
        let mut stream = pair.stations.run(|| std::net::TcpStream::connect(address).unwrap()).unwrap();
        std::io::Write::write_all(&mut stream, &megabytes).unwrap();
    });
}

/// The same configuration with another name for the station.
fn changed(config: &[u8]) -> Vec<u8> {
    const NAME: usize = 20;
    let mut config = config.to_vec();
    config[NAME] ^= 1;
    reseal(&mut config);
    config
}

/// The test would be worth nothing if the ways that it is about were not gone.
fn everything_happened(seen: &Snapshot) {
    let counts = seen.counts;
    let undecoded = |reason: UndecodedReason| counts.frames.undecoded[reason as usize];
    assert!(counts.frames.decoded > 100, "{seen:?}");
    assert!(counts.frames.crc_errors > 0 && counts.bytes.skipped > 0, "{seen:?}");
    assert!(counts.streams_refused > 0 && counts.configs_refused > 0, "{seen:?}");
    for reason in [UndecodedReason::NoConfiguration, UndecodedReason::TooManyStreams] {
        assert!(undecoded(reason) > 0, "{reason:?}: {seen:?}");
    }
    assert!(counts.flows.fragments.whole > 0 && counts.flows.tcp.unframed > 0, "{seen:?}");
}
