//! Why a card gives no stamps, with the remedy.

use std::{fmt, io};

use super::StoreError;

/// An interface without hardware stamps: the run goes on, and the stage is absent for it.
#[derive(Debug)]
pub struct NoStamps {
    /// Its name.
    pub interface: String,
    /// Why.
    pub reason: Reason,
}

/// Why.
#[derive(Debug)]
pub enum Reason {
    /// It is made of several others, each with a clock of its own.
    Several {
        /// What it is: "bond", "bridge".
        kind: String,
    },
    /// It lies on another that is in another network namespace.
    Elsewhere,
    /// Its driver says that it cannot stamp every packet.
    NotAll,
    /// It has no clock, so that a stamp of it could be compared with nothing.
    NoClock,
    /// Its clock cannot be read.
    Clock {
        /// Its device.
        device: String,
        /// Why.
        source: io::Error,
    },
    /// The kernel refused.
    Refused {
        /// What was tried.
        what: &'static str,
        /// What it said.
        source: io::Error,
    },
    /// It was asked to stamp every packet, and does something else.
    Otherwise {
        /// The receive filter that it has (`HWTSTAMP_FILTER_*`).
        filter: i32,
    },
    /// What was before cannot be written down.
    Record(StoreError),
}

impl fmt::Display for NoStamps {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { interface, reason } = self;
        write!(out, "no hardware stamps from {interface}: ")?;
        match reason {
            Reason::Several { kind } => write!(
                out,
                "it is a {kind}, and each of the interfaces that it is made of has a clock of its own; monitor those, with \
                 --iface for each"
            ),
            Reason::Elsewhere => write!(
                out,
                "the interface that it lies on is in another network namespace; monitor that one there"
            ),
            Reason::NotAll => write!(
                out,
                "its driver cannot stamp every packet that comes in (`ethtool -T {interface}` has no receive filter \
                 \"all\"); use a card that can, or leave out --hw-stamps"
            ),
            Reason::NoClock => write!(
                out,
                "it has no clock of its own (`ethtool -T {interface}`), so that its stamps can be compared with nothing; use \
                 a card that has, or a kernel with its driver's PTP support"
            ),
            Reason::Clock { device, source } => {
                let remedy = match source.kind() {
                    io::ErrorKind::PermissionDenied => {
                        "it is for root to read; run as root, or give this user the right to it (udev)"
                    }
                    io::ErrorKind::NotFound => {
                        "the device is missing here: a container needs it handed in (--device)"
                    }
                    _ => "see the kernel log",
                };
                write!(out, "its clock {device} cannot be read ({source}); {remedy}")
            }
            Reason::Refused { what, source } => {
                write!(out, "it cannot {what} ({source}); {}", remedy(source))
            }
            Reason::Otherwise { filter } => write!(
                out,
                "it was asked to stamp every packet and has the receive filter {filter} instead; it was put back as it \
                 was"
            ),
            Reason::Record(error) => error.fmt(out),
        }
    }
}

fn remedy(error: &io::Error) -> &'static str {
    match error.raw_os_error() {
        Some(libc::EPERM | libc::EACCES) => "CAP_NET_ADMIN is missing; run as root or grant it",
        Some(libc::EBUSY) => {
            "another's setting forbids it: end what uses the card's stamps (ptp4l), or ask it for the receive filter \"all\""
        }
        Some(libc::EOPNOTSUPP) => "its driver has no hardware stamps; use a card that has",
        Some(libc::ERANGE) => "its driver promises what it does not do; use a card that does",
        Some(libc::ENODEV) => "it has gone away",
        _ => "see the kernel log",
    }
}
