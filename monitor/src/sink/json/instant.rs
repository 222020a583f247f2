//! The line of an aligned instant.

use monitor_core::event::{End, InstantEvent};
use serde::Serialize;

use crate::hub::{Item, StreamInfo};

/// One instant that is over. Streams are told by their identifier; one that is not known here (the lane that tells of
/// new streams was full) is null.
#[derive(Debug, Serialize)]
#[serde(tag = "kind", rename = "c37118.instant")]
pub(super) struct Line<'a> {
    time_ns: i64,
    /// Only where it is true.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    leap_second: bool,
    /// Arrival of the last frame that came in time, and of the first.
    arrival_ns: i64,
    first_arrival_ns: i64,
    expected: u32,
    present: u32,
    complete: bool,
    /// Why it was over.
    end: &'static str,
    /// From the first arrival to the last; null where one stream came alone.
    skew_ns: Option<u32>,
    /// From the first arrival until it was over.
    waited_ns: u32,
    first: Option<&'a str>,
    last: Option<&'a str>,
    /// Who did not come; as many as are told, which `expected` minus `present` may exceed.
    absent: Vec<Option<&'a str>>,
}

impl<'a> Line<'a> {
    pub(super) fn new(item: &'a Item<'_>, instant: &InstantEvent) -> Self {
        let mut names = item.peers.iter().map(|peer| peer.as_deref().map(|info: &StreamInfo| &*info.label));
        let (first, last) = (names.next().flatten(), names.next().flatten());
        Self {
            time_ns: instant.time.0,
            leap_second: instant.leap,
            arrival_ns: item.event.arrival.0,
            first_arrival_ns: item.event.first_arrival.0,
            expected: instant.expected,
            present: instant.present,
            complete: instant.is_complete(),
            end: match instant.end {
                End::Complete => "complete",
                End::Window => "window",
                End::Cut => "cut",
            },
            skew_ns: (instant.present > 1).then_some(instant.skew_ns),
            waited_ns: instant.waited_ns,
            first,
            last,
            absent: names.collect(),
        }
    }
}
