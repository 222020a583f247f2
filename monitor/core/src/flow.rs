//! From packets to frames: who talks to whom, and where the frames lie in what they say.
//!
//! A UDP datagram holds whole frames, one or several: [`Finder`] takes them out and gives every byte to exactly one
//! thing that it found. TCP segments and IP fragments are not put together yet; [`FlowKey`] is what they will be
//! sorted by.

mod finder;
mod iec61850_90_5;
mod ieee1344;
mod invalid;
mod key;
mod seen;

pub use finder::{Finder, Found, Invalid, RESYNC_BUDGET};
pub use invalid::InvalidReason;
pub use key::FlowKey;
pub use seen::Seen;
