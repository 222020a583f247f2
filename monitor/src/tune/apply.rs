//! Making the changes, each written down before it is made.

use std::io;

use super::record::{Entry, Record, Store, TuneError};
use super::threads::Threads;
use crate::doctor::{Change, Host};
use crate::sys::sched::Policy;

/// What has just happened.
#[derive(Debug)]
pub enum Step<'a> {
    /// What was before is on the disk; the change is about to be made.
    Recorded(&'a Change),
    /// The change is made.
    Made(&'a Change),
    /// The change was refused, and is in the record no more. What is said is a sentence.
    Refused(&'a Change, String),
}

/// Makes the changes in their order and tells each step. One that is refused does not keep the others from being made.
///
/// # Errors
/// Where the record cannot be kept: nothing is changed from there on.
pub fn apply(
    host: &Host,
    threads: &dyn Threads,
    store: &Store,
    changes: &[Change],
    told: &mut dyn FnMut(Step<'_>),
) -> Result<(), TuneError> {
    if changes.is_empty() {
        return Ok(());
    }
    let _lock = store.lock()?;
    // What an earlier boot's record speaks of went with that boot.
    let earlier = store.load()?.filter(|record| record.is_of_this_boot(host));
    let mut record = earlier.unwrap_or_else(|| Record::new(host));
    for change in changes {
        let entry = match entry_of(host, change) {
            Ok(entry) => entry,
            Err(reason) => {
                told(Step::Refused(change, reason));
                continue;
            }
        };
        let is_new = record.take_up(entry);
        store.save(&record)?;
        told(Step::Recorded(change));
        match make(host, threads, change) {
            Ok(()) => told(Step::Made(change)),
            Err(error) => {
                if is_new {
                    record.let_go();
                    store.save(&record)?;
                }
                told(Step::Refused(change, refusal(change, &error)));
            }
        }
    }
    Ok(())
}

/// What is there before the change.
fn entry_of(host: &Host, change: &Change) -> Result<Entry, String> {
    match change {
        Change::File { path, value } => {
            let before = host.read(path).map_err(|error| error.to_string())?;
            Ok(Entry::File { path: path.clone(), before, after: line(value) })
        }
        Change::Thread { tid, name, priority } => {
            let thread = host.kernel_thread(*tid).filter(|thread| thread.name == *name);
            let thread = thread.ok_or_else(|| format!("thread {tid} ({name}) has gone; run tune again"))?;
            Ok(Entry::Thread {
                tid: *tid,
                name: name.clone(),
                start: thread.start,
                before: thread.policy.into(),
                after: Policy::Fifo(*priority).into(),
            })
        }
    }
}

fn make(host: &Host, threads: &dyn Threads, change: &Change) -> io::Result<()> {
    match change {
        Change::File { path, value } => host.write(path, &line(value)),
        Change::Thread { tid, priority, .. } => threads.set(*tid, Policy::Fifo(*priority)),
    }
}

/// As echo writes it.
fn line(value: &str) -> String {
    format!("{value}\n")
}

fn refusal(change: &Change, error: &io::Error) -> String {
    let remedy = match (error.raw_os_error(), change) {
        (Some(libc::EPERM | libc::EACCES), _) => "run as root",
        (Some(libc::EIO), Change::File { .. }) => {
            "the kernel manages this interrupt by itself: give the reader another CPU, or use isolcpus=managed_irq"
        }
        _ => "doctor says what else there is",
    };
    format!("refused: {change}: {error}; {remedy}")
}
