//! Whether this host's clock can be believed: lateness is as good as it.

use super::Subject;
use super::finding::{Finding, Looked};
use crate::clock::Source;

const CHRONY: &str = "apt install chrony, or ptp4l and phc2sys of linuxptp";

pub(super) fn source(subject: &Subject<'_>) -> Looked {
    let keeper = subject.host.keeper();
    if let Some(seconds) = keeper.tai_mistake_s {
        return Ok(Finding::fail(
            format!("the clock is {seconds} s off its source: TAI was taken for UTC"),
            "phc2sys -O 0 where the card counts UTC, phc2sys -w where it counts TAI",
        ));
    }
    let who = || match &keeper.reference {
        Some(reference) => format!("{} follows {reference}", keeper.source),
        None => keeper.source.to_string(),
    };
    Ok(match (keeper.source, keeper.error_bound_ns) {
        (Source::Chrony | Source::Ptp4l, Some(bound)) => {
            Finding::pass(format!("{}, off by at most {bound} ns", who()))
        }
        (Source::Chrony | Source::Ptp4l, None) => Finding::warn(
            format!("{}, and how far it can be off is not known", who()),
            "a grandmaster that states its accuracy; ethtool -T IF says whether its card has a clock that can be read",
        ),
        (Source::AdjtimexSynchronised, _) => {
            Finding::warn("something keeps the clock, and how far it can be off is not known", CHRONY)
        }
        (Source::AdjtimexUnsynchronised, _) => {
            Finding::fail("nothing keeps the clock: lateness means nothing", CHRONY)
        }
        (Source::Unknown, _) => return Err(refused()),
    })
}

pub(super) fn tai_offset(subject: &Subject<'_>) -> Looked {
    /// TAI minus UTC since 2017, and what one leap second more or less would make of it.
    const PLAUSIBLE: std::ops::RangeInclusive<i32> = 36..=38;
    const REMEDY: &str = "leapsectz right/UTC in /etc/chrony/chrony.conf; systemctl restart chrony";
    Ok(match subject.host.keeper().tai_offset_s {
        Some(offset) if PLAUSIBLE.contains(&offset) => Finding::pass(format!("TAI is UTC + {offset} s")),
        Some(offset) => {
            Finding::warn(format!("TAI is said to be UTC + {offset} s; it is 37 since 2017"), REMEDY)
        }
        None if subject.host.keeper().source == Source::Unknown => return Err(refused()),
        None => Finding::warn("nobody has told the kernel how far TAI is from UTC", REMEDY),
    })
}

fn refused() -> Finding {
    Finding::unknown("adjtimex(2) is refused", "run it outside of the sandbox that forbids it")
}
