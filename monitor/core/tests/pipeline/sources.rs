//! Where a configuration comes from: which one lays out a DATA frame, whatever came before, by a simple model.

use std::collections::HashMap;

use monitor_core::event::{ConfigNews, ConfigSource, EventKind, Misfit, Outcome, UndecodedReason};
use monitor_core::pipeline::{Bounds, Ports};
use monitor_core::protocol::c37118::encode::{self, ConfigKind};
use monitor_core::stream::{Preload, PreloadError, UNCONFIGURED_NS};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use crate::packets::{PDC, PMU, PORT, record, udp};
use crate::{Bench, Pmu, SMALL, pmu};

const OTHER: [u8; 4] = [192, 0, 2, 2];
const ADDRESSES: [[u8; 4]; 2] = [PMU, OTHER];

fn mapped(address: [u8; 4]) -> [u8; 16] {
    std::net::Ipv4Addr::from(address).to_ipv6_mapped().octets()
}

fn preload(address: Option<[u8; 4]>, from: ConfigSource, pmu: &Pmu) -> Preload {
    Preload::new(address.map(mapped), from, &pmu.config(1)).expect("a configuration")
}

/// Where the last frame event's configuration came from, by what was announced.
fn last_source(bench: &Bench) -> Result<ConfigSource, UndecodedReason> {
    let (event, _) = bench.out.data.last().expect("an event");
    match event.kind {
        EventKind::Frame(_, Outcome::Decoded) => Ok(announced(bench)[&event.config.expect("one")].0),
        EventKind::Frame(_, Outcome::Undecoded(reason)) => Err(reason),
        _ => panic!("{event:?} is no frame"),
    }
}

/// What was announced of each configuration: its origin and its frame.
fn announced(bench: &Bench) -> HashMap<monitor_core::event::ConfigId, (ConfigSource, Vec<u8>)> {
    let known = bench.out.news.iter().filter_map(|(event, bytes)| match event.kind {
        EventKind::Frame(..) => Some((event.config?, (ConfigSource::Wire, bytes.clone()))),
        EventKind::Config(ConfigNews::Adopted(from)) => Some((event.config?, (from, bytes.clone()))),
        _ => None,
    });
    known.collect()
}

fn news(bench: &Bench) -> Vec<ConfigNews> {
    let news = bench.out.news.iter().filter_map(|(event, _)| match event.kind {
        EventKind::Config(news) => Some(news),
        _ => None,
    });
    news.collect()
}

#[test]
fn a_kept_configuration_lays_out_until_the_wire_says_one() {
    let (mut bench, pmu) = (Bench::on_port(), pmu());
    bench.pipeline.preload(preload(Some(PMU), ConfigSource::Cached, &pmu));
    bench.send(&pmu.data(100), 0);
    assert_eq!(last_source(&bench), Ok(ConfigSource::Cached));
    assert_eq!(bench.counts().frames.found, 1, "what was kept is no frame of this wire");
    bench.send(&pmu.config(2), 0);
    bench.send(&pmu.data(101), 0);
    assert_eq!(last_source(&bench), Ok(ConfigSource::Wire));
    let counts = bench.only_stream().counts;
    assert_eq!((counts.configs, counts.config_changes), (1, 0), "its content is the same");
    assert_eq!(counts.missing, 0, "and so are its indices");
}

#[test]
fn one_that_does_not_fit_is_named_once_and_not_used() {
    let (mut bench, mut pmu) = (Bench::on_port(), pmu());
    bench.pipeline.preload(preload(Some(PMU), ConfigSource::Cached, &pmu));
    let predicted = u16::try_from(pmu.data(1).len()).expect("a size");
    pmu.change(4);
    let framesize = u16::try_from(pmu.data(1).len()).expect("a size");
    for index in 100..103 {
        bench.send(&pmu.data(index), 0);
        assert_eq!(last_source(&bench), Err(UndecodedReason::NoConfiguration));
    }
    let misfit = Misfit { from: ConfigSource::Cached, predicted, framesize };
    assert_eq!(news(&bench), [ConfigNews::Misfit(misfit)]);
    pmu.change(3);
    bench.send(&pmu.data(103), 0);
    assert_eq!(last_source(&bench), Err(UndecodedReason::NoConfiguration), "it was dropped");
}

#[test]
fn a_configuration_that_was_outgrown_is_told_once() {
    let (mut bench, mut pmu) = (Bench::on_port(), pmu());
    bench.send(&pmu.config(1), 0);
    bench.send(&pmu.data(100), 0);
    pmu.change(4);
    for index in 101..104 {
        bench.send(&pmu.data(index), 0);
        assert_eq!(last_source(&bench), Err(UndecodedReason::SizeMismatch));
    }
    let told = news(&bench);
    assert!(matches!(told[..], [ConfigNews::Misfit(Misfit { from: ConfigSource::Wire, .. })]), "{told:?}");
    bench.send(&pmu.config(2), 0);
    bench.send(&pmu.data(104), 0);
    assert_eq!(last_source(&bench), Ok(ConfigSource::Wire));
    assert_eq!(bench.only_stream().counts.config_changes, 1);
}

/// Names and scales changed, sizes not: only where the new CFG-2 stands tells which DATA it is for.
#[test]
fn a_change_of_meaning_alone_holds_from_the_configuration_on() {
    let (mut bench, mut pmu) = (Bench::on_port(), pmu());
    let [before, old] = [pmu.config(1), pmu.data(100)];
    pmu.change(3);
    let [after, new] = [pmu.config(2), pmu.data(102)];
    assert_eq!(old.len(), new.len());
    bench.send(&[before.clone(), old.clone(), old, after.clone(), new.clone()].concat(), 0);
    bench.send(&new, 0);
    let known = announced(&bench);
    let laid_out_by: Vec<_> = bench
        .out
        .data
        .iter()
        .filter(|(event, _)| matches!(event.kind, EventKind::Frame(frame, _) if frame.frame_type == Some(0)))
        .map(|(event, _)| known[&event.config.expect("one")].1.clone())
        .collect();
    assert_eq!(laid_out_by, [before.clone(), before, after.clone(), after]);
    assert_eq!(bench.only_stream().counts.config_changes, 1);
}

#[test]
fn a_file_for_an_idcode_holds_for_every_sender_it_fits() {
    let (mut bench, pmu) = (Bench::on_port(), pmu());
    bench.pipeline.preload(preload(None, ConfigSource::File, &pmu));
    let mut larger = Pmu::new(7, 50, 4);
    for (sender, pmu) in [(PMU, &pmu), (OTHER, &larger), ([192, 0, 2, 3], &pmu)] {
        bench.push(&record(&udp(sender, PDC, [PORT, 30_000], &pmu.data(100)), 0));
    }
    let outcomes: Vec<_> = bench.out.frames().map(|(_, outcome)| outcome).collect();
    let none = Outcome::Undecoded(UndecodedReason::NoConfiguration);
    assert_eq!(outcomes, [Outcome::Decoded, none, Outcome::Decoded]);
    larger.change(5);
    bench.push(&record(&udp(OTHER, PDC, [PORT, 30_000], &larger.data(101)), 0));
    let misfits = news(&bench).into_iter().filter(|news| matches!(news, ConfigNews::Misfit(_)));
    assert_eq!(misfits.count(), 1);
}

#[test]
fn an_answer_helps_a_stream_that_has_outgrown_the_wires() {
    let (mut bench, mut pmu) = (Bench::on_port(), pmu());
    bench.pipeline.expect_requested(1);
    bench.send(&pmu.config(1), 0);
    pmu.change(4);
    bench.send(&pmu.data(100), 0);
    assert_eq!(last_source(&bench), Err(UndecodedReason::SizeMismatch));
    bench.pipeline.take_requested(preload(Some(PMU), ConfigSource::Requested, &pmu)).expect("a place");
    bench.send(&pmu.data(101), 0);
    assert_eq!(last_source(&bench), Ok(ConfigSource::Requested));
    let unexpected = preload(Some(PMU), ConfigSource::Requested, &pmu);
    assert!(bench.pipeline.take_requested(unexpected).is_err(), "one place was kept");
}

#[test]
fn what_nobody_could_be_told_of_is_told_again() {
    let (mut bench, pmu) = (Bench::on_port(), pmu());
    bench.pipeline.preload(preload(None, ConfigSource::File, &pmu));
    bench.out.refuse_news = 2;
    bench.send(&pmu.data(100), 0);
    bench.send(&pmu.data(101), 0);
    assert_eq!(last_source(&bench), Ok(ConfigSource::File));
    bench.send(&pmu.data(102), 0);
    assert_eq!(news(&bench), [ConfigNews::Adopted(ConfigSource::File)]);
}

#[test]
fn data_without_a_configuration_are_told_after_a_while_and_once() {
    let (mut bench, pmu) = (Bench::on_port(), pmu());
    let times = [0, UNCONFIGURED_NS - 1, UNCONFIGURED_NS, UNCONFIGURED_NS + 1];
    for (index, time) in (100..).zip(times) {
        bench.send(&pmu.data(index), time);
        assert_eq!(news(&bench).len(), usize::from(time >= UNCONFIGURED_NS), "{time}");
    }
    assert_eq!(news(&bench), [ConfigNews::Missing]);
}

#[test]
fn one_beyond_the_bounds_is_refused_once() {
    let (mut bench, large) = (Bench::on_port(), Pmu::new(7, 50, 9));
    bench.pipeline.preload(preload(None, ConfigSource::File, &large));
    bench.send(&large.data(100), 0);
    bench.send(&large.data(101), 0);
    assert_eq!(last_source(&bench), Err(UndecodedReason::NoConfiguration));
    assert_eq!(bench.counts().configs_refused, 1);
}

#[test]
fn what_is_no_configuration_is_refused_with_the_reason() {
    let pmu = pmu();
    let of = |bytes: &[u8]| Preload::new(None, ConfigSource::File, bytes).expect_err("refused").to_string();
    let config = pmu.config(1);
    assert!(of(&config[..40]).contains("no sound C37.118 frame"));
    assert!(of(&[&config[..], b"\n"].concat()).contains("1 bytes follow"));
    assert!(of(&pmu.data(1)).contains("the frame is a DATA"));
    assert!(of(&pmu.config_of(ConfigKind::Config1, 1)).contains("CFG-1"));
    let mut contradiction = config;
    contradiction[41] = 200;
    encode::reseal(&mut contradiction);
    assert!(matches!(Preload::new(None, ConfigSource::File, &contradiction), Err(PreloadError::Config(_))));
}

/// A configuration of the model: how many phasors, which the size of DATA follows, and which of its contents.
type Variant = (usize, usize);

/// What each variant's PMU sends.
struct Variants(HashMap<Variant, Pmu>);

impl Variants {
    fn new() -> Self {
        let all =
            PHASORS.into_iter().flat_map(|phasors| (0..CONTENTS).map(move |content| (phasors, content)));
        let of = |(phasors, content): Variant| {
            let mut pmu = Pmu::new(7, 50, phasors);
            (0..content).for_each(|_| pmu.change(phasors));
            ((phasors, content), pmu)
        };
        Self(all.map(of).collect())
    }
}

const PHASORS: [usize; 3] = [1, 2, 3];
const CONTENTS: usize = 2;

#[derive(Clone, Debug)]
enum Step {
    Config(usize, Variant),
    Data(usize, Variant),
    Answer(usize, Variant),
}

fn variant() -> impl Strategy<Value = Variant> {
    (select(PHASORS.as_slice()), 0..CONTENTS)
}

fn step() -> impl Strategy<Value = Step> {
    let sender = 0..ADDRESSES.len();
    (0..7, sender, variant()).prop_map(|(which, sender, variant)| match which {
        0 => Step::Config(sender, variant),
        1 => Step::Answer(sender, variant),
        _ => Step::Data(sender, variant),
    })
}

/// One sender, as simply as the rules can be said.
#[derive(Clone, Debug, Default)]
struct Model {
    wire: bool,
    current: Option<(ConfigSource, Variant)>,
    /// By preference.
    answers: Vec<Variant>,
    files: Vec<Variant>,
    cached: Option<Variant>,
}

impl Model {
    fn configure(&mut self, variant: Variant) {
        if self.current != Some((ConfigSource::Wire, variant)) {
            self.answers.clear();
        }
        (self.wire, self.current) = (true, Some((ConfigSource::Wire, variant)));
    }

    /// What lays out DATA of so many phasors.
    fn data(&mut self, phasors: usize) -> Result<(ConfigSource, Variant), UndecodedReason> {
        let fits = |(_, (predicted, _)): &(ConfigSource, Variant)| *predicted == phasors;
        if let Some(current) = self.current.filter(fits) {
            return Ok(current);
        }
        if matches!(self.current, Some((ConfigSource::Cached, _))) {
            (self.current, self.cached) = (None, None);
        }
        let of =
            |from, variants: &[Variant]| variants.iter().map(move |one| (from, *one)).collect::<Vec<_>>();
        let mut known = of(ConfigSource::Requested, &self.answers);
        if !self.wire {
            known.extend(of(ConfigSource::File, &self.files));
            known.extend(self.cached.map(|one| (ConfigSource::Cached, one)));
        }
        if let Some(fitting) = known.into_iter().find(fits) {
            self.current = Some(fitting);
            return Ok(fitting);
        }
        if !self.wire {
            self.cached = None;
        }
        Err(if self.current.is_some() {
            UndecodedReason::SizeMismatch
        } else {
            UndecodedReason::NoConfiguration
        })
    }
}

proptest! {
    #[test]
    fn each_data_frame_is_laid_out_by_what_a_simple_model_says(
        bound in vec((0..ADDRESSES.len(), variant()), 0..3),
        unbound in vec(variant(), 0..2),
        cached in vec(proptest::option::of(variant()), ADDRESSES.len()),
        steps in vec(step(), 1..80),
    ) {
        let variants = Variants::new();
        let bounds = Bounds { configs: 200, pmus: 16, channels: 64, ..SMALL };
        let mut bench = Bench::new(Ports::Set(vec![PORT]), &bounds);
        let mut models = vec![Model::default(); ADDRESSES.len()];
        for (sender, variant) in &bound {
            let address = Some(ADDRESSES[*sender]);
            bench.pipeline.preload(preload(address, ConfigSource::File, &variants.0[variant]));
            models[*sender].files.push(*variant);
        }
        for variant in &unbound {
            bench.pipeline.preload(preload(None, ConfigSource::File, &variants.0[variant]));
            for model in &mut models {
                model.files.push(*variant);
            }
        }
        for ((address, model), cached) in ADDRESSES.iter().zip(&mut models).zip(&cached) {
            model.cached = *cached;
            if let Some(variant) = cached {
                bench.pipeline.preload(preload(Some(*address), ConfigSource::Cached, &variants.0[variant]));
            }
        }
        bench.pipeline.expect_requested(steps.len());
        for (index, step) in (100..).zip(steps) {
            match step {
                Step::Config(sender, variant) => {
                    let config = variants.0[&variant].config(1);
                    bench.push(&record(&udp(ADDRESSES[sender], PDC, [PORT, 30_000], &config), 0));
                    models[sender].configure(variant);
                }
                Step::Answer(sender, variant) => {
                    let answer = preload(Some(ADDRESSES[sender]), ConfigSource::Requested, &variants.0[&variant]);
                    bench.pipeline.take_requested(answer).expect("a place");
                    models[sender].answers.push(variant);
                }
                Step::Data(sender, variant) => {
                    let data = variants.0[&variant].data(index);
                    bench.push(&record(&udp(ADDRESSES[sender], PDC, [PORT, 30_000], &data), 0));
                    let expected = models[sender].data(variant.0);
                    prop_assert_eq!(last_source(&bench), expected.map(|(from, _)| from));
                    if let Ok((from, variant)) = expected {
                        let (event, _) = bench.out.data.last().expect("an event");
                        let config = event.config.expect("one");
                        prop_assert_eq!(&announced(&bench)[&config], &(from, variants.0[&variant].config(1)));
                    }
                }
            }
        }
        let counts = bench.counts();
        prop_assert_eq!(counts.configs_refused, 0);
    }
}
