//! `run --reattach`: interfaces go away and come back, and the run goes on, its counters too.

use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use aya::programs::{SchedClassifier, TcAttachType};
use libtest_mimic::Trial;
use monitor::netns::{End, Pair};

use crate::endings::second_interface;
use crate::harness::{Monitor, Report, Running, until};
use crate::support::{Need, trial};
use crate::wire::{Pmu, datagram, quiet_pair, sender};

pub(crate) fn trials() -> Vec<Trial> {
    const NEEDS: &[Need] = &[Need::Bpf, Need::Veth];
    const MOVING: &[Need] = &[Need::Bpf, Need::Veth, Need::Iproute];
    vec![
        trial("an_interface_that_comes_back_is_attached_again", NEEDS, || comes_back("tc", &[])),
        trial("at_xdp_it_is_attached_again_too", NEEDS, || comes_back("xdp", &[])),
        trial("it_is_held_promiscuous_again", NEEDS, || comes_back("tc", &["--promiscuous"])),
        trial("one_that_takes_its_name_is_it", NEEDS, one_that_takes_its_name_is_it),
        trial("one_that_is_moved_away_and_back_is_it", MOVING, one_that_is_moved_away_and_back_is_it),
        trial("while_it_is_away_the_other_goes_on", NEEDS, while_it_is_away_the_other_goes_on),
    ]
}

/// A monitor, a PMU, and how many frames it has sent.
struct Scene {
    pair: Pair,
    running: Running,
    pmu: Pmu,
    sent: u64,
}

impl Scene {
    fn new(pair: Pair, options: &[&str]) -> Self {
        let running = Monitor::on(&pair).args(["--frames", "--reattach"]).args(options).start().attached();
        let mut scene = Self { pair, running, pmu: Pmu::new(7), sent: 0 };
        let config = scene.pmu.config();
        sender(&mut scene.pair.stations).send(&datagram(&config)).unwrap();
        scene.sent += 1;
        scene.send(9);
        scene
    }

    /// Sends DATA frames and waits until all that was sent is decoded.
    fn send(&mut self, frames: u64) {
        let wire = sender(&mut self.pair.stations);
        for _ in 0..frames {
            wire.send(&datagram(&self.pmu.data())).unwrap();
        }
        self.sent += frames;
        self.running.counted("frames.decoded", self.sent);
    }

    fn create(&mut self, station: &str, monitor: &str) {
        second_interface(&mut self.pair, station, monitor);
    }

    /// Every frame was decoded, in one stream without a gap, under the interface's name.
    fn end(self) -> Report {
        let Self { running, sent, .. } = self;
        let report = running.stop().adds_up();
        assert_eq!(report.count("frames.decoded"), sent);
        let row = report.stream(7);
        assert_eq!((&row["frames"], &row["missing"]), (&(sent - 1).into(), &0.into()));
        let lines: Vec<_> = report.of_kind("c37118.data").collect();
        assert_eq!(lines.len() as u64, sent - 1);
        assert!(lines.iter().all(|line| line["iface"] == "eth1" && line["pmus"].is_array()));
        report
    }
}

fn attached(end: &End, interface: &str) -> usize {
    let query = |way| SchedClassifier::query_tcx(interface, way).unwrap().1.len();
    end.run(|| query(TcAttachType::Ingress) + query(TcAttachType::Egress)).unwrap()
}

fn comes_back(hook: &str, options: &[&str]) {
    let mut scene = Scene::new(quiet_pair(), &[&["--hook", hook], options].concat());
    for round in 1..=3 {
        scene.pair.stations.links().delete("stations0").unwrap();
        scene.running.complained_times(round, &["eth1 has vanished"]);
        scene.create("stations0", "eth1");
        scene.running.complained_times(round, &["eth1 is back (index", "attached"]);
        assert_eq!(attached(&scene.pair.monitor, "eth1"), if hook == "tc" { 2 } else { 1 });
        let held = scene.pair.monitor.interface().unwrap().promiscuity;
        assert_eq!(held, u32::from(options.contains(&"--promiscuous")));
        scene.send(10);
    }
    let monitor = scene.pair.monitor.shared_netns();
    scene.end();
    let query = || SchedClassifier::query_tcx("eth1", TcAttachType::Egress).map(|found| found.1.len());
    // The pair has gone with the scene, or nothing is on it any more.
    until("nothing is attached", || monitor.run(query).unwrap().unwrap_or(0) == 0);
}

/// As udev does it: the new one comes under another name and is renamed.
fn one_that_takes_its_name_is_it() {
    let mut scene = Scene::new(quiet_pair(), &[]);
    scene.pair.stations.links().delete("stations0").unwrap();
    scene.running.complained(&["eth1 has vanished"]);
    let netns = Arc::clone(&scene.pair.monitor.shared_netns());
    scene.pair.stations.links().create_veth("stations0", "usb0", &netns).unwrap();
    scene.pair.monitor.links().rename("usb0", "eth1").unwrap();
    scene.running.complained(&["eth1 is back"]);
    scene.pair.stations.links().set_up("stations0").unwrap();
    scene.pair.monitor.links().set_up("eth1").unwrap();
    until("it has its carrier", || {
        scene.pair.monitor.interface().unwrap().running && scene.pair.stations.interface().unwrap().running
    });
    scene.send(10);
    scene.end();
}

/// A process by which `ip` finds the namespace of an end.
fn resident(end: &End) -> Child {
    let mut there = Command::new("cat");
    there.stdin(Stdio::piped()).stdout(Stdio::null());
    end.run(move || there.spawn().unwrap()).unwrap()
}

fn one_that_is_moved_away_and_back_is_it() {
    let mut scene = Scene::new(quiet_pair(), &[]);
    let mut residents = [resident(&scene.pair.monitor), resident(&scene.pair.stations)];
    let [here, there] = residents.each_ref().map(|one| one.id().to_string());
    let move_from = |end: &End, to: &str| {
        let arguments = ["link", "set", "eth1", "netns", to];
        assert!(end.run(|| Command::new("ip").args(arguments).status().unwrap()).unwrap().success());
    };
    move_from(&scene.pair.monitor, &there);
    scene.running.complained(&["eth1 has vanished"]);
    // What this run had on it is off it: whoever has it now is not to be watched.
    until("the programs are off it", || attached(&scene.pair.stations, "eth1") == 0);
    move_from(&scene.pair.stations, &here);
    scene.running.complained(&["eth1 is back"]);
    scene.pair.monitor.links().set_up("eth1").unwrap();
    until("it has its carrier", || {
        scene.pair.monitor.interface().unwrap().running && scene.pair.stations.interface().unwrap().running
    });
    scene.send(10);
    scene.end();
    for one in &mut residents {
        one.kill().unwrap();
        one.wait().unwrap();
    }
}

fn while_it_is_away_the_other_goes_on() {
    let mut pair = quiet_pair();
    second_interface(&mut pair, "stations1", "eth2");
    let mut scene = Scene::new(pair, &["--iface", "eth2"]);
    scene.pair.stations.links().delete("stations1").unwrap();
    scene.running.complained(&["eth2 has vanished"]);
    scene.send(10);
    scene.create("stations1", "eth2");
    scene.running.complained(&["eth2 is back"]);
    scene.send(10);
    scene.end();
}
