//! What must hold, as ratios within the run.

use serde_json::{Value, json};

use super::figures::Figures;
use super::model::Model;
use super::receiver::Receiver;

/// Of recvmsg's p50, what `predict` may take.
const P50: f64 = 1.0 / 25.0;
/// Of recvmsg's p99, what `predict` may take, in the median of rounds.
const P99: f64 = 1.0;

/// One limit and what was measured.
pub(crate) struct Limit {
    pub(crate) what: String,
    pub(crate) value: f64,
    pub(crate) bound: f64,
    at_least: bool,
}

impl Limit {
    pub(crate) fn holds(&self) -> bool {
        if self.at_least { self.value >= self.bound } else { self.value <= self.bound }
    }

    pub(crate) const fn relation(&self) -> &'static str {
        if self.at_least { "at least" } else { "at most" }
    }

    pub(crate) fn json(&self) -> Value {
        json!({
            "what": self.what, "value": self.value, "relation": self.relation(), "limit": self.bound,
            "holds": self.holds(),
        })
    }
}

/// Share of frames that must meet an awake reader, and share of a CPU that it may take for that, in percent.
const fn shares(model: Model) -> (Option<f64>, f64) {
    match model {
        Model::InPhase | Model::Spread => (Some(95.0), 10.0),
        Model::Jitter => (Some(80.0), 25.0),
        Model::Bursts => (None, 10.0),
        Model::WideArea => (None, 25.0),
        Model::Fast => (None, 40.0),
    }
}

/// Those that can be judged by what was measured.
pub(crate) fn limits(figures: &[Figures]) -> Vec<Limit> {
    let mut limits = Vec::new();
    for predict in figures.iter().filter(|one| one.receiver == Receiver::Predict && one.frames > 0) {
        let model = predict.model;
        let mut add = |what: &str, value, bound, at_least| {
            limits.push(Limit { what: format!("{}: {what}", model.name()), value, bound, at_least });
        };
        let (met, cpu) = shares(model);
        if let Some(met) = met {
            add("frames that met an awake reader, percent", predict.met, met, true);
        }
        add("CPU of predict, percent", predict.cpu, cpu, false);
        let beside = figures.iter().find(|one| (one.model, one.receiver) == (model, Receiver::Recvmsg));
        let Some(recvmsg) = beside else { continue };
        let has_p50 = matches!(model, Model::InPhase | Model::Spread | Model::Fast);
        if let (true, Some(own), Some(other)) = (has_p50, predict.looked, recvmsg.looked) {
            add("p50 of predict by that of recvmsg", ratio(own.p50(), other.p50()), P50, false);
        }
        let mut ratios: Vec<f64> = predict
            .rounds
            .iter()
            .zip(&recvmsg.rounds)
            .map(|(own, other)| ratio(own.p99(), other.p99()))
            .collect();
        ratios.sort_by(f64::total_cmp);
        if let Some(&median) = ratios.get(ratios.len() / 2) {
            add("p99 of predict by that of recvmsg, median of rounds", median, P99, false);
        }
    }
    limits
}

#[expect(clippy::cast_precision_loss, reason = "a ratio for a person to read")]
fn ratio(own: u64, other: u64) -> f64 {
    own as f64 / other.max(1) as f64
}
