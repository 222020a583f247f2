//! The real-time thread: becomes one, touches what it will use, runs the loop, hands back what it counted.

use std::{
    io,
    sync::Arc,
    thread::{self, JoinHandle},
};

use monitor_core::pipeline::Pipeline;

use super::{Control, LiveOutlet, Loop, LoopCounts, Waits};
use crate::{
    reader::{HardwareCounts, LeftToBlock, ReaderError, Source, Transport},
    rt,
    sys::{clock::monotonic_ns, sched::this_thread, usage::ThreadUsage},
};

/// Stack touched before the loop begins; the loop's deepest call uses a few kilobytes.
const STACK_PREFAULT: usize = 256 << 10;
/// Size of the thread's stack.
const STACK: usize = 1 << 20;

/// What the thread leaves when it ends.
pub struct Outcome<O> {
    /// Counts, streams and histograms.
    pub pipeline: Pipeline,
    /// The queue's end, with what it counted.
    pub outlet: O,
    /// What the loop counted.
    pub counts: LoopCounts,
    /// What this thread was the reader of.
    pub source: Source,
    /// What the host granted.
    pub rt: rt::Outcome,
    /// How it was to wait when it began.
    pub waits: Waits,
    /// Share of a CPU that the thread used, in percent.
    pub cpu_percent: f64,
    /// What woke it in spite of prediction; none where nothing was predicted.
    pub left_to_block: Option<LeftToBlock>,
    /// What network cards said of packets; none where they were not asked.
    pub hardware: Option<HardwareCounts>,
    /// Why it ended before it was told to, if it did.
    pub failed: Option<ReaderError>,
}

/// A running real-time thread.
pub struct Live<O> {
    thread: JoinHandle<Outcome<O>>,
    /// Keeps the CPUs awake until the thread has been joined.
    _awake: Option<rt::CpusAwake>,
    control: Arc<Control>,
    rt: rt::Outcome,
    waits: Waits,
    tid: u32,
}

impl<O> Live<O> {
    /// What the host granted the thread.
    #[must_use]
    pub const fn rt(&self) -> &rt::Outcome {
        &self.rt
    }

    /// How it was to wait when it began.
    #[must_use]
    pub const fn waits(&self) -> &Waits {
        &self.waits
    }

    /// The thread's number.
    #[must_use]
    pub const fn tid(&self) -> u32 {
        self.tid
    }

    /// Where it is told to end, and whether it may look.
    #[must_use]
    pub const fn control(&self) -> &Arc<Control> {
        &self.control
    }

    /// Whether it has ended by itself.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.thread.is_finished()
    }

    /// Stops it and takes what it leaves. Detach the programs first, or the ring never runs dry.
    ///
    /// # Errors
    /// Where the thread panicked, which is a bug.
    pub fn join(self) -> io::Result<Outcome<O>> {
        self.control.stop()?;
        self.thread
            .join()
            .map_err(|_| io::Error::other("the real-time thread panicked: please report this as a bug"))
    }
}

/// Starts the thread and waits until it has its policy and has touched what it will use. Unless `idle_allowed`, the CPUs
/// are kept out of idle states that take long to leave for as long as it runs.
///
/// # Errors
/// Where a request is impossible (priority, CPU) or no thread can be had.
pub fn spawn<O, T>(
    mut work: Loop<O, T>,
    request: rt::Request,
    idle_allowed: bool,
    mut waits: Waits,
) -> io::Result<Live<O>>
where
    O: LiveOutlet + Send + 'static,
    T: Transport + Into<Source> + Send + 'static,
{
    request.check().map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
    let control = Arc::clone(&work.control);
    let (ready, started) = std::sync::mpsc::sync_channel(1);
    let thread =
        thread::Builder::new().name("pmu-realtime".to_owned()).stack_size(STACK).spawn(move || {
            let granted = rt::apply_to_current_thread(&request);
            let mut rt =
                granted.unwrap_or_else(|error| unreachable!("checked before the thread began: {error}"));
            let awake = if idle_allowed { None } else { rt::hold_cpus_awake(&mut rt) };
            waits.settle_here(&rt);
            work.control.allow_looking(waits.once_granted.is_none());
            work.wait_by(&waits);
            let _touched = rt::prefault_stack(STACK_PREFAULT);
            let (begun, used) = (monotonic_ns(), cpu_ns());
            let _ = ready.send((rt.clone(), waits.clone(), awake, this_thread()));
            let failed = work.run().err();
            let elapsed = monotonic_ns().saturating_sub(begun).max(1);
            let cpu_percent = percent(cpu_ns().saturating_sub(used), elapsed);
            let counts = work.counts();
            let left_to_block = work.left_to_block();
            let hardware = work.records.hardware();
            let Loop { ring, pipeline, outlet, .. } = work;
            Outcome {
                pipeline,
                outlet,
                counts,
                source: ring.into(),
                rt,
                waits,
                cpu_percent,
                left_to_block,
                hardware,
                failed,
            }
        })?;
    let (rt, waits, awake, tid) =
        started.recv().map_err(|_| io::Error::other("the real-time thread ended before it began"))?;
    Ok(Live { thread, _awake: awake, control, rt, waits, tid })
}

fn cpu_ns() -> u64 {
    ThreadUsage::read().map(|usage| usage.cpu_ns()).unwrap_or_default()
}

fn percent(part: u64, whole: u64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "a share for a person to read")]
    let share = part as f64 / whole as f64;
    (share * 10_000.0).round() / 100.0
}
