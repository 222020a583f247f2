//! Recognises the session protocol of IEC TR 61850-90-5, by which routable GOOSE and sampled values travel, and
//! synchrophasors as sampled values with them.
//!
//! It goes over UDP (port 102 by convention), and is looked for at the beginning of what a TCP flow brings too. It is a
//! connectionless transport header of ISO 8602 (length 01, unit data 40),
//! then the session header. That is an identifier (A0 tunnelled, A1 GOOSE, A2 sampled values, A3 management), its
//! length, 80, the length of the common header, and in this the SPDU's length (4 bytes), number (4) and version (2).
//! Both lengths have to agree and fit. Nothing more of it is read, and nothing inside is looked for: what a tunnel
//! (A0) carries may be signed and encrypted.

/// Transport header, identifier, its length, 80, length of the common header.
const PREFIX_SIZE: usize = 6;
/// The SPDU's length, number and version.
const LEAST_COMMON_HEADER: usize = 10;

/// Whether `bytes` are fewer than tell, and all that is there is as a session PDU begins.
pub(super) fn may_become_session(bytes: &[u8]) -> bool {
    let fixed = [Some(0x01), Some(0x40), None, None, Some(0x80)];
    let header = PREFIX_SIZE + bytes.get(PREFIX_SIZE - 1).map_or(1, |common| usize::from(*common));
    bytes.len() < header
        && bytes.iter().zip(fixed).all(|(byte, fixed)| fixed.is_none_or(|fixed| *byte == fixed))
        && bytes.get(2).is_none_or(|identifier| (0xA0..=0xA3).contains(identifier))
}

/// Whether `payload` begins with a session PDU; a whole datagram is one.
pub(super) fn is_session(payload: &[u8]) -> bool {
    let Some(([0x01, 0x40, 0xA0..=0xA3, header, 0x80, common], rest)) =
        payload.split_first_chunk::<PREFIX_SIZE>()
    else {
        return false;
    };
    let common = usize::from(*common);
    // The session header's length counts the 80 and the length of the common header too.
    common >= LEAST_COMMON_HEADER && usize::from(*header) >= common + 2 && rest.len() >= common
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A session header of 24 bytes as routable GOOSE has it, and the begin of its payload.
    const GOOSE: [u8; 36] = [
        0x01, 0x40, 0xA1, 0x18, 0x80, 0x16, 0x00, 0x00, 0x00, 0x9A, 0x00, 0x00, 0x00, 0x01, 0x00, 0x01, 0x55,
        0x0A, 0xF1, 0x2B, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x90, 0x81, 0x00,
        0x40, 0x00,
    ];

    #[test]
    fn every_session_pdu_is_known_by_its_header() {
        for identifier in 0..=u8::MAX {
            let mut payload = GOOSE;
            payload[2] = identifier;
            assert_eq!(is_session(&payload), (0xA0..=0xA3).contains(&identifier));
        }
        for (place, value) in [(0, 2), (1, 0x41), (3, 23), (4, 0x81), (5, 9), (5, 31)] {
            let mut payload = GOOSE;
            payload[place] = value;
            assert!(!is_session(&payload), "byte {place} = {value}");
        }
        for length in 0..GOOSE.len() {
            assert_eq!(is_session(&GOOSE[..length]), length >= 28, "{length} bytes");
            assert_eq!(may_become_session(&GOOSE[..length]), length < 28, "{length} bytes");
        }
        assert!(!may_become_session(&[0xAA]) && !may_become_session(&[0x01, 0x40, 0xA4]));
    }
}
