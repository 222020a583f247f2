//! What chronyd knows of this host's clock, by its command protocol (chrony's `candm.h`, version 6): the request
//! `TRACKING`, which changes nothing and which every chronyd answers to its own host.
//!
//! # The bound
//! chrony's documentation of `chronyc tracking` gives the largest error of the system clock: the remaining correction,
//! plus the root dispersion, plus half of the root delay.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Version of the protocol: that of chrony 2.2 and later.
const VERSION: u8 = 6;
const REQUEST: u8 = 1;
const REPLY: u8 = 2;
const TRACKING: u16 = 33;
const TRACKING_REPLY: u16 = 5;
/// A request has at least the length of its reply, so that nobody can be flooded through it.
const LENGTH: usize = 104;
/// Where a reply's own data begin.
const DATA: usize = 28;
/// Leap status of a clock that is not synchronised.
const UNSYNCHRONISED: u16 = 3;

/// What chronyd says of the clock that it keeps.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Tracking {
    /// Whom it follows: an address, or the name of a reference clock.
    pub(super) reference: String,
    /// Whether it follows anybody.
    pub(super) synchronised: bool,
    /// The largest error, nanoseconds.
    pub(super) bound_ns: u64,
    /// What is left to correct, nanoseconds.
    pub(super) offset_ns: i64,
}

/// The request.
pub(super) fn question(sequence: u32) -> [u8; LENGTH] {
    let mut bytes = [0; LENGTH];
    bytes[0] = VERSION;
    bytes[1] = REQUEST;
    bytes[4..6].copy_from_slice(&TRACKING.to_be_bytes());
    bytes[8..12].copy_from_slice(&sequence.to_be_bytes());
    bytes
}

/// Reads the reply to the request of that number; `None` for anything else.
pub(super) fn answer(bytes: &[u8], sequence: u32) -> Option<Tracking> {
    let head = (*bytes.first()?, *bytes.get(1)?);
    let numbers = (u16_at(bytes, 4)?, u16_at(bytes, 6)?, u16_at(bytes, 8)?, u32_at(bytes, 16)?);
    if head != (VERSION, REPLY) || numbers != (TRACKING, TRACKING_REPLY, 0, sequence) {
        return None;
    }
    let data = bytes.get(DATA..LENGTH)?;
    let correction = float(u32_at(data, 40)?);
    let [delay, dispersion] = [float(u32_at(data, 64)?), float(u32_at(data, 68)?)];
    let bound = correction.abs() + dispersion + delay / 2.0;
    let leap = u16_at(data, 26)?;
    Some(Tracking {
        reference: reference(data)?,
        synchronised: leap < UNSYNCHRONISED && bound.is_finite(),
        bound_ns: nanos(bound).unsigned_abs(),
        offset_ns: nanos(correction),
    })
}

/// The address of the source; of one without an address (a reference clock) its identifier, up to four letters.
fn reference(data: &[u8]) -> Option<String> {
    let address: [u8; 16] = data.get(4..20)?.try_into().ok()?;
    let [a, b, c, d, ..] = address;
    match u16_at(data, 20)? {
        1 => Some(IpAddr::V4(Ipv4Addr::new(a, b, c, d)).to_string()),
        2 => Some(IpAddr::V6(Ipv6Addr::from(address)).to_string()),
        _ => {
            let letters = data.get(..4)?.iter().filter(|byte| byte.is_ascii_graphic());
            Some(letters.map(|byte| char::from(*byte)).collect())
        }
    }
}

/// chrony's own 32 bits of floating point: 7 of exponent and 25 of coefficient, both signed.
fn float(word: u32) -> f64 {
    const COEFFICIENT_BITS: i32 = 25;
    let exponent = word.cast_signed() >> COEFFICIENT_BITS;
    let coefficient = (word << 7).cast_signed() >> 7;
    f64::from(coefficient) * 2_f64.powi(exponent - COEFFICIENT_BITS)
}

#[expect(clippy::cast_possible_truncation, reason = "saturates, at 292 years")]
fn nanos(seconds: f64) -> i64 {
    (seconds * 1e9).ceil() as i64
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..)?.first_chunk().map(|word| u16::from_be_bytes(*word))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk().map(|word| u32::from_be_bytes(*word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floats_are_chronys() {
        let one = (2 << 25) | 1 << 23;
        let minus_one = (2 << 25) | (0x01FF_FFFF & (-(1_i32 << 23)).cast_unsigned());
        let eighth = (0x7F << 25) | 1 << 23;
        for (word, value) in [(one, 1.0_f64), (0, 0.0), (minus_one, -1.0), (eighth, 0.125)] {
            assert_eq!(float(word).to_bits(), value.to_bits(), "{word:08x}");
        }
    }

    fn reply(sequence: u32) -> [u8; LENGTH] {
        let mut bytes = [0; LENGTH];
        bytes[..2].copy_from_slice(&[VERSION, REPLY]);
        bytes[4..6].copy_from_slice(&TRACKING.to_be_bytes());
        bytes[6..8].copy_from_slice(&TRACKING_REPLY.to_be_bytes());
        bytes[16..20].copy_from_slice(&sequence.to_be_bytes());
        bytes[DATA..DATA + 4].copy_from_slice(b"PPS\0");
        bytes[DATA + 64..DATA + 68].copy_from_slice(&((2_u32 << 25) | 1 << 23).to_be_bytes());
        bytes
    }

    #[test]
    fn the_bound_is_correction_dispersion_and_half_the_delay() {
        let tracking = answer(&reply(7), 7).unwrap();
        assert_eq!((tracking.bound_ns, tracking.offset_ns), (500_000_000, 0));
        assert_eq!(tracking.reference, "PPS");
        assert!(tracking.synchronised);
    }

    #[test]
    fn other_answers_are_passed_over() {
        assert_eq!(answer(&reply(7), 8), None, "another question's");
        assert_eq!(answer(&reply(7)[..LENGTH - 1], 7), None, "cut");
        assert_eq!(answer(&question(7), 7), None, "a question");
    }
}
