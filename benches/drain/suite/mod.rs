//! All of the bench but its command line's end: the test runs it too, for a moment and without limits.

mod case;
mod report;
mod scene;
mod shared;
mod sustained;
mod traffic;

use std::path::PathBuf;

use clap::Parser;
use monitor::probe::Transport;
use monitor::sys::sched;

pub(crate) use report::Results;

use case::{Case, Way};
use report::Figure;
use scene::Scene;
use traffic::Traffic;

/// The reader's priority, as the live loop's thread has it.
const PRIORITY: u8 = 50;
const BOTH: [Transport; 2] = [Transport::Ring, Transport::Perf];

/// What a frame costs its reader, by transport and by what is done with it
#[derive(Debug, Parser)]
pub(crate) struct Options {
    /// Fails where a figure is beyond its limit
    #[arg(long)]
    pub(crate) check: bool,
    /// All of it for a moment; the figures mean nothing
    #[arg(long)]
    quick: bool,
    /// Rounds of blocks
    #[arg(long, default_value_t = 20)]
    rounds: u32,
    /// Writes the results there, as one JSON object
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
    /// Cargo's own; says nothing here
    #[arg(long, hide = true)]
    bench: bool,
}

/// Blocks of every case, in rounds; then the rates.
pub(crate) fn run(options: &Options) -> Results {
    let rounds = if options.quick { 2 } else { options.rounds };
    let mut scenes = BOTH.map(Scene::new);
    let cpus = scenes[0].cpus();
    sched::set_affinity(cpus.reader).unwrap();
    sched::set_fifo(PRIORITY).unwrap();
    let mut traffic = Traffic::new();
    let mut cases: Vec<Case> =
        scenes.iter_mut().flat_map(|scene| Way::ALL.map(|way| scene.case(way))).collect();
    // Every case gets the same packets, and has no other's pipeline.
    let configurations = traffic.configurations();
    for case in &mut cases {
        case.block(scene_of(&mut scenes, case.transport), &configurations);
    }
    // One round that does not count, in which the pipelines meet their streams.
    for round in 0..=rounds {
        let packets = traffic.block();
        for case in &mut cases {
            if round == 1 {
                case.forget();
            }
            case.block(scene_of(&mut scenes, case.transport), &packets);
        }
    }
    cases.iter_mut().for_each(Case::assert_whole);
    let figures = cases.iter().map(Figure::of).collect();
    drop(cases);
    let sustained =
        scenes.iter_mut().flat_map(|scene| sustained::measure(scene, &mut traffic, options.quick)).collect();
    Results::new(cpus, rounds, figures, sustained)
}

fn scene_of(scenes: &mut [Scene; 2], transport: Transport) -> &mut Scene {
    let [ring, perf] = scenes;
    if transport == Transport::Ring { ring } else { perf }
}
