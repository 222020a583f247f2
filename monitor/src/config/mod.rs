//! Options from a TOML file, their defaults, and every bound that a user may set.
//!
//! Keys are the long options of the command line; an option given there wins over the file.

mod bounds;
mod duration;
mod file;
mod port;

pub use bounds::{BOUNDS, Bound, BoundsTable};
pub use duration::Duration;
pub use file::{ConfigError, RunOptions};
pub use port::{CONVENTIONAL_PORTS, Port, ports};
