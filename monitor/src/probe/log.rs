//! What the kernel programs say of themselves, where the object was built with `cargo xtask build-ebpf --log`: each
//! line becomes a tracing event of the target `ebpf`.

use aya::Ebpf;
use aya_log::EbpfLogger;
use log::{Level, Log, Metadata, Record};

/// The target by which the lines are told from those of user space.
const TARGET: &str = "ebpf";

/// Reads the lines; made only where the object has them.
pub(super) struct KernelLog(EbpfLogger<ToTracing>);

impl KernelLog {
    /// None where the object was built without.
    pub(super) fn open(ebpf: &mut Ebpf) -> Option<Self> {
        EbpfLogger::init_with_logger(ebpf, ToTracing).ok().map(Self)
    }

    /// Hands on what has been said since the last call.
    pub(super) fn flush(&mut self) {
        self.0.flush();
    }
}

/// From the `log` crate, which aya speaks, to tracing.
struct ToTracing;

impl Log for ToTracing {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &Record<'_>) {
        let said = record.args();
        match record.level() {
            Level::Error => tracing::error!(target: TARGET, "{said}"),
            Level::Warn => tracing::warn!(target: TARGET, "{said}"),
            Level::Info => tracing::info!(target: TARGET, "{said}"),
            Level::Debug => tracing::debug!(target: TARGET, "{said}"),
            Level::Trace => tracing::trace!(target: TARGET, "{said}"),
        }
    }

    fn flush(&self) {}
}
