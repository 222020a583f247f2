//! Messages beside the output: to standard error, one line each.

use std::io;

use tracing_subscriber::EnvFilter;

/// Says which messages are wanted, as in `PMU_MONITOR_LOG=debug` or `PMU_MONITOR_LOG=ebpf=debug`.
const VARIABLE: &str = "PMU_MONITOR_LOG";
/// What is wanted where nobody says.
const DEFAULT: &str = "warn";

/// Starts the log. A filter that does not parse is passed over: the default then holds.
pub(super) fn start() {
    let filter = EnvFilter::try_from_env(VARIABLE).unwrap_or_else(|_| EnvFilter::new(DEFAULT));
    // Whoever reads standard error (journald, a terminal) puts the time beside the line.
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr).without_time();
    let _ = log.with_ansi(false).try_init();
}
