//! `doctor` on this host, whatever it is. What each check says is tested on faked hosts, in the library.
#![expect(clippy::unwrap_used, reason = "a panic gives a test's failure its place")]

mod support;

use std::fs;
use std::process::{Command, ExitCode, Output};

use libtest_mimic::{Arguments, run};
use monitor::doctor::CHECKS;
use serde_json::Value;
use support::{Need, trial};

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let trials = vec![
        trial("json_has_every_check_and_adds_up", &[], json_has_every_check_and_adds_up),
        trial("the_text_says_the_same", &[], the_text_says_the_same),
        trial("preempt_rt_is_named_as_the_kernel_names_it", &[], preempt_rt_is_named_as_the_kernel_names_it),
        trial("what_is_not_there_is_refused", &[], what_is_not_there_is_refused),
        trial("fewer_rights_are_told", &[Need::Root, Need::Setpriv], fewer_rights_are_told),
    ];
    run(&arguments, trials).exit_code()
}

fn doctor(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_pmu-monitor")).arg("doctor").args(arguments).output().unwrap()
}

fn report(output: &Output) -> Value {
    let text = str::from_utf8(&output.stdout).unwrap();
    assert_eq!(text.lines().count(), 1, "{text}");
    serde_json::from_str(text).unwrap()
}

fn verdict<'a>(report: &'a Value, id: &str) -> &'a str {
    let checks = report["checks"].as_array().unwrap();
    checks.iter().find(|check| check["id"] == id).unwrap()["verdict"].as_str().unwrap()
}

fn json_has_every_check_and_adds_up() {
    let output = doctor(&["--json", "--cpu", "0", "--priority", "60"]);
    let report = report(&output);
    let host = &report["host"];
    assert_eq!(
        (host["cpu"].as_u64(), host["cpu_given"].as_bool(), host["priority"].as_u64()),
        (Some(0), Some(true), Some(60))
    );
    let checks = report["checks"].as_array().unwrap();
    let ids: Vec<_> = checks.iter().map(|check| check["id"].as_str().unwrap()).collect();
    assert_eq!(ids, CHECKS.iter().map(|check| check.id).collect::<Vec<_>>());
    let mut sum = 0;
    for wanted in ["pass", "warn", "fail", "unknown"] {
        let count = checks.iter().filter(|check| check["verdict"] == wanted).count();
        assert_eq!(report["totals"][wanted], count, "{wanted}");
        sum += count;
    }
    assert_eq!((report["totals"]["checks"].as_u64(), checks.len()), (u64::try_from(sum).ok(), sum));
    for check in checks {
        assert!(!check["found"].as_str().unwrap().is_empty(), "{check}");
        assert_eq!(check["remedy"].is_null(), check["verdict"] == "pass", "{check}");
    }
    let status = match (&report["totals"]["fail"], &report["totals"]["unknown"]) {
        (fail, _) if *fail != 0 => 5,
        (_, unknown) if *unknown != 0 => 1,
        _ => 0,
    };
    assert_eq!(output.status.code(), Some(status));
    assert!(output.stderr.is_empty(), "{output:?}");
}

fn the_text_says_the_same() {
    let text = String::from_utf8(doctor(&[]).stdout).unwrap();
    let report = report(&doctor(&["--json"]));
    for check in report["checks"].as_array().unwrap() {
        let (id, verdict) = (check["id"].as_str().unwrap(), check["verdict"].as_str().unwrap());
        let shown = |line: &str| line.starts_with(verdict) && line.split_whitespace().nth(1) == Some(id);
        assert!(text.lines().any(shown), "{check} is not in\n{text}");
    }
}

fn preempt_rt_is_named_as_the_kernel_names_it() {
    let version = fs::read_to_string("/proc/sys/kernel/version").unwrap();
    let report = report(&doctor(&["--json"]));
    let wanted = if version.contains("PREEMPT_RT") { "pass" } else { "fail" };
    assert_eq!(verdict(&report, "preempt-rt"), wanted, "{version}");
    assert_eq!(report["host"]["version"], version.trim());
}

fn what_is_not_there_is_refused() {
    for (arguments, status, named) in [
        (["--iface", "no-such-one"], 1, "no-such-one"),
        (["--cpu", "8191"], 2, "CPU 8191 does not exist"),
        (["--priority", "100"], 2, "1 (lowest) to 99"),
    ] {
        let output = doctor(&arguments);
        let said = str::from_utf8(&output.stderr).unwrap();
        assert_eq!(
            (output.status.code(), output.stdout.len()),
            (Some(status), 0),
            "{arguments:?}: {output:?}"
        );
        assert!(said.contains(named), "{arguments:?}: {said}");
    }
}

fn fewer_rights_are_told() {
    let mut setpriv = Command::new("setpriv");
    setpriv.args([
        "--reuid=65534",
        "--regid=65534",
        "--clear-groups",
        "--bounding-set=-all",
        "--inh-caps=-all",
    ]);
    let output = setpriv.args([env!("CARGO_BIN_EXE_pmu-monitor"), "doctor", "--json"]).output().unwrap();
    let report = report(&output);
    assert_eq!((verdict(&report, "capabilities"), output.status.code()), ("fail", Some(5)), "{report}");
}
