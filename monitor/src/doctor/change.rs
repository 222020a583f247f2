//! A change of the running system that a finding recommends: shown as the command that makes it, made by `tune`.

use std::fmt;

/// One change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// A file below `/proc` or `/sys` is to hold this.
    File {
        /// Its path.
        path: String,
        /// Its new text, without the end of the line.
        value: String,
    },
    /// A kernel thread is to run under `SCHED_FIFO`.
    Thread {
        /// Its number.
        tid: u32,
        /// Its name, such as "irq/41-eth1".
        name: String,
        /// Its new priority.
        priority: u8,
    },
}

impl Change {
    pub(super) fn file(path: impl Into<String>, value: impl fmt::Display) -> Self {
        Self::File { path: path.into(), value: value.to_string() }
    }
}

impl fmt::Display for Change {
    /// The command for a root shell.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { path, value } => write!(out, "echo {value} > {path}"),
            Self::Thread { tid, priority, .. } => write!(out, "chrt --fifo --pid {priority} {tid}"),
        }
    }
}
