//! What is set for some streams: which streams a rule is for, and what holds for them.

use super::LateLimit;
use super::StreamKey;
use super::stalls::STALL_NS;
use crate::packet::Transport;

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
}

impl StreamMatch {
    /// Whether a stream fits.
    #[must_use]
    pub fn fits(&self, key: &StreamKey) -> bool {
        let Self { source, destination, transport, idcode } = self;
        source.is_none_or(|prefix| prefix.contains(&key.source))
            && destination.is_none_or(|prefix| prefix.contains(&key.destination))
            && transport.is_none_or(|transport| transport == key.transport)
            && idcode.is_none_or(|idcode| idcode == key.idcode)
    }
}

/// What holds for a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StreamSettings {
    /// When its frames are late.
    pub late: LateLimit,
    /// A silence longer than this, and than three reporting periods, is a stall; nanoseconds.
    pub stall_ns: u64,
    /// The same packet at the same place is a mirror's copy, whatever its headers say.
    pub mirrored: bool,
}

impl Default for StreamSettings {
    fn default() -> Self {
        Self { late: LateLimit::default(), stall_ns: STALL_NS, mirrored: false }
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

/// All rules; the first that fits a stream is its.
#[derive(Clone, Debug, Default)]
pub(super) struct Rules {
    rules: Vec<StreamRule>,
    /// Streams that each was for.
    streams: Vec<u64>,
}

impl Rules {
    pub(super) fn new(rules: Vec<StreamRule>) -> Self {
        Self { streams: vec![0; rules.len()], rules }
    }

    /// What holds for a new stream.
    pub(super) fn settings(&mut self, key: &StreamKey) -> StreamSettings {
        let Some(place) = self.rules.iter().position(|rule| rule.matches.fits(key)) else {
            return StreamSettings::default();
        };
        self.streams[place] += 1;
        self.rules[place].settings
    }

    /// How many streams each rule was for.
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
        let late = |ns| StreamSettings { late: LateLimit::Set(ns), ..StreamSettings::default() };
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
        assert_eq!(rules.settings(&key(1, 7)), late(1));
        assert_eq!(rules.settings(&key(2, 7)), late(2));
        assert_eq!(rules.settings(&key(1, 8)), StreamSettings::default());
        assert_eq!(rules.matched(), [1, 1, 0]);
    }
}
