//! Who else reads what is watched, and how late. A reader waits for a count, never for a time: how late it must have been
//! is what passed on its own clock.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::thread;
use std::time::{Duration, Instant};

use libtest_mimic::Trial;
use monitor::netns::Pair;
use serde_json::Value;

use crate::harness::{Monitor, Report, Running, configuration};
use crate::support::{Need, trial};
use crate::wire::{PDC, PDC_6, PMU, PMU_6, PORT, Pmu, TCP_PORT, addressed_pair};

pub(crate) fn trials() -> Vec<Trial> {
    const NEEDS: &[Need] = &[Need::Bpf, Need::Veth];
    vec![
        trial("a_late_reader_of_tcp_is_told_by_how_much", NEEDS, late_tcp),
        trial("a_late_reader_of_udp_is_told_by_how_much", NEEDS, || late_udp("tc")),
        trial("at_xdp_a_late_reader_of_udp_is_told_by_how_much", NEEDS, || late_udp("xdp")),
        trial("a_segment_read_by_halves_is_read_with_its_last_byte", NEEDS, by_halves),
        trial("a_reader_that_stops_and_one_that_closes_leave_what_they_did_not_read", NEEDS, stopped),
        trial("what_a_socket_had_no_room_for_is_passed_over", NEEDS, overflowing),
        trial("what_nobody_reads_has_no_reader", NEEDS, nobody),
        trial("an_instance_tells_of_no_reads_and_says_so", NEEDS, not_of_an_instance),
    ]
}

/// Frames that a late reader waits for, and how far apart they are sent.
const COUNT: u32 = 10;
const FRAMES: u64 = COUNT as u64;
const PERIOD: Duration = Duration::from_millis(5);
/// The PMU's and the PDC's address, by either version of IP.
const VERSIONS: [(IpAddr, IpAddr); 2] =
    [(IpAddr::V4(PMU), IpAddr::V4(PDC)), (IpAddr::V6(PMU_6), IpAddr::V6(PDC_6))];

fn monitored(pair: &Pair, more: &[&str]) -> Running {
    Monitor::on(pair).args(["--reads"]).args(more).start().attached()
}

/// What the summary says of reads, which must add up.
fn reads(report: &Report) -> &Value {
    let reads = &report.summary()["reads"];
    assert_eq!(reads["unaccounted"], 0, "{reads:#}");
    assert_eq!(reads["tcp"], "packet", "{reads:#}");
    assert!(["packet", "inferred"].contains(&reads["udp"].as_str().unwrap()), "{reads:#}");
    reads
}

/// The count of a class of packets.
fn packets(report: &Report, class: &str) -> u64 {
    reads(report)["packets"][class].as_u64().unwrap()
}

/// Asserts of every packet that it is in this class or was read.
fn all_but_read(report: &Report, class: &str, count: u64) {
    let (seen, read) = (packets(report, "seen"), packets(report, "read"));
    assert_eq!((seen - read, packets(report, class)), (count, count), "{:#}", reads(report));
}

/// The row of a socket that is bound to this address, of which there is one, and which is this process'.
fn row(report: &Report, local: SocketAddr) -> &Value {
    /// The inode of the kernel's own PID namespace (`PROC_PID_INIT_INO`).
    const KERNELS_OWN: &str = "pid:[4026531836]";
    let sockets = reads(report)["sockets"].as_array().unwrap();
    let mut rows = sockets.iter().filter(|row| row["local"] == local.to_string());
    let row = rows.next().unwrap_or_else(|| panic!("no {local}: {:#}", reads(report)));
    assert!(rows.next().is_none(), "{sockets:#?}");
    if fs::read_link("/proc/self/ns/pid").unwrap().as_os_str() == KERNELS_OWN {
        assert_eq!(row["pid"], std::process::id(), "{row:#}");
    }
    row
}

fn max_ns(row: &Value) -> u128 {
    row["lateness_ns"]["max"].as_u64().unwrap().into()
}

/// A connection from the PMU to the PDC.
fn connected(pair: &Pair, pdc: IpAddr) -> (TcpStream, TcpStream) {
    let listener = pair.monitor.run(|| TcpListener::bind((pdc, TCP_PORT)).unwrap()).unwrap();
    let stream = pair.stations.run(|| TcpStream::connect((pdc, TCP_PORT)).unwrap()).unwrap();
    stream.set_nodelay(true).unwrap();
    (stream, listener.accept().unwrap().0)
}

/// Sockets of the PMU, connected, and of the PDC.
fn datagrams(pair: &Pair, (pmu, pdc): (IpAddr, IpAddr)) -> (UdpSocket, UdpSocket) {
    let receiver = pair.monitor.run(|| UdpSocket::bind((pdc, PORT)).unwrap()).unwrap();
    let sender = pair.stations.run(|| UdpSocket::bind((pmu, 0)).unwrap()).unwrap();
    sender.connect((pdc, PORT)).unwrap();
    (sender, receiver)
}

/// Sends so many frames, a period apart; the first is there before the others are sent. Gives when that was.
fn sent(mut send: impl FnMut(&[u8]), is_there: impl FnOnce()) -> Instant {
    let mut pmu = Pmu::new(7);
    send(&pmu.data());
    is_there();
    let since = Instant::now();
    for _ in 1..FRAMES {
        thread::sleep(PERIOD);
        send(&pmu.data());
    }
    since
}

/// The first frame was read after `least` and before `most`.
fn late(row: &Value, (least, most): (Duration, Duration)) {
    assert_eq!((&row["packets"], &row["lateness_ns"]["count"]), (&FRAMES.into(), &FRAMES.into()), "{row:#}");
    assert!(least >= (COUNT - 1) * PERIOD);
    let max = max_ns(row);
    assert!(max >= least.as_nanos() && max <= most.as_nanos(), "{least:?} {most:?} {row:#}");
    assert!(u128::from(row["lateness_ns"]["min"].as_u64().unwrap()) < max, "the last is the least late");
}

fn late_tcp() {
    let pair = addressed_pair();
    let mut running = monitored(&pair, &[]);
    let length = Pmu::new(7).data().len();
    let both = VERSIONS.map(|(_, pdc)| {
        let (mut from, mut to) = connected(&pair, pdc);
        let begun = Instant::now();
        // A look at what is there is no read of it.
        let there = |to: &TcpStream| while to.peek(&mut vec![0; length]).unwrap() < length {};
        let since = sent(|frame| from.write_all(frame).unwrap(), || there(&to));
        let least = since.elapsed();
        to.read_exact(&mut vec![0; length * COUNT as usize]).unwrap();
        (from, to, (least, begun.elapsed()))
    });
    running.counted("bytes.in_frames", 2 * FRAMES * length as u64);
    let report = running.stop().adds_up();
    for (from, to, bounds) in both {
        let row = row(&report, to.local_addr().unwrap());
        late(row, bounds);
        assert_eq!((&row["transport"], &row["basis"]), (&"tcp".into(), &"packet".into()));
        assert_eq!(row["remote"], from.local_addr().unwrap().to_string());
    }
    all_but_read(&report, "unread", 0);
}

fn late_udp(hook: &str) {
    let pair = addressed_pair();
    let mut running = monitored(&pair, &["--hook", hook]);
    let both = VERSIONS.map(|version| {
        let (from, to) = datagrams(&pair, version);
        let begun = Instant::now();
        let mut buffer = [0; 2000];
        let send = |frame: &[u8]| assert_eq!(from.send(frame).unwrap(), frame.len());
        let since = sent(send, || assert!(to.peek(&mut [0; 2000]).unwrap() > 0));
        let least = since.elapsed();
        for _ in 0..FRAMES {
            to.recv(&mut buffer).unwrap();
        }
        (to, (least, begun.elapsed()))
    });
    running.counted("frames.found", 2 * FRAMES);
    let report = running.stop().adds_up();
    for (to, bounds) in both {
        let row = row(&report, to.local_addr().unwrap());
        late(row, bounds);
        assert_eq!((&row["reads"], &row["basis"]), (&FRAMES.into(), &reads(&report)["udp"]), "{row:#}");
        assert_eq!(row["transport"], "udp");
    }
    assert_eq!(reads(&report)["reads"]["unmatched"], 0);
    all_but_read(&report, "unread", 0);
}

fn by_halves() {
    let pair = addressed_pair();
    let mut running = monitored(&pair, &[]);
    let (mut from, mut to) = connected(&pair, IpAddr::V4(PDC));
    let mut pmu = Pmu::new(7);
    for at in 0..FRAMES {
        let frame = pmu.data();
        let half = frame.len() / 2;
        from.write_all(&frame).unwrap();
        to.read_exact(&mut vec![0; half]).unwrap();
        if at + 1 == FRAMES {
            break;
        }
        to.read_exact(&mut vec![0; frame.len() - half]).unwrap();
    }
    running.counted("packets.submitted", FRAMES);
    let report = running.stop().adds_up();
    let row = row(&report, to.local_addr().unwrap());
    assert_eq!((&row["packets"], &row["reads"]), (&(FRAMES - 1).into(), &(2 * FRAMES - 1).into()), "{row:#}");
    all_but_read(&report, "unread", 1);
}

fn stopped() {
    const READ: u64 = 4;
    const LEFT: u32 = COUNT - 4;
    let pair = addressed_pair();
    let mut running = monitored(&pair, &[]);
    // One goes on and does not read, the other closes.
    let [open, closed] = VERSIONS.map(|(_, pdc)| {
        let (mut from, mut to) = connected(&pair, pdc);
        let mut pmu = Pmu::new(7);
        let mut length = 0;
        for at in 0..FRAMES {
            let frame = pmu.data();
            length = frame.len();
            from.write_all(&frame).unwrap();
            if at < READ {
                to.read_exact(&mut vec![0; length]).unwrap();
            }
        }
        // All of it is in the socket, not on its way.
        while to.peek(&mut vec![0; 4000]).unwrap() < length * LEFT as usize {}
        (from, to)
    });
    drop(closed);
    running.counted("frames.found", 2 * FRAMES);
    let report = running.stop().adds_up();
    assert_eq!(row(&report, open.1.local_addr().unwrap())["packets"], READ);
    let left = FRAMES - READ;
    assert_eq!(["read", "unread", "closed"].map(|class| packets(&report, class)), [2 * READ, left, left]);
}

fn overflowing() {
    const DATAGRAMS: u64 = 600;
    let pair = addressed_pair();
    let mut running = monitored(&pair, &[]);
    let (from, to) = datagrams(&pair, VERSIONS[0]);
    let pmu = Pmu::new(7);
    for _ in 0..DATAGRAMS {
        from.send(&pmu.header_of(1000)).unwrap();
    }
    running.counted("packets.submitted", DATAGRAMS);
    to.set_nonblocking(true).unwrap();
    let mut got = 0;
    while to.recv(&mut [0; 2000]).is_ok() {
        got += 1;
    }
    assert!(got > 0 && got < DATAGRAMS, "{got} of {DATAGRAMS}");
    // Behind which the others are known to have been lost.
    to.set_nonblocking(false).unwrap();
    from.send(&pmu.header_of(500)).unwrap();
    to.recv(&mut [0; 2000]).unwrap();
    let report = running.stop().adds_up();
    assert_eq!(row(&report, to.local_addr().unwrap())["packets"], got + 1, "{:#}", reads(&report));
    all_but_read(&report, "passed_over", DATAGRAMS - got);
}

fn nobody() {
    let pair = addressed_pair();
    let mut running = monitored(&pair, &[]);
    let from = pair.stations.run(|| UdpSocket::bind((PMU, 0)).unwrap()).unwrap();
    let mut pmu = Pmu::new(7);
    for _ in 0..FRAMES {
        from.send_to(&pmu.data(), (PDC, PORT)).unwrap();
    }
    running.counted("packets.submitted", FRAMES);
    let report = running.stop().adds_up();
    all_but_read(&report, "no_reader", FRAMES);
    assert_eq!(reads(&report)["sockets"].as_array().unwrap().len(), 0);
    let without = Monitor::on(&pair).start().attached().stop().adds_up();
    assert_eq!(without.summary().get("reads"), None);
}

fn not_of_an_instance() {
    const USAGE: i32 = 2;
    let file = configuration("reads = true\n");
    let path = file.path().display().to_string();
    let attach = ["attach", "--iface", "lo", "--instance", "reads-refused", "--config", &path];
    Monitor::here(&attach).run().failed_with(USAGE, &["reads", "run"]);
    let follow = ["follow", "--instance", "reads-refused", "--config", &path];
    Monitor::here(&follow).run().failed_with(USAGE, &["reads", "run"]);
}
