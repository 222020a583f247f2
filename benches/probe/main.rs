//! What the kernel programs cost a packet: nanoseconds above an empty program at the same hook, by
//! `BPF_PROG_TEST_RUN`, and what the tracepoints cost every packet of the host.
//!
//! All in one run and in alternating blocks, so that what else the machine does falls on both sides. Prints a table,
//! or with `--json` one object; with `--check` a figure above its limit is a failure.
#![expect(clippy::unwrap_used, reason = "a bench that cannot run has nothing to tell but where")]

mod figures;
#[path = "../../tests/support/packets.rs"]
#[expect(dead_code, reason = "tests need more kinds of packet than the bench")]
mod packets;
mod tracepoints;

use std::cell::RefCell;
use std::process::ExitCode;

use monitor::netns::{Pair, private_pair};
use monitor::probe::{Hook, Interface, Matching, Options, Probe, Subject};
use monitor::reader::Ring;
use monitor::sys::sched;
use monitor_common::Taken;
use monitor_core::packet::InterfaceId;

use figures::{Figure, Report};

/// The port that matches.
const PORT: u16 = 4713;
/// Bytes of the ring: the least, small enough to stay in the processor's own cache, so that what is measured is the
/// programs and not what else runs on the machine.
const RING_BYTES: u32 = 256 << 10;
/// Runs between two drains: their records must fit into the ring.
const RUNS_OF_A_MATCH: u32 = 400;
/// Runs in one call of a program that writes no record.
const RUNS_OF_NO_MATCH: u32 = 10_000;
/// Calls in one block.
const CALLS: u32 = 20;
/// Blocks; their medians are what is told.
const BLOCKS: usize = 31;
/// Most that a packet which does not match may cost, nanoseconds.
const LIMIT_NO_MATCH: f64 = 12.0;
/// Most that a frame of 128 bytes may cost, copied and counted by stream, nanoseconds.
const LIMIT_MATCH: f64 = 160.0;

/// One line of the table.
struct Case {
    name: &'static str,
    subject: Subject,
    packet: Vec<u8>,
    matches: bool,
    limit: Option<f64>,
}

fn main() -> ExitCode {
    let asked = |flag: &str| std::env::args().any(|argument| argument == flag);
    sched::set_affinity(sched::current_cpu().unwrap()).unwrap();
    let mut report = Report::new();
    let programs = Programs::load();
    measure(&programs, &cases(), &mut report);
    drop(programs);
    tracepoints::measure(&mut report);
    if asked("--json") {
        report.print_json();
    } else {
        report.print_table();
    }
    if asked("--check") && !report.all_hold() { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

fn cases() -> Vec<Case> {
    let other_port = packets::datagram(5_000, 86);
    let not_ip = packets::ethernet(0x88BA, &[0; 114]);
    let whole = packets::datagram(PORT, 86);
    assert_eq!(whole.len(), 128, "Ethernet, IPv4, UDP and the frame");
    let frame = packets::datagram(PORT, 128);
    let mut cases = Vec::new();
    for (subject, names) in [
        (
            Subject::Ingress,
            [
                "tc: UDP to another port",
                "tc: sampled values",
                "tc: 128 bytes, matched",
                "tc: frame of 128 bytes, matched",
            ],
        ),
        (
            Subject::Early,
            [
                "XDP: UDP to another port",
                "XDP: sampled values",
                "XDP: 128 bytes, matched",
                "XDP: frame of 128 bytes, matched",
            ],
        ),
    ] {
        let packets = [&other_port, &not_ip, &whole, &frame];
        for (place, (name, packet)) in names.into_iter().zip(packets).enumerate() {
            let matches = place >= 2;
            let limit = Some(if matches { LIMIT_MATCH } else { LIMIT_NO_MATCH });
            cases.push(Case { name, subject, packet: packet.clone(), matches, limit });
        }
    }
    cases
}

/// The programs, attached as in a run to an interface on which nothing happens, and the ring that they fill.
struct Programs {
    probe: Probe,
    ring: RefCell<Ring>,
    _pairs: [Pair; 2],
}

impl Programs {
    fn load() -> Self {
        let options =
            Options { hook: Hook::Xdp, matching: Matching::Ports(vec![4712, PORT]), ring_bytes: RING_BYTES };
        let mut probe = Probe::load(&options).unwrap_or_else(|error| panic!("{error}"));
        probe.load_all_subjects().unwrap_or_else(|error| panic!("{error}"));
        let pairs = [pair(), pair()];
        let [watched, other] = [interface(&pairs[0], 0), interface(&pairs[1], 1)];
        probe.attach(&watched).unwrap_or_else(|error| panic!("{error}"));
        probe.attach_empty_early(&other).unwrap_or_else(|error| panic!("{error}"));
        let kernel = probe.kernel();
        let ring = Ring::map(kernel.ring(), kernel.ring_bytes().unwrap(), kernel.reader_page()).unwrap();
        Self { probe, ring: RefCell::new(ring), _pairs: pairs }
    }

    /// Mean of one run, nanoseconds.
    fn time(&self, subject: Subject, packet: &[u8], repeat: u32) -> f64 {
        let trial = self.probe.trial(subject, packet, repeat).unwrap_or_else(|error| panic!("{error}"));
        self.empty_ring();
        trial.mean.as_secs_f64() * 1e9
    }

    fn empty_ring(&self) {
        let mut ring = self.ring.borrow_mut();
        ring.drain(usize::MAX, |_| ());
        ring.commit(&Taken::default());
    }
}

fn pair() -> Pair {
    private_pair("stations0", "eth1").unwrap_or_else(|error| panic!("{error}"))
}

fn interface(pair: &Pair, id: u16) -> Interface {
    let netns = pair.monitor.shared_netns();
    Interface::find(&netns, "eth1", InterfaceId(id)).unwrap_or_else(|error| panic!("{error}"))
}

fn measure(programs: &Programs, cases: &[Case], report: &mut Report) {
    let before = programs.probe.kernel().counters().unwrap();
    let mut samples = vec![(Vec::new(), Vec::new()); cases.len()];
    for _ in 0..BLOCKS {
        for (case, (empty, own)) in cases.iter().zip(&mut samples) {
            let repeat = if case.matches { RUNS_OF_A_MATCH } else { RUNS_OF_NO_MATCH };
            let baseline =
                if case.subject == Subject::Early { Subject::EmptyEarly } else { Subject::EmptyIngress };
            let (mut empty_ns, mut own_ns) = (0.0, 0.0);
            for _ in 0..CALLS {
                empty_ns += programs.time(baseline, &case.packet, repeat);
                own_ns += programs.time(case.subject, &case.packet, repeat);
            }
            empty.push(empty_ns / f64::from(CALLS));
            own.push(own_ns / f64::from(CALLS));
        }
    }
    let after = programs.probe.kernel().counters().unwrap();
    assert_eq!(
        after.ring_full, before.ring_full,
        "a record was refused: the figures would be of another path"
    );
    assert_eq!(after.read_failed, before.read_failed);
    let matched: u32 = cases.iter().filter(|case| case.matches).map(|_| CALLS * RUNS_OF_A_MATCH).sum();
    assert_eq!(
        after.submitted - before.submitted,
        u64::from(matched) * BLOCKS as u64,
        "packets that matched"
    );
    for (case, (empty, own)) in cases.iter().zip(&samples) {
        report.push(Figure::difference(case.name, empty, own, case.limit));
    }
}
