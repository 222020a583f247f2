//! Configurations: which one lays out whose frames, and when its slot is used again.

use monitor_core::event::{Class, ConfigId, EventKind, Outcome, UndecodedReason};
use monitor_core::pipeline::{Bounds, Ports};
use monitor_core::protocol::c37118::encode::{self, ConfigKind};

use crate::packets::{PDC, PMU, PORT, record, udp};
use crate::{Bench, Pmu, SMALL, pmu};

/// What the last frame event of the data lane says.
fn last(bench: &Bench) -> (Outcome, Option<ConfigId>) {
    let (event, _) = bench.out.data.last().expect("an event");
    match event.kind {
        EventKind::Frame(_, outcome) => (outcome, event.config),
        _ => panic!("{event:?} is no frame"),
    }
}

fn undecoded(reason: UndecodedReason) -> (Outcome, Option<ConfigId>) {
    (Outcome::Undecoded(reason), None)
}

fn decoded(slot: u16, generation: u16) -> (Outcome, Option<ConfigId>) {
    (Outcome::Decoded, Some(ConfigId { slot, generation }))
}

#[test]
fn data_wait_for_a_configuration() {
    let (mut bench, pmu) = (Bench::on_port(), pmu());
    bench.send(&pmu.data(100), 0);
    assert_eq!(last(&bench), undecoded(UndecodedReason::NoConfiguration));
    bench.send(&pmu.config_of(ConfigKind::Config1, 2), 0);
    bench.send(&pmu.data(101), 0);
    assert_eq!(last(&bench), undecoded(UndecodedReason::NoConfiguration));
    bench.send(&pmu.config(2), 0);
    bench.send(&pmu.data(105), 0);
    assert_eq!(last(&bench), decoded(0, 1));
    let stream = bench.only_stream();
    assert_eq!((stream.counts.frames, stream.counts.undecoded, stream.counts.configs), (3, 2, 2));
    assert_eq!(stream.counts.missing, 0, "before a configuration nothing can be missing");
    assert_eq!(stream.timing.frequency_hz, Some(50.25));
    assert_eq!(stream.timing.rocof_hz_per_s, Some(-0.5));
    assert_eq!(bench.counts().frames.decoded, 3);
}

#[test]
fn a_new_stream_and_a_new_configuration_are_announced_once() {
    let (mut bench, pmu) = (Bench::on_port(), pmu());
    bench.send(&pmu.config(1), 0);
    bench.send(&pmu.config(61), 0);
    bench.send(&pmu.config(121), 0);
    let kinds: Vec<_> =
        bench.out.news.iter().map(|(event, bytes)| (event.kind.class(), bytes.clone())).collect();
    assert_eq!(kinds, [(Class::Opened, Vec::new()), (Class::Config, pmu.config(1))]);
    assert_eq!(bench.out.frames().count(), 2, "repetitions go with the data");
    assert_eq!(last(&bench), decoded(0, 1));
}

#[test]
fn what_could_not_be_announced_is_announced_later() {
    let (mut bench, pmu) = (Bench::on_port(), pmu());
    bench.out.refuse_news = 2;
    bench.send(&pmu.config(1), 0);
    assert!(bench.out.news.is_empty());
    bench.send(&pmu.data(100), 0);
    assert!(matches!(bench.out.news[0].0.kind, EventKind::StreamOpened(..)));
    bench.send(&pmu.config(61), 0);
    assert_eq!(bench.out.news[1].1, pmu.config(61));
    bench.send(&pmu.config(121), 0);
    assert_eq!(bench.out.news.len(), 2);
}

#[test]
fn a_slot_is_used_again_when_its_last_event_has_passed() {
    let bounds = Bounds { configs: 1, ..SMALL };
    let mut bench = Bench::new(Ports::Set(vec![PORT]), &bounds);
    let mut pmu = pmu();
    bench.send(&pmu.config(1), 0);
    bench.send(&pmu.data(100), 0);
    assert_eq!(last(&bench), decoded(0, 1));
    bench.out.stalled_at = Some(0);
    pmu.change(2);
    bench.send(&pmu.config(2), 0);
    assert_eq!(last(&bench), undecoded(UndecodedReason::BadConfiguration));
    bench.send(&pmu.data(101), 0);
    assert_eq!(last(&bench), undecoded(UndecodedReason::NoConfiguration), "the old layout is out of date");
    assert_eq!(bench.counts().configs_refused, 1);
    bench.out.stalled_at = None;
    bench.send(&pmu.config(3), 0);
    bench.send(&pmu.data(102), 0);
    assert_eq!(last(&bench), decoded(0, 2));
}

#[test]
fn a_configuration_beyond_the_bounds_is_refused() {
    let mut bench = Bench::on_port();
    let large = Pmu::new(7, 50, 9);
    bench.send(&large.config(1), 0);
    assert_eq!(last(&bench), undecoded(UndecodedReason::BadConfiguration));
    assert_eq!(bench.counts().configs_refused, 1);
}

#[test]
fn a_configuration_that_contradicts_itself_changes_nothing() {
    let (mut bench, pmu) = (Bench::on_port(), pmu());
    bench.send(&pmu.config(1), 0);
    let mut broken = pmu.config(2);
    // PHNMR, behind the prefix of the frame (20) and STN, IDCODE, FORMAT (20).
    broken[41] = 200;
    encode::reseal(&mut broken);
    bench.send(&broken, 0);
    assert_eq!(last(&bench), undecoded(UndecodedReason::BadConfiguration));
    bench.send(&pmu.data(100), 0);
    assert_eq!(last(&bench), decoded(0, 1));
}

#[test]
fn a_layout_that_does_not_predict_the_size_is_not_used() {
    let mut bench = Bench::on_port();
    let mut pmu = pmu();
    bench.send(&pmu.config(1), 0);
    bench.send(&pmu.data(100), 0);
    pmu.change(4);
    bench.send(&pmu.data(101), 0);
    assert_eq!(last(&bench), undecoded(UndecodedReason::SizeMismatch));
    bench.send(&pmu.config(2), 0);
    bench.send(&pmu.data(102), 0);
    assert_eq!(last(&bench), decoded(1, 1));
    let counts = bench.only_stream().counts;
    assert_eq!((counts.frames, counts.undecoded, counts.missing), (3, 1, 0));
}

#[test]
fn the_pmus_configuration_holds_for_all_its_receivers() {
    let (mut bench, pmu) = (Bench::on_port(), pmu());
    bench.send(&pmu.config(1), 0);
    let multicast = udp(PMU, [239, 1, 2, 3], [5_000, PORT], &pmu.data(100));
    bench.push(&record(&multicast, 0));
    assert_eq!(last(&bench), decoded(0, 1));
    let impostor = udp([192, 0, 2, 2], PDC, [5_000, PORT], &pmu.data(100));
    bench.push(&record(&impostor, 0));
    assert_eq!(last(&bench), undecoded(UndecodedReason::NoConfiguration));
    assert_eq!(bench.pipeline.streams().count(), 3);
}

#[test]
fn streams_beyond_the_table_are_counted_and_harm_none() {
    let (mut bench, good) = (Bench::on_port(), pmu());
    bench.send(&good.config(1), 0);
    for idcode in 100..110 {
        bench.send(&Pmu::new(idcode, 50, 1).data(100), 0);
    }
    bench.send(&good.data(100), 0);
    assert_eq!(last(&bench), decoded(0, 1));
    let counts = bench.counts();
    assert_eq!(bench.pipeline.streams().count(), 4);
    assert_eq!(counts.frames.undecoded[UndecodedReason::TooManyStreams as usize], 7);
    assert_eq!(counts.streams_refused, 4, "as many as there are places can be told apart");
}

#[test]
fn a_wrong_check_is_the_loss_of_a_stream_that_exists() {
    let (mut bench, pmu) = (Bench::on_port(), pmu());
    let mut broken = pmu.data(101);
    broken[20] ^= 1;
    bench.send(&broken, 0);
    assert_eq!(bench.pipeline.streams().count(), 0);
    bench.send(&pmu.data(100), 0);
    bench.send(&broken, 0);
    assert_eq!(bench.only_stream().counts.crc_errors, 1);
    let frames = bench.counts().frames;
    assert_eq!((frames.invalid, frames.crc_errors, frames.found), (2, 2, 1));
}

#[test]
fn a_third_configuration_lays_out_and_its_fragment_alone_does_not() {
    let (mut bench, pmu) = (Bench::on_port(), pmu());
    bench.send(&pmu.config3(1, 2.0), 0);
    bench.send(&pmu.data(101), 0);
    assert_eq!(last(&bench), decoded(0, 1));
    let (announced, bytes) = bench.out.news.last().expect("the configuration");
    assert_eq!((announced.kind.class(), bytes), (Class::Config, &pmu.config3(1, 2.0)));
    // One that scales otherwise is another; the same one is not.
    bench.send(&pmu.config3(2, 2.0), 0);
    bench.send(&pmu.data(102), 0);
    assert_eq!(last(&bench), decoded(0, 1));
    bench.send(&pmu.config3(3, 3.0), 0);
    bench.send(&pmu.data(103), 0);
    assert_eq!(last(&bench), decoded(1, 1));
    let mut fragment = pmu.config3(4, 4.0);
    // Without the first one before it, and then the first one without others behind it.
    fragment[15] = 2;
    encode::reseal(&mut fragment);
    bench.send(&fragment, 0);
    assert_eq!(last(&bench), undecoded(UndecodedReason::ConfigFragment));
    fragment[15] = 1;
    encode::reseal(&mut fragment);
    bench.send(&fragment, 0);
    assert_eq!(last(&bench), (Outcome::Decoded, None));
    bench.send(&pmu.data(104), 0);
    assert_eq!(last(&bench), decoded(1, 1), "the last one stays in use");
}

#[test]
fn a_rate_of_zero_lays_out_and_is_counted() {
    let (mut bench, pmu) = (Bench::on_port(), pmu());
    let mut config = pmu.config(1);
    let rate = config.len() - 4;
    config[rate..rate + 2].fill(0);
    encode::reseal(&mut config);
    bench.send(&config, 0);
    bench.send(&pmu.data(100), 0);
    bench.send(&pmu.data(105), 0);
    assert_eq!(last(&bench), decoded(0, 1));
    assert_eq!(bench.counts().configs_without_rate, 1);
    let stream = bench.only_stream();
    assert_eq!((stream.counts.frames, stream.counts.missing), (2, 0));
    bench.send(&config, 0);
    bench.send(&pmu.config(2), 0);
    assert_eq!(bench.counts().configs_without_rate, 2, "a repetition counts, one with a rate does not");
}
