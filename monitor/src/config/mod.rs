//! Options from a TOML file, their defaults, and every bound that a user may set.
//!
//! Keys are the long options of the command line; an option given there wins over the file.

mod align;
mod bench;
mod bounds;
mod duration;
mod file;
mod instance;
mod port;
mod print;
mod stream;

pub use align::Align;
pub use bench::BenchOptions;
pub use bounds::{BOUNDS, Bound, BoundsTable};
pub use duration::Duration;
pub use file::{ConfigError, RunOptions};
pub use instance::{InstanceName, PIN_ROOT};
pub use port::{CONVENTIONAL_PORTS, Port, ports};
pub use print::OptionDoc;
pub use stream::{StreamName, StreamRules, StreamTable};
