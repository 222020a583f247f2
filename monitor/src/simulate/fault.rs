//! Faults on request: what goes wrong, with which streams, when and how often.
//!
//! Everything random is drawn from the seed, the fault's place in the list, the stream and the instant: the same
//! request gives the same faults, whatever else is asked for and however fast the host is.

mod distribution;
mod kind;
mod scope;
mod text;

use std::str::FromStr;

pub use distribution::Distribution;
pub use kind::{FaultKind, LeapTag, Segmenting};
pub use scope::{Often, Scope, When, Window};
pub use text::FaultError;

/// One fault, as it was asked for.
#[derive(Clone, Debug, PartialEq)]
pub struct Fault {
    /// What goes wrong.
    pub kind: FaultKind,
    /// Where, when and how often.
    pub scope: Scope,
}

impl FromStr for Fault {
    type Err = FaultError;

    /// From `KIND[=VALUE][,KEY=VALUE]...`, such as `loss=0.01,idcode=103` or `clock-offset=5s,from=10s,for=2s`.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text::parse(text)
    }
}
