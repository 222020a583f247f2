//! A time of UTC as it is written: `2026-12-31T23:59:50Z`, or with a fraction of a second.

use std::ops::RangeInclusive;

const NANOS_PER_SECOND: i64 = 1_000_000_000;
const SECONDS_PER_DAY: i64 = 86_400;
const MONTHS: RangeInclusive<i64> = 1..=12;

/// Nanoseconds since the Unix epoch, leap seconds not counted. `None` for anything that is no time of UTC from 1970
/// to 2105; a second 60 is one only of a leap second, which a time of Unix cannot name.
#[must_use]
pub fn parse_utc(text: &str) -> Option<i64> {
    let text = text.strip_suffix('Z').unwrap_or(text);
    let (date, time) = text.split_once(['T', ' '])?;
    let [year, month, day] = three(date, '-')?;
    let (time, fraction) = time.split_once('.').unwrap_or((time, "0"));
    let [hour, minute, second] = three(time, ':')?;
    let sound = (1970..=2105).contains(&year)
        && MONTHS.contains(&month)
        && (1..=length(year, month)).contains(&day)
        && (0..24).contains(&hour)
        && (0..60).contains(&minute)
        && (0..60).contains(&second);
    if !sound {
        return None;
    }
    let seconds = days(year, month, day) * SECONDS_PER_DAY + hour * 3_600 + minute * 60 + second;
    Some(seconds * NANOS_PER_SECOND + nanos(fraction)?)
}

fn three(text: &str, separator: char) -> Option<[i64; 3]> {
    let mut parts = text.split(separator).map(number);
    let all = [parts.next()??, parts.next()??, parts.next()??];
    parts.next().is_none().then_some(all)
}

fn number(text: &str) -> Option<i64> {
    let digits = !text.is_empty() && text.len() <= 4 && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().ok())?
}

/// Digits behind the point, nine at most.
fn nanos(fraction: &str) -> Option<i64> {
    const DIGITS: usize = 9;
    let sound = (1..=DIGITS).contains(&fraction.len()) && fraction.bytes().all(|byte| byte.is_ascii_digit());
    sound.then(|| format!("{fraction:0<DIGITS$}").parse().ok())?
}

const fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

const fn length(year: i64, month: i64) -> i64 {
    match month {
        2 if is_leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days from 1970-01-01.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let years: i64 = (1970..year).map(|year| if is_leap(year) { 366 } else { 365 }).sum();
    let months: i64 = (1..month).map(|month| length(year, month)).sum();
    years + months + day - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_times() {
        for (text, seconds) in [
            ("1970-01-01T00:00:00Z", 0),
            ("2000-03-01T00:00:00", 951_868_800),
            ("2016-12-31T23:59:59Z", 1_483_228_799),
            ("2100-03-01 12:00:01Z", 4_107_585_601),
        ] {
            assert_eq!(parse_utc(text), Some(seconds * NANOS_PER_SECOND), "{text}");
        }
        assert_eq!(parse_utc("1970-01-01T00:00:00.5Z"), Some(500_000_000));
        assert_eq!(parse_utc("1970-01-01T00:00:00.000000001Z"), Some(1));
    }

    #[test]
    fn what_is_no_time_is_none() {
        for text in [
            "",
            "now",
            "2026-13-01T00:00:00Z",
            "2026-02-29T00:00:00Z",
            "2026-01-01",
            "2026-01-01T24:00:00Z",
            "2016-12-31T23:59:60Z",
            "1969-12-31T23:59:59Z",
            "2106-01-01T00:00:00Z",
            "2026-01-01T00:00:00.Z",
            "2026-01-01T00:00:00.1234567890Z",
            "2026-01-01T+0:00:00Z",
            "2026-01-01T00:00:00+01:00",
        ] {
            assert_eq!(parse_utc(text), None, "{text}");
        }
    }
}
