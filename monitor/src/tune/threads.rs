//! How a kernel thread's policy is set: by the kernel, or in a faked `/proc` by a test.

use std::io;

use crate::sys::sched::{Policy, set_policy_of};

/// Sets policies of threads.
pub trait Threads {
    /// Puts a thread under a policy.
    ///
    /// # Errors
    /// Where there is no such thread, or it may not be changed.
    fn set(&self, tid: u32, policy: Policy) -> io::Result<()>;
}

/// The running kernel.
#[derive(Debug, Clone, Copy, Default)]
pub struct Kernel;

impl Threads for Kernel {
    fn set(&self, tid: u32, policy: Policy) -> io::Result<()> {
        set_policy_of(tid, policy)
    }
}
