//! The binary under test: started where its interface is, watched line by line, ended, judged.
//!
//! `Monitor::on(&pair).args(["--frames"]).start()` … `.attached()` … `.stop()` gives a [`Report`]. Nothing sleeps to
//! be in time: each wait is for something that the monitor says or the kernel shows, and [`HANGS`] only keeps a test
//! that would never end from waiting for ever. A monitor whose test fails is killed.

use std::ffi::{OsStr, OsString};
use std::io::{BufRead as _, BufReader, Read, Write as _};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};
use std::{fs, thread};

use monitor::netns::{Netns, Pair};
use serde_json::Value;
use tempfile::NamedTempFile;

pub(crate) const BINARY: &str = env!("CARGO_BIN_EXE_pmu-monitor");

/// What has not come about after so long is not going to.
const HANGS: Duration = Duration::from_mins(1);
/// Between two looks at what the kernel shows.
const LOOK_EVERY: Duration = Duration::from_millis(2);

/// Looks until it is so.
pub(crate) fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < HANGS, "never came about: {what}");
        thread::sleep(LOOK_EVERY);
    }
}

/// A configuration file, there until it is dropped.
pub(crate) fn configuration(text: &str) -> NamedTempFile {
    let mut file = NamedTempFile::with_suffix(".toml").unwrap();
    file.write_all(text.as_bytes()).unwrap();
    file
}

/// A configuration file that sets the size of the ring.
pub(crate) fn ring_of(bytes: u32) -> NamedTempFile {
    configuration(&format!("[bounds]\nring-bytes = {bytes}\n"))
}

/// A monitor that is about to be started.
pub(crate) struct Monitor<'a> {
    netns: Option<&'a Netns>,
    command: Vec<OsString>,
}

impl<'a> Monitor<'a> {
    /// `run --json` on the monitor's end of a pair.
    pub(crate) fn on(pair: &'a Pair) -> Self {
        Self::within(pair, &["run", "--json", "--iface", pair.monitor.name()])
    }

    /// With these arguments alone, at the monitor's end of a pair.
    pub(crate) fn within(pair: &'a Pair, arguments: &[&str]) -> Self {
        Self { netns: Some(pair.monitor.netns()), ..Self::here(arguments) }
    }

    /// With these arguments alone, in the test's own namespace.
    pub(crate) fn here(arguments: &[&str]) -> Self {
        let command = [BINARY].iter().chain(arguments).map(OsString::from).collect();
        Self { netns: None, command }
    }

    /// More arguments.
    pub(crate) fn args<S: AsRef<OsStr>>(mut self, arguments: impl IntoIterator<Item = S>) -> Self {
        self.command.extend(arguments.into_iter().map(|argument| argument.as_ref().to_owned()));
        self
    }

    /// With a configuration file.
    pub(crate) fn configured(self, file: &NamedTempFile) -> Self {
        self.args(["--config"]).args([file.path()])
    }

    /// By another program, which gets the whole command line behind its own arguments.
    pub(crate) fn under(mut self, wrapper: &[&str]) -> Self {
        self.command.splice(..0, wrapper.iter().map(OsString::from));
        self
    }

    pub(crate) fn start(self) -> Running {
        let (program, arguments) = self.command.split_first().unwrap();
        let mut command = Command::new(program);
        // Kept configurations are the host's, and would be found by other tests.
        command.args(arguments).env_remove("RUST_LOG").env("STATE_DIRECTORY", "");
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        // A child is born into the namespace of the thread that makes it.
        Running::new(match self.netns {
            Some(netns) => netns.run(move || command.spawn().unwrap()).unwrap(),
            None => command.spawn().unwrap(),
        })
    }

    /// Starts it and waits for its end.
    pub(crate) fn run(self) -> Report {
        self.start().finish()
    }
}

/// What it said, in the order in which it came.
enum Said {
    Line(Value),
    Complaint(String),
}

/// A monitor that runs.
pub(crate) struct Running {
    child: Child,
    saying: Receiver<Said>,
    report: Report,
}

impl Running {
    fn new(mut child: Child) -> Self {
        let (say, saying) = channel();
        listen(child.stdout.take().unwrap(), say.clone(), |line| {
            Said::Line(serde_json::from_str(&line).unwrap_or(Value::String(line)))
        });
        listen(child.stderr.take().unwrap(), say, Said::Complaint);
        Self { child, saying, report: Report::default() }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Takes what is said until it is `is_it`, which is also asked about what has been said before.
    fn until(&mut self, awaited: &str, mut is_it: impl FnMut(&Report) -> bool) {
        let begun = Instant::now();
        while !is_it(&self.report) {
            assert!(self.hear(begun, awaited), "ended before {awaited}: {:#?}", self.report);
        }
    }

    /// Takes what is said next. Gives whether anything was, before both outputs were closed.
    fn hear(&mut self, begun: Instant, awaited: &str) -> bool {
        match self.saying.recv_timeout(HANGS.saturating_sub(begun.elapsed())) {
            Ok(Said::Line(line)) => self.report.lines.push(line),
            Ok(Said::Complaint(line)) => self.report.stderr.extend([line, "\n".to_owned()]),
            Err(RecvTimeoutError::Disconnected) => return false,
            Err(RecvTimeoutError::Timeout) => panic!("never came about: {awaited}: {:#?}", self.report),
        }
        true
    }

    /// Waits until the programs are attached and the real-time thread reads: until its first window.
    pub(crate) fn attached(mut self) -> Self {
        self.until("the first window", |said| said.of_kind("window").next().is_some());
        self
    }

    /// Waits until a counter, named as in `"packets.seen"`, has reached `least`, by what a window says of it.
    pub(crate) fn counted(&mut self, counter: &str, least: u64) {
        let is_window = |line: &&Value| line["kind"] == "window";
        // Once among all that was said before, then at each new one: there may be thousands of frames between two.
        let mut before = true;
        self.until(&format!("{counter} of {least}"), |said| {
            let newest = if std::mem::take(&mut before) {
                said.lines.iter().rfind(is_window)
            } else {
                said.lines.last().filter(is_window)
            };
            newest.is_some_and(|window| at(&window["counters"], counter) >= Some(least))
        });
    }

    /// Waits for a window that is as wanted.
    pub(crate) fn until_window(&mut self, awaited: &str, is_it: impl Fn(&Value) -> bool) {
        let newest = |said: &Report| said.of_kind("window").last().cloned();
        self.until(awaited, |said| newest(said).is_some_and(|window| is_it(&window)));
    }

    /// A counter, named likewise, by the newest window that was heard; 0 before the first.
    pub(crate) fn newest(&self, counter: &str) -> u64 {
        let mut windows = self.report.lines.iter().rev().filter(|line| line["kind"] == "window");
        windows.next().and_then(|window| at(&window["counters"], counter)).unwrap_or(0)
    }

    /// Waits for a sentence on standard error that has all of these words in it.
    pub(crate) fn complained(&mut self, words: &[&str]) {
        self.complained_times(1, words);
    }

    /// Waits until such a sentence was said so often.
    pub(crate) fn complained_times(&mut self, times: usize, words: &[&str]) {
        let has_all = |line: &&str| words.iter().all(|word| line.contains(word));
        let awaited = format!("{words:?}");
        self.until(&awaited, |said| said.stderr.lines().filter(has_all).count() >= times);
    }

    /// Sends a signal, by its name without SIG.
    pub(crate) fn signal(&self, name: &str) {
        let signal = format!("-{name}");
        let status = Command::new("kill").args([&signal, &self.pid().to_string()]).status().unwrap();
        assert!(status.success(), "{status}");
    }

    /// Stops every one of its threads in its tracks; `CONT` lets them go on.
    pub(crate) fn freeze(&self) {
        self.signal("STOP");
        until("every thread is stopped", || self.thread_states().iter().all(|&state| state == 'T'));
    }

    /// One letter for each thread, as `proc_pid_stat(5)` names its state.
    fn thread_states(&self) -> Vec<char> {
        let tasks = fs::read_dir(format!("/proc/{}/task", self.pid())).unwrap();
        let stat = |task: fs::DirEntry| fs::read_to_string(task.path().join("stat")).unwrap_or_default();
        let state = |stat: String| stat.rsplit(") ").next().and_then(|rest| rest.chars().next());
        tasks.map(Result::unwrap).filter_map(|task| state(stat(task))).collect()
    }

    /// Ends it as Ctrl-C does.
    pub(crate) fn stop(self) -> Report {
        self.signal("INT");
        self.finish()
    }

    /// Ends it as nothing can be caught or cleaned up after.
    pub(crate) fn kill(mut self) -> Report {
        self.child.kill().unwrap();
        self.finish()
    }

    /// Waits for its end.
    pub(crate) fn finish(mut self) -> Report {
        let begun = Instant::now();
        while self.hear(begun, "the end") {}
        let status = self.child.wait().unwrap();
        self.report.status = status.code();
        std::mem::take(&mut self.report)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // After a normal end there is nobody to kill and nothing to wait for.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn listen(output: impl Read + Send + 'static, say: Sender<Said>, said: fn(String) -> Said) {
    thread::spawn(move || {
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            if say.send(said(line)).is_err() {
                return;
            }
        }
    });
}

/// A number in nested objects, by the path to it.
fn at(object: &Value, path: &str) -> Option<u64> {
    path.split('.').try_fold(object, |object, key| object.get(key))?.as_u64()
}

/// All that a monitor said, and how it ended.
#[derive(Debug, Default)]
pub(crate) struct Report {
    pub(crate) lines: Vec<Value>,
    pub(crate) stderr: String,
    /// None where a signal ended it.
    pub(crate) status: Option<i32>,
}

impl Report {
    /// Its last line.
    pub(crate) fn summary(&self) -> &Value {
        let last = self.lines.last().filter(|line| line["kind"] == "summary");
        last.unwrap_or_else(|| panic!("no summary at the end: {self:#?}"))
    }

    /// A counter of the summary, such as `"packets.ring_full"`; 0 for a reason that did not occur.
    pub(crate) fn count(&self, counter: &str) -> u64 {
        at(&self.summary()["counters"], counter).unwrap_or(0)
    }

    /// What the summary says of flows, such as `"tcp.gaps"`.
    pub(crate) fn flow(&self, counter: &str) -> u64 {
        at(&self.summary()["flows"], counter).unwrap_or_else(|| panic!("no {counter}: {:#}", self.summary()))
    }

    /// Frames of a kind, by the summary.
    pub(crate) fn frames(&self, kind: &str) -> u64 {
        self.summary()["frames"][kind].as_u64().unwrap_or(0)
    }

    /// The summary's row of the stream with an IDCODE.
    pub(crate) fn stream(&self, idcode: u16) -> &Value {
        let is_it = |row: &&Value| row["id"].as_str().is_some_and(|id| id.ends_with(&format!(":{idcode}")));
        let mut rows = self.summary()["streams"].as_array().unwrap().iter().filter(is_it);
        let row = rows.next().unwrap_or_else(|| panic!("no stream {idcode}: {:#}", self.summary()));
        assert!(rows.next().is_none(), "two streams {idcode}: {:#}", self.summary());
        row
    }

    /// Its lines of a kind.
    pub(crate) fn of_kind(&self, kind: &str) -> impl Iterator<Item = &Value> {
        self.lines.iter().filter(move |line| line["kind"] == kind)
    }

    /// Asserts that it ended well and that every sum comes out.
    pub(crate) fn adds_up(self) -> Self {
        assert_eq!(self.status, Some(0), "{}{:#?}", self.stderr, self.lines.last());
        let summary = self.summary();
        assert_eq!(summary["unaccounted"], 0, "{summary:#}");
        let [seen, ignored, submitted] = ["seen", "ignored", "submitted"].map(|one| self.packets(one));
        let [ring_full, read_failed] = ["ring_full", "read_failed"].map(|one| self.packets(one));
        assert_eq!(seen, ignored + submitted + ring_full + read_failed, "{summary:#}");
        assert_eq!(read_failed, 0, "{summary:#}");
        self.blames_add_up();
        self
    }

    /// Each missing frame has one blame, in every view on the way; at the end none is pending.
    fn blames_add_up(&self) {
        let sum =
            |named: &Value| named.as_object().unwrap().values().map(|n| n.as_u64().unwrap()).sum::<u64>();
        for line in self.of_kind("window").chain(self.of_kind("summary")) {
            let rows = line["streams"].as_array().unwrap();
            assert!(rows.iter().all(|row| row["missing"] == sum(&row["blamed"])), "{line:#}");
            let missing = &line["counters"]["missing"];
            if let Some(pending) = missing["pending"].as_u64() {
                assert_eq!(missing["missing"], sum(&missing["blamed"]) + pending, "{missing:#}");
                assert_eq!(missing["missing"], rows.iter().map(|row| sum(&row["blamed"])).sum::<u64>());
            }
        }
        assert_eq!(self.summary()["counters"]["missing"]["pending"], 0, "{:#}", self.summary());
    }

    /// A counter of the kernel's.
    pub(crate) fn packets(&self, counter: &str) -> u64 {
        self.count(&format!("packets.{counter}"))
    }

    /// Packets that nobody asked for, and those that were matched. Where the wire is silent for some seconds before
    /// the test sends (a loaded machine), the kernel has begun to hand over other packets too, for the monitor to say
    /// what is on the wire instead; those are left out in user space.
    pub(crate) fn others_and_ours(&self) -> [u64; 2] {
        let left_out = self.summary()["packets_ignored"].as_u64().unwrap();
        [self.packets("ignored") + left_out, self.packets("submitted") - left_out]
    }

    /// Asserts that it failed with a sentence that has all of these words in it.
    pub(crate) fn failed_with(&self, status: i32, words: &[&str]) {
        assert_eq!(self.status, Some(status), "{self:#?}");
        let has_all = |line: &str| words.iter().all(|word| line.contains(word));
        assert!(self.stderr.lines().any(has_all), "no line with {words:?} in: {}", self.stderr);
        assert!(!self.stderr.contains("panicked"), "{}", self.stderr);
    }
}
