//! What a host, a user or a configuration lacks: a clear sentence, the right status, nothing left behind.

use libtest_mimic::Trial;
use serde_json::Value;

use crate::harness::{Monitor, Report, configuration};
use crate::support::{Need, trial};
use crate::wire::{Pmu, datagram, quiet_pair, sender};

pub(crate) fn trials() -> Vec<Trial> {
    const NEEDS: &[Need] = &[Need::Bpf, Need::Veth];
    const RIGHTS: &[Need] = &[Need::Bpf, Need::Veth, Need::RealTime];
    const FILE_SYSTEMS: &[Need] = &[Need::Root, Need::Bpf, Need::Veth, Need::Unshare];
    vec![
        trial("an_interface_that_is_not_there_is_named", NEEDS, an_interface_that_is_not_there_is_named),
        trial("wrong_usage_is_refused", &[], wrong_usage_is_refused),
        trial("a_wrong_configuration_file_is_refused", &[], a_wrong_configuration_file_is_refused),
        trial(
            "what_is_asked_of_the_real_time_thread_is_granted",
            RIGHTS,
            what_is_asked_of_the_real_time_thread_is_granted,
        ),
        trial("idle_states_that_stay_are_told", FILE_SYSTEMS, idle_states_that_stay_are_told),
        trial("a_kernel_without_btf_is_said", FILE_SYSTEMS, a_kernel_without_btf_is_said),
        trial("it_runs_without_bpffs", FILE_SYSTEMS, it_runs_without_bpffs),
    ]
}

fn an_interface_that_is_not_there_is_named() {
    let pair = quiet_pair();
    let report = Monitor::within(&pair, &["run", "--json", "--iface", "eth9"]).run();
    report.failed_with(1, &["eth9", "lo", "eth1"]);
    assert!(report.lines.is_empty(), "{report:#?}");
    // One that is there does not make up for one that is not, and is let go of.
    Monitor::on(&pair).args(["--iface", "eth9"]).run().failed_with(1, &["eth9"]);
}

fn wrong_usage_is_refused() {
    for (arguments, words) in [
        (&["--port", "0"][..], &["--port", "port 0", "1 to 65535"][..]),
        (&["--port", "70000"], &["--port", "1 to 65535"]),
        (&["--duration", "soon"], &["--duration", "soon"]),
        (&["--ports", "1"], &["--ports"]),
    ] {
        Monitor::here(&["run"]).args(arguments).run().failed_with(2, words);
    }
    for (arguments, words) in [
        (&["--priority", "0"][..], &["priority", "0", "1 (lowest) to 99 (highest)"][..]),
        (&["--priority", "100"], &["priority", "100", "1 (lowest) to 99 (highest)"]),
        (&["--cpu", "100000"], &["100000"]),
    ] {
        for verb in [&["run", "--iface", "lo"][..], &["follow", "--instance", "no-such-one"]] {
            Monitor::here(verb).args(arguments).run().failed_with(2, words);
        }
    }
}

fn a_wrong_configuration_file_is_refused() {
    let with = |text: &str| Monitor::here(&["run"]).configured(&configuration(text)).run();
    for (text, words) in [
        ("interfaces = ['eth1']\n", &["interfaces"][..]),
        ("[bounds]\nstream = 3\n", &["stream"]),
        ("port = [0]\n", &["port 0"]),
        ("iface = ['lo'\n", &["line 1"]),
        ("iface = ['lo']\n[bounds]\nring-bytes = 131072\n", &["ring-bytes", "262144"]),
        ("iface = ['lo']\n[bounds]\nring-bytes = 300000\n", &["ring-bytes", "power of two", "524288"]),
    ] {
        let report = with(text);
        report.failed_with(1, words);
        assert!(report.lines.is_empty(), "{report:#?}");
    }
    with("interfaces = ['eth1']\n").failed_with(1, &["configuration file", ".toml"]);
    let directory = tempfile::tempdir().unwrap();
    let (absent, unreadable) = (directory.path().join("absent.toml"), directory.path());
    for path in [&absent, unreadable] {
        let report = Monitor::here(&["run", "--config"]).args([path]).run();
        report.failed_with(1, &[path.to_str().unwrap(), "--config"]);
    }
}

/// The device hidden, as in a container.
fn idle_states_that_stay_are_told() {
    let pair = quiet_pair();
    let hidden = "mount -t tmpfs none /dev";
    let report = where_mounts(hidden, Monitor::on(&pair).args(["--duration", "1200ms"])).adds_up();
    let rt = &report.summary()["rt"];
    assert_eq!(rt["cpu_dma_latency"], "refused");
    let told: Vec<_> = rt["refused"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    for said in [told.concat(), report.stderr] {
        assert!(said.contains("/dev/cpu_dma_latency") && said.contains("--allow-idle"), "{said}");
    }
}

fn what_is_asked_of_the_real_time_thread_is_granted() {
    let pair = quiet_pair();
    let asked = ["--duration", "1200ms", "--priority", "7", "--cpu", "0"];
    let report = Monitor::on(&pair).args(asked).run().adds_up();
    let rt = &report.summary()["rt"];
    assert_eq!((&rt["policy"], &rt["priority"], &rt["cpu"]), (&"SCHED_FIFO".into(), &7.into(), &0.into()));
    assert_eq!(rt["memory_locked"], true);
    assert_eq!((&rt["cpu_dma_latency"], &rt["refused"]), (&"held".into(), &Value::Array(Vec::new())));
    assert_eq!(report.stderr, "");
    let report = Monitor::on(&pair).args(asked).args(["--allow-idle"]).run().adds_up();
    assert_eq!(report.summary()["rt"]["cpu_dma_latency"], "left_alone");
    assert_eq!(report.stderr, "");
}

/// Runs it in a mount namespace of its own after `change`.
fn where_mounts(change: &str, monitor: Monitor<'_>) -> Report {
    let script = format!("{change} && exec \"$@\"");
    monitor.under(&["unshare", "--mount", "sh", "-c", &script, "sh"]).run()
}

fn a_kernel_without_btf_is_said() {
    let pair = quiet_pair();
    let report = where_mounts("mount -t tmpfs none /sys/kernel/btf", Monitor::on(&pair));
    report.failed_with(1, &["/sys/kernel/btf/vmlinux", "CONFIG_DEBUG_INFO_BTF"]);
}

fn it_runs_without_bpffs() {
    let mut pair = quiet_pair();
    let hidden = "mount -t tmpfs none /sys/fs/bpf";
    let script = format!("{hidden} && exec \"$@\"");
    let monitor = Monitor::on(&pair).under(&["unshare", "--mount", "sh", "-c", &script, "sh"]);
    let mut running = monitor.start().attached();
    sender(&mut pair.stations).send(&datagram(&Pmu::new(7).config())).unwrap();
    running.counted("frames.decoded", 1);
    running.stop().adds_up();
}
