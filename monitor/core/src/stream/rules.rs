//! What is set for some streams: which streams a rule is for, and what holds for them.

use super::stalls::STALL_NS;
use super::{LateLimit, StreamKey};
use crate::packet::Transport;
use crate::protocol::c37118::ConfigView;

/// An address, or all that begin like it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Prefix {
    address: [u8; 16],
    bits: u8,
}

impl Prefix {
    /// The first `bits` of an address of 16 bytes, as in [`Endpoint`](crate::packet::Endpoint); none where there are
    /// not as many, or where bits behind them are set.
    #[must_use]
    pub fn new(address: [u8; 16], bits: u8) -> Option<Self> {
        let word = u128::from_be_bytes(address);
        (bits <= 128 && word & !mask(bits) == 0).then_some(Self { address, bits })
    }

    /// Whether an address begins like it.
    #[must_use]
    pub fn contains(&self, address: &[u8; 16]) -> bool {
        let differing = u128::from_be_bytes(self.address) ^ u128::from_be_bytes(*address);
        differing & mask(self.bits) == 0
    }
}

/// The first `bits` of a word.
const fn mask(bits: u8) -> u128 {
    match 128_u32.checked_sub(bits as u32) {
        Some(128) | None => 0,
        Some(rest) => u128::MAX << rest,
    }
}

/// Stations that rules can name: a bit for each is kept with every configuration.
pub const STATIONS: usize = 64;

/// The stations that rules name, without the padding behind their names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stations(Vec<Box<str>>);

impl Stations {
    /// The number of a station, which is new, or was named before; none where there is no place for one more.
    pub fn number(&mut self, name: &str) -> Option<StationId> {
        let place = self.0.iter().position(|known| **known == *name).unwrap_or_else(|| {
            self.0.push(name.into());
            self.0.len() - 1
        });
        self.0.truncate(STATIONS);
        u8::try_from(place).ok().filter(|_| place < STATIONS).map(StationId)
    }

    /// Which of them a configuration has, of any of its PMUs. Takes as many comparisons as there are stations and PMUs.
    #[must_use]
    pub fn of(&self, config: &ConfigView<'_>) -> StationSet {
        if self.0.is_empty() {
            return StationSet::default();
        }
        let mut set = 0;
        for pmu in config.pmus() {
            let station = pmu.station();
            let numbers = (0..).zip(&self.0).filter(|(_, known)| known.as_bytes() == station.bytes());
            set |= numbers.fold(0, |bits, (number, _)| bits | 1 << number);
        }
        StationSet(set)
    }
}

/// A station that rules name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StationId(u8);

/// Some of the stations that rules name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StationSet(u64);

impl StationSet {
    const fn has(self, StationId(number): StationId) -> bool {
        self.0 >> number & 1 == 1
    }
}

/// Which streams: those that fit all that is given.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StreamMatch {
    /// The PMU's (or PDC's) address.
    pub source: Option<Prefix>,
    /// The receiver's.
    pub destination: Option<Prefix>,
    /// What carries it.
    pub transport: Option<Transport>,
    /// The stream's IDCODE.
    pub idcode: Option<u16>,
    /// The sender's port or the receiver's, as the stream was first seen.
    pub port: Option<u16>,
    /// A station of the configuration that lays the stream out.
    pub station: Option<StationId>,
}

impl StreamMatch {
    /// Whether a stream fits, first seen on these ports, laid out by a configuration with these stations.
    #[must_use]
    pub fn fits(&self, key: &StreamKey, ports: [u16; 2], stations: StationSet) -> bool {
        let Self { source, destination, transport, idcode, port, station } = self;
        source.is_none_or(|prefix| prefix.contains(&key.source))
            && destination.is_none_or(|prefix| prefix.contains(&key.destination))
            && transport.is_none_or(|transport| transport == key.transport)
            && idcode.is_none_or(|idcode| idcode == key.idcode)
            && port.is_none_or(|port| ports.contains(&port))
            && station.is_none_or(|station| stations.has(station))
    }
}

/// What holds for a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StreamSettings {
    /// When its frames are late; by the class that its configuration declares where it is not set.
    pub late: Option<LateLimit>,
    /// A silence longer than this, and than three reporting periods, is a stall; nanoseconds.
    pub stall_ns: u64,
    /// The same packet at the same place is a mirror's copy, whatever its headers say.
    pub mirrored: bool,
}

impl Default for StreamSettings {
    fn default() -> Self {
        Self { late: None, stall_ns: STALL_NS, mirrored: false }
    }
}

/// Settings for some streams.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StreamRule {
    /// Which.
    pub matches: StreamMatch,
    /// What holds for them.
    pub settings: StreamSettings,
}

/// The number of a rule, in their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RuleId(pub u16);

/// Rules, and the stations that they name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StreamRules {
    /// The first that fits a stream is its.
    pub rules: Vec<StreamRule>,
    /// By the numbers that the rules have of them.
    pub stations: Stations,
}

impl From<Vec<StreamRule>> for StreamRules {
    /// Rules that name no station.
    fn from(rules: Vec<StreamRule>) -> Self {
        Self { rules, stations: Stations::default() }
    }
}

/// All rules; the first that fits a stream is its.
#[derive(Clone, Debug, Default)]
pub(super) struct Rules {
    rules: Vec<StreamRule>,
    /// Streams that each was for, at one time or another.
    streams: Vec<u64>,
}

impl Rules {
    pub(super) fn new(rules: Vec<StreamRule>) -> Self {
        Self { streams: vec![0; rules.len()], rules }
    }

    /// What holds for a stream, and which rule says so; `before` is the one that held until now.
    pub(super) fn settings(
        &mut self,
        key: &StreamKey,
        ports: [u16; 2],
        stations: StationSet,
        before: Option<RuleId>,
    ) -> (Option<RuleId>, StreamSettings) {
        let Some(place) = self.rules.iter().position(|rule| rule.matches.fits(key, ports, stations)) else {
            return (None, StreamSettings::default());
        };
        let rule = u16::try_from(place).ok().map(RuleId);
        if before != rule {
            self.streams[place] += 1;
        }
        (rule, self.rules[place].settings)
    }

    /// How many streams each rule was for, at one time or another.
    pub(super) fn matched(&self) -> &[u64] {
        &self.streams
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mapped(last: u8) -> [u8; 16] {
        [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF, 192, 0, 2, last]
    }

    fn key(last: u8, idcode: u16) -> StreamKey {
        StreamKey { source: mapped(last), destination: mapped(9), transport: Transport::Udp, idcode }
    }

    #[test]
    fn a_prefix_is_its_first_bits() {
        let host = Prefix::new(mapped(17), 128).unwrap();
        assert!(host.contains(&mapped(17)) && !host.contains(&mapped(16)));
        let network = Prefix::new(mapped(16), 124).unwrap();
        assert!(network.contains(&mapped(31)) && !network.contains(&mapped(32)));
        assert!(Prefix::new([0; 16], 0).unwrap().contains(&mapped(1)));
        assert_eq!(Prefix::new(mapped(17), 124), None, "bits behind the prefix");
        assert_eq!(Prefix::new(mapped(17), 129), None);
    }

    #[test]
    fn the_first_rule_that_fits_holds() {
        let late = |ns| StreamSettings { late: Some(LateLimit::Set(ns)), ..StreamSettings::default() };
        let only =
            StreamMatch { idcode: Some(7), source: Prefix::new(mapped(1), 128), ..StreamMatch::default() };
        let mut rules = Rules::new(vec![
            StreamRule { matches: only, settings: late(1) },
            StreamRule {
                matches: StreamMatch { idcode: Some(7), ..StreamMatch::default() },
                settings: late(2),
            },
            StreamRule {
                matches: StreamMatch { transport: Some(Transport::Tcp), ..StreamMatch::default() },
                settings: late(3),
            },
        ]);
        let mut settings = |key, before| rules.settings(&key, [4712, 30_000], StationSet::default(), before);
        assert_eq!(settings(key(1, 7), None), (Some(RuleId(0)), late(1)));
        assert_eq!(settings(key(2, 7), None), (Some(RuleId(1)), late(2)));
        assert_eq!(settings(key(2, 7), Some(RuleId(1))), (Some(RuleId(1)), late(2)), "the same stream again");
        assert_eq!(settings(key(1, 8), None), (None, StreamSettings::default()));
        assert_eq!(rules.matched(), [1, 1, 0]);
    }

    #[test]
    fn a_port_is_of_either_end() {
        let of = |port| StreamMatch { port: Some(port), ..StreamMatch::default() };
        let fits = |port| of(port).fits(&key(1, 7), [4712, 30_000], StationSet::default());
        assert!(fits(4712) && fits(30_000) && !fits(4713));
    }

    #[test]
    fn a_station_fits_once_it_is_known() {
        let mut stations = Stations::default();
        let [first, second] = ["ALPHA", "BETA"].map(|name| stations.number(name).unwrap());
        assert_eq!(stations.number("ALPHA"), Some(first));
        let of = StreamMatch { station: Some(second), ..StreamMatch::default() };
        let fits = |set| of.fits(&key(1, 7), [1, 2], StationSet(set));
        assert!(!fits(0) && !fits(1) && fits(2) && fits(3));
        for number in 2..STATIONS {
            assert!(stations.number(&number.to_string()).is_some());
        }
        assert_eq!(stations.number("one too many"), None);
        assert_eq!(stations.number("BETA"), Some(second), "nothing was pushed out");
    }
}
