//! `--port N|any`: where C37.118 is looked for.

use std::str::FromStr;

use monitor_core::pipeline::Ports;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

/// Ports by convention: TCP 4712 and UDP 4713 (IEEE C37.118.2-2011, annex F).
pub const CONVENTIONAL_PORTS: [u16; 2] = [4712, 4713];

/// One `--port`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Port {
    /// All of them.
    Any,
    /// This one.
    Number(u16),
}

impl FromStr for Port {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match (text, text.parse()) {
            ("any", _) => Ok(Self::Any),
            (_, Ok(0)) => {
                Err("port 0 carries no traffic; give a port from 1 to 65535, or 'any' for all of them"
                    .to_owned())
            }
            (_, Ok(number)) => Ok(Self::Number(number)),
            (_, Err(_)) => Err("a port is a number from 1 to 65535, or 'any' for all of them".to_owned()),
        }
    }
}

impl<'de> Deserialize<'de> for Port {
    /// A number, or `"any"`.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Written {
            Number(i64),
            Text(String),
        }
        let text = match Written::deserialize(deserializer)? {
            Written::Number(number) => number.to_string(),
            Written::Text(text) => text,
        };
        text.parse().map_err(D::Error::custom)
    }
}

/// The set that was asked for; `any` wins.
#[must_use]
pub fn ports(asked: &[Port]) -> Ports {
    if asked.is_empty() {
        return Ports::Set(CONVENTIONAL_PORTS.to_vec());
    }
    let numbers = asked.iter().map(|port| match port {
        Port::Any => None,
        Port::Number(number) => Some(*number),
    });
    numbers.collect::<Option<_>>().map_or(Ports::Any, Ports::Set)
}
