//! The summary's text for a capture and for a live run.

use super::*;
use crate::hub::{ByteCounters, FrameCounters, Lapses, PacketCounters, RecordCounters, StreamLatency};

fn stream_row(name: Option<&str>) -> StreamRow {
    let (counts, timing, report) = Default::default();
    let id = "c37118:192.0.2.1>192.0.2.9:udp:60".into();
    StreamRow {
        frames: 500,
        missing: 2,
        crc_errors: 1,
        rate_hz: 50.0,
        frequency_hz: Some(49.998),
        ..StreamRow::new(id, name.map(Into::into), &counts, &timing, &report)
    }
}

fn counters() -> Counters {
    Counters {
        records: RecordCounters { delivered: 502, carried: 502, ..Default::default() },
        bytes: ByteCounters { received: 30_000, in_frames: 30_000, ..Default::default() },
        frames: FrameCounters {
            found: 501,
            decoded: 501,
            invalid: 1,
            invalid_by_reason: Named(vec![("crc", 1)]),
            ..Default::default()
        },
        ..Default::default()
    }
}

#[test]
fn a_captures_summary_is_this() {
    let summary = Summary {
        frames: Named(vec![("c37118.data", 500), ("c37118.config", 1), ("c37118.invalid", 1)]),
        crc_errors: 1,
        counters: counters(),
        streams: vec![stream_row(None)],
        ..Default::default()
    };
    assert_eq!(
        summary_table(&summary),
        "\
frames       500 data  1 config  1 invalid
undecoded    0
invalid      1  (1 crc)
CRC errors   1
skipped      0 bytes

stream                             station  frames  missing  late  dup  order  stale  CRC  undec  rate/s      Hz  Hz/s
c37118:192.0.2.1>192.0.2.9:udp:60  -           500        2     -    0      0      0    1      0   50.00  49.998     -

counters  how they add up
records   delivered 502 = carried 502 + no_payload 0 + malformed 0
bytes     received 30000 = in_frames 30000 + skipped 0 + duplicate 0 + buffered 0 + dropped 0
frames    found 501 = decoded 501 + undecoded 0

unaccounted: 0
"
    );
}

fn live() -> Summary {
    let latency = StageLatency { count: 500, min: 90, p50: 31_000, p99: 58_000, p999: 99_000, max: 102_000 };
    let packets = PacketCounters { seen: 510, ignored: 8, submitted: 502, ..Default::default() };
    let mut row = stream_row(Some("Station A"));
    row.latency_ns = Some(StreamLatency { p50: 31_000, p99: 58_000, max: 102_000 });
    Summary {
        counters: Counters { packets: Some(packets), ..counters() },
        streams: vec![row, stream_row(None)],
        streams_refused: 3,
        latency_ns: Some(Named(vec![("receive_to_decoded", latency)])),
        clock: Some(ClockSummary { source: "adjtimex: not synchronised".to_owned(), ..Default::default() }),
        rt: Some(RtSummary {
            policy: "SCHED_OTHER".to_owned(),
            wait: "block".to_owned(),
            cpu_percent: Some(0.24),
            ..Default::default()
        }),
        ..Default::default()
    }
}

#[test]
fn a_live_summary_tells_latency_clock_and_that_it_was_not_real_time() {
    let text = summary_table(&live());
    for line in [
        "refused      3 streams: the table of streams is full",
        "packets   seen 510 = ignored 8 + submitted 502 + ring_full 0 + read_failed 0",
        "latency in us       frames   min   p50   p99  p99.9  max",
        "receive_to_decoded     500  0.09  31.0  58.0   99.0  102",
        "clock        adjtimex: not synchronised, error bound unknown, TAI - UTC unknown",
        "real-time    NOT REAL-TIME: SCHED_OTHER, memory not locked, wait block, 0.2 % of a CPU",
    ] {
        assert!(text.lines().any(|shown| shown == line), "{line:?} is not a line of\n{text}");
    }
    let rows: Vec<_> = text.lines().filter(|line| line.starts_with("c37118:")).collect();
    assert!(rows[0].ends_with("  31.0    58.0     102") && rows[0].contains("Station A"), "{}", rows[0]);
    assert!(rows[1].ends_with("     -       -       -"), "{}", rows[1]);
}

#[test]
fn a_real_time_run_says_with_what() {
    let rt = RtSummary {
        policy: "SCHED_FIFO".to_owned(),
        priority: Some(50),
        cpu: Some(1),
        memory_locked: true,
        cpu_dma_latency: "held",
        refused: Vec::new(),
        wait: "block".to_owned(),
        wait_refused: None,
        off_cpu: Some(Lapses::default()),
        fallen_back: Some(Lapses::default()),
        cpu_percent: None,
        sleeps: Some(40),
        packets: Some(500),
        met_awake: Some(489),
        left_to_block: None,
        budget_ns: Some(50_000),
        turns: Some(900),
        overruns: Some(OverrunSummary::default()),
    };
    assert_eq!(
        rt_line(&rt),
        "SCHED_FIFO 50, CPU 1, memory locked, wait block, awake for 97 % of the packets, no overrun"
    );
    let mut off_cpu = Lapses::default();
    off_cpu.note(true, 1_000_000_000);
    off_cpu.note(true, 3_500_000_000);
    let line = rt_line(&RtSummary { off_cpu: Some(off_cpu), ..rt.clone() });
    assert!(
        line.starts_with("DEGRADED: SCHED_FIFO 50") && line.contains(", off its CPU 1 time (2.5 s)"),
        "{line}"
    );
    off_cpu.note_passed(4_000_000_000);
    let line = rt_line(&RtSummary { fallen_back: Some(off_cpu), ..rt.clone() });
    assert!(line.contains(", fell back to block 1 time (3.0 s)"), "{line}");
    let by_cause = Named(vec![("preempted", 2), ("page_fault", 1), ("unknown", 0)]);
    let overruns = OverrunSummary { count: 3, told: 3, by_cause, worst_ns: 812_000 };
    let line = rt_line(&RtSummary { overruns: Some(overruns), ..rt });
    assert!(line.ends_with(", 3 overruns (2 preempted, 1 page fault) of at most 812 us"), "{line}");
}

#[test]
fn a_remainder_is_named_where_it_is_and_last() {
    let mut summary = live();
    summary.counters.bytes.received += 7;
    summary.unaccounted = 7;
    let text = summary_table(&summary);
    assert!(text.contains("+ dropped 0  UNACCOUNTED 7\n"), "{text}");
    assert_eq!(text.lines().last(), Some("unaccounted: 7"));
}
