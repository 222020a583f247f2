//! The name of an attached instance, and where its pins stand.

use std::fmt;
use std::str::FromStr;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

/// Directory of all pins: an instance's are in `v<ABI version>/<instance>/` below it.
pub const PIN_ROOT: &str = "/sys/fs/bpf/pmu-monitor";

/// The longest name, in bytes.
const LENGTH_MAX: usize = 32;
/// What a name is, for every message.
const RULE: &str = "an instance name is 1 to 32 letters, digits, '-' or '_'";

/// Tells the instances of one host apart. It is a directory's name too, so it holds nothing that means anything in a
/// path.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InstanceName(String);

impl InstanceName {
    /// The name itself: 1 to 32 of `A-Z`, `a-z`, `0-9`, `-` and `_`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for InstanceName {
    fn default() -> Self {
        Self("default".to_owned())
    }
}

impl FromStr for InstanceName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let allowed = |&one: &char| one.is_ascii_alphanumeric() || matches!(one, '-' | '_');
        if let Some(wrong) = text.chars().find(|one| !allowed(one)) {
            return Err(format!("{RULE}; {text:?} holds {wrong:?}"));
        }
        match text.len() {
            0 => Err(format!("{RULE}; this one is empty")),
            1..=LENGTH_MAX => Ok(Self(text.to_owned())),
            length => Err(format!("{RULE}; {text:?} has {length}")),
        }
    }
}

impl fmt::Display for InstanceName {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for InstanceName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_within_the_rule_are_taken_as_they_are() {
        for right in ["default", "a", "Bus_2-east", "-", &"x".repeat(LENGTH_MAX)] {
            assert_eq!(right.parse::<InstanceName>().map(|name| name.to_string()), Ok(right.to_owned()));
        }
        let default = InstanceName::default();
        assert_eq!(default.as_str().parse(), Ok(default), "the default keeps to its own rule");
    }

    #[test]
    fn what_is_wrong_with_a_name_is_said() {
        let long = "x".repeat(LENGTH_MAX + 1);
        let refused =
            [("", "empty"), ("..", "'.'"), ("a/b", "'/'"), ("two words", "' '"), ("ä", "'ä'"), (&long, "33")];
        for (wrong, named) in refused {
            let error = wrong.parse::<InstanceName>().expect_err(wrong);
            assert!(error.contains(named) && error.contains("1 to 32"), "{error}");
        }
    }
}
