//! Values as a person reads them: the same words on the screen, in plain lines and in the summary.

use std::fmt::{self, Display};

use monitor_core::protocol::c37118::{ClockQuality, Stat, TimeQuality};

use crate::hub::{RtSummary, StreamRow};

/// What stands where there is no value; never 0.
pub(crate) const ABSENT: &str = "-";

/// A value, or what stands for none.
pub(crate) fn or_absent<T: Display>(value: Option<T>) -> String {
    value.map_or_else(|| ABSENT.to_owned(), |value| value.to_string())
}

/// Late frames of a stream: with a question mark where some were judged as if this host's clock were exact.
pub(crate) fn late(row: &StreamRow) -> String {
    let mark = if row.lateness.judged_unbounded > 0 { "?" } else { "" };
    row.late.map_or_else(|| ABSENT.to_owned(), |late| format!("{late}{mark}"))
}

/// Nanoseconds shown as microseconds, to three digits where they are few.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Micros(pub(crate) u64);

impl Display for Micros {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(ns) = *self;
        // Where rounding would give one digit more, the next coarser form takes over.
        let text = match ns {
            0..9_995 => format!("{}.{:02}", (ns + 5) / 1_000, (ns + 5) % 1_000 / 10),
            9_995..99_950 => format!("{}.{}", (ns + 50) / 1_000, (ns + 50) % 1_000 / 100),
            _ => (ns / 1_000 + u64::from(ns % 1_000 >= 500)).to_string(),
        };
        f.pad(&text)
    }
}

/// A time in seconds, to a tenth.
pub(crate) fn seconds(ns: u64) -> String {
    format!("{}.{} s", ns / 1_000_000_000, ns % 1_000_000_000 / 100_000_000)
}

/// A measured value with this many decimals; one that no such quantity can have, since a frame may say anything, is
/// shortened, and one that is no number is absent.
pub(crate) fn measured(value: Option<f32>, decimals: usize) -> String {
    const LONGEST: f32 = 1e5;
    match value.filter(|value| value.is_finite()) {
        Some(value) if value.abs() < LONGEST => format!("{value:.decimals$}"),
        Some(value) => format!("{value:.0e}"),
        None => ABSENT.to_owned(),
    }
}

/// The parts of a stream's identifier.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct StreamName<'a> {
    pub(crate) idcode: &'a str,
    /// Address of the PMU.
    pub(crate) source: &'a str,
    /// Address of the receiver.
    pub(crate) destination: &'a str,
    pub(crate) transport: &'a str,
}

impl<'a> StreamName<'a> {
    /// Of `c37118:192.0.2.1>192.0.2.9:udp:60`; `None` for another protocol's.
    pub(crate) fn parse(id: &'a str) -> Option<Self> {
        let (rest, idcode) = id.strip_prefix("c37118:")?.rsplit_once(':')?;
        let (addresses, transport) = rest.rsplit_once(':')?;
        let (source, destination) = addresses.split_once('>')?;
        Some(Self { idcode, source, destination, transport })
    }
}

/// A stream in a sentence: `60 192.0.2.1 > 192.0.2.9 udp (Station A)`.
pub(crate) fn stream(row: &StreamRow) -> String {
    let name = row.name.as_deref().map(|name| format!(" ({name})")).unwrap_or_default();
    match StreamName::parse(&row.id) {
        Some(StreamName { idcode, source, destination, transport }) => {
            format!("{idcode} {source} > {destination} {transport}{name}")
        }
        None => format!("{}{name}", row.id),
    }
}

/// The time quality of a stream's last frame: `locked`, `<1us`, `fault`; `no sync` where the frame's quality says
/// nothing and STAT says that the PMU has lost its time source. Leap seconds: `leap+` and `leap-` ahead (inserted,
/// deleted), `leap done` in the day after. Absent before the first frame.
pub(crate) fn time_quality(row: &StreamRow) -> Option<String> {
    if row.frames == 0 {
        return None;
    }
    let quality = TimeQuality::from_bits(row.time_quality);
    let clock = match quality.clock() {
        ClockQuality::Locked if Stat::from_word(row.stat).sync_lost() => "no sync".to_owned(),
        ClockQuality::Locked => "locked".to_owned(),
        ClockQuality::Within { ns } => format!("<{}", round_time(ns)),
        ClockQuality::Fault => "fault".to_owned(),
        ClockQuality::Reserved(code) => format!("code {code:X}"),
    };
    let leap = match (quality.leap_pending(), quality.leap_deletes()) {
        (true, false) => " leap+",
        (true, true) => " leap-",
        (false, _) if quality.leap_occurred() => " leap done",
        (false, _) => "",
    };
    Some(clock + leap)
}

/// Whether the time quality is sound: the sender's clock is locked.
pub(crate) fn is_locked(row: &StreamRow) -> bool {
    TimeQuality::from_bits(row.time_quality).clock() == ClockQuality::Locked
        && !Stat::from_word(row.stat).sync_lost()
}

/// A power of ten in the largest unit that keeps it whole.
fn round_time(ns: u64) -> String {
    let (per_unit, unit) = match ns {
        0..1_000 => (1, "ns"),
        1_000..1_000_000 => (1_000, "us"),
        1_000_000..1_000_000_000 => (1_000_000, "ms"),
        _ => (1_000_000_000, "s"),
    };
    format!("{}{unit}", ns / per_unit)
}

/// A rate of frames; absent where the stream has none.
pub(crate) fn rate(row: &StreamRow) -> String {
    measured((row.frames > 0).then_some(row.rate_hz), 2)
}

/// What the real-time thread was given: `SCHED_FIFO 50, CPU 1, memory locked`.
pub(crate) fn granted(rt: &RtSummary) -> String {
    let RtSummary { policy, priority, cpu, memory_locked, .. } = rt;
    let priority = priority.map(|priority| format!(" {priority}")).unwrap_or_default();
    let cpu = cpu.map(|cpu| format!(", CPU {cpu}")).unwrap_or_default();
    let memory = if *memory_locked { "memory locked" } else { "memory not locked" };
    format!("{policy}{priority}{cpu}, {memory}")
}

/// `1 stream`, `2 streams`.
pub(crate) fn counted(count: u64, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn microseconds_keep_three_digits() {
        for (ns, shown) in [
            (0, "0.00"),
            (4, "0.00"),
            (31, "0.03"),
            (994, "0.99"),
            (995, "1.00"),
            (9_994, "9.99"),
            (9_995, "10.0"),
            (31_449, "31.4"),
            (31_450, "31.5"),
            (99_949, "99.9"),
            (99_950, "100"),
            (102_499, "102"),
            (u64::from(u32::MAX), "4294967"),
            (u64::MAX, "18446744073709552"),
        ] {
            assert_eq!(Micros(ns).to_string(), shown, "{ns}");
        }
        assert_eq!(format!("{:>6}", Micros(31)), "  0.03");
    }

    #[test]
    fn identifiers_come_apart_whatever_the_addresses() {
        let parts = |id| StreamName::parse(id).map(|n| [n.idcode, n.source, n.destination, n.transport]);
        let ipv4 = parts("c37118:192.0.2.1>192.0.2.9:udp:60");
        assert_eq!(ipv4, Some(["60", "192.0.2.1", "192.0.2.9", "udp"]));
        let ipv6 = parts("c37118:2001:db8::1>ff02::9:tcp:65534");
        assert_eq!(ipv6, Some(["65534", "2001:db8::1", "ff02::9", "tcp"]));
        assert_eq!(parts("sv:01:0c:cd:04:00:01"), None);
        assert_eq!(parts("c37118:nonsense"), None);
    }

    fn row(frames: u64, time_quality: u8, stat: u16) -> StreamRow {
        let (counts, timing, report) = Default::default();
        StreamRow {
            frames,
            time_quality,
            stat,
            ..StreamRow::new("x".into(), None, &counts, &timing, &report)
        }
    }

    #[test]
    fn time_quality_reads_as_words() {
        for (bits, stat, shown) in [
            (0x00, 0, "locked"),
            (0x00, Stat::SYNC_LOST, "no sync"),
            (0x01, 0, "<1ns"),
            (0x04, Stat::SYNC_LOST, "<1us"),
            (0x0B, 0, "<10s"),
            (0x0C, 0, "code C"),
            (0x0F, Stat::SYNC_LOST, "fault"),
            (0x10, 0, "locked leap+"),
            (0x50, 0, "locked leap-"),
            (0x2F, 0, "fault leap done"),
        ] {
            assert_eq!(time_quality(&row(1, bits, stat)).as_deref(), Some(shown));
        }
        assert_eq!(time_quality(&row(0, 0, 0)), None);
        assert!(is_locked(&row(1, 0x20, 0)) && !is_locked(&row(1, 0, Stat::SYNC_LOST)));
    }

    #[test]
    fn what_no_frame_has_told_is_absent() {
        assert_eq!(rate(&row(0, 0, 0)), ABSENT);
        assert_eq!(rate(&row(1, 0, 0)), "0.00");
        assert_eq!(measured(None, 3), ABSENT);
        assert_eq!(measured(Some(f32::NAN), 3), ABSENT);
        assert_eq!(measured(Some(-49.9996), 3), "-50.000");
        assert_eq!(measured(Some(f32::MAX), 3), "3e38");
    }
}
