//! `--align[=WAIT]`: whether streams are aligned, and how long an instant is waited for.

use std::fmt;
use std::str::FromStr;
use std::time;

use monitor_core::event::Wait;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

use super::Duration;

/// The shortest and the longest window.
const RANGE: [time::Duration; 2] = [time::Duration::from_millis(1), time::Duration::from_secs(4)];

/// A wait window as users write it: `100ms`, `relative:100ms`, `absolute:250ms`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Align(pub Wait);

impl Align {
    /// The window where none is given.
    pub const DEFAULT: &str = "relative:100ms";
}

impl FromStr for Align {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (kind, span): (fn(u32) -> Wait, _) = match text.split_once(':') {
            Some(("relative", span)) => (Wait::Relative, span),
            Some(("absolute", span)) => (Wait::Absolute, span),
            Some((other, _)) => {
                return Err(format!(
                    "'{other}' is no kind of wait; it is 'relative' (from the first arrival) or 'absolute' (from the \
                     time tag), such as relative:100ms"
                ));
            }
            None => (Wait::Relative, text),
        };
        let Duration(span) = span.parse()?;
        let [least, most] = RANGE;
        match u32::try_from(span.as_nanos()) {
            Ok(ns) if (least..=most).contains(&span) => Ok(Self(kind(ns))),
            _ => Err(format!("'{text}': a wait is from {} to {}", Duration(least), Duration(most))),
        }
    }
}

impl fmt::Display for Align {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (kind, ns) = match self.0 {
            Wait::Relative(ns) => ("relative", ns),
            Wait::Absolute(ns) => ("absolute", ns),
        };
        write!(f, "{kind}:{}", Duration(time::Duration::from_nanos(ns.into())))
    }
}

impl<'de> Deserialize<'de> for Align {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_is_written_as_it_is_read() {
        for (given, written) in [
            ("100ms", "relative:100ms"),
            ("relative:0.25s", "relative:250ms"),
            ("absolute:4s", "absolute:4s"),
            ("1ms", "relative:1ms"),
        ] {
            let align: Align = given.parse().expect(given);
            assert_eq!(align.to_string(), written);
            assert_eq!(written.parse(), Ok(align));
        }
        assert_eq!(Align::DEFAULT.parse(), Ok(Align::default()));
    }

    #[test]
    fn what_is_no_window_is_quoted() {
        for (wrong, quoted) in [
            ("", "''"),
            ("100", "'100'"),
            ("late:100ms", "'late'"),
            ("relative:", "''"),
            ("relative:100ms:1", "'100ms:1'"),
            ("absolute:5s", "'absolute:5s'"),
            ("0.1ms", "'0.1ms'"),
        ] {
            let error = wrong.parse::<Align>().expect_err(wrong);
            assert!(error.contains(quoted), "{error}");
        }
    }
}
