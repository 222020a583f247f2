//! What was measured, on what, and whether it is good enough: the JSON of `bench host`, and its percentile files.

use std::io;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::allocation::Allocation;
use super::inversion::Inversion;
use super::published::{Figures, JITTER_LIMIT_NS, PUBLISHED, TASK_LATENCY_LIMIT_NS};
use super::sampling::Sampling;
use super::spread::Spread;
use super::task_latency::TaskLatency;
use super::thread::Granted;
use super::{Settings, hgrm};
use crate::sys::uname::Uname;

/// Everything. A measurement that an early end left out is absent.
#[derive(Debug, Serialize)]
pub struct Report {
    /// `bench.host`.
    pub kind: &'static str,
    /// When it began, nanoseconds since the Unix epoch.
    pub time_ns: i64,
    /// What it was measured on.
    pub host: Host,
    /// What was to be measured.
    pub settings: Settings,
    /// Whether CPUs were kept out of idle states.
    pub cpu_dma_latency_held: bool,
    /// Whether it was ended early.
    pub interrupted: bool,
    /// One for each CPU.
    pub task_latency: Vec<TaskLatency>,
    /// The 10 kHz loop.
    pub sampling: Option<Sampling>,
    /// Memory.
    pub allocation: Option<Allocation>,
    /// Locks.
    pub inversion: Option<Inversion>,
    /// Figures of others.
    pub published: [Figures; 3],
    /// What all threads were given. Left out where none has begun.
    #[serde(flatten)]
    pub granted: Option<Granted>,
    /// Whether it is good enough.
    pub verdict: Verdict,
}

/// The host, as the kernel names it.
#[derive(Debug, Clone, Serialize)]
pub struct Host {
    /// The kernel's release.
    pub kernel: String,
    /// Its version, which names the preemption model.
    pub version: String,
    /// The processor's kind.
    pub machine: String,
    /// Whether the kernel is a `PREEMPT_RT` one.
    pub preempt_rt: bool,
}

impl Host {
    pub(super) fn read() -> io::Result<Self> {
        let Uname { release, version, machine } = Uname::read()?;
        let preempt_rt = version.contains("PREEMPT_RT");
        Ok(Self { kernel: release, version, machine, preempt_rt })
    }
}

/// One value against its limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Judged {
    /// What was measured; none where it was not.
    pub value_ns: Option<u64>,
    /// What it may be.
    pub limit_ns: u64,
    /// Whether it is at most the limit.
    pub met: Option<bool>,
}

impl Judged {
    fn new(value_ns: Option<u64>, limit_ns: u64) -> Self {
        Self { value_ns, limit_ns, met: value_ns.map(|value| value <= limit_ns) }
    }
}

/// Whether this host keeps the limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Verdict {
    /// Both are kept, or one is not; none where what was measured does not say.
    pub met: Option<bool>,
    /// The longest task latency of all threads.
    pub task_latency_max: Judged,
    /// The farthest that a sample of the 10 kHz loop was from its period.
    pub sampling_jitter: Judged,
}

impl Verdict {
    pub(super) fn of(task_latency: &[TaskLatency], sampling: Option<&Sampling>) -> Self {
        let longest = task_latency.iter().filter_map(|one| one.spread.farthest_ns()).max();
        let farthest = sampling.and_then(|one| one.spread.farthest_ns());
        let task_latency_max = Judged::new(longest, TASK_LATENCY_LIMIT_NS);
        let sampling_jitter = Judged::new(farthest, JITTER_LIMIT_NS);
        let met = match (task_latency_max.met, sampling_jitter.met) {
            (Some(false), _) | (_, Some(false)) => Some(false),
            (Some(true), Some(true)) => Some(true),
            _ => None,
        };
        Self { met, task_latency_max, sampling_jitter }
    }
}

impl Report {
    /// Brings what was measured together.
    pub(super) fn new(settings: Settings, host: Host, time_ns: i64, measured: Measured) -> Self {
        let Measured { cpu_dma_latency_held, interrupted, task_latency, sampling, allocation, inversion } =
            measured;
        let granted = task_latency
            .iter()
            .map(|one| &one.granted)
            .chain(sampling.iter().map(|one| &one.granted))
            .chain(allocation.iter().map(|one| &one.granted))
            .chain(inversion.iter().map(|one| &one.granted));
        let granted = granted.cloned().reduce(Granted::and);
        Self {
            kind: "bench.host",
            time_ns,
            host,
            cpu_dma_latency_held,
            interrupted,
            verdict: Verdict::of(&task_latency, sampling.as_ref()),
            settings,
            task_latency,
            sampling,
            allocation,
            inversion,
            published: PUBLISHED,
            granted,
        }
    }

    /// What each percentile file is called, and what stands in it.
    fn spreads(&self) -> Vec<(String, &Spread)> {
        let mut spreads: Vec<_> = self
            .task_latency
            .iter()
            .map(|one| (format!("task-latency-cpu{}", one.cpu), &one.spread))
            .collect();
        let mut add = |name: &str, spread| spreads.push((name.to_owned(), spread));
        if let Some(sampling) = &self.sampling {
            add("sampling-jitter", &sampling.spread);
        }
        if let Some(Allocation { fresh, prefaulted, .. }) = &self.allocation {
            add("allocation-fresh", fresh);
            add("allocation-prefaulted", prefaulted);
        }
        if let Some(Inversion { plain, inheriting, .. }) = &self.inversion {
            add("inversion-plain", plain);
            add("inversion-inheriting", inheriting);
        }
        spreads
    }

    /// Writes a percentile file for each measurement into `directory`, and returns where. One for which there was no time
    /// has none.
    ///
    /// # Errors
    /// What the file system says, with the file's name.
    pub fn write_hgrm(&self, directory: &Path) -> Result<Vec<PathBuf>, (PathBuf, io::Error)> {
        let write = |(name, spread): (String, &Spread)| {
            let path = directory.join(name).with_extension("hgrm");
            hgrm::write_file(&path, spread).map_err(|error| (path.clone(), error))?;
            Ok(path)
        };
        self.spreads().into_iter().map(write).collect()
    }
}

/// What the measurements came to.
pub(super) struct Measured {
    pub(super) cpu_dma_latency_held: bool,
    pub(super) interrupted: bool,
    pub(super) task_latency: Vec<TaskLatency>,
    pub(super) sampling: Option<Sampling>,
    pub(super) allocation: Option<Allocation>,
    pub(super) inversion: Option<Inversion>,
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::spread::spread_of;
    use super::super::thread::Refused;
    use super::*;
    use crate::rt::Part;

    fn all() -> Granted {
        Granted { real_time: true, on_cpu: true, memory_locked: true, refusals: Vec::new() }
    }

    pub(in super::super) fn refused(part: Part, said: &str) -> Refused {
        Refused { part, said: said.to_owned() }
    }

    pub(in super::super) fn latency(values: &[i64]) -> TaskLatency {
        TaskLatency { cpu: 1, overruns: 0, spread: spread_of(values), granted: all() }
    }

    pub(in super::super) fn sampling(values: &[i64]) -> Sampling {
        let instants = values.len() as u64;
        Sampling { period_ns: 100_000, instants, missed: 0, spread: spread_of(values), granted: all() }
    }

    pub(in super::super) fn report(measured: Measured) -> Report {
        let host = Host {
            kernel: "6.12.30-rt-amd64".into(),
            version: "#1 SMP PREEMPT_RT".into(),
            machine: "x86_64".into(),
            preempt_rt: true,
        };
        Report::new(Settings { loops: 3, ..Settings::on(vec![1]) }, host, 0, measured)
    }

    /// With a task latency of 20, 30 and 40 us, and a jitter of -60 and 50 us.
    pub(in super::super) fn measured() -> Measured {
        Measured {
            cpu_dma_latency_held: true,
            interrupted: false,
            task_latency: vec![latency(&[20_000, 30_000, 40_000])],
            sampling: Some(sampling(&[-60_000, 10_000, 50_000])),
            allocation: Some(Allocation {
                block_bytes: 65_536,
                fresh: spread_of(&[30_000]),
                prefaulted: spread_of(&[1_000]),
                prefaulted_locked: true,
                granted: all(),
            }),
            inversion: Some(Inversion {
                priorities: [97, 98, 99],
                middle_ns: 2_000_000,
                held_ns: 20_000,
                plain: spread_of(&[2_050_000]),
                inheriting: spread_of(&[25_000]),
                granted: all(),
            }),
        }
    }

    #[test]
    fn limits_are_kept_by_what_reaches_them_and_not_by_what_exceeds_them() {
        for (longest, farthest, met) in [
            (Some(150_000), Some(-100_000), Some(true)),
            (Some(150_001), Some(0), Some(false)),
            (Some(0), Some(-100_001), Some(false)),
            (Some(0), None, None),
            (Some(150_001), None, Some(false)),
            (None, None, None),
        ] {
            let latency: Vec<_> = longest.iter().map(|&ns| latency(&[ns])).collect();
            let sampling = farthest.map(|ns| sampling(&[ns]));
            assert_eq!(Verdict::of(&latency, sampling.as_ref()).met, met, "{longest:?} {farthest:?}");
        }
    }

    #[test]
    fn one_measurement_without_rights_is_enough_to_say_so() {
        let mut measured = measured();
        let refusals = vec![refused(Part::Scheduling, "SCHED_FIFO priority 98 refused")];
        measured.inversion.as_mut().unwrap().granted = Granted { real_time: false, refusals, ..all() };
        let json = serde_json::to_value(report(measured)).unwrap();
        assert_eq!((&json["realtime"], &json["memory_locked"]), (&false.into(), &true.into()));
        assert_eq!(json["refusals"], serde_json::json!(["SCHED_FIFO priority 98 refused"]));
    }

    #[test]
    fn there_is_a_file_for_each_measurement() {
        let place = tempfile::tempdir().unwrap();
        let files = report(measured()).write_hgrm(place.path()).unwrap();
        assert_eq!(files.len(), 6);
        assert!(files.iter().all(|path| path.is_file()) && files[0].ends_with("task-latency-cpu1.hgrm"));
        let absent = place.path().join("absent");
        let (path, _) = report(measured()).write_hgrm(&absent).unwrap_err();
        assert_eq!(path, absent.join("task-latency-cpu1.hgrm"));
    }
}
