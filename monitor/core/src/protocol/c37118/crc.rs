//! The check word of a frame (clause 6.2, Annex B): CRC-CCITT over everything before it.
//!
//! Every received frame pays for this once, so it takes sixteen bytes a step: the tables answer what each
//! byte contributes after all bytes behind it in the step, and only two of the sixteen look-ups wait for the
//! step before. The tables are 8 KiB and made at compile time.

/// The generator polynomial x^16 + x^12 + x^5 + 1, most significant bit first, not reflected.
const POLYNOMIAL: u16 = 0x1021;

/// The register before the first byte; there is no final exclusive or.
const INITIAL: u16 = 0xFFFF;

/// The largest number of bytes taken in one step.
const STEP: usize = 16;

/// `TABLES[n][b]`: what byte `b` leaves in the register once `n` bytes of zero have followed it.
static TABLES: [[u16; 256]; STEP] = tables();

/// The check word of `bytes`.
///
/// ```
/// use monitor_core::protocol::c37118::crc::checksum;
/// assert_eq!(checksum(b"ABCD"), 0xBFFA);
/// assert_eq!(checksum(b"123456789"), 0x29B1);
/// ```
#[must_use]
pub fn checksum(bytes: &[u8]) -> u16 {
    over(INITIAL, bytes)
}

/// A check word over bytes that come in pieces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Checksum(u16);

impl Checksum {
    /// Over no bytes yet.
    #[must_use]
    pub const fn new() -> Self {
        Self(INITIAL)
    }

    /// Takes the next piece.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0 = over(self.0, bytes);
    }

    /// The check word of all pieces so far.
    #[must_use]
    pub const fn value(self) -> u16 {
        self.0
    }
}

impl Default for Checksum {
    fn default() -> Self {
        Self::new()
    }
}

/// The register after `bytes`.
#[inline]
fn over(register: u16, bytes: &[u8]) -> u16 {
    let (steps, rest) = bytes.as_chunks::<STEP>();
    let mut crc = steps.iter().fold(register, fold);
    let (steps, rest) = rest.as_chunks::<4>();
    for step in steps {
        crc = fold(crc, step);
    }
    for &byte in rest {
        // A step of one byte meets the register's high half only; its low half moves up.
        crc = fold(crc, &[byte]) ^ (crc << 8);
    }
    crc
}

/// What `step` leaves in the register: its first two bytes meet the register's two. A step of a single byte
/// leaves out the register's low half, which its caller moves up.
#[inline]
fn fold<const N: usize>(crc: u16, step: &[u8; N]) -> u16 {
    let [high, low] = crc.to_be_bytes();
    let mut folded = 0;
    for (place, &byte) in step.iter().enumerate() {
        let met = match place {
            0 => byte ^ high,
            1 => byte ^ low,
            _ => byte,
        };
        folded ^= TABLES[N - 1 - place][usize::from(met)];
    }
    folded
}

const fn tables() -> [[u16; 256]; STEP] {
    let mut tables = [[0; 256]; STEP];
    let mut byte: u16 = 0;
    while byte < 256 {
        let mut crc = byte << 8;
        let mut bits = 8;
        while bits > 0 {
            crc = (crc << 1) ^ ((crc >> 15) * POLYNOMIAL);
            bits -= 1;
        }
        tables[0][byte as usize] = crc;
        byte += 1;
    }
    let mut behind = 1;
    while behind < STEP {
        let mut byte = 0;
        while byte < 256 {
            let before = tables[behind - 1][byte];
            tables[behind][byte] = (before << 8) ^ tables[0][(before >> 8) as usize];
            byte += 1;
        }
        behind += 1;
    }
    tables
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The definition of Annex B, a bit at a time.
    fn by_bits(bytes: &[u8]) -> u16 {
        let mut crc = INITIAL;
        for &byte in bytes {
            crc ^= u16::from(byte) << 8;
            for _ in 0..8 {
                crc = if crc & 0x8000 == 0 { crc << 1 } else { (crc << 1) ^ POLYNOMIAL };
            }
        }
        crc
    }

    #[test]
    fn known_values() {
        assert_eq!(checksum(b""), 0xFFFF);
        assert_eq!(checksum(b"ABCD"), 0xBFFA);
        assert_eq!(checksum(b"123456789"), 0x29B1);
    }

    proptest! {
        #[test]
        fn equals_the_definition(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            prop_assert_eq!(checksum(&bytes), by_bits(&bytes));
        }

        #[test]
        fn pieces_make_the_whole(pieces in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..40), 0..8)) {
            let mut pieced = Checksum::new();
            for piece in &pieces {
                pieced.update(piece);
            }
            prop_assert_eq!(pieced.value(), checksum(&pieces.concat()));
        }
    }
}
