//! How long a turn may take, as it is written: `50us`, or `off`.

use std::{fmt, str::FromStr, time::Duration};

use serde::{Deserialize, Deserializer, de::Error as _};

use crate::config;

/// Where none is given.
const DEFAULT: Duration = Duration::from_micros(50);
/// The longest: what takes longer than this is not waited for, but broken.
const MOST: Duration = Duration::from_secs(1);

/// How long a turn may take: 1 ns to 1 s; none where turns are not watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget(Option<Duration>);

impl Budget {
    /// Turns are not watched.
    pub const OFF: Self = Self(None);

    /// In nanoseconds.
    #[must_use]
    pub fn ns(self) -> Option<u64> {
        self.0.and_then(|span| u64::try_from(span.as_nanos()).ok())
    }
}

impl Default for Budget {
    fn default() -> Self {
        Self(Some(DEFAULT))
    }
}

impl FromStr for Budget {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if matches!(text, "off" | "0") {
            return Ok(Self::OFF);
        }
        match text.parse::<config::Duration>() {
            Ok(config::Duration(span)) if span <= MOST => Ok(Self(Some(span))),
            _ => Err(format!("'{text}' is no budget for a turn; write 1ns to 1s, such as 50us, or off")),
        }
    }
}

impl<'de> Deserialize<'de> for Budget {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

impl fmt::Display for Budget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(span) => config::Duration(span).fmt(f),
            None => f.write_str("off"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn budgets_are_read_as_they_are_written() {
        for (text, ns) in
            [("50us", Some(50_000)), ("1ns", Some(1)), ("1s", Some(1_000_000_000)), ("off", None)]
        {
            let budget: Budget = text.parse().unwrap();
            assert_eq!((budget.ns(), budget.to_string().as_str()), (ns, text));
        }
        assert_eq!("0".parse(), Ok(Budget::OFF));
        assert_eq!(Budget::default().to_string(), "50us");
    }

    #[test]
    fn what_is_no_budget_is_named_with_what_would_be() {
        for wrong in ["", "50", "1001ms", "0us", "-1us", "never"] {
            let said = wrong.parse::<Budget>().expect_err(wrong);
            assert!(said.contains(&format!("'{wrong}'")) && said.contains("50us"), "{said}");
        }
    }
}
