//! The bench of delivery, for a moment and without limits of time: every receiver gets every frame, or the kernel counts
//! it as lost; and its models of arrivals are what they say.
#![expect(clippy::unwrap_used, reason = "a panic gives a test's failure its place")]

#[path = "../benches/delivery/suite/mod.rs"]
#[expect(dead_code, reason = "the bench judges and prints what the test only runs")]
mod suite;
mod support;

use std::collections::HashMap;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser as _, ValueEnum as _};
use libtest_mimic::{Arguments, run};
use suite::Options;
use suite::model::{Arrival, Model};
use support::{Need, trial};

fn main() -> ExitCode {
    const NEEDS: &[Need] = &[Need::Root, Need::Bpf, Need::Veth, Need::RealTime, Need::TwoCpus];
    let trials = vec![
        trial("every_receiver_accounts_for_every_frame", NEEDS, every_receiver_accounts_for_every_frame),
        trial("arrivals_rise_and_repeat", &[], arrivals_rise_and_repeat),
        trial("regular_models_have_their_rates", &[], regular_models_have_their_rates),
        trial("bursts_have_the_gaps_of_the_capture", &[], bursts_have_the_gaps_of_the_capture),
    ];
    run(&Arguments::from_args(), trials).exit_code()
}

fn every_receiver_accounts_for_every_frame() {
    let options = ["delivery", "--quick", "--model", "in-phase", "--model", "bursts", "--model", "fast"];
    let results = suite::run(&Options::parse_from(options)).json();
    let figures = results["figures"].as_array().unwrap();
    assert_eq!(figures.len(), 3 * 7, "three models, seven receivers: {results:#}");
    let mut measured: HashMap<&str, u64> = HashMap::new();
    for one in figures {
        let [sent, received, lost, of_span] =
            ["frames_sent", "frames_received", "frames_lost", "frames_measured"]
                .map(|count| one[count].as_u64().unwrap());
        assert!(received <= sent && sent <= received + lost, "{one:#}");
        assert!(of_span <= received, "{one:#}");
        *measured.entry(one["receiver"].as_str().unwrap()).or_default() += of_span;
    }
    // A sender that a busy machine stops for a while may miss the whole span of a block: not that of every model.
    for (receiver, frames) in measured {
        assert!(frames > 0, "{receiver}: {results:#}");
    }
}

/// Long enough for the rarest of what is drawn.
const LENGTH: Duration = Duration::from_secs(100);

fn arrivals_rise_and_repeat() {
    let drawn = |model: Model, seed| -> Vec<(u64, u16)> {
        model.arrivals(LENGTH, seed).iter().map(|&Arrival { at, stream }| (at, stream)).collect()
    };
    for &model in Model::value_variants() {
        let arrivals = drawn(model, 1);
        assert!(arrivals.is_sorted_by_key(|&(at, _)| at), "{model:?}");
        assert_eq!(arrivals, drawn(model, 1), "{model:?}");
        let is_random = matches!(model, Model::Jitter | Model::Bursts | Model::WideArea);
        assert_eq!(arrivals != drawn(model, 2), is_random, "{model:?}");
    }
}

fn regular_models_have_their_rates() {
    for (model, rate, gaps) in [
        (Model::InPhase, 12 * 50, [0, 20_000_000]),
        (Model::Spread, 12 * 50, [1_666_666, 1_666_667]),
        (Model::Fast, 4_000, [250_000, 250_000]),
    ] {
        let arrivals = model.arrivals(LENGTH, 1);
        assert_eq!(arrivals.len() as u64, rate * LENGTH.as_secs(), "{model:?}");
        for pair in arrivals.windows(2) {
            let gap = pair[1].at - pair[0].at;
            // Instants are rounded down to whole nanoseconds.
            assert!(gaps.iter().any(|due| gap.abs_diff(*due) <= 1), "{model:?}: {gap}");
        }
    }
}

fn bursts_have_the_gaps_of_the_capture() {
    let arrivals = Model::Bursts.arrivals(LENGTH, 1);
    let mut gaps: Vec<u64> = (0..Model::Bursts.streams())
        .flat_map(|stream| {
            let of_stream: Vec<u64> =
                arrivals.iter().filter(|one| one.stream == stream).map(|one| one.at).collect();
            of_stream.windows(2).map(|pair| pair[1] - pair[0]).collect::<Vec<_>>()
        })
        .collect();
    gaps.sort_unstable();
    let (short, long): (Vec<u64>, Vec<u64>) = gaps.iter().partition(|&&gap| gap < 1_000_001);
    assert!(short.len().abs_diff(long.len()) <= usize::from(Model::Bursts.streams()));
    assert!((550_000..630_000).contains(&gaps[gaps.len() / 4]), "{}", gaps[gaps.len() / 4]);
    assert!(long.iter().all(|gap| (19_999_999..80_000_001).contains(gap)));
}
