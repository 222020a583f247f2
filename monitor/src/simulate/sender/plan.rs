//! How a fleet sends.

use std::net::SocketAddr;
use std::num::NonZeroU32;

use monitor_core::protocol::c37118::{FrameKind, TimeBase};

use super::link::DataTo;
use crate::simulate::fault::Fault;
use crate::simulate::instant::{ReportingInstant, ReportingRate};
use crate::simulate::shape::Shape;

/// How a fleet sends.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// By which transport, and where to.
    pub route: Route,
    /// Whether DATA begin by themselves: over UDP at the start, over TCP with the connection. Otherwise CMD 2 begins
    /// them.
    pub spontaneous: bool,
    /// Instants in a second.
    pub rate: ReportingRate,
    /// TIME_BASE.
    pub time_base: TimeBase,
    /// PMUs in a stream. Streams of one PMU have its IDCODE.
    pub per_stream: u16,
    /// The IDCODE of the first stream of several PMUs; the others follow.
    pub first_stream_idcode: u16,
    /// The channels of each PMU.
    pub shape: Shape,
    /// Which configurations are sent without being asked for: at the start or with the connection, and then every
    /// `config_every_s`.
    pub announced: Vec<FrameKind>,
    /// Seconds from one announcement to the next.
    pub config_every_s: NonZeroU32,
    /// After how many instants the sender ends by itself.
    pub instants: Option<u64>,
    /// When it is at the start, in nanoseconds since the Unix epoch; UTC where there is none.
    pub start_ns: Option<i64>,
    /// CFG-3 of more bytes than this is sent in fragments.
    pub config3_size: u16,
    /// What goes wrong.
    pub faults: Vec<Fault>,
    /// What is drawn for the faults.
    pub seed: u64,
    /// Routers that multicast DATA may pass, and 1.
    pub ttl: u32,
}

/// The transport of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Route {
    /// UDP to one place or a multicast group.
    Udp(SocketAddr),
    /// A TCP server.
    Tcp,
    /// A TCP server for commands and configurations, with DATA over UDP.
    Control(DataTo),
}

impl Plan {
    /// A minute from one CFG-2 to the next.
    pub const CONFIG_EVERY_S: NonZeroU32 = NonZeroU32::new(60).unwrap();

    /// What a stream announces that begins by itself.
    pub const ANNOUNCED: [FrameKind; 1] = [FrameKind::Config2];

    /// The IDCODE of the first stream of several PMUs.
    pub const FIRST_STREAM_IDCODE: u16 = 1;

    /// By UDP to `to` at `rate`, with a CFG-2 every minute, until it is stopped.
    #[must_use]
    pub fn new(to: SocketAddr, rate: ReportingRate) -> Self {
        Self::over(Route::Udp(to), rate)
    }

    /// As is usual for the route: spontaneous over UDP, by command over TCP; one PMU in a stream.
    #[must_use]
    pub fn over(route: Route, rate: ReportingRate) -> Self {
        Self {
            route,
            spontaneous: matches!(route, Route::Udp(_)),
            rate,
            time_base: ReportingInstant::TIME_BASE,
            per_stream: 1,
            first_stream_idcode: Self::FIRST_STREAM_IDCODE,
            shape: Shape::USUAL,
            announced: if matches!(route, Route::Udp(_)) { Self::ANNOUNCED.to_vec() } else { Vec::new() },
            config_every_s: Self::CONFIG_EVERY_S,
            instants: None,
            start_ns: None,
            config3_size: u16::MAX,
            faults: Vec::new(),
            seed: 1,
            ttl: 1,
        }
    }
}
