//! What ptp4l knows of its clock, by PTP management messages over its Unix socket (IEEE 1588-2008, clause 15, and
//! linuxptp's own `TIME_STATUS_NP` and `PORT_PROPERTIES_NP`). Only GETs are sent.
//!
//! # The bound
//! With a port of ptp4l that follows a grandmaster and has measured: the measured offset from the grandmaster, plus the mean path delay (an asymmetry of
//! the path can be no larger), plus the grandmaster's own accuracy, which counts only where its clock class says that
//! it is synchronised to its source or holds over within its specification. The bound is that of the clock that ptp4l
//! steers: the system's where it stamps in software, the network card's where the card stamps.

use std::fmt;
use std::io;
use std::path::Path;

use super::exchange::Line;

/// `messageType` of a management message, in a header of version 2.
const MANAGEMENT: u8 = 0x0D;
const VERSION: u8 = 2;
/// Length of the header (clause 13.3) and of what precedes the TLV in a management message (clause 15.4.1).
const HEADER: usize = 34;
const FIXED: usize = HEADER + 14;
/// TLV types (clause 14.1.1).
const MANAGEMENT_TLV: u16 = 1;
/// `actionField`.
const GET: u8 = 0;
const RESPONSE: u8 = 2;

/// `managementId` (table 40; linuxptp's own from C000 on).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Id {
    CurrentDataSet = 0x2001,
    ParentDataSet = 0x2002,
    TimePropertiesDataSet = 0x2003,
    TimeStatus = 0xC000,
    PortProperties = 0xC004,
}

/// `portState` (table 8): following, with the servo locked, and following while it is not. ptp4l stays UNCALIBRATED
/// where it is told to steer nothing (`free_running`); what it measures is as good.
const SLAVE: u8 = 9;
const UNCALIBRATED: u8 = 8;
/// `timestamping` of `PORT_PROPERTIES_NP`: by the kernel; all others are by the card.
const SOFTWARE: u8 = 0;
/// Flags of the time properties data set.
const UTC_OFFSET_VALID: u8 = 1 << 2;
const PTP_TIMESCALE: u8 = 1 << 3;
/// Clock classes that say that the accuracy holds (table 5): synchronised to a primary reference or to an
/// application's time, and either of them within the specification of its holdover.
const ACCURATE_CLASSES: [u8; 4] = [6, 7, 13, 14];

/// A PTP clock's identity (clause 7.5.2.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ClockIdentity(pub [u8; 8]);

impl fmt::Display for ClockIdentity {
    /// As linuxptp writes it: `001b19.fffe.000001`.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, byte) in self.0.into_iter().enumerate() {
            let dot = if matches!(place, 3 | 5) { "." } else { "" };
            write!(out, "{dot}{byte:02x}")?;
        }
        Ok(())
    }
}

/// What ptp4l says of the clock that it steers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Status {
    /// The grandmaster, where there is one.
    pub(super) grandmaster: Option<ClockIdentity>,
    /// Whether a port follows it.
    pub(super) following: bool,
    /// Offset of the steered clock from the grandmaster, nanoseconds.
    pub(super) offset_ns: i64,
    /// The largest error of the steered clock, nanoseconds, where it is known.
    pub(super) bound_ns: Option<u64>,
    /// TAI minus UTC as the grandmaster says, seconds, where it says that this is valid.
    pub(super) utc_offset_s: Option<i16>,
    /// Whether the steered clock counts TAI. With software stamps the system's clock is steered, which counts UTC.
    pub(super) ptp_timescale: bool,
    /// The interface whose card has the steered clock; none where it is the system's.
    pub(super) card: Option<String>,
}

/// Asks the daemon behind the socket at `path`.
pub(super) fn status(path: &Path) -> io::Result<Status> {
    let line = Line::unix(path)?;
    let get = |id: Id, sequence: u16| {
        line.ask(&question(id, sequence), |bytes| data(bytes, id, sequence).map(<[u8]>::to_vec))
    };
    let answers = Answers {
        time_status: &get(Id::TimeStatus, 1)?,
        parent: &get(Id::ParentDataSet, 2)?,
        current: &get(Id::CurrentDataSet, 3)?,
        properties: &get(Id::TimePropertiesDataSet, 4)?,
        port: &get(Id::PortProperties, 5)?,
    };
    answers.read().ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "its answers are too short"))
}

/// A GET of one data set from all ports.
fn question(id: Id, sequence: u16) -> Vec<u8> {
    let length = FIXED + 6;
    let mut bytes = vec![0; length];
    bytes[0] = MANAGEMENT;
    bytes[1] = VERSION;
    bytes[3] = u8::try_from(length).unwrap_or(u8::MAX);
    // sourcePortIdentity: this process, so that a daemon's log can tell who asked.
    bytes[20..24].copy_from_slice(&std::process::id().to_be_bytes());
    bytes[28..30].copy_from_slice(&1_u16.to_be_bytes());
    bytes[30..32].copy_from_slice(&sequence.to_be_bytes());
    // controlField and logMessageInterval of a management message (tables 23 and 24).
    bytes[32..34].copy_from_slice(&[4, 0x7F]);
    // targetPortIdentity: all clocks and ports.
    bytes[34..44].fill(0xFF);
    bytes[46] = GET;
    bytes[48..50].copy_from_slice(&MANAGEMENT_TLV.to_be_bytes());
    // lengthField: that of managementId alone.
    bytes[50..52].copy_from_slice(&2_u16.to_be_bytes());
    bytes[52..54].copy_from_slice(&(id as u16).to_be_bytes());
    bytes
}

/// The data of a RESPONSE to the question of that number; `None` for anything else.
fn data(bytes: &[u8], id: Id, sequence: u16) -> Option<&[u8]> {
    let is_management = bytes.first()? & 0x0F == MANAGEMENT && bytes.get(1)? & 0x0F == VERSION;
    let answers = be_u16(bytes, 30)? == sequence && bytes.get(46)? & 0x0F == RESPONSE;
    let tlv = bytes.get(FIXED..)?;
    let of_id = be_u16(tlv, 0)? == MANAGEMENT_TLV && be_u16(tlv, 4)? == id as u16;
    let length = usize::from(be_u16(tlv, 2)?).checked_sub(2)?;
    (is_management && answers && of_id).then(|| tlv.get(6..6 + length)).flatten()
}

/// The data of the five answers.
struct Answers<'a> {
    time_status: &'a [u8],
    parent: &'a [u8],
    current: &'a [u8],
    properties: &'a [u8],
    port: &'a [u8],
}

impl Answers<'_> {
    fn read(&self) -> Option<Status> {
        let Self { time_status, parent, current, properties, port } = self;
        let present = be_u32(time_status, 38)? != 0;
        let grandmaster = ClockIdentity(*time_status.get(42..)?.first_chunk()?);
        // Both are TimeIntervals: nanoseconds times 2^16 (clause 5.3.2).
        let [offset, delay] = [be_i64(current, 2)? >> 16, be_i64(current, 10)? >> 16];
        let (class, accuracy) = (*parent.get(19)?, *parent.get(20)?);
        let flags = *properties.get(2)?;
        let (state, stamping) = (*port.get(10)?, *port.get(11)?);
        // Before the first Sync and the first answer to a delay request there is nothing measured.
        let measured = be_i64(time_status, 8)? != 0 && delay != 0;
        let following = present && (state == SLAVE || state == UNCALIBRATED && measured);
        let known = accuracy_ns(accuracy).filter(|_| following && ACCURATE_CLASSES.contains(&class));
        Some(Status {
            grandmaster: present.then_some(grandmaster),
            following,
            offset_ns: offset,
            bound_ns: known.map(|own| offset.unsigned_abs() + delay.unsigned_abs() + own),
            utc_offset_s: (flags & UTC_OFFSET_VALID != 0).then_some(be_u16(properties, 0)?.cast_signed()),
            ptp_timescale: flags & PTP_TIMESCALE != 0,
            card: (stamping != SOFTWARE).then(|| text(port.get(12..)?)).flatten(),
        })
    }
}

/// `PTPText`: a length, then as many bytes (clause 5.3.9).
fn text(bytes: &[u8]) -> Option<String> {
    let (length, rest) = bytes.split_first()?;
    Some(String::from_utf8_lossy(rest.get(..usize::from(*length))?).into_owned())
}

/// `clockAccuracy` (table 6), nanoseconds; none where it is unknown, or worse than ten seconds.
const fn accuracy_ns(code: u8) -> Option<u64> {
    const NANOS: [u64; 17] = [
        25,
        100,
        250,
        1_000,
        2_500,
        10_000,
        25_000,
        100_000,
        250_000,
        1_000_000,
        2_500_000,
        10_000_000,
        25_000_000,
        100_000_000,
        250_000_000,
        1_000_000_000,
        10_000_000_000,
    ];
    match code {
        0x20..=0x30 => Some(NANOS[(code - 0x20) as usize]),
        _ => None,
    }
}

fn be_u16(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..)?.first_chunk().map(|word| u16::from_be_bytes(*word))
}

fn be_u32(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk().map(|word| u32::from_be_bytes(*word))
}

fn be_i64(bytes: &[u8], at: usize) -> Option<i64> {
    bytes.get(at..)?.first_chunk().map(|word| i64::from_be_bytes(*word))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Answers as a ptp4l gives them that follows a grandmaster of class 6 and 100 ns: 1500 ns ahead of it, over a path
    /// of 20 000 ns.
    struct Given {
        time_status: [u8; 50],
        parent: [u8; 32],
        current: [u8; 18],
        properties: [u8; 4],
        port: [u8; 15],
    }

    fn given() -> Given {
        let mut given = Given {
            time_status: [0; 50],
            parent: [0; 32],
            current: [0; 18],
            properties: [0, 37, UTC_OFFSET_VALID | PTP_TIMESCALE, 0x20],
            port: [0; 15],
        };
        given.time_status[15] = 1;
        given.time_status[41] = 1;
        given.time_status[42..].copy_from_slice(&[0, 0x1B, 0x19, 0xFF, 0xFE, 0, 0, 1]);
        given.parent[19..21].copy_from_slice(&[6, 0x21]);
        given.current[2..10].copy_from_slice(&(1_500_i64 << 16).to_be_bytes());
        given.current[10..18].copy_from_slice(&(20_000_i64 << 16).to_be_bytes());
        given.port[10..].copy_from_slice(&[SLAVE, SOFTWARE, 2, b'v', b'b']);
        given
    }

    fn read(given: &Given) -> Option<Status> {
        let Given { time_status, parent, current, properties, port } = given;
        Answers { time_status, parent, current, properties, port }.read()
    }

    #[test]
    fn the_bound_is_offset_path_and_the_grandmasters_accuracy() {
        let status = read(&given()).unwrap();
        assert_eq!(status.bound_ns, Some(1_500 + 20_000 + 100));
        assert_eq!(status.grandmaster.unwrap().to_string(), "001b19.fffe.000001");
        assert_eq!((status.utc_offset_s, status.card), (Some(37), None));
    }

    #[test]
    fn an_offset_behind_bounds_like_one_ahead() {
        let mut behind = given();
        behind.current[2..10].copy_from_slice(&(-1_500_i64 << 16).to_be_bytes());
        let status = read(&behind).unwrap();
        assert_eq!((status.offset_ns, status.bound_ns), (-1_500, Some(21_600)));
    }

    #[test]
    fn without_a_sure_grandmaster_there_is_no_bound() {
        let spoil: [fn(&mut Given); 6] = [
            |given| given.parent[19] = 248,
            |given| given.parent[19] = 52,
            |given| given.parent[20] = 0xFE,
            |given| given.port[10] = 6,
            |given| {
                given.port[10] = UNCALIBRATED;
                given.time_status[15] = 0;
            },
            |given| given.time_status[41] = 0,
        ];
        for spoil in spoil {
            let mut given = given();
            spoil(&mut given);
            assert_eq!(read(&given).unwrap().bound_ns, None);
        }
    }

    #[test]
    fn the_steered_clock_may_be_the_cards() {
        let mut given = given();
        given.port[11] = 1;
        assert_eq!(read(&given).unwrap().card.as_deref(), Some("vb"));
    }

    #[test]
    fn accuracies_are_those_of_table_6() {
        let named =
            [(0x20, Some(25)), (0x21, Some(100)), (0x30, Some(10_000_000_000)), (0x31, None), (0xFE, None)];
        for (code, ns) in named {
            assert_eq!(accuracy_ns(code), ns, "{code:02x}");
        }
    }

    #[test]
    fn an_answer_is_told_by_number_and_data_set() {
        let mut bytes = question(Id::CurrentDataSet, 7);
        assert_eq!(data(&bytes, Id::CurrentDataSet, 7), None, "a question is no answer");
        bytes[46] = RESPONSE;
        assert_eq!(data(&bytes, Id::CurrentDataSet, 7), Some(&[][..]));
        assert_eq!(data(&bytes, Id::CurrentDataSet, 8), None);
        assert_eq!(data(&bytes, Id::ParentDataSet, 7), None);
        bytes[51] = 200;
        assert_eq!(data(&bytes, Id::CurrentDataSet, 7), None, "its length is beyond its end");
    }
}
