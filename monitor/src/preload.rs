//! Configurations that do not come over the wire: files that the user names, what earlier runs saw, and the answers
//! of PMUs that are asked.
//!
//! Beside the frame's way: what is found here is handed to the pipeline before the first packet, an answer later
//! through a small queue. Whether and when one is used is decided where DATA are laid out, by their FRAMESIZE.

mod asking;
mod directory;
mod file;
mod frames;
mod request;
mod words;

pub use asking::{AskError, ask};
pub use directory::{CACHED_BYTES_MAX, CACHED_MAX, Loaded, StateDirectory};
pub use file::{ConfigFrame, ConfigFrameError};
pub use request::{Asked, Request, RequestTarget, RequestVersion};
pub use words::{Remedy, sentence};

/// The largest file that is taken for a configuration frame: a CFG-3 put together from fragments may be larger than
/// FRAMESIZE can say.
const FRAME_FILE_MAX: u64 = 1 << 20;
