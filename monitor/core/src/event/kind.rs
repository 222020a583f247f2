//! The kinds of event and the identities they carry.

use std::net::{IpAddr, Ipv6Addr};
use std::num::NonZeroU32;

use crate::event::StreamCounts;

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

/// What carried a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Transport {
    /// UDP over IPv4 or IPv6.
    Udp,
    /// TCP over IPv4 or IPv6.
    Tcp,
    /// Straight on Ethernet.
    Ethernet,
}

impl Transport {
    /// Its name in JSON.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Udp => "udp",
            Self::Tcp => "tcp",
            Self::Ethernet => "ethernet",
        }
    }
}

/// One end of a flow. IPv4 addresses are held as IPv4-mapped IPv6 ones.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Endpoint {
    /// The address's 16 bytes.
    pub address: [u8; 16],
    /// UDP or TCP port.
    pub port: u16,
}

impl Endpoint {
    /// From an address and a port.
    #[must_use]
    pub const fn new(address: IpAddr, port: u16) -> Self {
        let address = match address {
            IpAddr::V4(address) => address.to_ipv6_mapped().octets(),
            IpAddr::V6(address) => address.octets(),
        };
        Self { address, port }
    }

    /// The address; IPv4 where it was one.
    #[must_use]
    pub fn ip(&self) -> IpAddr {
        IpAddr::V6(Ipv6Addr::from(self.address)).to_canonical()
    }
}

impl std::fmt::Display for Endpoint {
    /// As the contract writes them: `192.0.2.1:4712`, `[2001:db8::1]:4712`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::net::SocketAddr::new(self.ip(), self.port).fmt(f)
    }
}

impl std::fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(self, f)
    }
}

/// Between whom a frame went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Addresses {
    /// Over IP.
    Ip {
        /// Sender.
        source: Endpoint,
        /// Receiver.
        destination: Endpoint,
    },
    /// Straight on Ethernet.
    Ethernet {
        /// Sender's MAC address.
        source: [u8; 6],
        /// Receiver's.
        destination: [u8; 6],
    },
}

/// What makes a stream one: it survives reconnects and ephemeral ports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
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

impl std::fmt::Display for StreamKey {
    /// The identifier of the contract: `c37118:192.0.2.1>192.0.2.9:udp:60`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let ip = |address| Endpoint { address, port: 0 }.ip();
        let (source, destination) = (ip(self.source), ip(self.destination));
        write!(f, "c37118:{source}>{destination}:{}:{}", self.transport.name(), self.idcode)
    }
}

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
    /// A TCP segment: flows are not reassembled yet.
    Tcp,
    /// An IP fragment: not reassembled yet.
    Fragment,
    /// A type of frame that is not decoded yet (CFG-3).
    Unsupported,
    /// The table of streams is full.
    TooManyStreams,
}

impl UndecodedReason {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::NoConfiguration,
        Self::SizeMismatch,
        Self::BadConfiguration,
        Self::Tcp,
        Self::Fragment,
        Self::Unsupported,
        Self::TooManyStreams,
    ];

    /// Its name in JSON.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::NoConfiguration => "no_configuration",
            Self::SizeMismatch => "size_mismatch",
            Self::BadConfiguration => "bad_configuration",
            Self::Tcp => "tcp",
            Self::Fragment => "fragment",
            Self::Unsupported => "unsupported",
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

/// Why something that began like a frame is none. The names are the contract's `error`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum InvalidReason {
    /// Its check does not fit its bytes.
    Crc,
    /// FRAMESIZE cannot be that of such a frame, or leaves bytes over.
    Size,
    /// Fewer bytes than FRAMESIZE says.
    Truncated,
    /// No such SYNC word, frame type or version.
    Type,
    /// IEEE 1344, the older protocol on the same ports.
    Ieee1344,
}

impl InvalidReason {
    /// Its name in JSON.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Crc => "crc",
            Self::Size => "size",
            Self::Truncated => "truncated",
            Self::Type => "type",
            Self::Ieee1344 => "ieee1344",
        }
    }
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

/// How a stream runs; sent once a second beside its counts.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct StreamTiming {
    /// DATA frames per second, measured over the window since the last such event.
    pub rate_hz: f32,
    /// Frequency of the first PMU of the last decoded frame.
    pub frequency_hz: Option<f32>,
    /// Its rate of change.
    pub rocof_hz_per_s: Option<f32>,
    /// `receive_to_decoded` in nanoseconds since the start: median, 99th percentile, maximum.
    pub latency_ns: Option<[u32; 3]>,
    /// Time quality of the last frame (the 8 bits of FRACSEC).
    pub time_quality: u8,
    /// STAT of its first PMU.
    pub stat: u16,
}

/// What happened.
#[derive(Clone, Copy, Debug)]
pub enum EventKind {
    /// A packet as it was on the wire: what a recorder keeps.
    Packet,
    /// A frame and what became of it.
    Frame(FrameEvent, Outcome),
    /// A stream was seen for the first time.
    StreamOpened(StreamKey),
    /// A stream's counts since the start.
    StreamCounts(StreamCounts),
    /// How a stream runs.
    StreamTiming(StreamTiming),
    /// A packet that did not match looks like C37.118.
    Candidate(Candidate),
}

impl EventKind {
    /// The class by which sinks ask for it.
    #[must_use]
    pub const fn class(&self) -> Class {
        match self {
            Self::Packet => Class::Packet,
            Self::Frame(..) => Class::Frame,
            Self::StreamOpened(_) => Class::Opened,
            Self::StreamCounts(_) | Self::StreamTiming(_) => Class::StreamState,
            Self::Candidate(_) => Class::Candidate,
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
    /// Configurations with their bytes. The registry of names lives on them.
    Config,
    /// New streams.
    Opened,
    /// Counts and timing of streams.
    StreamState,
    /// Candidates found while discovering.
    Candidate,
}

impl Class {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Packet, Self::Frame, Self::Config, Self::Opened, Self::StreamState, Self::Candidate];

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
        }
    }
}

/// A set of classes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Classes(u8);

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
