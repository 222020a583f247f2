//! Exit statuses, as the contract fixes them.

/// Done.
pub const DONE: u8 = 0;
/// Failed; standard error says what, where, and the remedy.
pub const FAILED: u8 = 1;
/// Wrong usage; clap's own status.
pub const USAGE: u8 = 2;
/// Done, but something is unaccounted for: a bug.
pub const UNACCOUNTED: u8 = 3;
/// Done, alarms were raised and `--fail-on-alarm` was given. [`UNACCOUNTED`] wins over it.
pub const ALARMED: u8 = 4;
/// `doctor`: something of this host fails. It wins over [`FAILED`], with which `doctor` says that it could not look.
pub const UNFIT: u8 = 5;
