//! What the command line says of itself: completions, manual pages, the options in effect, and what it refuses.
#![expect(clippy::unwrap_used, reason = "a panic gives a test's failure its place")]

mod support;

use std::fs;
use std::path::Path;
use std::process::{Command, ExitCode, Output};

use libtest_mimic::{Arguments, run};
use monitor::netns::interfaces;
use support::{Need, trial};
use tempfile::TempDir;

const SHELLS: [&str; 4] = ["bash", "elvish", "fish", "zsh"];

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let trials = vec![
        trial("every_shell_gets_a_script_that_calls_back", &[], every_shell_gets_a_script_that_calls_back),
        trial(
            "bash_completes_verbs_options_and_interfaces",
            &[],
            bash_completes_verbs_options_and_interfaces,
        ),
        trial("bash_completes_instances", &[Need::Root, Need::Unshare], bash_completes_instances),
        trial("man_prints_what_it_writes", &[], man_prints_what_it_writes),
        trial("man_says_where_it_cannot_write", &[], man_says_where_it_cannot_write),
        trial("printed_options_read_back", &[], printed_options_read_back),
        trial("the_command_line_wins_over_the_file", &[], the_command_line_wins_over_the_file),
        trial("a_wrong_file_is_refused_where_it_is_wrong", &[], a_wrong_file_is_refused_where_it_is_wrong),
        trial(
            "wrong_options_are_refused_before_anything_runs",
            &[],
            wrong_options_are_refused_before_anything_runs,
        ),
        trial("printing_needs_no_kernel", &[Need::Root, Need::Setpriv], printing_needs_no_kernel),
    ];
    run(&arguments, trials).exit_code()
}

fn monitor(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_pmu-monitor")).args(arguments).output().unwrap()
}

/// Standard output of a call that succeeds and has nothing to complain of.
fn printed(arguments: &[&str]) -> String {
    let output = monitor(arguments);
    assert!(output.status.success() && output.stderr.is_empty(), "{arguments:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// Standard error of a call that ends with `status` and prints nothing else.
fn refusal(arguments: &[&str], status: i32) -> String {
    let output = monitor(arguments);
    assert_eq!(output.status.code(), Some(status), "{arguments:?}: {output:?}");
    assert!(output.stdout.is_empty(), "{arguments:?}: {output:?}");
    String::from_utf8(output.stderr).unwrap()
}

fn every_shell_gets_a_script_that_calls_back() {
    for shell in SHELLS {
        let script = printed(&["completions", shell]);
        assert!(script.contains("PMU_MONITOR_COMPLETE") && script.contains("pmu-monitor"), "{script}");
    }
    let said = refusal(&["completions", "tcsh"], 2);
    assert!(SHELLS.iter().all(|shell| said.contains(shell)), "{said}");
}

fn offered(words: &[&str]) -> Vec<String> {
    offered_by(&["bash"], "", words)
}

/// What `shell`, which is bash, would offer for the last of `words` after `prepare`, by the script printed for it.
fn offered_by(shell: &[&str], prepare: &str, words: &[&str]) -> Vec<String> {
    const ASK: &str = r#"
        source <(pmu-monitor completions bash)
        COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) COMP_TYPE=9
        _clap_complete_pmu_monitor pmu-monitor "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
        printf '%s\n' "${COMPREPLY[@]}"
    "#;
    let place = Path::new(env!("CARGO_BIN_EXE_pmu-monitor")).parent().unwrap();
    let path = format!("{}:{}", place.display(), std::env::var("PATH").unwrap_or_default());
    let mut asked = Command::new(shell[0]);
    asked.args(&shell[1..]).args(["-c", &format!("{prepare}\n{ASK}"), "ask", "pmu-monitor"]).args(words);
    let output = asked.env("PATH", path).output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
    String::from_utf8(output.stdout).unwrap().lines().map(|word| word.trim().to_owned()).collect()
}

fn bash_completes_verbs_options_and_interfaces() {
    assert_eq!(offered(&["dec"]), ["decode"]);
    let options = offered(&["run", "--pr"]);
    for option in ["--priority", "--promiscuous", "--print-config"] {
        assert!(options.iter().any(|one| one == option), "{option} is not in {options:?}");
    }
    let mut names = offered(&["run", "--iface", ""]);
    let mut present: Vec<_> = interfaces().unwrap().into_iter().map(|interface| interface.name).collect();
    names.sort_unstable();
    present.sort_unstable();
    assert_eq!(names, present);
}

/// In a mount namespace of its own, where bpffs holds what is made here.
fn bash_completes_instances() {
    const PREPARE: &str = "mount -t bpf bpf /sys/fs/bpf && mkdir -p /sys/fs/bpf/pmu-monitor/v1/{east,west}";
    let private = ["unshare", "--mount", "bash"];
    assert_eq!(offered_by(&private, PREPARE, &["detach", "--instance", ""]), ["east", "west"]);
    assert_eq!(offered_by(&private, PREPARE, &["follow", "--instance", "w"]), ["west"]);
}

fn man_prints_what_it_writes() {
    let place = TempDir::new().unwrap();
    let made = place.path().join("share/man1");
    let told = printed(&["man", "--out", made.to_str().unwrap()]);
    let pages: String = told.lines().map(|path| fs::read_to_string(path).unwrap()).collect();
    assert_eq!(pages, printed(&["man"]));
    assert_eq!(told.lines().count(), fs::read_dir(&made).unwrap().count());
    for verb in verbs() {
        assert!(made.join(format!("pmu-monitor-{verb}.1")).is_file(), "no page for {verb}: {told}");
    }
    assert!(pages.contains(".TH pmu-monitor 1") && pages.contains("\\-\\-iface"), "{pages}");
}

/// As the help lists them.
fn verbs() -> Vec<String> {
    let help = printed(&["--help"]);
    let list = help.split_once("Commands:\n").unwrap().1.split_once("\n\n").unwrap().0;
    // A description's second line stands further in.
    let entries = list.lines().filter_map(|line| line.strip_prefix("  "));
    let verbs = entries.filter_map(|entry| entry.split(' ').next());
    verbs.filter(|verb| !["", "help"].contains(verb)).map(str::to_owned).collect()
}

fn man_says_where_it_cannot_write() {
    let place = TempDir::new().unwrap();
    let file = place.path().join("file");
    fs::write(&file, "").unwrap();
    let said = refusal(&["man", "--out", file.to_str().unwrap()], 1);
    assert!(said.contains(file.to_str().unwrap()) && said.contains("--out"), "{said}");
}

/// A configuration file with this in it.
fn file(text: &str) -> (TempDir, String) {
    let place = TempDir::new().unwrap();
    let path = place.path().join("run.toml");
    fs::write(&path, text).unwrap();
    let path = path.to_str().unwrap().to_owned();
    (place, path)
}

fn printed_options_read_back() {
    let given = "iface = [\"eth1\", \"eth2\"]\nport = [\"any\"]\npriority = 60\nduration = \"1.5s\"\nquiet = true\n\
                 [bounds]\nstreams = 100\n";
    for text in ["", given] {
        let (_place, path) = file(text);
        let first = printed(&["run", "--config", &path, "--print-config"]);
        let (_place, path) = file(&first);
        assert_eq!(printed(&["run", "--config", &path, "--print-config"]), first);
    }
    let (_place, path) = file(given);
    let text = printed(&["run", "--config", &path, "--print-config"]);
    for line in ["iface = [\"eth1\", \"eth2\"]", "duration = \"1500ms\"", "streams = 100", "quiet = true"] {
        assert!(text.lines().any(|one| one == line), "{line} is not in\n{text}");
    }
}

fn the_command_line_wins_over_the_file() {
    let (_place, path) = file("iface = [\"eth1\"]\npriority = 60\n");
    let text = printed(&["run", "--config", &path, "--priority", "70", "--print-config"]);
    assert!(text.contains("\npriority = 70\n") && text.contains("\niface = [\"eth1\"]\n"), "{text}");
}

fn a_wrong_file_is_refused_where_it_is_wrong() {
    for (text, named) in [
        ("json = true\ninterface = \"eth1\"", &["line 2", "`interface`", "`iface`"][..]),
        ("[bounds]\nstream = 1", &["line 2", "`stream`", "`streams`"]),
        ("json = true\ncpu = \"x\"", &["line 2, column 7", "\"x\""]),
        ("iface = \"eth1\"", &["line 1, column 9", "\"eth1\"", "sequence"]),
        ("[bounds]\nstreams = 0", &["bounds.streams = 0", "1 to 65536"]),
        ("[bounds]\nring-bytes = 300000", &["bounds.ring-bytes = 300000", "524288"]),
        ("cpu = ", &["line 1, column 7"]),
    ] {
        let (_place, path) = file(text);
        let said = refusal(&["run", "--config", &path, "--print-config"], 1);
        assert!(named.iter().all(|name| said.contains(name)), "{text}: {said}");
    }
    // A priority or a CPU that there is not is wrong usage, wherever it is asked for.
    for (text, named) in [("priority = 0", "priority 0"), ("cpu = 100000", "CPU 100000 does not exist")] {
        let (_place, path) = file(text);
        let said = refusal(&["run", "--config", &path, "--print-config"], 2);
        assert!(said.contains(named), "{text}: {said}");
    }
    let said = refusal(&["run", "--config", "/nonexistent/run.toml"], 1);
    assert!(said.contains("/nonexistent/run.toml") && said.contains("--config"), "{said}");
}

fn wrong_options_are_refused_before_anything_runs() {
    for (arguments, named) in [
        (&["run", "--port", "0"][..], "port 0"),
        (&["run", "--duration", "soon"], "'soon'"),
        (&["run", "--no-such-option"], "--no-such-option"),
        (&["man", "run"], "'run'"),
        (&["completions"], "<SHELL>"),
        (&["run", "--request-config", "192.0.2.1"], "--idcode"),
        (&["run", "--request-config", "udp:192.0.2.1/7"], "--request-config-udp"),
        (&["follow", "--request-config", "station/7"], "'station' is no IP address"),
        (&["run", "--request-config", "192.0.2.1/7", "--request-config-version", "1"], "'1' is neither"),
        (&["run", "--state-dir", "/tmp", "--no-state"], "--no-state"),
        (&[], "Usage"),
    ] {
        let said = refusal(arguments, 2);
        assert!(said.contains(named), "{arguments:?}: {said}");
    }
}

fn printing_needs_no_kernel() {
    let mut setpriv = Command::new("setpriv");
    setpriv.args(["--bounding-set=-all", env!("CARGO_BIN_EXE_pmu-monitor"), "run", "--print-config"]);
    let output = setpriv.args(["--iface", "no-such-one"]).output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
}
