//! `[[stream]]`: a name, and what holds, for the streams that fit a `match`.

use std::net::IpAddr;
use std::str::FromStr;
use std::sync::Arc;

use monitor_core::packet::{Endpoint, Transport};
use monitor_core::stream::{
    self, LateLimit, PerformanceClass, Prefix, STATIONS, StationId, Stations, StreamMatch, StreamRule,
    StreamSettings,
};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

use super::Duration;

/// An address, or a prefix of one: `192.0.2.1`, `192.0.2.0/24`, `2001:db8::/32`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Addresses {
    address: IpAddr,
    bits: u8,
}

impl Addresses {
    /// Bits of an address of this family.
    const fn width(address: IpAddr) -> u8 {
        if address.is_ipv4() { 32 } else { 128 }
    }

    /// IPv4 stands in the last 32 of 128 bits.
    fn prefix(self) -> Option<Prefix> {
        let Self { address, bits } = self;
        let before = 128 - Self::width(address);
        Prefix::new(Endpoint::new(address, 0).address, before + bits)
    }
}

impl FromStr for Addresses {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (address, bits) =
            text.split_once('/').map_or((text, None), |(address, bits)| (address, Some(bits)));
        let wrong = || format!("'{text}' is no address; write 192.0.2.1, 192.0.2.0/24 or 2001:db8::/32");
        let address: IpAddr = address.parse().map_err(|_| wrong())?;
        let width = Self::width(address);
        let bits = bits.map_or(Ok(width), |bits| bits.parse().map_err(|_| wrong()))?;
        if bits > width {
            return Err(format!("'{text}': the address has {width} bits"));
        }
        let addresses = Self { address, bits };
        if addresses.prefix().is_none() {
            return Err(format!("'{text}' fits no address: bits are set behind the first {bits}"));
        }
        Ok(addresses)
    }
}

impl std::fmt::Display for Addresses {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { address, bits } = self;
        if *bits == Self::width(*address) { address.fmt(f) } else { write!(f, "{address}/{bits}") }
    }
}

impl<'de> Deserialize<'de> for Addresses {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

/// `transport` of a match.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Over {
    /// UDP.
    Udp,
    /// TCP.
    Tcp,
}

/// `match`: what is given must all fit.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct Match {
    /// The PMU's (or PDC's) address.
    pub source: Option<Addresses>,
    /// The receiver's.
    pub destination: Option<Addresses>,
    /// What carries the stream.
    pub transport: Option<Over>,
    /// Its IDCODE.
    pub idcode: Option<u16>,
    /// The sender's port or the receiver's, as the stream is first seen.
    pub port: Option<u16>,
    /// The name of a station in the configuration that lays the stream out, without the padding behind it.
    pub station: Option<String>,
}

/// `late`: `"M"`, `"P"` or a span of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Late {
    /// By a performance class.
    Class(PerformanceClass),
    /// By a limit.
    After(Duration),
}

impl FromStr for Late {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "M" => Ok(Self::Class(PerformanceClass::M)),
            "P" => Ok(Self::Class(PerformanceClass::P)),
            _ => text.parse().map(Self::After).map_err(|_| {
                format!("'{text}' is no limit: write \"M\" (7 reporting periods), \"P\" (2), or a span such as \"100ms\"")
            }),
        }
    }
}

impl std::fmt::Display for Late {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Class(PerformanceClass::M) => f.write_str("M"),
            Self::Class(PerformanceClass::P) => f.write_str("P"),
            Self::After(span) => span.fmt(f),
        }
    }
}

impl<'de> Deserialize<'de> for Late {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

/// One `[[stream]]`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct StreamTable {
    /// What the streams are called; the station's name where it is not given.
    pub name: Option<String>,
    /// Which streams; all of them where nothing is given.
    pub r#match: Match,
    /// When their frames are late.
    pub late: Option<Late>,
    /// A longer silence is a stall.
    pub stall: Option<Duration>,
    /// A packet that is seen twice at one place is a mirror's copy.
    pub mirrored: bool,
}

/// What a table's streams are called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamName {
    /// The name; none where only settings are given.
    pub name: Option<Arc<str>>,
    /// How the table is called in a message.
    pub shown: String,
}

/// All `[[stream]]` tables, for the pipeline and for those who name streams, in the same order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StreamRules {
    /// For the pipeline.
    pub rules: stream::StreamRules,
    /// For the registry.
    pub names: Vec<StreamName>,
}

impl std::fmt::Display for StreamTable {
    /// As it stands in a file.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { name, r#match, late, stall, mirrored } = self;
        let Match { source, destination, transport, idcode, port, station } = r#match;
        let transport = transport.map(|over| match over {
            Over::Udp => "udp",
            Over::Tcp => "tcp",
        });
        let quoted = |text: String| toml::Value::from(text).to_string();
        let fits = [
            source.map(|source| format!("source = {}", quoted(source.to_string()))),
            destination.map(|destination| format!("destination = {}", quoted(destination.to_string()))),
            transport.map(|transport| format!("transport = {}", quoted(transport.to_owned()))),
            idcode.map(|idcode| format!("idcode = {idcode}")),
            port.map(|port| format!("port = {port}")),
            station.clone().map(|station| format!("station = {}", quoted(station))),
        ];
        writeln!(f, "[[stream]]")?;
        name.iter().try_for_each(|name| writeln!(f, "name = {}", quoted(name.clone())))?;
        writeln!(f, "match = {{ {} }}", fits.into_iter().flatten().collect::<Vec<_>>().join(", "))?;
        late.iter().try_for_each(|late| writeln!(f, "late = {}", quoted(late.to_string())))?;
        stall.iter().try_for_each(|stall| writeln!(f, "stall = {}", quoted(stall.to_string())))?;
        writeln!(f, "mirrored = {mirrored}")
    }
}

impl StreamTable {
    fn shown(&self, number: usize) -> String {
        let name = self.name.as_ref().map(|name| format!(" '{name}'")).unwrap_or_default();
        format!("[[stream]] {number}{name}")
    }

    fn matches(&self, stations: &mut Stations) -> Result<StreamMatch, String> {
        let Match { source, destination, transport, idcode, port, ref station } = self.r#match;
        if self.name.as_ref().is_some_and(|name| name.trim().is_empty() || name.contains(char::is_control)) {
            return Err("name is empty, or holds what cannot be shown".to_owned());
        }
        if let Some(idcode @ (0 | u16::MAX)) = idcode {
            return Err(format!("match.idcode = {idcode} fits no stream: IDCODEs are 1 to 65534"));
        }
        if port == Some(0) {
            return Err("match.port = 0 fits no stream: ports are 1 to 65535".to_owned());
        }
        if let (Some(source), Some(destination)) = (source, destination)
            && source.address.is_ipv4() != destination.address.is_ipv4()
        {
            return Err(format!(
                "match fits no stream: {source} and {destination} are not of one IP version"
            ));
        }
        if let Some(source) = source.filter(|source| source.address.is_multicast()) {
            return Err(format!(
                "match.source = {source} fits no stream: nobody sends from a multicast address"
            ));
        }
        Ok(StreamMatch {
            source: source.and_then(Addresses::prefix),
            destination: destination.and_then(Addresses::prefix),
            transport: transport.map(|over| match over {
                Over::Udp => Transport::Udp,
                Over::Tcp => Transport::Tcp,
            }),
            idcode,
            port,
            station: station.as_deref().map(|name| numbered(name, stations)).transpose()?,
        })
    }

    fn settings(&self) -> StreamSettings {
        let default = StreamSettings::default();
        let ns = |span: Duration| u64::try_from(span.0.as_nanos()).unwrap_or(u64::MAX);
        StreamSettings {
            late: match self.late {
                None => default.late,
                Some(Late::Class(class)) => Some(LateLimit::Class(class)),
                Some(Late::After(span)) => Some(LateLimit::Set(ns(span))),
            },
            stall_ns: self.stall.map_or(default.stall_ns, ns),
            mirrored: self.mirrored,
        }
    }
}

/// The longest name that a CFG-3 can give: its length is one byte.
const LONGEST_STATION: usize = 255;

/// The number of a station, of which the name can be one.
fn numbered(name: &str, stations: &mut Stations) -> Result<StationId, String> {
    let wrong = |why: &str| Err(format!("match.station = {} fits no stream: {why}", toml::Value::from(name)));
    if name.trim().is_empty() || name.contains(char::is_control) {
        return wrong("it is empty, or holds what cannot be shown");
    }
    if name.ends_with(' ') {
        return wrong("spaces at the end are padding, which is not part of a name");
    }
    if name.len() > LONGEST_STATION {
        return wrong("a station's name has 255 bytes at most (16 in a CFG-2)");
    }
    stations.number(name).ok_or_else(|| format!("match.station names more than {STATIONS} stations"))
}

impl StreamRules {
    /// From the tables of a file.
    ///
    /// # Errors
    /// A sentence that names the table whose match no stream can fit, or that stands behind one with the same match.
    pub fn new(tables: &[StreamTable]) -> Result<Self, String> {
        let mut all = Self::default();
        for (number, table) in (1..).zip(tables) {
            let shown = table.shown(number);
            let Self { rules: stream::StreamRules { rules, stations }, names } = &mut all;
            let matches = table.matches(stations).map_err(|wrong| format!("{shown}: {wrong}"))?;
            let same = rules.iter().zip(&*names).find(|(rule, _)| rule.matches == matches);
            if let Some((_, before)) = same {
                return Err(format!("{shown} is never used: {} has the same match", before.shown));
            }
            rules.push(StreamRule { matches, settings: table.settings() });
            names.push(StreamName { name: table.name.as_deref().map(Arc::from), shown });
        }
        Ok(all)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Deserialize)]
    struct File {
        stream: Vec<StreamTable>,
    }

    fn rules(text: &str) -> Result<StreamRules, String> {
        let file: File = toml::from_str(text).map_err(|error| error.to_string())?;
        StreamRules::new(&file.stream)
    }

    #[test]
    fn a_table_says_which_streams_and_what_holds() {
        let rules = rules(
            r#"
            [[stream]]
            name = "Aldermere"
            match = { source = "192.0.2.1", destination = "192.0.2.0/24", transport = "udp", idcode = 60 }
            late = "P"
            stall = "2s"
            mirrored = true
            [[stream]]
            match = { port = 4713, station = "Blackcombe" }
            [[stream]]
            late = "40ms"
            "#,
        )
        .expect("three tables");
        let [first, third, second] = rules.rules.rules[..] else { panic!("{rules:?}") };
        let mut stations = rules.rules.stations.clone();
        assert_eq!((third.matches.port, third.matches.station), (Some(4713), stations.number("Blackcombe")));
        assert_eq!(third.settings.late, None, "as the configuration declares");
        let settings = StreamSettings {
            late: Some(LateLimit::Class(PerformanceClass::P)),
            stall_ns: 2_000_000_000,
            mirrored: true,
        };
        assert_eq!(first.settings, settings);
        let mapped = |last| Endpoint::new(IpAddr::from([192, 0, 2, last]), 0).address;
        assert!(first.matches.source.unwrap().contains(&mapped(1)));
        assert!(!first.matches.source.unwrap().contains(&mapped(2)));
        assert!(first.matches.destination.unwrap().contains(&mapped(77)));
        assert_eq!((first.matches.transport, first.matches.idcode), (Some(Transport::Udp), Some(60)));
        assert_eq!(second.matches, StreamMatch::default());
        assert_eq!(second.settings.late, Some(LateLimit::Set(40_000_000)));
        assert_eq!(rules.names[0].shown, "[[stream]] 1 'Aldermere'");
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (text, named) in [
            ("nam = \"x\"", "nam"),
            ("match = { idcod = 1 }", "idcod"),
            ("match = { idcode = 0 }", "[[stream]] 1: match.idcode = 0"),
            ("match = { idcode = 65535 }", "1 to 65534"),
            ("match = { source = \"192.0.2.17/28\" }", "bits are set behind the first 28"),
            ("match = { source = \"192.0.2.1/33\" }", "32 bits"),
            ("match = { source = \"pmu\" }", "'pmu' is no address"),
            ("match = { source = \"224.0.0.1\" }", "multicast"),
            ("match = { source = \"192.0.2.1\", destination = \"2001:db8::1\" }", "not of one IP version"),
            ("match = { transport = \"sctp\" }", "sctp"),
            ("match = { port = 0 }", "[[stream]] 1: match.port = 0 fits no stream"),
            ("match = { port = 65536 }", "port"),
            ("match = { port = \"any\" }", "port"),
            ("match = { station = \"\" }", "match.station = \"\" fits no stream: it is empty"),
            ("match = { station = \"A\\tB\" }", "cannot be shown"),
            ("match = { station = \"ALPHA \" }", "padding"),
            ("match = { station = 7 }", "station"),
            ("late = \"soon\"", "'soon' is no limit"),
            ("name = \" \"", "name is empty"),
            ("[[stream]]", "[[stream]] 2 is never used: [[stream]] 1 has the same match"),
        ] {
            let error = rules(&format!("[[stream]]\n{text}")).expect_err(text);
            assert!(error.contains(named), "{text}: {error}");
        }
        let long =
            rules(&format!("[[stream]]\nmatch = {{ station = \"{}\" }}", "A".repeat(256))).expect_err("long");
        assert!(long.contains("255 bytes at most"), "{long}");
        let table = |number| format!("[[stream]]\nmatch = {{ station = \"{number}\" }}\n");
        let many: String = (0..=STATIONS).map(table).collect();
        let many = rules(&many).expect_err("too many");
        assert!(many.contains("[[stream]] 65: match.station names more than 64 stations"), "{many}");
    }

    #[test]
    fn what_is_printed_reads_back() {
        let text = "match = { source = \"192.0.2.0/24\", transport = \"tcp\", idcode = 7, port = 4712, station = \"A \\\"B\" }";
        let file: File = toml::from_str(&format!("[[stream]]\n{text}")).expect("a table");
        let [table] = &file.stream[..] else { panic!("one table") };
        let again: File = toml::from_str(&table.to_string()).expect("a table again");
        assert_eq!(again.stream, file.stream);
    }
}
