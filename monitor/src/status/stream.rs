//! Streams of an instance, as its programs keep them whether or not anybody reads.

use std::net::Ipv6Addr;

use monitor_common::{StreamCounts, StreamKey};
use serde::Serialize;

use crate::probe::pins::{PinError, Pinned};
use crate::sys::clock::monotonic_ns;

/// Number of TCP in an IP header.
const TCP: u8 = 6;

/// One stream. Counted are frames that begin a datagram or a segment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct StreamStatus {
    /// `c37118:192.0.2.1>192.0.2.9:udp:60`.
    pub id: String,
    /// The instance's interface it was seen on; absent where that is gone, and the instance's no more. One that came back
    /// has another index, and its streams a line of their own.
    pub iface: Option<String>,
    /// Index of that interface.
    pub ifindex: u32,
    /// DATA and configuration frames.
    pub frames: u64,
    /// Their lengths together.
    pub bytes: u64,
    /// How long ago the last one arrived.
    pub last_ns_ago: u64,
    /// Shortest time from one to the next; absent before the second.
    pub gap_min_ns: Option<u64>,
    /// Longest.
    pub gap_max_ns: Option<u64>,
}

pub(super) fn read(pinned: &Pinned) -> Result<Vec<StreamStatus>, PinError> {
    let interfaces = &pinned.record().interfaces;
    let iface = |key: &StreamKey| {
        let mut own =
            interfaces.iter().filter(|one| (one.key.netns, one.key.ifindex) == (key.netns, key.ifindex));
        own.next().map(|one| one.name.clone())
    };
    let streams = pinned.kernel().streams()?;
    let mut streams: Vec<_> = streams.iter().map(|(key, counts)| stream(iface(key), key, counts)).collect();
    // Of one stream, the line that goes on stands last.
    streams.sort_by(|one, other| one.id.cmp(&other.id).then(other.last_ns_ago.cmp(&one.last_ns_ago)));
    Ok(streams)
}

fn stream(iface: Option<String>, key: &StreamKey, counts: &StreamCounts) -> StreamStatus {
    let address = |bytes| Ipv6Addr::from(bytes).to_canonical();
    let (source, destination) = (address(key.source), address(key.destination));
    let transport = if key.transport == TCP { "tcp" } else { "udp" };
    let measured = |ns| Some(ns).filter(|&ns| ns != 0);
    StreamStatus {
        id: format!("c37118:{source}>{destination}:{transport}:{}", key.idcode),
        iface,
        ifindex: key.ifindex,
        frames: counts.frames,
        bytes: counts.bytes,
        last_ns_ago: monotonic_ns().saturating_sub(counts.last_ns),
        gap_min_ns: measured(counts.gap_min_ns),
        gap_max_ns: measured(counts.gap_max_ns),
    }
}
