//! The binary under test: watched line by line, ended, judged.

use std::io::{BufRead as _, BufReader, Read};
use std::process::{Child, Command};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::Instant;

use serde_json::Value;

use crate::room::HANGS;

/// What it said, in the order in which it came.
enum Said {
    Line(Value),
    Complaint(String),
}

/// A process that runs; one whose test fails is killed.
pub(crate) struct Running {
    child: Child,
    saying: Receiver<Said>,
    report: Report,
}

impl Running {
    pub(crate) fn new(mut child: Child) -> Self {
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

    /// Takes what is said next; nothing once both outputs are closed.
    fn listen(&mut self, awaited: &str) -> Option<()> {
        match self.saying.recv_timeout(HANGS) {
            Ok(Said::Line(line)) => self.report.lines.push(line),
            Ok(Said::Complaint(line)) => self.report.stderr.extend([&line, "\n"]),
            Err(RecvTimeoutError::Disconnected) => return None,
            Err(RecvTimeoutError::Timeout) => {
                panic!("silent while waiting for {awaited}: {:#?}", self.report)
            }
        }
        Some(())
    }

    /// Waits until the last line it printed is such a one.
    pub(crate) fn line(&mut self, awaited: &str, is_it: impl Fn(&Value) -> bool) {
        loop {
            assert!(self.listen(awaited).is_some(), "ended before {awaited}: {:#?}", self.report);
            if self.report.lines.last().is_some_and(&is_it) {
                return;
            }
        }
    }

    /// Waits until it reads: until its first window.
    pub(crate) fn reading(mut self) -> Self {
        self.line("the first window", |line| line["kind"] == "window");
        self
    }

    /// Waits until a counter, named as in `"records.delivered"`, has reached `least`, by what a window says of it.
    pub(crate) fn counted(&mut self, counter: &str, least: u64) {
        let awaited = format!("{counter} of {least}");
        self.line(&awaited, |line| line["kind"] == "window" && at(&line["counters"], counter) >= Some(least));
    }

    /// Waits for a sentence on standard error that has all of these words in it.
    pub(crate) fn complained(&mut self, words: &[&str]) {
        self.complained_times(1, words);
    }

    /// Waits until such a sentence was said so often.
    pub(crate) fn complained_times(&mut self, times: usize, words: &[&str]) {
        let has_all = |line: &&str| words.iter().all(|word| line.contains(word));
        let (begun, awaited) = (Instant::now(), format!("{words:?}"));
        while self.report.stderr.lines().filter(has_all).count() < times {
            // It goes on printing windows meanwhile.
            assert!(begun.elapsed() < HANGS, "never said {awaited}: {:#?}", self.report);
            assert!(self.listen(&awaited).is_some(), "ended before {awaited}: {:#?}", self.report);
        }
    }

    /// Ends it as Ctrl-C does.
    pub(crate) fn stop(self) -> Report {
        let status = Command::new("kill").args(["-INT", &self.pid().to_string()]).status().unwrap();
        assert!(status.success(), "{status}");
        self.finish()
    }

    /// Ends it as nothing can be caught or cleaned up after.
    pub(crate) fn kill(mut self) -> Report {
        self.child.kill().unwrap();
        self.finish()
    }

    /// Waits for its end.
    pub(crate) fn finish(mut self) -> Report {
        while self.listen("the end").is_some() {}
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
pub(crate) fn at(object: &Value, path: &str) -> Option<u64> {
    path.split('.').try_fold(object, |object, key| object.get(key))?.as_u64()
}

/// All that it said, and how it ended.
#[derive(Debug, Default)]
pub(crate) struct Report {
    pub(crate) lines: Vec<Value>,
    pub(crate) stderr: String,
    /// None where a signal ended it.
    pub(crate) status: Option<i32>,
}

impl Report {
    /// Asserts that it did what it was told.
    pub(crate) fn done(self) -> Self {
        assert_eq!(self.status, Some(0), "{self:#?}");
        self
    }

    /// What it printed, where that is no JSON.
    pub(crate) fn text(&self) -> String {
        let lines = self.lines.iter();
        lines.map(|line| line.as_str().map_or_else(|| line.to_string(), str::to_owned) + "\n").collect()
    }

    /// Its last line.
    pub(crate) fn summary(&self) -> &Value {
        let last = self.lines.last().filter(|line| line["kind"] == "summary");
        last.unwrap_or_else(|| panic!("no summary at the end: {self:#?}"))
    }

    /// A counter of the summary, such as `"packets.ring_full"`.
    pub(crate) fn count(&self, counter: &str) -> u64 {
        let counters = &self.summary()["counters"];
        at(counters, counter).unwrap_or_else(|| panic!("no {counter}: {counters:#}"))
    }

    /// Asserts that it ended well and that packets and records come out, whoever read them.
    pub(crate) fn adds_up(self) -> Self {
        let report = self.done();
        let summary = report.summary();
        assert_eq!(summary["unaccounted"], 0, "{summary:#}");
        assert_sums(&summary["counters"]);
        report
    }

    /// Asserts that it failed with a sentence that has all of these words in it.
    pub(crate) fn failed_with(&self, status: i32, words: &[&str]) {
        assert_eq!(self.status, Some(status), "{self:#?}");
        self.complained(words);
    }

    /// Asserts that standard error has a line with all of these words in it.
    pub(crate) fn complained(&self, words: &[&str]) {
        let has_all = |line: &str| words.iter().all(|word| line.contains(word));
        assert!(self.stderr.lines().any(has_all), "no line with {words:?} in: {}", self.stderr);
        assert!(!self.stderr.contains("panicked"), "{}", self.stderr);
    }
}

/// Asserts that the counters of kernel and readers, as summary and status print them, come out.
pub(crate) fn assert_sums(counters: &Value) {
    let sum = |group: &str, names: &[&str]| -> u64 {
        let one = |name: &&str| {
            at(counters, &format!("{group}.{name}")).unwrap_or_else(|| panic!("no {name}: {counters:#}"))
        };
        names.iter().map(one).sum()
    };
    let packets = sum("packets", &["ignored", "submitted", "ring_full", "read_failed"]);
    assert_eq!(sum("packets", &["seen"]), packets, "{counters:#}");
    let records = sum("records", &["delivered", "discarded", "pending"]);
    assert_eq!(sum("records", &["submitted"]), records, "{counters:#}");
    let kinds = sum("records", &["carried", "no_payload", "malformed"]);
    assert_eq!(sum("records", &["delivered"]), kinds, "{counters:#}");
    for group in ["packets", "records"] {
        assert_eq!(sum(group, &["unaccounted"]), 0, "{counters:#}");
    }
}
