//! Durations as they are written on the command line and in files: `10s`, `500ms`, `2m`.

use std::time::Duration;

/// Each unit in nanoseconds.
const UNITS: [(&str, u64); 6] = [
    ("ns", 1),
    ("us", 1_000),
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("m", 60_000_000_000),
    ("h", 3_600_000_000_000),
];

const FORM: &str = "a duration is a whole number and a unit: ns, us, ms, s, m or h, as in 500ms, 10s or 2m";

/// Reads a duration: a whole number with its unit, longer than nothing.
///
/// # Errors
/// A sentence that names what is wrong and what would be right.
pub fn parse(text: &str) -> Result<Duration, String> {
    let digits = text.find(|character: char| !character.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let known = UNITS.into_iter().find(|&(name, _)| name == unit && !number.is_empty());
    let (_, nanos) = known.ok_or(FORM)?;
    let too_long = || format!("{text} is too long; give less than 500 years");
    let number: u64 = number.parse().map_err(|_| too_long())?;
    if number == 0 {
        return Err(format!("{text} is no time at all; give more than 0"));
    }
    number.checked_mul(nanos).map(Duration::from_nanos).ok_or_else(too_long)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_unit_is_read() {
        let wanted = [
            ("7ns", Duration::from_nanos(7)),
            ("20us", Duration::from_micros(20)),
            ("500ms", Duration::from_millis(500)),
            ("10s", Duration::from_secs(10)),
            ("2m", Duration::from_mins(2)),
            ("1h", Duration::from_hours(1)),
            ("090s", Duration::from_secs(90)),
        ];
        for (text, duration) in wanted {
            assert_eq!(parse(text), Ok(duration), "{text}");
        }
    }

    #[test]
    fn what_is_no_duration_is_told_how_to_be_one() {
        for text in [
            "",
            "s",
            "10",
            "1.5s",
            "-1s",
            "+1s",
            " 1s",
            "1 s",
            "1s ",
            "10S",
            "5min",
            "1d",
            "\u{0661}s",
            "1\u{e9}",
        ] {
            assert_eq!(parse(text), Err(FORM.to_owned()), "{text:?}");
        }
    }

    #[test]
    fn nothing_and_too_much_are_named() {
        assert!(parse("0s").unwrap_err().contains("more than 0"));
        for text in ["99999999999999999999s", "18446744073709551615s", "5124096h"] {
            assert!(parse(text).unwrap_err().contains("too long"), "{text}");
        }
        assert_eq!(parse("18446744073709551615ns"), Ok(Duration::from_nanos(u64::MAX)));
    }
}
