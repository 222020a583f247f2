//! Datagrams of two protocols beside C37.118 that user space names: handed on where any port may carry frames.
//!
//! What is looked at here is what tells them from nearly everything else in a few comparisons. User space judges by all
//! of it, the check included, and counts what was none as ignored.

use crate::{
    bytes::{Bytes, Window as _},
    judged::Judged,
};

/// Length and code of the transport header of IEC 61850-90-5: unit data of ISO 8602, without parameters (RFC 1240).
const UNIT_DATA: u16 = 0x0140;
/// Its session identifiers, A0 to A3, but for the last two bits.
const SESSION: u8 = 0xA0;
const SESSION_MASK: u8 = 0xFC;
/// The tag of its common header.
const COMMON_HEADER: u8 = 0x80;

/// The top bit of IEEE 1344's SOC, seconds since 1900: it is set from 1968 to 2036.
const SOC_TOP: u8 = 0x80;
/// The bits of its status word that hold the frame's length, and the least that this is.
const LENGTH_MASK: u16 = 0x1FFF;
const LEAST_LENGTH: u16 = 10;
const UDP_HEADER: u16 = 8;

/// Whether a datagram begins like a session PDU of IEC 61850-90-5, or claims to be one frame of IEEE 1344.
#[inline(always)]
pub fn begins(bytes: impl Bytes, found: Judged) -> bool {
    let Some(payload) = bytes.window::<8>(found.datagram()) else { return false };
    if payload.half::<0>() == UNIT_DATA.to_be() {
        return payload.byte::<2>() & SESSION_MASK == SESSION && payload.byte::<4>() == COMMON_HEADER;
    }
    let length = payload.number::<6>() & LENGTH_MASK;
    if payload.byte::<0>() & SOC_TOP == 0 || length < LEAST_LENGTH {
        return false;
    }
    let Some(header) = bytes.window::<6>(found.transport_header()) else { return false };
    header.number::<4>() == length + UDP_HEADER
}
