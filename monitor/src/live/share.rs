//! A share of a CPU, as it is written: `10%`.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, de::Error as _};

/// Thousandths, 1 to 1000.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share(u16);

impl Share {
    /// In thousandths.
    #[must_use]
    pub const fn permille(self) -> u16 {
        self.0
    }
}

impl Default for Share {
    /// A tenth.
    fn default() -> Self {
        Self(100)
    }
}

impl FromStr for Share {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || format!("'{text}' is no share of a CPU; write 0.1% to 100%, such as 10% or 2.5%");
        let percent = text.strip_suffix('%').ok_or_else(wrong)?;
        let (whole, tenths) = percent.split_once('.').unwrap_or((percent, "0"));
        let is_number = |digits: &str| digits.bytes().all(|digit| digit.is_ascii_digit());
        if tenths.len() != 1 || whole.len() > 3 || !is_number(tenths) || !is_number(whole) {
            return Err(wrong());
        }
        let number = |digits: &str| digits.parse::<u16>().map_err(|_| wrong());
        match number(whole)? * 10 + number(tenths)? {
            permille @ 1..=1000 => Ok(Self(permille)),
            _ => Err(wrong()),
        }
    }
}

impl<'de> Deserialize<'de> for Share {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(permille) = self;
        match permille % 10 {
            0 => write!(f, "{}%", permille / 10),
            tenths => write!(f, "{}.{tenths}%", permille / 10),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_read_as_they_are_written() {
        for (text, permille) in [("10%", 100), ("2.5%", 25), ("0.1%", 1), ("100%", 1000)] {
            let share: Share = text.parse().unwrap();
            assert_eq!((share.permille(), share.to_string().as_str()), (permille, text));
        }
        assert_eq!(Share::default().to_string(), "10%");
    }

    #[test]
    fn what_is_no_share_is_named_with_what_would_be() {
        for wrong in
            ["10", "0%", "0.0%", "100.1%", "-1%", "+1%", "1.25%", ".5%", "1.%", "%", "10 %", "9999%", ""]
        {
            let said = wrong.parse::<Share>().expect_err(wrong);
            assert!(said.contains(&format!("'{wrong}'")) && said.contains("2.5%"), "{said}");
        }
    }
}
