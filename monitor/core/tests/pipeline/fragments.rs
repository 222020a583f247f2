//! CFG-3 in fragments: whole in order, whoever repeats, loses, mixes or breaks them.

use monitor_core::event::{Class, EventKind, Outcome, UndecodedReason};
use monitor_core::pipeline::{Bounds, Ports};
use monitor_core::protocol::c37118::encode::{Fragments, reseal};
use monitor_core::protocol::c37118::{FragmentChecks, FrameView};
use monitor_core::stream::{EXPIRED_NS, IDLE_NS};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::packets::PORT;
use crate::{Bench, Pmu, SMALL};

/// Bytes of a fragment at most.
const SIZE: u16 = 48;

fn bench() -> Bench {
    let bounds = Bounds { streams: 8, channels: 64, configs: 32, ..SMALL };
    Bench::new(Ports::Set(vec![PORT]), &bounds)
}

/// A CFG-3 whose content is its own, in fragments.
fn fragments(pmu: &Pmu, mark: u8, checks: FragmentChecks) -> (Vec<u8>, Vec<Vec<u8>>) {
    let whole = pmu.config3(1, f32::from(mark) + 1.0);
    let mut cut = Fragments::new(&whole, checks);
    let mut parts = Vec::new();
    let mut out = [0; SIZE as usize];
    while let Some(length) = cut.write_next(SIZE, &mut out) {
        parts.push(out[..length.expect("room")].to_vec());
    }
    assert!(parts.len() > 3, "{}", parts.len());
    (whole, parts)
}

fn send_all(bench: &mut Bench, parts: &[Vec<u8>]) {
    for part in parts {
        bench.send(part, 0);
    }
}

/// The configurations that were announced, as they were handed over.
fn announced(bench: &Bench) -> Vec<Vec<u8>> {
    let configs = bench.out.news.iter().filter(|(event, _)| event.kind.class() == Class::Config);
    configs.map(|(_, bytes)| bytes.clone()).collect()
}

fn last_outcome(bench: &Bench) -> Outcome {
    bench.out.frames().last().expect("a frame").1
}

/// What nothing here may change: every frame and byte stands in one counter, and DATA of the stream are decoded.
fn assert_lays_out(bench: &mut Bench, pmu: &Pmu) {
    bench.send(&pmu.data(100), 0);
    assert_eq!(last_outcome(bench), Outcome::Decoded);
    bench.counts();
}

const BOTH: [FragmentChecks; 2] = [FragmentChecks::Each, FragmentChecks::Last];

#[test]
fn fragments_become_one_configuration_whichever_of_them_ends_with_a_check() {
    for checks in BOTH {
        let (mut bench, pmu) = (bench(), Pmu::new(7, 50, 3));
        let (whole, parts) = fragments(&pmu, 1, checks);
        send_all(&mut bench, &parts);
        assert_eq!(announced(&bench), std::slice::from_ref(&whole), "{checks:?}");
        let counts = bench.counts();
        assert_eq!((counts.frames.found, counts.frames.decoded), (parts.len() as u64, parts.len() as u64));
        assert_eq!((counts.frames.crc_errors, counts.config_series_lost), (0, 0));
        assert_lays_out(&mut bench, &pmu);
        // The next transmission of the same changes nothing.
        send_all(&mut bench, &parts);
        assert_eq!(announced(&bench).len(), 1);
        assert_eq!(bench.only_stream().counts.configs, 2);
    }
}

#[test]
fn the_first_fragments_arrival_is_kept() {
    let (mut bench, pmu) = (bench(), Pmu::new(7, 50, 3));
    let (_, parts) = fragments(&pmu, 1, FragmentChecks::Each);
    for (part, arrival) in parts.iter().zip(5..) {
        bench.send(part, arrival);
    }
    let (event, _) = bench.out.news.last().expect("an announcement");
    assert_eq!((event.first_arrival.0, event.arrival.0), (5, 4 + i64::try_from(parts.len()).expect("few")));
}

#[test]
fn fragments_that_a_mirror_repeats_change_nothing() {
    for checks in BOTH {
        let (mut bench, pmu) = (bench(), Pmu::new(7, 50, 3));
        let (whole, parts) = fragments(&pmu, 1, checks);
        let twice: Vec<_> = parts.iter().flat_map(|part| [part.clone(), part.clone()]).collect();
        send_all(&mut bench, &twice);
        assert_eq!(announced(&bench), [whole], "{checks:?}");
        let counts = bench.counts();
        assert_eq!((counts.frames.decoded, counts.frames.undecoded_total()), (twice.len() as u64, 0));
        assert_eq!(counts.config_series_lost, 0);
    }
}

#[test]
fn a_series_with_a_fragment_missing_is_lost_and_the_next_one_is_not() {
    for checks in BOTH {
        let (mut bench, pmu) = (bench(), Pmu::new(7, 50, 3));
        let (whole, parts) = fragments(&pmu, 1, checks);
        for gone in 0..parts.len() {
            let mut left = parts.clone();
            left.remove(gone);
            send_all(&mut bench, &left);
            assert!(announced(&bench).is_empty(), "{checks:?} {gone}");
        }
        bench.counts();
        send_all(&mut bench, &parts);
        assert_eq!(announced(&bench), [whole]);
        assert_lays_out(&mut bench, &pmu);
        // Without its first fragment there is no series; without its last it is lost when the next begins. That the one
        // before the last is missing, nothing but the whole's check or its content can tell.
        let counts = bench.counts();
        let bad = counts.frames.undecoded[UndecodedReason::BadConfiguration as usize];
        assert_eq!(bad, u64::from(checks == FragmentChecks::Each));
        assert_eq!(counts.config_series_lost + bad, parts.len() as u64 - 1, "{checks:?}");
    }
}

#[test]
fn a_first_fragment_begins_anew() {
    let (mut bench, pmu) = (bench(), Pmu::new(7, 50, 3));
    let (_, old) = fragments(&pmu, 1, FragmentChecks::Each);
    let (new, parts) = fragments(&pmu, 2, FragmentChecks::Each);
    send_all(&mut bench, &old[..2]);
    send_all(&mut bench, &parts);
    assert_eq!(announced(&bench), [new]);
    assert_eq!(bench.counts().config_series_lost, 1);
}

#[test]
fn a_broken_fragment_is_a_broken_frame_where_the_stream_is_known_to_check_them() {
    let (mut bench, pmu) = (bench(), Pmu::new(7, 50, 3));
    let (_, parts) = fragments(&pmu, 1, FragmentChecks::Each);
    send_all(&mut bench, &parts);
    for number in 0..parts.len() {
        let mut broken = parts.clone();
        broken[number][20] ^= 1;
        send_all(&mut bench, &broken);
    }
    assert_eq!(bench.counts().frames.crc_errors, parts.len() as u64);
    assert_eq!(announced(&bench).len(), 1);
}

#[test]
fn streams_do_not_mix_and_those_beyond_the_buffers_are_counted() {
    let mut bench = bench();
    let pmus = [7, 8, 9].map(|idcode| Pmu::new(idcode, 50, 3));
    let series: Vec<_> = pmus.iter().map(|pmu| fragments(pmu, 1, FragmentChecks::Each)).collect();
    for number in 0..series[0].1.len() {
        for (_, parts) in &series {
            bench.send(&parts[number], 0);
        }
    }
    assert_eq!(announced(&bench), [series[0].0.clone(), series[1].0.clone()]);
    let counts = bench.counts();
    assert_eq!(counts.configs_refused, 1, "two buffers, three streams");
    // Once the two are whole their buffers are free again.
    send_all(&mut bench, &series[2].1);
    assert_eq!(announced(&bench).len(), 3);
}

#[test]
fn a_series_that_was_given_up_holds_its_buffer_for_a_second_only() {
    let mut bench = bench();
    for idcode in 20..22 {
        let (_, parts) = fragments(&Pmu::new(idcode, 50, 3), 1, FragmentChecks::Each);
        bench.send(&parts[0], 0);
    }
    let (whole, parts) = fragments(&Pmu::new(7, 50, 3), 1, FragmentChecks::Each);
    for (arrival, whole_by_then) in [(IDLE_NS - 1, 0), (IDLE_NS, 1)] {
        for part in &parts {
            bench.send(part, arrival);
        }
        assert_eq!(announced(&bench).len(), whole_by_then);
    }
    assert_eq!(announced(&bench), [whole]);
    assert_eq!(bench.counts().config_series_lost, 1);
}

#[test]
fn one_that_is_too_large_is_lost_and_the_last_configuration_stays() {
    let bounds = Bounds { config_series_bytes: 60, ..SMALL };
    let mut bench = Bench::new(Ports::Set(vec![PORT]), &bounds);
    let pmu = Pmu::new(7, 50, 3);
    bench.send(&pmu.config(1), 0);
    let (_, parts) = fragments(&pmu, 1, FragmentChecks::Each);
    send_all(&mut bench, &parts);
    assert_eq!(last_outcome(&bench), Outcome::Undecoded(UndecodedReason::ConfigFragment));
    assert_eq!(bench.counts().config_series_lost, 1);
    assert_lays_out(&mut bench, &pmu);
}

#[test]
fn fragments_whose_whole_contradicts_itself_change_nothing() {
    let (mut bench, pmu) = (bench(), Pmu::new(7, 50, 3));
    bench.send(&pmu.config(1), 0);
    let mut whole = pmu.config3(1, 2.0);
    // NUM_PMU, behind the header (14), CONT_IDX (2) and TIME_BASE (4).
    whole[21] = 9;
    reseal(&mut whole);
    let mut cut = Fragments::new(&whole, FragmentChecks::Each);
    let mut out = [0; SIZE as usize];
    while let Some(length) = cut.write_next(SIZE, &mut out) {
        bench.send(&out[..length.expect("room")], 0);
    }
    assert_eq!(last_outcome(&bench), Outcome::Undecoded(UndecodedReason::BadConfiguration));
    assert_lays_out(&mut bench, &pmu);
}

proptest! {
    /// Whatever comes in whatever order: what is announced is a whole configuration that was sent, and every frame
    /// stands in one counter.
    #[test]
    fn only_what_was_sent_whole_is_announced(
        each in any::<bool>(),
        picks in vec((0..2_usize, 0..12_usize, any::<bool>()), 0..80),
        full in 0..2_usize,
    ) {
        let checks = if each { FragmentChecks::Each } else { FragmentChecks::Last };
        let (mut bench, pmu) = (bench(), Pmu::new(7, 50, 3));
        let series = [1, 2].map(|mark| fragments(&pmu, mark, checks));
        let (mut arrival, mut last) = (0, 0);
        for (which, number, broken) in picks {
            // Two configurations of one PMU are sent long after each other.
            arrival += if which == last { 1 } else { EXPIRED_NS };
            last = which;
            let parts = &series[which].1;
            let mut part = parts[number % parts.len()].clone();
            if broken {
                part[20] ^= 0x10;
            }
            bench.send(&part, arrival);
        }
        let before = announced(&bench);
        for config in &before {
            prop_assert!(series.iter().any(|(whole, _)| whole == config));
            prop_assert!(FrameView::new(config).is_ok());
        }
        for part in &series[full].1 {
            bench.send(part, arrival + EXPIRED_NS);
        }
        let after = announced(&bench);
        let current = after.last().expect("whole now");
        prop_assert_eq!(current, &series[full].0);
        bench.counts();
        let frames = bench.out.data.iter().chain(&bench.out.news);
        let told = frames.filter(|(event, _)| matches!(event.kind, EventKind::Frame(_, Outcome::Decoded | Outcome::Undecoded(_))));
        prop_assert_eq!(told.count() as u64, bench.counts().frames.found);
    }
}
