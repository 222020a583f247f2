//! Where packets that come in are looked at.

use std::fmt;

/// A hook for what comes in. What leaves this host is seen at tc egress either way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Hook {
    /// tc ingress: attaching is harmless to a live interface.
    #[default]
    Tc,
    /// XDP: earlier, but some drivers reset their queues when a program is attached.
    Xdp,
}

impl fmt::Display for Hook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tc => "tc",
            Self::Xdp => "xdp",
        })
    }
}
