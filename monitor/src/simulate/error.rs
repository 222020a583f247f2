//! Why a simulation cannot begin, each with the remedy. Once it runs, what fails is counted and ends nothing.

use std::io;
use std::net::{IpAddr, SocketAddr};

use monitor_core::protocol::c37118::encode::EncodeError;
use monitor_core::protocol::c37118::{ConfigError, FrameError, LayoutError};

use super::station::{LAST_IDCODE, MOST_PMUS};
use crate::netns;

/// A simulation that cannot begin.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No PMU, or too many.
    #[error("{0} PMUs cannot be simulated; ask for 1 to {MOST_PMUS}")]
    Pmus(u16),
    /// An IDCODE that the standard reserves would be needed.
    #[error(
        "{pmus} PMUs from IDCODE {first} need IDCODEs outside of 1 to {LAST_IDCODE}; begin elsewhere or take fewer"
    )]
    IdCodes {
        /// The first one asked for.
        first: u16,
        /// How many.
        pmus: u16,
    },
    /// The streams' own IDCODEs would be reserved or PMUs' ones.
    #[error(
        "{streams} streams from IDCODE {first} meet those of PMUs, or leave 1 to {LAST_IDCODE}; \
         begin elsewhere with --first-stream-idcode or --first-idcode"
    )]
    StreamIdCodes {
        /// The first stream's.
        first: u16,
        /// How many.
        streams: u16,
    },
    /// A fault that the transport cannot have.
    #[error("the fault {kind} needs {needs}")]
    Fault {
        /// Its name.
        kind: &'static str,
        /// What it needs.
        needs: &'static str,
    },
    /// Frames cannot go there.
    #[error(
        "cannot send to {0}: port 0 is no destination; give a port from 1 to 65535 (UDP 4713 by convention)"
    )]
    Port(SocketAddr),
    /// IPv4 from IPv6, or the other way round.
    #[error("cannot send from {from} to {to}: one is IPv4 and the other IPv6; give two of one kind")]
    Family {
        /// The station's address.
        from: IpAddr,
        /// The destination.
        to: SocketAddr,
    },
    /// A socket could not be had.
    #[error("cannot open a {transport} socket on {address}: {source}; {remedy}")]
    Socket {
        /// UDP or TCP.
        transport: &'static str,
        /// Where it was to be bound.
        address: SocketAddr,
        /// What the kernel said.
        source: io::Error,
        /// What to do.
        remedy: &'static str,
    },
    /// A thread could not be started.
    #[error("cannot start the thread {name}: {source}; the host has run out of threads or memory")]
    Thread {
        /// Its name.
        name: &'static str,
        /// What the kernel said.
        source: io::Error,
    },
    /// The demo's namespaces.
    #[error(transparent)]
    Netns(#[from] netns::Error),
    /// A station whose frames the encoder does not take: a bug of the model.
    #[error("station {station} cannot be described: {source}")]
    Station {
        /// Its name.
        station: String,
        /// What is wrong with its configuration.
        source: Undescribed,
    },
}

/// Why a station's configuration is not possible.
#[derive(Debug, thiserror::Error)]
pub enum Undescribed {
    /// It cannot be written.
    #[error(transparent)]
    Encode(#[from] EncodeError),
    /// What was written is no frame.
    #[error(transparent)]
    Frame(#[from] FrameError),
    /// What was written is no configuration.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// It lays out no DATA.
    #[error(transparent)]
    Layout(#[from] LayoutError),
}

impl Error {
    pub(super) fn socket(transport: &'static str, address: SocketAddr, source: io::Error) -> Self {
        let remedy = match source.kind() {
            io::ErrorKind::AddrNotAvailable => "give an address that an interface of this host has",
            io::ErrorKind::AddrInUse => "another program has that port; end it or take another address",
            io::ErrorKind::PermissionDenied => "a sandbox or the port's number forbids it",
            _ => "the host has run out of a resource (raise the limit of open files: ulimit -n)",
        };
        Self::Socket { transport, address, source, remedy }
    }
}
