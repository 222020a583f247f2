//! Instances that stay attached: programs, links and maps pinned under `/sys/fs/bpf/pmu-monitor/v<ABI>/<instance>/`.
//!
//! The order of every change is one that a kill in the middle leaves repairable: maps are pinned before anything is
//! attached, the instance calls itself attached last, and detaching takes the links first and the map that says what
//! was attached last. Whoever changes anything holds a lock on the directory of the ABI version; whoever reads the
//! ring holds one on the instance's directory. Both are the kernel's and go with the process.

mod attach;
mod changes;
mod clsact;
mod detach;
mod directory;
mod error;
mod expected;
mod lock;
mod open;
mod programs;
mod reattach;
mod record;
mod state;
mod upkeep;

pub use attach::{AttachOptions, Attached, attach};
pub use detach::{Detached, detach, detach_all};
pub use directory::{Instances, OtherVersion, ROOT, instances};
pub use error::PinError;
pub use lock::ReaderLock;
pub use open::{Followed, Pinned, ProgramState, not_attached};
pub use reattach::reattach;
pub use record::{InterfaceRecord, Record};
pub use state::InterfaceState;
