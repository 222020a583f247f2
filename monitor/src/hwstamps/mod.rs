//! A network card's own stamps: it is asked to stamp every packet that comes in, and what it was asked before is put back.
//!
//! What was before is written down before a card is asked, with whose sake it is for: a process of `run`, or an instance
//! of `attach`. The last of them puts it back; for one that was killed the next `run`, `attach` or `detach` does. What
//! somebody else (ptp4l) has asked of the card meanwhile stays.

mod card;
mod error;
mod hold;
mod record;

pub use card::{Card, Cards, HostCards};
pub use error::{NoStamps, Reason};
pub use hold::{Asked, Holder, Owner};
pub use record::{Store, StoreError};
