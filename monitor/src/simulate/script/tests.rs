//! Scripts played without sockets: what is in the bytes is what the counts say.

use std::collections::BTreeSet;
use std::sync::Arc;

use monitor_core::protocol::c37118::{
    ConfigView, DataView, FrameView, Layout, LayoutBounds, NominalFrequency,
};

use super::*;
use crate::simulate::ledger::{Expected, Ledger};
use crate::simulate::{Fleet, FleetPlan, Frames, ReportingRate};

const ORIGIN: i64 = 1_798_761_590_000_000_000;
const IDCODE: u16 = 101;

/// A frame that has left.
#[derive(Clone, Debug, PartialEq)]
struct Left {
    at_ns: i64,
    kind: FrameKind,
    bytes: Vec<u8>,
    note: Note,
}

/// What a stream of one PMU sends in so many instants, in the order in which it leaves, and which faults it was given.
fn play(seed: u64, faults: &[&str], instants: u64) -> (Vec<Left>, Injected) {
    let plan = FleetPlan { seed: 3, pmus: 1, first_idcode: IDCODE, nominal: NominalFrequency::Hz50 };
    let fleet = Fleet::new(&plan).unwrap();
    let stations = fleet.stations().to_vec();
    let cast = Cast {
        description: *Frames::new(stations[0].clone(), ReportingRate::FIFTY).unwrap().description(),
        stations,
        seed,
        announced: vec![FrameKind::Config2],
        config_every_s: 60,
        opens: true,
        config3_size: u16::MAX,
        faults: faults.iter().map(|fault| fault.parse().unwrap()).collect(),
    };
    let mut script = Script::new(cast, ORIGIN).unwrap();
    let (mut grid, mut batch) = (Grid::new(Arc::new(fleet)), Batch::default());
    let mut left = Vec::new();
    let end = ORIGIN + i64::try_from(instants).unwrap() * 20_000_000;
    while script.due_ns() < end {
        // An instant goes before what was held back to its time.
        let now = script.due_ns();
        batch.clear();
        script.step(true, &mut grid, &mut batch).unwrap();
        left.extend(batch.frames.iter().map(|frame| {
            let bytes = batch.bytes(frame.bytes.clone()).to_vec();
            let held = frame.at_ns > now;
            (held, Left { at_ns: frame.at_ns, kind: frame.kind, bytes, note: frame.note })
        }));
    }
    left.sort_by_key(|(held, frame)| (frame.at_ns, *held));
    (left.into_iter().map(|(_, frame)| frame).collect(), script.injected())
}

fn expected(left: &[Left]) -> Expected {
    let mut ledger = Ledger::new(ReportingRate::FIFTY);
    for frame in left {
        match frame.note {
            Note::Other => ledger.other(),
            Note::Data { index, damage, .. } => ledger.data(index, frame.at_ns, damage),
        }
    }
    ledger.expected()
}

fn data(left: &[Left]) -> impl Iterator<Item = &Left> {
    left.iter().filter(|frame| frame.kind == FrameKind::Data)
}

fn tags(left: &[Left]) -> Vec<TimeTag> {
    data(left).filter_map(|frame| FrameView::new(&frame.bytes).ok()).map(|frame| frame.time()).collect()
}

const MANY: [&str; 6] = [
    "loss=0.1",
    "duplicate=0.1,copies=2,after=3ms",
    "reorder=0.1,depth=2",
    "delay=exponential:4ms,share=0.5",
    "crc=0.1",
    "truncate=0.1",
];

#[test]
fn the_same_seed_gives_the_same_bytes_and_another_one_others() {
    let (one, injected) = play(1, &MANY, 500);
    assert_eq!(play(1, &MANY, 500), (one.clone(), injected));
    let (other, differently) = play(2, &MANY, 500);
    assert_ne!(one, other);
    assert_ne!(injected, differently);
}

#[test]
fn a_fault_more_does_not_move_the_others() {
    let (alone, _) = play(1, &["loss=0.1"], 500);
    let (beside, _) = play(1, &["loss=0.1", "crc=0.1"], 500);
    let indices = |left: &[Left]| data(left).map(|frame| frame.at_ns).collect::<Vec<_>>();
    assert_eq!(indices(&alone), indices(&beside));
}

#[test]
fn what_is_counted_is_what_is_in_the_bytes() {
    let (left, injected) = play(7, &MANY, 1000);
    let expected = expected(&left);
    let whole = |frame: &&Left| FrameView::new(&frame.bytes).is_ok();
    assert_eq!(expected.data, data(&left).filter(whole).count() as u64);
    assert_eq!(expected.crc_errors + expected.truncated + expected.data, data(&left).count() as u64);
    assert_eq!(1000 - injected.lost + injected.duplicated, data(&left).count() as u64);
    // By the bytes alone, by another way: what has come, and whether a later one had.
    let indices: Vec<u64> =
        tags(&left).iter().map(|tag| ReportingInstant::of_tag(*tag, ReportingRate::FIFTY).index()).collect();
    let all: BTreeSet<u64> = indices.iter().copied().collect();
    let span = all.last().unwrap() - all.first().unwrap() + 1;
    assert_eq!(expected.missing, span - all.len() as u64);
    assert_eq!(expected.duplicate, (indices.len() - all.len()) as u64);
    let (mut seen, mut newest, mut behind) = (BTreeSet::new(), 0, 0);
    for index in indices {
        behind += u64::from(seen.insert(index) && index < newest);
        newest = newest.max(index);
    }
    assert_eq!(expected.out_of_order, behind);
    for (name, count) in injected.named() {
        let asked = ["lost", "duplicated", "reordered", "delayed", "wrong_crc", "truncated"].contains(&name);
        assert_eq!(count > 0, asked, "{name}: {count}");
    }
}

#[test]
fn each_fault_alone_costs_what_it_should() {
    let alone = |fault| {
        let (left, injected) = play(1, &[fault], 100);
        (expected(&left), injected)
    };
    let (expected, injected) = alone("loss,every=10,until=1900ms");
    assert_eq!((injected.lost, expected.data, expected.missing), (9, 91, 9));
    let (expected, injected) = alone("duplicate,every=10,copies=3");
    assert_eq!((injected.duplicated, expected.data, expected.duplicate), (30, 130, 30));
    let (expected, injected) = alone("reorder,every=10,depth=2,until=1900ms");
    assert_eq!((injected.reordered, expected.out_of_order, expected.missing), (9, 9, 0));
    let (expected, injected) = alone("delay=30ms,every=10,until=1900ms");
    assert_eq!((injected.delayed, expected.out_of_order), (9, 9));
    let (expected, injected) = alone("delay=uniform:1ms:90ms,ordered=yes");
    assert_eq!((injected.delayed, expected.out_of_order, expected.missing), (100, 0, 0));
    let (expected, injected) = alone("silence,from=500ms,for=200ms");
    assert_eq!((injected.silent, expected.data, expected.missing), (10, 90, 10));
    let (expected, injected) = alone("clock-stuck,from=500ms,for=200ms");
    assert_eq!((injected.clock_stuck, expected.duplicate, expected.missing), (9, 9, 9));
    let (expected, injected) = alone("clock-offset=1h,from=500ms,for=200ms");
    assert_eq!((injected.clock_off, expected.jumps, expected.missing), (10, 2, 0));
}

#[test]
fn leap_seconds_leave_no_gap() {
    for (fault, socs) in [("leap=insert", 11), ("leap=delete", 12)] {
        let (left, injected) = play(1, &[fault], 600);
        let expected = expected(&left);
        assert_eq!((expected.missing, expected.duplicate, expected.out_of_order), (0, 0, 0), "{fault}");
        let seconds: BTreeSet<u32> = tags(&left).iter().map(|tag| tag.soc()).collect();
        assert_eq!(seconds.len(), socs, "{fault}");
        assert_eq!((injected.leap_bits, injected.leap_second), (600, if socs == 11 { 50 } else { 0 }));
    }
}

#[test]
fn a_new_configuration_is_announced_sent_and_obeyed() {
    let (left, injected) = play(1, &["config-change,from=1s,warning=400ms"], 100);
    assert_eq!((injected.config_changes, injected.config_warned), (1, 20));
    let mut layout = Layout::with_capacity(LayoutBounds { pmus: 1, phasors: 8, analogs: 2 });
    let (mut configs, mut frames) = (0, 0);
    for frame in &left {
        let view = FrameView::new(&frame.bytes).unwrap();
        if frame.kind == FrameKind::Config2 {
            let config = ConfigView::new(view).unwrap();
            assert_eq!(config.pmus().next().unwrap().config_count(), configs);
            layout.fill(&config).unwrap();
            configs += 1;
        } else {
            DataView::new(&frame.bytes, &layout).unwrap();
            frames += 1;
        }
    }
    assert_eq!((configs, frames), (2, 100));
    let (left, _) = play(1, &["config-change,from=1s,sent=no"], 100);
    assert_eq!(left.iter().filter(|frame| frame.kind == FrameKind::Config2).count(), 1);
}

#[test]
fn measurements_and_quality_are_disturbed_where_asked() {
    let faults =
        ["sag=0.5,from=1s,for=200ms", "stat=0x2000,from=1s,for=400ms", "time-quality=0x0F,from=1s,for=600ms"];
    let (left, injected) = play(1, &faults, 100);
    assert_eq!((injected.disturbed, injected.stat, injected.time_quality), (10, 20, 30));
    let unlocked = tags(&left).iter().filter(|tag| tag.quality().bits() == 0x0F).count();
    assert_eq!(unlocked, 30);
    let (_, other) = play(1, &["sag=0.5,idcode=102"], 100);
    assert_eq!(other, Injected::default(), "another PMU's");
}
