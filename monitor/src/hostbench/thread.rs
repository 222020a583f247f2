//! A thread for a measurement: set as the live loop's is, with its stack touched, before the measurement begins.

use std::io;
use std::sync::mpsc;
use std::thread::{self, JoinHandle, Thread};

use serde::{Serialize, Serializer};

use super::Error;
use crate::rt;
use crate::sys::sched;

/// Stack touched before; a measurement's deepest call uses a few kilobytes.
const STACK_PREFAULT: usize = 128 << 10;
/// Size of the stack.
const STACK: usize = 512 << 10;

/// A thread that has begun.
pub(super) struct Running<T> {
    name: &'static str,
    handle: JoinHandle<(io::Result<T>, bool)>,
    rt: rt::Outcome,
}

/// What a thread's work came to.
pub(super) struct Done<T> {
    pub(super) value: T,
    pub(super) granted: Granted,
}

/// What the host gave the threads of a measurement.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Granted {
    /// All ran under `SCHED_FIFO`.
    #[serde(rename = "realtime")]
    pub real_time: bool,
    /// All were bound to their CPU, and were so still at the end: a CPU that goes offline lets go of them.
    pub on_cpu: bool,
    /// The process's memory was locked.
    pub memory_locked: bool,
    /// What was refused.
    pub refusals: Vec<Refused>,
}

/// A refusal, as one sentence with its remedy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// What the threads did without.
    pub part: rt::Part,
    /// The sentence.
    pub said: String,
}

impl Serialize for Refused {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.said)
    }
}

impl Granted {
    /// What two threads have both been given.
    pub(super) fn and(mut self, other: Self) -> Self {
        let Self { real_time, on_cpu, memory_locked, refusals } = other;
        self.real_time &= real_time;
        self.on_cpu &= on_cpu;
        self.memory_locked &= memory_locked;
        for refusal in refusals {
            if !self.refusals.contains(&refusal) {
                self.refusals.push(refusal);
            }
        }
        self
    }
}

/// Starts a thread and waits until it has what the host gives of `request`, right before `work`.
pub(super) fn start<T: Send + 'static>(
    name: &'static str,
    request: rt::Request,
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> Result<Running<T>, Error> {
    request.check()?;
    let (ready, started) = mpsc::sync_channel(1);
    let body = move || {
        let granted = rt::apply_to_current_thread(&request);
        let rt = granted.unwrap_or_else(|error| unreachable!("checked before the thread began: {error}"));
        let _touched = rt::prefault_stack(STACK_PREFAULT);
        let cpu = rt.cpu;
        let _ = ready.send(rt);
        drop(ready);
        let value = work();
        let only = |cpu| sched::affinity().is_ok_and(|list| list.iter().eq([cpu]));
        (value, cpu.is_some_and(only))
    };
    let failed = |source| Error::System { what: name, source };
    let handle =
        thread::Builder::new().name("pmu-bench".to_owned()).stack_size(STACK).spawn(body).map_err(failed)?;
    let rt = started.recv().map_err(|_| Error::Panicked(name))?;
    Ok(Running { name, handle, rt })
}

impl<T> Running<T> {
    /// For waking it.
    pub(super) fn thread(&self) -> Thread {
        self.handle.thread().clone()
    }

    /// Waits until it ends.
    pub(super) fn join(self) -> Result<Done<T>, Error> {
        let Self { name, handle, rt } = self;
        let (value, on_cpu) = handle.join().map_err(|_| Error::Panicked(name))?;
        let value = value.map_err(|source| Error::System { what: name, source })?;
        let granted = Granted {
            real_time: rt.is_real_time(),
            on_cpu,
            memory_locked: rt.memory_locked,
            refusals: rt
                .refusals
                .iter()
                .map(|one| Refused { part: one.part, said: one.to_string() })
                .collect(),
        };
        Ok(Done { value, granted })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept_to(cpu: usize, work: impl FnOnce() + Send + 'static) -> bool {
        let request = rt::Request { priority: 1, cpu: Some(cpu), lock_memory: false };
        let work = move || {
            work();
            Ok(())
        };
        start("nothing", request, work).unwrap().join().unwrap().granted.on_cpu
    }

    /// A CPU that goes offline does to a thread what this one does to itself.
    #[test]
    fn a_thread_that_has_lost_its_cpu_is_told_from_one_that_has_not() {
        let allowed: Vec<_> = sched::affinity().unwrap().iter().collect();
        assert!(kept_to(allowed[0], || ()));
        if let [first, second, ..] = allowed[..] {
            assert!(!kept_to(first, move || sched::set_affinity(second).unwrap()));
        }
    }

    #[test]
    fn a_failure_says_what_was_being_measured() {
        let request = rt::Request { priority: 1, cpu: None, lock_memory: false };
        let failing = || Err::<(), _>(io::ErrorKind::OutOfMemory.into());
        let said = start("something", request, failing).unwrap().join().err().unwrap().to_string();
        assert!(said.starts_with("cannot measure something: "), "{said}");
        assert!(start("nothing", rt::Request { priority: 0, ..request }, || Ok(())).is_err());
    }
}
