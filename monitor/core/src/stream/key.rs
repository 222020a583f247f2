//! What makes a stream one, and the numbers that stand for streams and configurations in events.

use std::hash::{Hash, Hasher};
use std::num::NonZeroU32;

use crate::packet::{Endpoint, Transport};

/// Number of a stream in the table of streams; never reused within a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StreamId(pub NonZeroU32);

/// A configuration: the slot its layout stands in, and which use of that slot it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ConfigId {
    /// Index of the slot.
    pub slot: u16,
    /// Counts up with each use of the slot, from 1.
    pub generation: u16,
}

/// Where a configuration came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ConfigSource {
    /// Seen on the wire.
    Wire,
    /// The PMU's answer to a command of this program.
    Requested,
    /// A file that the user named.
    File,
    /// Kept from an earlier run.
    Cached,
}

impl ConfigSource {
    /// Its name in JSON.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Wire => "wire",
            Self::Requested => "requested",
            Self::File => "file",
            Self::Cached => "cached",
        }
    }
}

/// What makes a stream one: it survives reconnects and ephemeral ports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct StreamKey {
    /// The PMU's (or PDC's) address, 16 bytes as in [`Endpoint`].
    pub source: [u8; 16],
    /// The receiver's.
    pub destination: [u8; 16],
    /// What carries it.
    pub transport: Transport,
    /// The stream's IDCODE.
    pub idcode: u16,
}

impl Hash for StreamKey {
    /// Once for each frame: five steps, where the derived one takes eight, lengths that are always the same among them.
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write(&self.source);
        state.write(&self.destination);
        state.write_u32(u32::from(self.idcode) << 8 | self.transport as u32);
    }
}

impl std::fmt::Display for StreamKey {
    /// The identifier of the contract: `c37118:192.0.2.1>192.0.2.9:udp:60`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let ip = |address| Endpoint { address, port: 0 }.ip();
        let (source, destination) = (ip(self.source), ip(self.destination));
        write!(f, "c37118:{source}>{destination}:{}:{}", self.transport.name(), self.idcode)
    }
}
