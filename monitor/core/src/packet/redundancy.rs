//! PRP's redundancy control trailer (IEC 62439-3, clause 4.2.7): the last six bytes of a frame, behind any padding.
//!
//! `SeqNr` (16 bits), `LanId` (4 bits, A or B), `LSDUsize` (12 bits), and the suffix 0x88FB.

/// The suffix that ends a trailer.
const SUFFIX: u16 = 0x88FB;
/// Values of `LanId`.
const LAN_A: u8 = 0xA;
const LAN_B: u8 = 0xB;
/// Bytes of a VLAN tag.
const TAG_SIZE: usize = 4;

/// One of PRP's two networks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Lan {
    /// LAN A.
    A,
    /// LAN B.
    B,
}

/// A trailer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Rct {
    /// Number of the frame, the same in both networks.
    pub sequence: u16,
    /// The network that it came by.
    pub lan: Lan,
}

impl Rct {
    /// The trailer of a frame whose bytes behind the ethertype are these, all of them; `tags` is the number of VLAN tags
    /// before it, which some senders count into the size. A size that is not the frame's is no trailer.
    #[must_use]
    pub fn find(behind_ethertype: &[u8], tags: usize) -> Option<Self> {
        let (_, &[s0, s1, l0, l1, x0, x1]) = behind_ethertype.split_last_chunk::<6>()?;
        if u16::from_be_bytes([x0, x1]) != SUFFIX {
            return None;
        }
        let size = usize::from(u16::from_be_bytes([l0 & 0x0F, l1]));
        let length = behind_ethertype.len();
        if size != length && size != length + tags * TAG_SIZE {
            return None;
        }
        let lan = match l0 >> 4 {
            LAN_A => Lan::A,
            LAN_B => Lan::B,
            _ => return None,
        };
        Some(Self { sequence: u16::from_be_bytes([s0, s1]), lan })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(trailer: [u8; 6]) -> Vec<u8> {
        [&[0x45; 40][..], &trailer].concat()
    }

    #[test]
    fn a_trailer_is_proved_by_its_suffix_its_lan_and_its_size() {
        let rct = Some(Rct { sequence: 0x1234, lan: Lan::A });
        assert_eq!(Rct::find(&frame([0x12, 0x34, 0xA0, 46, 0x88, 0xFB]), 0), rct);
        assert_eq!(Rct::find(&frame([0x12, 0x34, 0xA0, 50, 0x88, 0xFB]), 1), rct, "with its tag");
        let rct = Some(Rct { sequence: 0, lan: Lan::B });
        assert_eq!(Rct::find(&frame([0, 0, 0xB0, 46, 0x88, 0xFB]), 0), rct);
        for wrong in [
            [0x12, 0x34, 0xA0, 46, 0x88, 0xFC],
            [0x12, 0x34, 0xC0, 46, 0x88, 0xFB],
            [0x12, 0x34, 0xA0, 47, 0x88, 0xFB],
            [0x12, 0x34, 0xA1, 46, 0x88, 0xFB],
        ] {
            assert_eq!(Rct::find(&frame(wrong), 0), None, "{wrong:x?}");
        }
        assert_eq!(Rct::find(&[0x88, 0xFB], 0), None);
    }
}
