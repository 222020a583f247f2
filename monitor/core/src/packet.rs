//! What a reader or a capture hands to the pipeline, and the headers in it.
//!
//! First room on a frame's way: [`Packet::parse`] takes a [`Record`] apart, down to the payload of UDP or TCP, and
//! copies nothing. What it cannot take apart costs that packet alone, and says why.

mod address;
mod ip;
mod link;
mod parse;
mod record;
mod redundancy;
mod transport;

pub use address::{Addresses, Endpoint, Transport};
pub use parse::{Content, Datagram, Fragment, Malformed, Packet, Segment};
pub use record::{Direction, InterfaceId, LinkType, Record, RecordKind, Stamps, VlanTag};
pub use redundancy::{Lan, Rct};
