//! `bench host` as a user runs it: everything measured is counted, what is wrong is said, and Debian's cyclictest agrees.
//! No figure has a limit here: this is about the measuring, not about the machine.
#![expect(clippy::unwrap_used, reason = "a panic gives a test's failure its place")]

mod support;

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::process::{Command, ExitCode, Output, Stdio};
use std::thread;
use std::time::Duration;

use libtest_mimic::{Arguments, run};
use monitor::hostbench::first_allowed_cpu;
use monitor::sys::sched;
use serde_json::Value;
use support::{Need, trial};
use tempfile::{NamedTempFile, TempDir};

/// Bounds of `bench host` itself.
const MOST_ALLOCATIONS: u64 = 10_000;
const MOST_ROUNDS: u64 = 100;

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let real_time = &[Need::RealTime];
    let fewer_rights = &[Need::Root, Need::Setpriv];
    let cyclictest = &[Need::RealTime, Need::Cyclictest];
    let trials = vec![
        trial("everything_measured_is_counted", &[], everything_measured_is_counted),
        trial("each_cpu_has_a_thread", &[Need::TwoCpus], each_cpu_has_a_thread),
        trial("percentile_files_hold_every_value", &[], percentile_files_hold_every_value),
        trial("a_plain_mutex_is_inverted", real_time, a_plain_mutex_is_inverted),
        trial("without_rights_it_measures_and_says_so", fewer_rights, without_rights_it_measures_and_says_so),
        trial("ended_early_it_counts_what_there_is", &[], ended_early_it_counts_what_there_is),
        trial("a_file_gives_its_options", &[], a_file_gives_its_options),
        trial("what_is_wrong_is_refused", &[], what_is_wrong_is_refused),
        trial("the_table_has_every_figure", &[], the_table_has_every_figure),
        trial("cyclictest_agrees", cyclictest, cyclictest_agrees),
    ];
    run(&arguments, trials).exit_code()
}

/// One at a time measures, in whichever process: two would measure each other.
struct Alone(#[expect(dead_code, reason = "held, not read")] File);

impl Alone {
    fn now() -> Self {
        let file = File::create(concat!(env!("CARGO_TARGET_TMPDIR"), "/hostbench.lock")).unwrap();
        file.lock().unwrap();
        Self(file)
    }
}

fn bench(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pmu-monitor"));
    command.args(["bench", "host"]).args(arguments);
    command
}

/// Its one object.
fn report(output: &Output) -> Value {
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    assert_eq!(text.lines().count(), 1, "{text}");
    serde_json::from_str(&text).unwrap()
}

fn measured(arguments: &[&str]) -> Value {
    let _alone = Alone::now();
    report(&bench(arguments).arg("--json").output().unwrap())
}

fn number(value: &Value) -> i64 {
    value.as_i64().unwrap_or_else(|| panic!("{value} is no whole number"))
}

/// The histogram holds every value, and the moments are in order.
fn adds_up(spread: &Value, count: u64) {
    assert_eq!(spread["count"], count, "{spread}");
    let buckets = spread["histogram_us"].as_array().unwrap();
    let within: u64 = buckets.iter().map(|bucket| bucket[1].as_u64().unwrap()).sum();
    assert_eq!(within + spread["histogram_above"].as_u64().unwrap(), count, "{spread}");
    let [min, avg, max, sd] = ["min_ns", "avg_ns", "max_ns", "sd_ns"].map(|name| number(&spread[name]));
    assert!(min <= avg && avg <= max && sd >= 0 && sd <= max - min, "{spread}");
    let [p50, p99, p999] = ["p50_ns", "p99_ns", "p999_ns"].map(|name| number(&spread[name]));
    assert!(p50 <= p99 && p99 <= p999 && p999 <= max.abs().max(min.abs()), "{spread}");
}

fn everything_measured_is_counted() {
    const LOOPS: u64 = 400;
    let json = measured(&["--loops", "400", "--interval", "500", "--priority", "42"]);
    assert_eq!((&json["kind"], &json["interrupted"]), (&"bench.host".into(), &false.into()));
    let settings = &json["settings"];
    assert_eq!((&settings["priority"], &settings["interval_ns"]), (&42.into(), &500_000.into()));
    assert_eq!(settings["loops"], LOOPS);
    assert_eq!(settings["cpus"], serde_json::json!([first_allowed_cpu().unwrap()]));
    let latency = &json["task_latency"][0];
    adds_up(latency, LOOPS);
    assert!(number(&latency["min_ns"]) >= 0, "a wake-up was early: {latency}");
    let sampling = &json["sampling"];
    adds_up(sampling, LOOPS);
    assert_eq!(number(&sampling["instants"]), number(&sampling["count"]) + number(&sampling["missed"]));
    for kind in ["fresh", "prefaulted"] {
        adds_up(&json["allocation"][kind], LOOPS.min(MOST_ALLOCATIONS));
    }
    for kind in ["plain", "inheriting"] {
        adds_up(&json["inversion"][kind], LOOPS.min(MOST_ROUNDS));
    }
    assert_eq!(json["inversion"]["priorities"], serde_json::json!([40, 41, 42]));
    judged_by_what_was_measured(&json);
}

fn judged_by_what_was_measured(json: &Value) {
    let (verdict, sampling) = (&json["verdict"], &json["sampling"]);
    let longest = number(&json["task_latency"][0]["max_ns"]);
    let farthest = number(&sampling["max_ns"]).abs().max(number(&sampling["min_ns"]).abs());
    for (name, value, limit) in
        [("task_latency_max", longest, 150_000), ("sampling_jitter", farthest, 100_000)]
    {
        let judged = &verdict[name];
        assert_eq!((number(&judged["value_ns"]), number(&judged["limit_ns"])), (value, limit), "{verdict}");
        assert_eq!(judged["met"], value <= limit, "{verdict}");
    }
    assert_eq!(verdict["met"], longest <= 150_000 && farthest <= 100_000, "{verdict}");
}

fn each_cpu_has_a_thread() {
    let allowed: Vec<_> = sched::affinity().unwrap().iter().take(2).map(|cpu| cpu.to_string()).collect();
    let [first, second] = allowed.as_slice() else { return };
    let json = measured(&["--loops", "100", "--cpu", second, "--cpu", first]);
    let threads = json["task_latency"].as_array().unwrap();
    let cpus: Vec<_> = threads.iter().map(|one| one["cpu"].to_string()).collect();
    assert_eq!(cpus, [second.clone(), first.clone()]);
    for thread in threads {
        adds_up(thread, 100);
    }
    assert_eq!(json["on_cpu"], true, "{json}");
}

fn percentile_files_hold_every_value() {
    let place = TempDir::new().unwrap();
    let made = place.path().join("a/b");
    let json = measured(&["--loops", "150", "--hgrm", made.to_str().unwrap()]);
    let cpu = &json["task_latency"][0]["cpu"];
    for (name, count) in [
        (format!("task-latency-cpu{cpu}").as_str(), 150),
        ("sampling-jitter", 150),
        ("allocation-fresh", 150),
        ("allocation-prefaulted", 150),
        ("inversion-plain", MOST_ROUNDS),
        ("inversion-inheriting", MOST_ROUNDS),
    ] {
        let text = fs::read_to_string(made.join(format!("{name}.hgrm"))).unwrap();
        let (head, steps) = text.split_once("\n\n").unwrap();
        let names: Vec<_> = head.split_whitespace().collect();
        assert_eq!(names, ["Value", "Percentile", "TotalCount", "1/(1-Percentile)"]);
        let steps: Vec<Vec<f64>> = steps
            .lines()
            .filter(|line| !line.starts_with('#'))
            .map(|line| line.split_whitespace().map(|word| word.parse().unwrap()).collect())
            .collect();
        assert!(
            steps.windows(2).all(|pair| (0..3).all(|column| pair[0][column] <= pair[1][column])),
            "{text}"
        );
        let last = steps.last().unwrap();
        assert_eq!(last[1..], [1.0, f64::from(u32::try_from(count).unwrap())], "{text}");
    }
    assert_eq!(fs::read_dir(&made).unwrap().count(), 6);
}

/// The middle thread runs for 2 ms while the high one waits: with the plain mutex it waits for that too.
fn a_plain_mutex_is_inverted() {
    let json = measured(&["--loops", "50", "--interval", "100"]);
    assert_eq!(json["realtime"], true, "{}", json["refusals"]);
    let inversion = &json["inversion"];
    let [plain, inheriting] = ["plain", "inheriting"].map(|kind| number(&inversion[kind]["p50_ns"]));
    assert!(plain >= number(&inversion["middle_ns"]), "{inversion}");
    assert!(inheriting < plain, "{inversion}");
}

fn without_rights_it_measures_and_says_so() {
    let _alone = Alone::now();
    let with = |last: &[&str]| {
        let mut wrapped = Command::new("prlimit");
        wrapped.args(["--memlock=65536:65536", "--rtprio=0:0", "setpriv"]);
        wrapped.args(["--bounding-set=-sys_nice,-ipc_lock,-sys_resource", env!("CARGO_BIN_EXE_pmu-monitor")]);
        wrapped.args(["bench", "host", "--loops", "60"]).args(last).output().unwrap()
    };
    let json = report(&with(&["--json"]));
    assert_eq!((&json["realtime"], &json["memory_locked"]), (&false.into(), &false.into()));
    assert_eq!(json["allocation"]["prefaulted_locked"], false);
    adds_up(&json["task_latency"][0], 60);
    adds_up(&json["sampling"], 60);
    adds_up(&json["inversion"]["inheriting"], 60);
    let refusals = json["refusals"].to_string();
    assert!(refusals.contains("CAP_SYS_NICE is missing; run as root or grant it"), "{refusals}");
    let table = String::from_utf8(with(&[]).stdout).unwrap();
    assert!(table.contains("NOT REAL-TIME: "), "{table}");
    assert!(table.contains("CAP_SYS_NICE is missing; run as root or grant it"), "{table}");
    assert!(table.contains("verdict: NOT REAL-TIME: "), "{table}");
}

fn ended_early_it_counts_what_there_is() {
    let _alone = Alone::now();
    let mut command = bench(&["--loops", "10000000", "--json"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut errors = BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    while !line.contains("measuring task latency") {
        line.clear();
        assert!(errors.read_line(&mut line).unwrap() > 0, "it ended before it began");
    }
    thread::sleep(Duration::from_millis(300));
    let kill = Command::new("kill").args(["-s", "INT", &child.id().to_string()]).status().unwrap();
    assert!(kill.success());
    let mut stdout = Vec::new();
    child.stdout.take().unwrap().read_to_end(&mut stdout).unwrap();
    let output = Output { status: child.wait().unwrap(), stdout, stderr: Vec::new() };
    let json = report(&output);
    assert_eq!(json["interrupted"], true);
    let latency = &json["task_latency"][0];
    let count = latency["count"].as_u64().unwrap();
    assert!((1..10_000_000).contains(&count), "{count}");
    adds_up(latency, count);
    assert!(json["sampling"].is_null() && json["allocation"].is_null() && json["inversion"].is_null());
}

/// What the file says, and what the command line says over it.
fn a_file_gives_its_options() {
    let mut file = NamedTempFile::with_suffix(".toml").unwrap();
    file.write_all(b"loops = 7\npriority = 3\ninterval = 250\njson = true\n").unwrap();
    let path = file.path().display().to_string();
    let _alone = Alone::now();
    let report = report(&bench(&["--config", &path, "--loops", "5"]).output().unwrap());
    let settings = &report["settings"];
    assert_eq!(
        ["loops", "priority", "interval_ns"].map(|key| number(&settings[key])),
        [5, 3, 250_000],
        "{report:#}"
    );
    file.write_all(b"intervall = 9\n").unwrap();
    let output = bench(&["--config", &path]).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.code() == Some(1) && said.contains("intervall") && said.contains(&path), "{said}");
}

fn what_is_wrong_is_refused() {
    for (arguments, status, words) in [
        (&["--priority", "0"][..], 2, &["--priority", "'0'", "1..=99"][..]),
        (&["--priority", "100"], 2, &["--priority", "'100'", "1..=99"]),
        (&["--loops", "0"], 2, &["--loops", "1..=10000000"]),
        (&["--interval", "99"], 2, &["--interval", "100..=1000000"]),
        (&["--cpu", "x"], 2, &["--cpu", "'x'"]),
        (&["--cpu", "100000"], 2, &["CPU 100000 does not exist", "--cpu"]),
        (&["--cpu", "0", "--cpu", "0"], 2, &["CPU 0", "--cpu"]),
        (&["--hgrm", "/dev/null/x"], 1, &["/dev/null/x", "--hgrm"]),
    ] {
        let output = bench(arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(status), "{arguments:?}: {output:?}");
        assert!(output.stdout.is_empty(), "{arguments:?}: {output:?}");
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(words.iter().all(|word| said.contains(word)), "{arguments:?}: {said}");
        assert!(!said.contains("measuring"), "{arguments:?}: {said}");
    }
    let nothing = Command::new(env!("CARGO_BIN_EXE_pmu-monitor")).arg("bench").output().unwrap();
    assert_eq!(nothing.status.code(), Some(2), "{nothing:?}");
}

fn the_table_has_every_figure() {
    let _alone = Alone::now();
    let output = bench(&["--loops", "50"]).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    let figures =
        ["12.3", "48.7", "5.1", "83.0", "12800.0", "+67.0", "-420.0", "112.0", "9300.0", "42.0", "1850.0"];
    for figure in figures {
        assert!(text.split_whitespace().any(|word| word == figure), "{figure} is not in\n{text}");
    }
    assert!(text.contains("limit 150 us") && text.contains("limit 100 us"), "{text}");
    assert!(text.lines().last().unwrap().starts_with("verdict: "), "{text}");
}

/// One after the other on the same CPU, so that a noisy machine is so to both; by the median of the pairs.
fn cyclictest_agrees() {
    // A single ratio is off by more than the bound one time in ten where others use the machine; five of nine are not.
    const PAIRS: usize = 9;
    let cpu = first_allowed_cpu().unwrap().to_string();
    let own = || {
        let json = measured(&["--loops", "1000", "--cpu", &cpu]);
        assert_eq!(json["realtime"], true, "{}", json["refusals"]);
        json["task_latency"][0]["avg_ns"].as_f64().unwrap()
    };
    let mut ratios: Vec<f64> = (0..PAIRS)
        .map(|pair| {
            // Neither is always the first.
            let (own, other) = if pair % 2 == 0 {
                let own = own();
                (own, cyclictest_average_ns(&cpu))
            } else {
                let other = cyclictest_average_ns(&cpu);
                (own(), other)
            };
            own / other
        })
        .collect();
    ratios.sort_by(f64::total_cmp);
    let median = ratios[PAIRS / 2];
    assert!((1.0 / 1.5..=1.5).contains(&median), "{ratios:?}");
}

/// With the settings of `bench host`.
fn cyclictest_average_ns(cpu: &str) -> f64 {
    let _alone = Alone::now();
    let mut command = Command::new("cyclictest");
    command.args(["--quiet", "--mlockall", "--nsecs", "--priority=99", "--interval=1000", "--loops=1000"]);
    let output = command.args(["--threads=1", &format!("--affinity={cpu}")]).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    let average = text.split_once("Avg:").unwrap_or_else(|| panic!("no average in {text}")).1;
    average.split_whitespace().next().unwrap().parse().unwrap()
}
