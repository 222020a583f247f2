//! Who keeps the host's clock, and how well: chronyd, ptp4l, or what the kernel alone can say.
//!
//! chronyd's bound is that of the system's clock itself, so it goes before ptp4l's, which may be that of a network
//! card's clock. Where ptp4l steers a card's clock, somebody else (phc2sys) takes it over to the system's: the
//! distance between the two is measured here and added. The kernel alone knows no bound: adjtimex's `maxerror` is
//! none, since phc2sys writes 0 there at each update.

use std::path::{Path, PathBuf};
use std::{fmt, fs};

use serde::Deserialize;

use super::exchange::Line;
use super::ptp4l::ClockIdentity;
use super::{chrony, ptp4l};
use crate::sys::clock::{NANOS_PER_SECOND, discipline, realtime_ns};
use crate::sys::phc::HardwareClock;
use monitor_core::time::tai_utc_mistake;

/// Where chronyd listens unless told otherwise: its socket, and its port on this host (chrony.conf(5), `bindcmdaddress`
/// and `cmdport`).
const CHRONY_SOCKET: &str = "/run/chrony/chronyd.sock";
const CHRONY_ADDRESS: ([u8; 4], u16) = ([127, 0, 0, 1], 323);
/// ptp4l's sockets unless told otherwise: the one that may only be asked (`uds_ro_address`, since linuxptp 4), and the
/// older one.
const PTP4L_SOCKETS: [&str; 2] = ["/var/run/ptp4lro", "/var/run/ptp4l"];

/// Where the time daemons are asked; `[clock]` of the configuration file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct Daemons {
    /// ptp4l's Unix socket.
    pub ptp4l_socket: Option<PathBuf>,
    /// chronyd's Unix socket.
    pub chrony_socket: Option<PathBuf>,
}

/// Who says that the host's clock is right.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Source {
    /// chronyd, which follows somebody.
    Chrony,
    /// ptp4l, which follows a grandmaster.
    Ptp4l,
    /// adjtimex(2) says that something keeps the clock. How well is not known.
    AdjtimexSynchronised,
    /// adjtimex(2) says that nothing keeps the clock: it runs free.
    AdjtimexUnsynchronised,
    /// The kernel could not be asked.
    #[default]
    Unknown,
}

impl fmt::Display for Source {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Chrony => "chrony",
            Self::Ptp4l => "ptp4l",
            Self::AdjtimexSynchronised => "adjtimex synchronised",
            Self::AdjtimexUnsynchronised => "adjtimex unsynchronised",
            Self::Unknown => "unknown",
        })
    }
}

/// What is known of the one who keeps the clock.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Keeper {
    /// Who it is.
    pub source: Source,
    /// Whom it follows: an address, a reference clock, or the grandmaster's identity.
    pub reference: Option<String>,
    /// How far the host's clock can be from UTC, nanoseconds; `None`: not known.
    pub error_bound_ns: Option<u64>,
    /// TAI minus UTC, seconds, as the kernel was told, else as a grandmaster says; `None`: nobody says.
    pub tai_offset_s: Option<i32>,
    /// The PTP grandmaster that ptp4l follows.
    pub grandmaster: Option<ClockIdentity>,
    /// 36 or 37 where the host's clock is that many seconds off the PTP clock which it follows: TAI was taken for UTC.
    pub tai_mistake_s: Option<i32>,
}

impl Keeper {
    /// Asks. Takes up to a second and a half where a daemon does not answer; not for a thread that has other work.
    #[must_use]
    pub fn ask(daemons: &Daemons) -> Self {
        combine(
            kernel(),
            ask_chrony(daemons),
            ask_ptp4l(daemons).map(|status| {
                let card = status.card.as_deref().and_then(|name| system_minus_card(name, &status));
                (status, card)
            }),
        )
    }
}

/// What the kernel says.
fn kernel() -> Keeper {
    match discipline() {
        Ok(kept) => {
            let source =
                if kept.synchronised { Source::AdjtimexSynchronised } else { Source::AdjtimexUnsynchronised };
            Keeper { source, tai_offset_s: kept.tai_offset_s, ..Keeper::default() }
        }
        Err(_) => Keeper::default(),
    }
}

fn ask_chrony(daemons: &Daemons) -> Option<chrony::Tracking> {
    const SEQUENCE: u32 = 0x504D_554D;
    let ask =
        |line: Line| line.ask(&chrony::question(SEQUENCE), |bytes| chrony::answer(bytes, SEQUENCE)).ok();
    if let Some(path) = &daemons.chrony_socket {
        return Line::unix(path).ok().and_then(ask);
    }
    let socket = Path::new(CHRONY_SOCKET);
    let over_unix = || socket.exists().then(|| Line::unix(socket).ok().and_then(ask)).flatten();
    // Nothing is sent, not even over loopback, where nobody would answer.
    let over_udp =
        || listens(CHRONY_ADDRESS.1).then(|| Line::udp(CHRONY_ADDRESS.into()).ok().and_then(ask)).flatten();
    over_unix().or_else(over_udp)
}

/// Whether a UDP socket of this network namespace is bound to a port (`proc_pid_net(5)`).
fn listens(port: u16) -> bool {
    let bound = format!(":{port:04X}");
    ["/proc/thread-self/net/udp", "/proc/thread-self/net/udp6"].into_iter().any(|table| {
        let sockets = fs::read_to_string(table).unwrap_or_default();
        sockets.lines().filter_map(|line| line.split_whitespace().nth(1)).any(|local| local.ends_with(&bound))
    })
}

fn ask_ptp4l(daemons: &Daemons) -> Option<ptp4l::Status> {
    if let Some(path) = &daemons.ptp4l_socket {
        return ptp4l::status(path).ok();
    }
    PTP4L_SOCKETS.iter().map(Path::new).filter(|path| path.exists()).find_map(|path| ptp4l::status(path).ok())
}

/// How far the system's clock is from that of a card, and how sure that is; nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Distance {
    ns: i64,
    uncertainty_ns: u64,
}

/// Reads the card's clock between two reads of the system's. Where the card counts TAI, UTC is taken from it by the
/// grandmaster's offset.
fn system_minus_card(interface: &str, status: &ptp4l::Status) -> Option<Distance> {
    const READS: usize = 8;
    let card = HardwareClock::of_interface(interface).ok()?;
    let utc_offset = if status.ptp_timescale { i64::from(status.utc_offset_s?) } else { 0 };
    let distance = || {
        let before = realtime_ns();
        let shown = card.read_ns().ok()? - utc_offset * NANOS_PER_SECOND;
        let after = realtime_ns();
        let width = after.abs_diff(before);
        let middle = before + (width / 2).cast_signed();
        Some(Distance { ns: middle - shown, uncertainty_ns: width.div_ceil(2) })
    };
    (0..READS).filter_map(|_| distance()).min_by_key(|distance| distance.uncertainty_ns)
}

/// Puts the three answers together.
fn combine(
    kernel: Keeper,
    chrony: Option<chrony::Tracking>,
    ptp4l: Option<(ptp4l::Status, Option<Distance>)>,
) -> Keeper {
    let mut keeper = kernel;
    if let Some((status, distance)) = ptp4l.filter(|(status, _)| status.following) {
        keeper.source = Source::Ptp4l;
        keeper.grandmaster = status.grandmaster;
        keeper.reference = status.grandmaster.map(|id| id.to_string());
        keeper.tai_offset_s = keeper.tai_offset_s.or(status.utc_offset_s.map(i32::from));
        // With the system's clock steered, its offset is the one that ptp4l measured.
        let off = if status.card.is_none() { Some(Distance { ns: 0, uncertainty_ns: 0 }) } else { distance };
        keeper.error_bound_ns = status.bound_ns.zip(off).map(|(bound, off)| {
            bound.saturating_add(off.ns.unsigned_abs()).saturating_add(off.uncertainty_ns)
        });
        let from_master =
            if status.card.is_none() { Some(status.offset_ns) } else { distance.map(|it| it.ns) };
        keeper.tai_mistake_s = from_master.and_then(tai_utc_mistake);
    }
    if let Some(tracking) = chrony.filter(|tracking| tracking.synchronised) {
        keeper.source = Source::Chrony;
        keeper.error_bound_ns = Some(tracking.bound_ns);
        keeper.reference = Some(tracking.reference);
        keeper.tai_mistake_s = keeper.tai_mistake_s.or_else(|| tai_utc_mistake(tracking.offset_ns));
    }
    keeper
}

#[cfg(test)]
mod tests {
    use super::*;

    const IDENTITY: ClockIdentity = ClockIdentity([1, 2, 3, 4, 5, 6, 7, 8]);

    fn free() -> Keeper {
        Keeper { source: Source::AdjtimexUnsynchronised, ..Keeper::default() }
    }

    fn following(card: Option<&str>) -> ptp4l::Status {
        ptp4l::Status {
            grandmaster: Some(IDENTITY),
            following: true,
            offset_ns: 40,
            bound_ns: Some(1_000),
            utc_offset_s: Some(37),
            ptp_timescale: true,
            card: card.map(str::to_owned),
        }
    }

    fn tracking() -> chrony::Tracking {
        chrony::Tracking {
            reference: "192.0.2.1".to_owned(),
            synchronised: true,
            bound_ns: 70_000,
            offset_ns: -3,
        }
    }

    #[test]
    fn who_listens_is_known_without_asking() {
        let socket = std::net::UdpSocket::bind(("127.0.0.1", 0)).unwrap();
        let port = socket.local_addr().unwrap().port();
        assert!(listens(port));
        drop(socket);
        assert!(!listens(port));
    }

    #[test]
    fn without_a_daemon_the_bound_is_unknown() {
        assert_eq!(combine(free(), None, None), free());
    }

    #[test]
    fn a_steered_system_clock_has_ptp4ls_bound() {
        let keeper = combine(free(), None, Some((following(None), None)));
        assert_eq!((keeper.source, keeper.error_bound_ns), (Source::Ptp4l, Some(1_000)));
        assert_eq!((keeper.grandmaster, keeper.tai_offset_s), (Some(IDENTITY), Some(37)));
    }

    #[test]
    fn a_steered_card_adds_its_distance_from_the_system() {
        let near = Distance { ns: -500, uncertainty_ns: 20 };
        let keeper = combine(free(), None, Some((following(Some("eth1")), Some(near))));
        assert_eq!((keeper.error_bound_ns, keeper.tai_mistake_s), (Some(1_520), None));
        let unread = combine(free(), None, Some((following(Some("eth1")), None)));
        assert_eq!((unread.source, unread.error_bound_ns), (Source::Ptp4l, None));
    }

    #[test]
    fn tai_taken_for_utc_is_named() {
        let far = Distance { ns: 37_000_000_900, uncertainty_ns: 20 };
        let keeper = combine(free(), None, Some((following(Some("eth1")), Some(far))));
        assert_eq!(keeper.tai_mistake_s, Some(37));
    }

    #[test]
    fn chronys_bound_goes_before_and_the_grandmaster_stays() {
        let keeper = combine(free(), Some(tracking()), Some((following(None), None)));
        assert_eq!((keeper.source, keeper.error_bound_ns), (Source::Chrony, Some(70_000)));
        assert_eq!(keeper.grandmaster, Some(IDENTITY));
    }

    #[test]
    fn a_daemon_that_follows_nobody_says_nothing() {
        let idle = chrony::Tracking { synchronised: false, ..tracking() };
        let alone = ptp4l::Status { following: false, ..following(None) };
        assert_eq!(combine(free(), Some(idle), Some((alone, None))), free());
    }
}
