//! All of the bench but its command line's end: the test runs it too, for a moment and without limits of time.

mod block;
mod figures;
mod limits;
mod meter;
pub(crate) mod model;
mod options;
mod random;
mod receiver;
mod report;
mod scene;
mod traffic;

pub(crate) use options::Options;
pub(crate) use report::Results;

use block::{Block, Measured};
use model::Model;
use random::Random;
use receiver::Receiver;
use scene::Scene;

/// Blocks of every model with every receiver, in rounds; in each round their order is another.
pub(crate) fn run(options: &Options) -> Results {
    let (models, receivers) = (options.models(), options.receivers());
    let mut scene = Scene::new();
    let mut measured: Vec<Measured> = Vec::new();
    for round in 0..options.rounds() {
        for &model in &models {
            let mut order = receivers.clone();
            Random::of(&[options.seed, round, model as u64]).shuffle(&mut order);
            for receiver in order {
                let block = Block { model, receiver, round, seed: options.seed, length: options.length() };
                measured.push(block.run(&mut scene));
            }
        }
    }
    Results::new(scene.cpus(), options, &measured)
}

/// A pair of which there are figures.
fn pairs(models: &[Model], receivers: &[Receiver]) -> Vec<(Model, Receiver)> {
    models.iter().flat_map(|&model| receivers.iter().map(move |&receiver| (model, receiver))).collect()
}
