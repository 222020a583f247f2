//! `--request-config`: whom to ask for a configuration, how, and in what words that is said beforehand.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

use monitor_core::event::Transport;
use monitor_core::protocol::c37118::{Command, FrameKind};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

/// Ports by convention (IEEE C37.118.2-2011, annex F).
const TCP_PORT: u16 = 4712;
const UDP_PORT: u16 = 4713;

/// What is written: `[udp:]ADDRESS[:PORT][/IDCODE]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestTarget {
    /// Over UDP; TCP otherwise.
    pub udp: bool,
    /// The PMU's address.
    pub address: IpAddr,
    /// Its port, where it is not the one by convention.
    pub port: Option<u16>,
    /// The stream, where it is not given apart.
    pub idcode: Option<u16>,
}

impl FromStr for RequestTarget {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = |what: &str| {
            format!("{what}; whom to ask is written [udp:]ADDRESS[:PORT][/IDCODE], such as 192.0.2.1:4712/60")
        };
        let (udp, rest) = match (text.strip_prefix("udp:"), text.strip_prefix("tcp:")) {
            (Some(rest), _) => (true, rest),
            (None, Some(rest)) => (false, rest),
            (None, None) => (false, text),
        };
        let (place, idcode) = match rest.rsplit_once('/') {
            Some((place, idcode)) => (place, Some(parse_idcode(idcode).map_err(|error| wrong(&error))?)),
            None => (rest, None),
        };
        let (address, port) = match (place.parse::<IpAddr>(), place.parse::<SocketAddr>()) {
            (Ok(address), _) => (address, None),
            (_, Ok(both)) if both.port() == 0 => return Err(wrong("port 0 carries no traffic")),
            (_, Ok(both)) => (both.ip(), Some(both.port())),
            (Err(_), Err(_)) => {
                let bare = place.strip_prefix('[').and_then(|place| place.strip_suffix(']'));
                let address = bare.and_then(|bare| bare.parse().ok());
                (address.ok_or_else(|| wrong(&format!("'{place}' is no IP address")))?, None)
            }
        };
        Ok(Self { udp, address: address.to_canonical(), port, idcode })
    }
}

/// An IDCODE as it is written.
fn parse_idcode(text: &str) -> Result<u16, String> {
    match text.parse() {
        Ok(idcode @ 1..=65_534) => Ok(idcode),
        _ => Err(format!("'{text}' is no IDCODE, which is a number from 1 to 65534")),
    }
}

impl fmt::Display for RequestTarget {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.udp {
            out.write_str("udp:")?;
        }
        match self.port {
            Some(port) => write!(out, "{}", SocketAddr::new(self.address, port))?,
            None => write!(out, "{}", self.address)?,
        }
        self.idcode.map_or(Ok(()), |idcode| write!(out, "/{idcode}"))
    }
}

impl<'de> Deserialize<'de> for RequestTarget {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

/// Which configuration is asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RequestVersion {
    /// CFG-2, by CMD 5.
    #[default]
    Two,
    /// CFG-3, by CMD 6.
    Three,
}

impl FromStr for RequestVersion {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "2" => Ok(Self::Two),
            "3" => Ok(Self::Three),
            _ => Err(format!("'{text}' is neither 2 (CFG-2) nor 3 (CFG-3)")),
        }
    }
}

impl<'de> Deserialize<'de> for RequestVersion {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        u8::deserialize(deserializer)?.to_string().parse().map_err(D::Error::custom)
    }
}

impl RequestVersion {
    /// Its number.
    #[must_use]
    pub const fn number(self) -> u8 {
        match self {
            Self::Two => 2,
            Self::Three => 3,
        }
    }

    /// The command that asks for it.
    #[must_use]
    pub const fn command(self) -> Command {
        match self {
            Self::Two => Command::SendConfig2,
            Self::Three => Command::SendConfig3,
        }
    }

    /// What is asked for.
    #[must_use]
    pub const fn kind(self) -> FrameKind {
        match self {
            Self::Two => FrameKind::Config2,
            Self::Three => FrameKind::Config3,
        }
    }
}

/// A request that will be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request {
    /// Whom.
    pub to: SocketAddr,
    /// Over UDP or TCP.
    pub transport: Transport,
    /// The stream.
    pub idcode: u16,
    /// What for.
    pub version: RequestVersion,
}

/// How `--request-config` was asked for.
#[derive(Clone, Copy, Debug, Default)]
pub struct Asked {
    /// `--idcode`.
    pub idcode: Option<u16>,
    /// `--request-config-udp`.
    pub udp_allowed: bool,
    /// `--request-config-version`.
    pub version: RequestVersion,
}

impl Request {
    /// From what was written.
    ///
    /// # Errors
    /// A sentence where the stream is not named, or UDP was not allowed.
    pub fn new(target: &RequestTarget, asked: Asked) -> Result<Self, String> {
        if target.udp && !asked.udp_allowed {
            return Err(format!(
                "--request-config {target}: over UDP a PMU that serves one client only may leave its PDC for this \
                 host; give --request-config-udp too where that is meant, or ask over TCP"
            ));
        }
        let idcode = target.idcode.or(asked.idcode).ok_or_else(|| {
            format!(
                "--request-config {target}: of which stream? Write ADDRESS[:PORT]/IDCODE, or give --idcode"
            )
        })?;
        let (transport, usual) =
            if target.udp { (Transport::Udp, UDP_PORT) } else { (Transport::Tcp, TCP_PORT) };
        let to = SocketAddr::new(target.address, target.port.unwrap_or(usual));
        Ok(Self { to, transport, idcode, version: asked.version })
    }

    /// What will be done, to be said before it is.
    #[must_use]
    pub fn warning(&self) -> String {
        let Self { to, transport, idcode, version } = self;
        let how = match transport {
            Transport::Tcp => format!("opens a TCP connection to {to}"),
            _ => format!("sends to UDP {to}"),
        };
        format!(
            "--request-config is active: it {how} and sends one CMD {} (send {}) to IDCODE {idcode}; a PMU that \
             serves one client only may leave its PDC for it",
            version.command().word(),
            version.kind().name(),
        )
    }
}

impl fmt::Display for Request {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { to, transport, idcode, version } = self;
        write!(
            out,
            "{} of {to} ({}, IDCODE {idcode})",
            version.kind().name(),
            transport.name().to_uppercase()
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(text: &str, asked: Asked) -> Result<Request, String> {
        Request::new(&text.parse::<RequestTarget>()?, asked)
    }

    #[test]
    fn whom_to_ask_is_written_in_several_ways() {
        let idcode = Asked { idcode: Some(7), ..Asked::default() };
        for (text, to, idcode) in [
            ("192.0.2.1/60", "192.0.2.1:4712", 60),
            ("192.0.2.1", "192.0.2.1:4712", 7),
            ("192.0.2.1:4722/60", "192.0.2.1:4722", 60),
            ("tcp:192.0.2.1:4722", "192.0.2.1:4722", 7),
            ("2001:db8::1/60", "[2001:db8::1]:4712", 60),
            ("[2001:db8::1]", "[2001:db8::1]:4712", 7),
            ("[2001:db8::1]:9/60", "[2001:db8::1]:9", 60),
        ]
        .map(|(text, to, stream)| (text, to, (idcode, stream)))
        .map(|(text, to, (asked, stream))| (text, to, (request(text, asked), stream)))
        {
            let (request, stream) = idcode;
            let request = request.expect(text);
            assert_eq!((request.to.to_string().as_str(), request.idcode), (to, stream), "{text}");
            assert_eq!(request.transport, Transport::Tcp);
        }
    }

    #[test]
    fn what_is_not_said_is_asked_for() {
        for (text, named) in [
            ("192.0.2.1", "--idcode"),
            ("station-a/7", "'station-a' is no IP address"),
            ("192.0.2.1:0/7", "port 0"),
            ("192.0.2.1/0", "'0' is no IDCODE"),
            ("192.0.2.1/70000", "'70000' is no IDCODE"),
            ("udp:192.0.2.1/7", "--request-config-udp"),
        ] {
            let error = request(text, Asked::default()).expect_err(text);
            assert!(error.contains(named), "{text}: {error}");
        }
    }

    #[test]
    fn udp_has_a_port_of_its_own_and_takes_a_second_flag() {
        let asked = Asked { udp_allowed: true, version: RequestVersion::Three, ..Asked::default() };
        let request = request("udp:192.0.2.1/7", asked).expect("allowed");
        assert_eq!((request.to.port(), request.transport), (4713, Transport::Udp));
        let warning = request.warning();
        assert!(warning.contains("CMD 6 (send CFG-3) to IDCODE 7"), "{warning}");
        assert!(warning.contains("UDP 192.0.2.1:4713"), "{warning}");
    }
}
