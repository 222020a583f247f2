//! What the options of `simulate` are written as.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroU32;
use std::str::FromStr;

use monitor_core::protocol::c37118::{Format, FrameKind, NominalFrequency, PhasorFormat, TimeBase};

use crate::config;
use crate::simulate::ReportingRate;

pub(super) fn destination(text: &str) -> Result<SocketAddr, String> {
    let to: SocketAddr = text.parse().map_err(|_| {
        "a destination is an address and a port, as 192.0.2.9:4713 or [2001:db8::9]:4713".to_owned()
    })?;
    if to.port() == 0 {
        return Err("port 0 is no destination; give a port from 1 to 65535 (4713 by convention)".to_owned());
    }
    Ok(to)
}

/// Port 0 is the kernel's choice.
pub(super) fn listening(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| {
        "a server's address is an address and a port, as 192.0.2.1:4712 or [::]:4712 (4712 by convention)"
            .to_owned()
    })
}

pub(super) fn rate(text: &str) -> Result<ReportingRate, String> {
    text.parse().ok().and_then(ReportingRate::new).ok_or_else(|| {
        format!(
            "a rate is a whole number of frames in a second from {} to {}",
            ReportingRate::LEAST,
            ReportingRate::MOST
        )
    })
}

pub(super) fn nominal(text: &str) -> Result<NominalFrequency, String> {
    match text {
        "50" => Ok(NominalFrequency::Hz50),
        "60" => Ok(NominalFrequency::Hz60),
        _ => Err("a grid's nominal frequency is 50 or 60 Hz".to_owned()),
    }
}

pub(super) fn time_base(text: &str) -> Result<TimeBase, String> {
    const MOST: u32 = (1 << 24) - 1;
    let number = text.parse::<u32>().ok().filter(|number| (1..=MOST).contains(number));
    number
        .and_then(TimeBase::from_word)
        .ok_or_else(|| format!("TIME_BASE is a whole number from 1 to {MOST}"))
}

/// A span of whole seconds.
pub(super) fn whole_seconds(text: &str) -> Result<NonZeroU32, String> {
    let span = text.parse::<config::Duration>()?.0;
    let seconds = u32::try_from(span.as_secs()).ok().and_then(NonZeroU32::new);
    seconds
        .filter(|_| span.subsec_nanos() == 0)
        .ok_or_else(|| format!("'{text}' is no number of whole seconds"))
}

/// A time of UTC as nanoseconds since the Unix epoch.
pub(super) fn time(text: &str) -> Result<i64, String> {
    crate::simulate::parse_utc(text).ok_or_else(|| {
        format!("'{text}' is no time; write it as 2026-12-31T23:59:50Z, in UTC, not before 1970")
    })
}

/// FORMAT: one word for all, or each part by its name.
pub(super) fn format(text: &str) -> Result<Format, String> {
    const WRITTEN: &str = "a format is int-rect, int-polar, float-rect or float-polar for all values, or its parts \
                           as phasors=int-polar,analogs=float,freq=int";
    if let Some(phasors) = phasor_format(text) {
        let float = text.starts_with("float");
        return Ok(Format::new(phasors, float, float));
    }
    // What is not said is float, as most PMUs have it.
    let (mut phasors, mut analogs, mut frequency) = (PhasorFormat::FloatPolar, true, true);
    for part in text.split(',') {
        let (key, value) = part.split_once('=').ok_or_else(|| format!("'{part}': {WRITTEN}"))?;
        let wrong = || format!("'{value}' in '{part}': {WRITTEN}");
        match key {
            "phasors" => phasors = phasor_format(value).ok_or_else(wrong)?,
            "analogs" => analogs = is_float(value).ok_or_else(wrong)?,
            "freq" => frequency = is_float(value).ok_or_else(wrong)?,
            _ => return Err(format!("'{key}' in '{part}': {WRITTEN}")),
        }
    }
    Ok(Format::new(phasors, analogs, frequency))
}

fn phasor_format(text: &str) -> Option<PhasorFormat> {
    match text {
        "int-rect" => Some(PhasorFormat::IntRectangular),
        "int-polar" => Some(PhasorFormat::IntPolar),
        "float-rect" => Some(PhasorFormat::FloatRectangular),
        "float-polar" => Some(PhasorFormat::FloatPolar),
        _ => None,
    }
}

fn is_float(text: &str) -> Option<bool> {
    match text {
        "float" => Some(true),
        "int" => Some(false),
        _ => None,
    }
}

/// Where the first stream sends from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct From {
    pub(super) address: IpAddr,
    /// 0: the kernel's choice.
    pub(super) port: u16,
}

impl FromStr for From {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Ok(address) = text.parse() {
            return Ok(Self { address, port: 0 });
        }
        let address: Result<SocketAddr, _> = text.parse();
        let address = address.map_err(|_| {
            "an address to send from is one of this host, as 192.0.2.1, with a port or without one".to_owned()
        })?;
        Ok(Self { address: address.ip(), port: address.port() })
    }
}

/// In what the next stream's address differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Succession {
    /// The next port of the same address.
    Port,
    /// The same port of the next address.
    Address,
}

impl FromStr for Succession {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "port" => Ok(Self::Port),
            "address" => Ok(Self::Address),
            _ => Err("streams differ by port or by address"),
        }
    }
}

impl fmt::Display for Succession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Port => "port",
            Self::Address => "address",
        })
    }
}

/// Configurations that are sent without being asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Announced(pub(super) Vec<FrameKind>);

impl FromStr for Announced {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "none" {
            return Ok(Self(Vec::new()));
        }
        let kinds = text.split(',').map(|kind| match kind {
            "1" => Ok(FrameKind::Config1),
            "2" => Ok(FrameKind::Config2),
            "3" => Ok(FrameKind::Config3),
            _ => Err(format!("'{kind}' is no configuration to send; write 1, 2, 3 or some as 2,3, or none")),
        });
        kinds.collect::<Result<_, _>>().map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_are_written_whole_or_by_parts() {
        assert_eq!(format("int-rect").unwrap().word(), 0);
        assert_eq!(format("float-polar").unwrap().word(), 15);
        assert_eq!(format("phasors=int-polar,analogs=float,freq=int").unwrap().word(), 0b0101);
        assert_eq!(format("freq=int").unwrap().word(), 0b0111);
        for (wrong, named) in [
            ("polar", "'polar'"),
            ("phasors=polar", "'polar' in 'phasors=polar'"),
            ("phasor=int-rect", "'phasor' in"),
            ("analogs=int,freq=yes", "'yes' in 'freq=yes'"),
            ("", "''"),
        ] {
            let error = format(wrong).unwrap_err();
            assert!(error.contains(named) && error.contains("analogs=float"), "{wrong}: {error}");
        }
    }

    #[test]
    fn announcements_are_listed() {
        assert_eq!("none".parse::<Announced>().unwrap().0, []);
        let both = "1,2".parse::<Announced>().unwrap().0;
        assert_eq!(both, [FrameKind::Config1, FrameKind::Config2]);
        assert!("1,4".parse::<Announced>().unwrap_err().contains("'4'"));
    }

    #[test]
    fn spans_of_whole_seconds() {
        assert_eq!(whole_seconds("2min").unwrap().get(), 120);
        assert!(whole_seconds("1500ms").unwrap_err().contains("1500ms"));
        assert!(whole_seconds("soon").is_err());
    }
}
