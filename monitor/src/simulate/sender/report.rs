//! What was sent, to the last frame.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

use monitor_core::protocol::c37118::{FrameKind, IdCode};

use crate::simulate::ledger::Expected;
use crate::simulate::script::Injected;

/// What was done in all.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    /// Each stream, by ascending IDCODE.
    pub streams: Vec<StreamReport>,
    /// When the first instant was, simulated, in nanoseconds since the Unix epoch.
    pub start_ns: i64,
    /// Instants that came due at the stream that had most. Each stream sent a DATA frame at each of its own, or its
    /// counts say why not.
    pub instants: u64,
    /// How long after its deadline the latest began, in nanoseconds.
    pub latest_ns: u64,
    /// The first frame that could not be sent, and why.
    pub first_failure: Option<String>,
}

impl Report {
    /// The sum over all streams.
    #[must_use]
    pub fn total(&self) -> Counts {
        self.streams.iter().map(|stream| stream.counts).fold(Counts::default(), Counts::plus)
    }

    /// The faults of all streams.
    #[must_use]
    pub fn injected(&self) -> Injected {
        self.streams.iter().map(|stream| stream.injected).fold(Injected::default(), Injected::plus)
    }
}

/// What one stream did.
#[derive(Clone, Debug, PartialEq)]
pub struct StreamReport {
    /// Its IDCODE.
    pub idcode: IdCode,
    /// Where it sent from, or listened.
    pub address: SocketAddr,
    /// What it sent and received.
    pub counts: Counts,
    /// Which faults it was given.
    pub injected: Injected,
    /// Who got the stream, and what each must have found.
    pub receivers: Vec<ReceiverReport>,
}

/// Who got a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReceiverReport {
    /// Its address, whatever its ports were.
    pub address: IpAddr,
    /// How the frames went.
    pub transport: Transport,
    /// What it must find, if it gets every byte that was sent.
    pub expected: Expected,
}

/// How frames go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// In datagrams.
    Udp,
    /// On a connection.
    Tcp,
}

impl fmt::Display for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Udp => "udp",
            Self::Tcp => "tcp",
        })
    }
}

macro_rules! counts {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// Frames of one stream, or of all. A frame that goes to two receivers counts as two.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub struct Counts {
            $($(#[$doc])* pub $name: u64,)*
        }

        impl Counts {
            /// Each with its name.
            #[must_use]
            pub fn named(&self) -> Vec<(&'static str, u64)> {
                vec![$((stringify!($name), self.$name),)*]
            }

            pub(super) fn plus(self, other: Self) -> Self {
                Self { $($name: self.$name + other.$name,)* }
            }
        }
    };
}

counts! {
    /// Instants that came due.
    instants,
    /// Of those, how many found nobody to send to: a command had turned DATA off, or no client was there.
    withheld,
    /// Of those, how many began more than 2 ms after their deadline.
    late,
    /// DATA that the kernel took.
    data,
    /// DATA that the kernel did not take, or for which a slow client had no room.
    failed_data,
    /// CFG-1 that the kernel took.
    config1,
    /// CFG-2 that the kernel took.
    config2,
    /// CFG-3 that the kernel took, a fragment counted as a frame.
    config3,
    /// HDR that the kernel took.
    header,
    /// CFG and HDR that the kernel did not take.
    failed_other,
    /// Clients that connected.
    connections,
    /// CMD received that are for this stream.
    commands,
    /// Of those, how many ask for what is not simulated, and got no answer.
    unanswered,
    /// Datagrams received that are no command for this stream, and beginnings of such on a connection.
    refused,
}

impl Counts {
    /// One frame more.
    pub(super) fn sent(&mut self, kind: FrameKind) {
        let count = match kind {
            FrameKind::Data => &mut self.data,
            FrameKind::Config1 => &mut self.config1,
            FrameKind::Config2 => &mut self.config2,
            FrameKind::Config3 => &mut self.config3,
            // A PMU sends no commands.
            FrameKind::Header | FrameKind::Command => &mut self.header,
        };
        *count += 1;
    }

    /// One more that did not go.
    pub(super) fn failed(&mut self, kind: FrameKind) {
        *if kind == FrameKind::Data { &mut self.failed_data } else { &mut self.failed_other } += 1;
    }
}
