//! What is told of frames that are missing, and what the frames on either side show of why.

use monitor_core::event::{Carriage, EventKind, Gap, Missing};
use monitor_core::pipeline::Ports;

use crate::packets::{PDC, PMU};
use crate::segments::{RST, SYN, Segment};
use crate::sequences::told;
use crate::{Bench, SMALL, pmu};

/// An index in the present, at 50 frames/s.
const START: u64 = 85_000_000_000;
const TCP_PORT: u16 = 4_712;

fn gaps(bench: &Bench) -> Vec<Gap> {
    let gap = |kind| if let EventKind::Missing(Missing::Opened(gap)) = kind { Some(gap) } else { None };
    bench.out.data.iter().filter_map(|(event, _)| gap(event.kind)).collect()
}

fn arrival(index: u64) -> i64 {
    pmu().rate.unix_ns_of_index(index)
}

/// Sends the frames with these indices, each as if it arrived at its own instant.
fn send(bench: &mut Bench, indices: impl IntoIterator<Item = u64>) {
    for index in indices {
        bench.send(&pmu().data(index), arrival(index));
    }
}

fn configured() -> Bench {
    let mut bench = Bench::on_port();
    bench.send(&pmu().config(1_700_000_000), 0);
    bench
}

#[test]
fn a_gap_has_its_indices_and_its_time() {
    let mut bench = configured();
    send(&mut bench, [START, START + 4, START + 6]);
    let gap = |first, frames, since, until| Gap {
        first,
        frames,
        since: Some(arrival(since)),
        until: arrival(until),
        ..Gap::default()
    };
    let expected = [gap(START + 1, 3, START, START + 4), gap(START + 5, 1, START + 4, START + 6)];
    assert_eq!(gaps(&bench), expected);
    send(&mut bench, [START + 2]);
    let last = bench.out.data.iter().rev().find_map(|(event, _)| match event.kind {
        EventKind::Missing(missing) => Some(missing),
        _ => None,
    });
    assert_eq!(last, Some(Missing::Filled { index: START + 2 }));
}

#[test]
fn what_was_before_the_first_frame_has_no_beginning() {
    let mut bench = configured();
    send(&mut bench, [START + 4, START]);
    let [gap] = gaps(&bench)[..] else { panic!("one gap") };
    assert_eq!((gap.first, gap.frames, gap.since, gap.until), (START + 1, 3, None, arrival(START)));
}

#[test]
fn damaged_frames_between_are_told_with_the_gap_and_no_later() {
    let mut bench = configured();
    send(&mut bench, [START]);
    let mut wrong = pmu().data(START + 1);
    wrong[20] ^= 1;
    bench.send(&wrong, arrival(START + 1));
    let short = pmu().data(START + 2);
    bench.send(&short[..30], arrival(START + 2));
    send(&mut bench, [START + 4, START + 6]);
    let damaged: Vec<_> = gaps(&bench).iter().map(|gap| (gap.frames, gap.damaged)).collect();
    assert_eq!(damaged, [(3, 2), (1, 0)]);
    assert_eq!(bench.only_stream().counts.crc_errors, 1);
}

#[test]
fn what_nobody_was_told_of_is_counted() {
    let mut bench = configured();
    send(&mut bench, [START, START + 3]);
    bench.out.refuse_missing = true;
    send(&mut bench, [START + 1, START + 10]);
    let stream = bench.only_stream();
    assert_eq!((stream.counts.missing, told(&bench), stream.untold), (7, 2, 5));
    assert_eq!(i64::from(stream.counts.missing), told(&bench) + i64::from(stream.untold));
}

/// A PMU's TCP connection.
struct Session {
    bench: Bench,
    sequence: u32,
    arrival: i64,
}

impl Session {
    fn new() -> Self {
        let bench = Bench::new(Ports::Set(vec![TCP_PORT]), &SMALL);
        let mut session = Self { bench, sequence: 1_000, arrival: arrival(START) };
        session.segment(SYN, &[]);
        session.sequence += 1;
        session.bring(&pmu().config(1_700_000_000));
        session
    }

    fn segment(&mut self, flags: u8, payload: &[u8]) {
        let segment = Segment::new((PMU, TCP_PORT), (PDC, 30_000), self.sequence, payload);
        let flags = if flags == 0 { segment.flags } else { flags };
        let packet = segment.flags(flags).packet();
        self.bench.push(&crate::packets::record(&packet, self.arrival));
        self.arrival += 20_000_000;
    }

    fn bring(&mut self, payload: &[u8]) {
        self.segment(0, payload);
        self.skip(payload);
    }

    fn skip(&mut self, payload: &[u8]) {
        self.sequence += u32::try_from(payload.len()).expect("a frame");
    }

    fn carriages(&self) -> Vec<Carriage> {
        assert_eq!(told(&self.bench), i64::from(self.bench.only_stream().counts.missing));
        gaps(&self.bench).iter().map(|gap| gap.carriage).collect()
    }
}

#[test]
fn a_tcp_connection_says_whether_frames_were_sent() {
    let mut session = Session::new();
    session.bring(&pmu().data(START));
    // Not sent: what follows is the next byte.
    session.bring(&pmu().data(START + 3));
    assert_eq!(session.carriages(), [Carriage::Whole]);
    // Sent, and never come.
    session.skip(&pmu().data(START + 4));
    session.bring(&pmu().data(START + 5));
    session.arrival += 3_000_000_000;
    session.bring(&pmu().data(START + 6));
    assert_eq!(session.carriages(), [Carriage::Whole, Carriage::Torn]);
    // Another connection says nothing of what was sent by the one before, though addresses and ports are the same.
    session.segment(RST, &[]);
    session.sequence = 500_000_000;
    session.segment(SYN, &[]);
    session.sequence += 1;
    session.bring(&pmu().data(START + 9));
    assert_eq!(session.carriages(), [Carriage::Whole, Carriage::Torn, Carriage::Apart]);
}
