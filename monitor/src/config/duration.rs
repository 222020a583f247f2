//! Spans of time as users write them: `500ms`, `10s`, `5min`, `2h`.

use std::str::FromStr;
use std::{fmt, time};

use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

/// Units and how many nanoseconds each is, the longer names first.
const UNITS: [(&str, f64); 8] = [
    ("min", 60e9),
    ("ms", 1e6),
    ("us", 1e3),
    ("ns", 1.0),
    ("s", 1e9),
    ("m", 60e9),
    ("h", 3600e9),
    ("d", 86_400e9),
];
/// The longest span: a year. More is a slip of the hand.
const MOST_NS: f64 = 366.0 * 86_400e9;

/// A span of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Duration(pub time::Duration);

impl FromStr for Duration {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong =
            || format!("'{text}' is no span of time; write a number with ms, s, min or h, such as 10s");
        let (number, scale) = UNITS
            .iter()
            .find_map(|(unit, scale)| Some((text.strip_suffix(unit)?, *scale)))
            .ok_or_else(wrong)?;
        let ns = number.trim().parse::<f64>().map_err(|_| wrong())? * scale;
        if !(1.0..=MOST_NS).contains(&ns) {
            return Err(format!("'{text}' is not within 1ns to 366d"));
        }
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "within 1 to 3.2e16, see above"
        )]
        let ns = ns as u64;
        Ok(Self(time::Duration::from_nanos(ns)))
    }
}

/// Units from the longest down, in nanoseconds, as they are written.
const WRITTEN: [(&str, u128); 6] = [
    ("h", 3_600_000_000_000),
    ("min", 60_000_000_000),
    ("s", 1_000_000_000),
    ("ms", 1_000_000),
    ("us", 1_000),
    ("ns", 1),
];

impl fmt::Display for Duration {
    /// A whole number of the longest unit that fits: reads back as the same span.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ns = self.0.as_nanos();
        let (unit, scale) =
            WRITTEN.into_iter().find(|(_, scale)| ns.is_multiple_of(*scale)).unwrap_or(("ns", 1));
        write!(out, "{}{unit}", ns / scale)
    }
}

impl<'de> Deserialize<'de> for Duration {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_read_with_their_unit() {
        let ms = |text: &str| text.parse::<Duration>().map(|duration| duration.0.as_millis());
        assert_eq!(ms("10s"), Ok(10_000));
        assert_eq!(ms("500ms"), Ok(500));
        assert_eq!(ms("1.5min"), Ok(90_000));
        assert_eq!(ms("2m"), Ok(120_000));
        assert_eq!(ms("1h"), Ok(3_600_000));
    }

    #[test]
    fn a_span_is_written_as_it_is_read() {
        for (given, written) in [
            ("10s", "10s"),
            ("90s", "90s"),
            ("1.5min", "90s"),
            ("120s", "2min"),
            ("1d", "24h"),
            ("0.5ms", "500us"),
            ("366d", "8784h"),
            ("31622399999999996ns", "31622399999999996ns"),
        ] {
            let span: Duration = given.parse().expect(given);
            assert_eq!(span.to_string(), written);
            assert_eq!(written.parse(), Ok(span));
        }
    }

    #[test]
    fn what_is_no_span_is_quoted() {
        for wrong in ["", "10", "s", "-1s", "0s", "nans", "infs", "1e99h", "ten seconds"] {
            let error = wrong.parse::<Duration>().expect_err(wrong);
            assert!(error.contains(&format!("'{wrong}'")), "{error}");
        }
    }
}
