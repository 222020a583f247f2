//! An aligned instant in a line.

use std::fmt::{self, Write as _};

use monitor_core::event::InstantEvent;

use crate::hub::Item;
use crate::sink::Utc;
use crate::sink::words::{ABSENT, Micros};

/// Absent streams that are named; the others are said to be there.
const ABSENT_SHOWN: usize = 3;

/// The instant, how many of the streams came, how far apart, and who was absent.
pub(super) fn describe(line: &mut String, item: &Item<'_>, instant: &InstantEvent) -> fmt::Result {
    let InstantEvent { time, leap, expected, present, skew_ns, .. } = *instant;
    write!(line, "{}  instant  {present} of {expected} streams", Utc(time))?;
    if leap {
        write!(line, "  leap second")?;
    }
    if present > 1 {
        write!(line, "  within {} us", Micros(skew_ns.into()))?;
    }
    let named = item.peers.iter().skip(2).take(ABSENT_SHOWN);
    for (place, peer) in named.enumerate() {
        let label = peer.as_ref().map_or(ABSENT, |info| &info.label);
        write!(line, "{}{label}", if place == 0 { "  without " } else { ", " })?;
    }
    match (expected - present) as usize {
        absent if absent > ABSENT_SHOWN => write!(line, " +{}", absent - ABSENT_SHOWN),
        _ => Ok(()),
    }
}
