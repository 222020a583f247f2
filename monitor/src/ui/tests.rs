//! What a person sees, cell by cell where it matters.

use std::io::{self, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock};

use ratatui::backend::TestBackend;
use ratatui::style::Color;

use super::picture::{Scene, paint, text_of};
use super::terminal::{Terminal, draw_whole};
use super::*;
use crate::hub::{
    ByteCounters, Counters, EventCounters, FrameCounters, Named, PacketCounters, RecordCounters,
    StreamLatency, StreamRow, Summary, Window,
};
use crate::sink::Sink;
use crate::sys::tty::TerminalSize;

const ENTER: &str = "\x1b[?1049h";
const LEAVE: &str = "\x1b[?1049l";
const SHOW_CURSOR: &str = "\x1b[?25h";

fn run() -> RunInfo {
    RunInfo {
        what: "eth1".to_owned(),
        expects: "C37.118 on ports 4712, 4713".to_owned(),
        hook: "tc".to_owned(),
        wait: "block".to_owned(),
        real_time: true,
        granted: "SCHED_FIFO 50, CPU 1, memory locked".to_owned(),
        ..RunInfo::default()
    }
}

fn refused() -> RunInfo {
    let reason = "SCHED_FIFO priority 50 refused (EPERM): CAP_SYS_NICE is missing; run as root or grant it";
    let lines = vec![reason.to_owned(), "memory lock refused".to_owned()];
    RunInfo { real_time: false, rt_lines: lines, warnings: vec!["no BTF".to_owned()], ..run() }
}

fn row(number: u32) -> StreamRow {
    let (counts, timing, report) = Default::default();
    let id = format!("c37118:10.0.0.{number}>10.0.0.254:udp:{number}").into();
    StreamRow {
        frames: 500,
        rate_hz: 50.0,
        frequency_hz: Some(49.998),
        rocof_hz_per_s: Some(-0.012),
        latency_ns: Some(StreamLatency { p50: 31_000, p99: 58_100, max: 102_000 }),
        ..StreamRow::new(id, Some(format!("STATION {number}").into()), &counts, &timing, &report)
    }
}

/// A stream of which only a configuration has been seen.
fn silent(number: u32) -> StreamRow {
    let (counts, timing, report) = Default::default();
    StreamRow::new(
        format!("c37118:10.0.0.{number}>10.0.0.254:udp:{number}").into(),
        None,
        &counts,
        &timing,
        &report,
    )
}

fn counters() -> Counters {
    Counters {
        packets: Some(PacketCounters { seen: 1100, ignored: 88, submitted: 1012, ..Default::default() }),
        records: RecordCounters {
            submitted: Some(1012),
            delivered: 1012,
            discarded: Some(0),
            pending: Some(0),
            carried: 1012,
            ..Default::default()
        },
        bytes: ByteCounters { received: 60_000, in_frames: 60_000, ..Default::default() },
        frames: FrameCounters { found: 1012, decoded: 1012, ..Default::default() },
        alignment: None,
        overruns: None,
        drops: None,
        missing: None,
        events: Named(vec![
            ("data", EventCounters { offered: 40, taken: 40, ..Default::default() }),
            ("json", EventCounters { offered: 30, taken: 30, ..Default::default() }),
        ]),
    }
}

fn window(streams: Vec<StreamRow>) -> Window {
    // 2008-08-06 11:52:58.25 UTC
    Window { time_ns: 1_218_023_578_250_000_000, streams, counters: Some(counters()), ..Window::default() }
}

fn picture(run: &RunInfo, window: &Window, notices: &[&str], columns: u16, rows: u16) -> String {
    let notices: Vec<_> = notices.iter().map(ToString::to_string).collect();
    render_text(run, window, &notices, columns, rows)
}

#[test]
fn eighty_columns_show_this() {
    let mut faulty = row(12);
    (faulty.missing, faulty.crc_errors, faulty.time_quality) = (3, 1, 0x0F);
    let window = window(vec![row(1), silent(2), faulty]);
    assert_eq!(
        picture(&run(), &window, &["11:52:58Z eth1 vanished"], 80, 17),
        "\
eth1  hook tc  wait block                                              11:52:58Z
real-time: SCHED_FIFO 50, CPU 1, memory locked
3 streams  100.0 frames/s  3 missing  1 CRC error  1000 frames

stream       station    rate/s frames missing CRC     Hz time   p99 µs max µs
 1 10.0.0.1  STATION 1   50.00    500       0   0 49.998 locked   58.1    102
 2 10.0.0.2  -               -      0       0   0      - -           -      -
12 10.0.0.12 STATION 12  50.00    500       3   1 49.998 fault    58.1    102

packets  seen 1100 = ignored 88 + submitted 1012 + ring_full 0 + read_failed 0
records  submitted 1012 = delivered 1012 + discarded 0 + pending 0
records  delivered 1012 = carried 1012 + no_payload 0 + malformed 0
bytes    received 60000 = in_frames 60000 + skipped 0 + duplicate 0 + buffered 0
frames   found 1012 = decoded 1012 + undecoded 0
events   offered 70 = taken 70 + dropped 0
unaccounted 0
11:52:58Z eth1 vanished
"
    );
}

#[test]
fn a_wide_screen_shows_every_column() {
    let text = picture(&run(), &window(vec![row(1), row(12)]), &[], 128, 30);
    let table: Vec<_> = text.lines().skip_while(|line| !line.starts_with("stream")).take(3).collect();
    assert_eq!(
        table,
        [
            "stream                         station     rate/s  frames  missing  late  CRC      Hz    Hz/s  time    p50 µs  p99 µs  max µs",
            " 1 10.0.0.1 > 10.0.0.254 udp   STATION 1    50.00     500        0     -    0  49.998  -0.012  locked    31.0    58.1     102",
            "12 10.0.0.12 > 10.0.0.254 udp  STATION 12   50.00     500        0     -    0  49.998  -0.012  locked    31.0    58.1     102",
        ]
    );
}

#[test]
fn a_small_screen_keeps_what_matters_and_says_what_is_not_shown() {
    let mut streams: Vec<_> = (1..=12).map(row).collect();
    streams[10].missing = 4;
    assert_eq!(
        picture(&run(), &window(streams), &["something happened"], 40, 10),
        "\
eth1  hook tc  wait block      11:52:58Z
real-time: SCHED_FIFO 50, CPU 1, memory…
12 streams  600.0 frames/s  4 missing  0
stream       frames missing CRC p99 µs
 1 10.0.0.1     500       0   0   58.1
 2 10.0.0.2     500       0   0   58.1
 3 10.0.0.3     500       0   0   58.1
… 9 more, 1 of them with missing frames
unaccounted 0
something happened
"
    );
}

#[test]
fn streams_that_differ_only_in_their_receiver_stay_apart() {
    let mut streams = vec![row(1), row(2), row(2)];
    streams[2].id = "c37118:10.0.0.2>10.0.0.253:tcp:2".into();
    let text = picture(&run(), &window(streams), &[], 80, 24);
    let names: Vec<_> =
        text.lines().filter_map(|line| line.split_once(" STATION")).map(|(name, _)| name).collect();
    assert_eq!(names, ["1 10.0.0.1            ", "2 10.0.0.2 > ….254 udp", "2 10.0.0.2 > ….253 tcp"]);
}

#[test]
fn long_addresses_lose_their_middle() {
    let mut long = row(1);
    long.id = "c37118:2001:db8:1234:5678:9abc:def0:1234:5678>2001:db8::2:tcp:65534".into();
    let text = picture(&run(), &window(vec![long]), &[], 60, 24);
    let line = text.lines().find(|line| line.starts_with("65534 2")).unwrap();
    assert!(line.contains('…') && line.contains(":1234:5678 "), "{line}");
}

#[test]
fn what_the_host_granted_and_refused_is_taken_over() {
    let request = crate::rt::Request { lock_memory: false, ..Default::default() };
    // On a thread of its own, since the policy stays with the thread.
    let applied = std::thread::spawn(move || crate::rt::apply_to_current_thread(&request));
    let outcome = applied.join().unwrap().unwrap();
    let info = run().with_rt(&outcome);
    assert_eq!((info.real_time, info.rt_lines.len()), (outcome.is_real_time(), outcome.refusals.len()));
    assert!(info.granted.starts_with(outcome.policy.name()) && info.granted.ends_with("memory not locked"));
    assert_eq!(info.granted.contains("SCHED_FIFO 50"), outcome.is_real_time());
    assert_eq!(
        info.rt_lines.first().is_some_and(|line| line.contains("SCHED_FIFO")),
        !outcome.is_real_time()
    );
}

#[test]
fn twelve_streams_fit_an_ordinary_terminal_with_their_counters_and_a_notice() {
    let text = picture(&run(), &window((1..=12).map(row).collect()), &["older", "newest"], 80, 24);
    assert!(text.contains("12 10.0.0.12") && text.contains("events   offered"), "{text}");
    assert!(text.contains("newest") && !text.contains('…'), "{text}");
}

#[test]
fn hidden_streams_are_counted() {
    let text = picture(&run(), &window((1..=200).map(row).collect()), &[], 80, 24);
    let shown = text.lines().filter(|line| line.contains("10.0.0.")).count();
    assert!(text.lines().any(|line| line == format!("… {} more", 200 - shown)), "{text}");
}

#[test]
fn a_run_that_is_not_real_time_says_so_with_the_remedy() {
    for (columns, rows) in [(80, 24), (120, 30)] {
        let buffer = paint(
            Scene { run: Some(&refused()), window: &window(vec![row(1)]), notices: &[] },
            columns,
            rows,
        );
        let text = text_of(&buffer);
        let second = text.lines().nth(1).unwrap();
        assert!(second.starts_with("NOT REAL-TIME: SCHED_FIFO priority 50 refused (EPERM)"), "{text}");
        let said = text.replace('\n', " ");
        assert!(said.contains("CAP_SYS_NICE is missing; run as root or grant it"), "{text}");
        assert_eq!((buffer[(0, 1)].bg, buffer[(0, 1)].fg), (Color::Yellow, Color::Black));
    }
}

#[test]
fn unaccounted_stands_out() {
    let verdict = |window: &Window| {
        let buffer = paint(Scene { run: Some(&run()), window, notices: &[] }, 80, 24);
        let text = text_of(&buffer);
        let row = text.lines().position(|line| line.starts_with("unaccounted")).unwrap();
        let line = text.lines().nth(row).unwrap().to_owned();
        (line, buffer[(0, u16::try_from(row).unwrap())].bg, text)
    };
    let mut window = window(vec![row(1)]);
    let (line, background, _) = verdict(&window);
    assert_eq!((line.as_str(), background), ("unaccounted 0", Color::Reset));

    let counters = window.counters.as_mut().unwrap();
    counters.packets.as_mut().unwrap().seen += 5;
    counters.settle();
    let (line, background, text) = verdict(&window);
    assert!(line.starts_with("unaccounted 5  ") && background == Color::Red, "{line}");
    assert!(text.contains("packets  seen 1105 =") && text.contains("  off by 5"), "{text}");

    window.counters = None;
    assert_eq!(verdict(&window).0, "unaccounted -");
}

#[test]
fn what_a_queue_dropped_is_named() {
    let mut window = window(vec![row(1)]);
    let events = &mut window.counters.as_mut().unwrap().events.0[1].1;
    (events.taken, events.dropped) = (25, 5);
    let text = picture(&run(), &window, &[], 80, 24);
    assert!(text.contains("events   offered 70 = taken 65 + dropped(json) 5\n"), "{text}");
}

#[test]
fn without_streams_it_says_what_it_waits_for() {
    let mut window = window(Vec::new());
    window.counters.as_mut().unwrap().frames = FrameCounters::default();
    let text = picture(&run(), &window, &[], 120, 24);
    let waiting = "no frames yet on eth1: waiting for C37.118 on ports 4712, 4713 (1100 packets seen)\n";
    assert!(text.contains(waiting) && !text.contains("station"), "{text}");

    window.counters.as_mut().unwrap().frames.found = 1;
    let text = picture(&run(), &window, &[], 120, 24);
    assert!(text.contains("no stream yet on eth1: 1 frame, none of them DATA or CFG\n"), "{text}");
}

#[test]
fn any_size_can_be_drawn() {
    let mut streams: Vec<_> = (1..=30).map(row).collect();
    streams.push(silent(31));
    streams[3].name = Some("変電所 変電所".into());
    streams[4].id = "c37118:2001:db8:1234:5678:9abc:def0:1234:5678>2001:db8::2:tcp:65534".into();
    streams[5].id = "sv:something else".into();
    (streams[6].frequency_hz, streams[6].frames) = (Some(f32::MIN), u64::MAX / 64);
    let (full, empty) = (window(streams), window(Vec::new()));
    let notices = vec!["a ".repeat(300), "x".repeat(500), String::new(), "変電所".repeat(40)];
    let info = refused();
    let draw = |run, window, columns, rows| {
        let buffer = paint(Scene { run, window, notices: &notices }, columns, rows);
        assert_eq!((buffer.area.width, buffer.area.height), (columns, rows));
    };
    for columns in 1..=200 {
        // Every width with every seventh height, every height with every tenth width.
        for rows in (1..=60).filter(|rows| columns % 10 == 0 || (rows + columns) % 7 == 0) {
            draw(Some(&info), &full, columns, rows);
        }
    }
    for (columns, rows) in [(1, 1), (2, 3), (39, 9), (200, 60)] {
        draw(Some(&info), &empty, columns, rows);
        draw(None, &full, columns, rows);
        draw(None, &empty, columns, rows);
    }
}

#[test]
fn a_picture_overwrites_every_cell_that_was_there() {
    let filled = "x".repeat(80);
    let mut backend = TestBackend::with_lines(vec![filled; 24]);
    let mut streams = vec![row(1)];
    streams[0].name = Some("変電所".into());
    let picture = paint(Scene { run: Some(&run()), window: &window(streams), notices: &[] }, 80, 24);
    draw_whole(&mut backend, &picture).unwrap();
    assert_eq!(text_of(backend.buffer()), text_of(&picture));
}

/// An output that several can look at.
#[derive(Clone, Default)]
struct Shared(Arc<Mutex<Vec<u8>>>);

impl Shared {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn told(run: RunInfo) -> SharedRunInfo {
    Arc::new(OnceLock::from(run))
}

fn screen(out: &Shared, run: SharedRunInfo) -> (Screen<Shared>, Arc<AtomicBool>) {
    let shown = Arc::new(AtomicBool::new(false));
    let size = || Some(TerminalSize { columns: 80, rows: 24 });
    (Screen::on(Terminal::new(out.clone(), Box::new(size), Arc::clone(&shown)), run), shown)
}

#[test]
fn a_screen_gives_the_terminal_back_before_the_summary() {
    let out = Shared::default();
    let (mut screen, shown) = screen(&out, told(refused()));
    assert_eq!(out.text(), "");
    let mut window = window(vec![row(1)]);
    window.notices = vec!["eth1 vanished".into()];
    screen.window(&window).unwrap();
    screen.window(&self::window(vec![row(1)])).unwrap();
    assert!(shown.load(Ordering::Relaxed));
    screen.finish(&Summary { duration_ns: Some(10_040_000_000), ..Summary::default() }).unwrap();
    drop(screen);
    let text = out.text();
    assert_eq!((text.matches(ENTER).count(), text.matches(LEAVE).count()), (1, 1));
    let (drawn, after) = text.split_once(LEAVE).unwrap();
    assert!(drawn.starts_with(ENTER) && drawn.contains("STATION 1"));
    let after = after.strip_prefix(SHOW_CURSOR).unwrap();
    assert!(!after.contains('\x1b'), "{after}");
    let expected = "\
11:52:58Z memory lock refused
11:52:58Z no BTF
11:52:58Z eth1 vanished

monitored eth1 for 10.0 s (hook tc, wait block)
NOT REAL-TIME: SCHED_FIFO priority 50 refused (EPERM): CAP_SYS_NICE is missing; run as root or grant it
memory lock refused

frames       none of C37.118
";
    assert!(after.starts_with(expected), "{after}");
    assert!(after.ends_with("\nunaccounted: 0\n"), "{after}");
}

#[test]
fn a_screen_that_is_dropped_gives_the_terminal_back() {
    let out = Shared::default();
    let (mut screen, _) = screen(&out, told(run()));
    screen.window(&window(vec![row(1)])).unwrap();
    drop(screen);
    assert!(out.text().ends_with(&format!("{LEAVE}{SHOW_CURSOR}")));
}

#[test]
fn a_screen_that_somebody_else_took_down_stays_down() {
    let out = Shared::default();
    let (mut screen, shown) = screen(&out, told(run()));
    screen.window(&window(vec![row(1)])).unwrap();
    let before = out.text();
    shown.store(false, Ordering::Relaxed);
    screen.window(&window(vec![row(1)])).unwrap();
    drop(screen);
    assert_eq!(out.text(), before);
}

#[test]
fn a_screen_that_never_showed_anything_prints_the_summary_alone() {
    let out = Shared::default();
    let (mut screen, _) = screen(&out, SharedRunInfo::default());
    screen.finish(&Summary::default()).unwrap();
    drop(screen);
    assert_eq!(out.text(), crate::sink::summary_table(&Summary::default()));
}

#[test]
fn plain_lines_tell_what_changes() {
    let out = Shared::default();
    let mut plain = Plain::new(out.clone(), told(run()));
    let mut first = window(vec![row(1), silent(2)]);
    first.notices = vec!["eth1 is up".into()];
    plain.window(&first).unwrap();
    let mut named = row(2);
    (named.missing, named.crc_errors) = (2, 1);
    plain.window(&window(vec![row(1), named.clone()])).unwrap();
    named.missing = 3;
    plain.window(&Window { counters: None, ..window(vec![row(1), named]) }).unwrap();
    assert_eq!(
        out.text(),
        "\
2008-08-06 11:52:58Z  monitoring eth1 (hook tc, wait block); real-time: SCHED_FIFO 50, CPU 1, memory locked
2008-08-06 11:52:58Z  eth1 is up
2008-08-06 11:52:58Z  new stream 1 10.0.0.1 > 10.0.0.254 udp (STATION 1)
2008-08-06 11:52:58Z  new stream 2 10.0.0.2 > 10.0.0.254 udp, station not yet known
2008-08-06 11:52:58Z  2 streams, 50.0 frames/s, 0 missing, 0 CRC errors, latency p50/p99/max at most 31.0/58.1/102 us, unaccounted 0
2008-08-06 11:52:58Z  stream is 2 10.0.0.2 > 10.0.0.254 udp (STATION 2)
2008-08-06 11:52:58Z  stream 2 10.0.0.2 > 10.0.0.254 udp (STATION 2): 2 missing frames, 2 in all
2008-08-06 11:52:58Z  stream 2 10.0.0.2 > 10.0.0.254 udp (STATION 2): 1 CRC error, 1 in all
2008-08-06 11:52:58Z  2 streams, 100.0 frames/s, 2 missing, 1 CRC error, latency p50/p99/max at most 31.0/58.1/102 us, unaccounted 0
2008-08-06 11:52:58Z  stream 2 10.0.0.2 > 10.0.0.254 udp (STATION 2): 1 missing frame, 3 in all
2008-08-06 11:52:58Z  2 streams, 100.0 frames/s, 3 missing, 1 CRC error, latency p50/p99/max at most 31.0/58.1/102 us, unaccounted -
"
    );
}

#[test]
fn plain_lines_say_in_each_that_a_run_is_not_real_time() {
    let out = Shared::default();
    let mut plain = Plain::new(out.clone(), told(refused()));
    plain.window(&window(vec![silent(1)])).unwrap();
    let text = out.text();
    let lines: Vec<_> = text.lines().map(|line| line.split_once("Z  ").unwrap().1).collect();
    let reason = "SCHED_FIFO priority 50 refused (EPERM): CAP_SYS_NICE is missing; run as root or grant it";
    assert_eq!(
        lines,
        [
            format!("monitoring eth1 (hook tc, wait block); NOT REAL-TIME: {reason}").as_str(),
            "memory lock refused",
            "no BTF",
            "new stream 1 10.0.0.1 > 10.0.0.254 udp, station not yet known",
            "1 stream, 0.0 frames/s, 0 missing, 0 CRC errors, unaccounted 0, NOT REAL-TIME",
        ]
    );
}

#[test]
fn plain_lines_do_not_repeat_every_second_that_nothing_came() {
    let out = Shared::default();
    let mut plain = Plain::new(out.clone(), told(run()));
    let window = Window { counters: None, ..window(Vec::new()) };
    for _ in 0..25 {
        plain.window(&window).unwrap();
    }
    let text = out.text();
    let waiting = "no frames yet on eth1: waiting for C37.118 on ports 4712, 4713";
    assert_eq!((text.matches(waiting).count(), text.lines().count()), (3, 4), "{text}");
}

#[test]
fn quiet_is_the_summary_alone_and_still_says_how_it_ran() {
    let out = Shared::default();
    let mut plain = Plain::summary_only(out.clone(), told(refused()));
    plain.window(&window(vec![row(1)])).unwrap();
    assert_eq!(out.text(), "");
    plain.finish(&Summary::default()).unwrap();
    let text = out.text();
    assert!(text.starts_with("monitored eth1 (hook tc, wait block)\nNOT REAL-TIME: "), "{text}");
    assert!(text.ends_with("unaccounted: 0\n") && !text.contains('\x1b'), "{text}");
}

#[test]
fn a_window_carries_its_notices_only_where_there_are_any() {
    let json = |window: &Window| serde_json::to_value(window).unwrap();
    let mut window = Window::default();
    assert_eq!(json(&window).get("notices"), None);
    window.notices = vec!["eth1 vanished".into()];
    assert_eq!(json(&window)["notices"], serde_json::json!(["eth1 vanished"]));
}
