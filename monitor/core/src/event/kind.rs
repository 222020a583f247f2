//! The kinds of event.

use super::{InstantEvent, Overrun};
use crate::flow::InvalidReason;
use crate::packet::{Addresses, Transport};
use crate::stream::{ConfigSource, Misfit, Missing, RuleId, StreamCounts, StreamKey, StreamTiming};

/// Which protocol's frame it is; more follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Protocol {
    /// IEEE C37.118.2.
    C37118,
}

/// Why a frame that was found could not be given its values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum UndecodedReason {
    /// DATA before any configuration of its stream.
    NoConfiguration,
    /// The configuration known does not predict this FRAMESIZE.
    SizeMismatch,
    /// A configuration that contradicts itself, or is beyond a bound.
    BadConfiguration,
    /// A fragment of a CFG-3: the configuration is not whole.
    ConfigFragment,
    /// The table of streams is full.
    TooManyStreams,
}

impl UndecodedReason {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::NoConfiguration,
        Self::SizeMismatch,
        Self::BadConfiguration,
        Self::ConfigFragment,
        Self::TooManyStreams,
    ];

    /// Its name in JSON.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::NoConfiguration => "no_configuration",
            Self::SizeMismatch => "size_mismatch",
            Self::BadConfiguration => "bad_configuration",
            Self::ConfigFragment => "config_fragment",
            Self::TooManyStreams => "too_many_streams",
        }
    }
}

/// What became of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Its views give every value.
    Decoded,
    /// It is a sound frame, but its values are not known.
    Undecoded(UndecodedReason),
    /// It is no sound frame.
    Invalid(InvalidReason),
}

/// A frame, found in a packet or put together from several.
#[derive(Clone, Copy, Debug)]
pub struct FrameEvent {
    /// Its protocol.
    pub protocol: Protocol,
    /// The type bits of its second byte (C37.118: 0 DATA, 1 HDR, 2 CFG-1, 3 CFG-2, 4 CMD, 5 CFG-3), where known.
    pub frame_type: Option<u8>,
    /// Its IDCODE, where known.
    pub idcode: Option<u16>,
    /// Between whom.
    pub addresses: Addresses,
    /// Over what.
    pub transport: Transport,
}

impl FrameEvent {
    /// Whether its type is CFG-1, CFG-2 or CFG-3: such frames are of [`Class::Config`].
    #[must_use]
    pub const fn is_configuration(&self) -> bool {
        matches!((self.protocol, self.frame_type), (Protocol::C37118, Some(2 | 3 | 5)))
    }
}

/// Something on the wire that would match if it were asked for.
#[derive(Clone, Copy, Debug)]
pub struct Candidate {
    /// Between whom.
    pub addresses: Addresses,
    /// Over what.
    pub transport: Transport,
    /// IDCODE of the sound frame that was found.
    pub idcode: u16,
}

/// What is new of a stream's configuration without a frame of the wire that says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConfigNews {
    /// One that came another way lays out the stream's DATA from here on. The event's bytes are its frame.
    Adopted(ConfigSource),
    /// One that is known does not predict the FRAMESIZE of the stream's DATA; told once for each.
    Misfit(Misfit),
    /// DATA have come for a while ([`UNCONFIGURED_NS`](crate::stream::UNCONFIGURED_NS)) and none is known; told once
    /// for each stream.
    Missing,
}

/// What happened.
#[derive(Clone, Copy, Debug)]
pub enum EventKind {
    /// A packet as it was on the wire: what a recorder keeps.
    Packet,
    /// A frame and what became of it.
    Frame(FrameEvent, Outcome),
    /// A stream's configuration, not from the wire.
    Config(ConfigNews),
    /// A stream was seen for the first time, or another rule holds for it than was told before: its key, and the rule.
    StreamOpened(StreamKey, Option<RuleId>),
    /// A stream's counts since the start, and how many more of its missing frames there are than were told of by
    /// [`EventKind::Missing`] before this event.
    StreamCounts(StreamCounts, i32),
    /// How a stream runs.
    StreamTiming(StreamTiming),
    /// All else that is known of a stream: its bytes are a [`StreamReport`](crate::stream::StreamReport).
    StreamReport,
    /// A packet that did not match looks like C37.118.
    Candidate(Candidate),
    /// An instant of all streams is over.
    Instant(InstantEvent),
    /// A turn of the real-time thread took longer than its budget.
    Overrun(Overrun),
    /// Frames of a stream are missing, or one that was is there.
    Missing(Missing),
}

impl EventKind {
    /// The class by which sinks ask for it.
    #[must_use]
    pub const fn class(&self) -> Class {
        match self {
            Self::Packet => Class::Packet,
            Self::Frame(frame, _) if frame.is_configuration() => Class::Config,
            Self::Config(_) => Class::Config,
            Self::Frame(..) => Class::Frame,
            Self::StreamOpened(..) => Class::Opened,
            Self::StreamCounts(..) | Self::StreamTiming(_) | Self::StreamReport => Class::StreamState,
            Self::Candidate(_) => Class::Candidate,
            Self::Instant(_) => Class::Instant,
            Self::Overrun(_) => Class::Overrun,
            Self::Missing(_) => Class::Missing,
        }
    }
}

/// Classes of events that a sink may ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Class {
    /// Packets with their bytes.
    Packet,
    /// Frames with their bytes, other than configurations.
    Frame,
    /// Configurations with their bytes, and news of them. The registry of names lives on them.
    Config,
    /// New streams.
    Opened,
    /// Counts and timing of streams.
    StreamState,
    /// Candidates found while discovering.
    Candidate,
    /// Aligned instants.
    Instant,
    /// Turns that took longer than their budget.
    Overrun,
    /// Frames that are missing.
    Missing,
}

impl Class {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Packet,
        Self::Frame,
        Self::Config,
        Self::Opened,
        Self::StreamState,
        Self::Candidate,
        Self::Instant,
        Self::Overrun,
        Self::Missing,
    ];

    /// Its name in counters.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Packet => "packet",
            Self::Frame => "frame",
            Self::Config => "config",
            Self::Opened => "opened",
            Self::StreamState => "stream_state",
            Self::Candidate => "candidate",
            Self::Instant => "instant",
            Self::Overrun => "overrun",
            Self::Missing => "missing",
        }
    }
}

/// A set of classes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Classes(u16);

impl Classes {
    /// The set without a class.
    pub const NONE: Self = Self(0);

    /// With a class added.
    #[must_use]
    pub const fn with(self, class: Class) -> Self {
        Self(self.0 | 1 << class as u8)
    }

    /// All that either set holds.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether a class is in the set.
    #[must_use]
    pub const fn has(self, class: Class) -> bool {
        self.0 >> class as u8 & 1 == 1
    }
}
