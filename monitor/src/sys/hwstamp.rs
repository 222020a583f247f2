//! What a network card is asked to stamp, and what it can (the kernel's `Documentation/networking/timestamping.rst`, 3).
//! By the name of an interface of the current network namespace.
#![expect(unsafe_code, reason = "ioctl takes structures through pointers")]

use std::ffi::c_void;
use std::io;
use std::mem::zeroed;
use std::os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd};

use super::checked;

/// Requests of `include/uapi/linux/sockios.h` and `ethtool.h`.
const SIOCETHTOOL: libc::c_ulong = 0x8946;
const SIOCSHWTSTAMP: libc::c_ulong = 0x89B0;
const SIOCGHWTSTAMP: libc::c_ulong = 0x89B1;
const ETHTOOL_GET_TS_INFO: u32 = 0x41;

/// No packet that comes in is stamped (`HWTSTAMP_FILTER_NONE`, `include/uapi/linux/net_tstamp.h`).
pub const RECEIVE_NONE: i32 = 0;
/// Every packet that comes in is (`HWTSTAMP_FILTER_ALL`).
pub const RECEIVE_ALL: i32 = 1;

/// What a card stamps (`struct hwtstamp_config`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[repr(C)]
pub struct Setting {
    /// `HWTSTAMP_FLAG_*`.
    pub flags: i32,
    /// Packets that leave: `HWTSTAMP_TX_*`.
    pub transmit: i32,
    /// Packets that come in: `HWTSTAMP_FILTER_*`.
    pub receive: i32,
}

/// What a card can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Abilities {
    /// Number N of its clock, `/dev/ptpN`.
    pub clock: Option<u32>,
    /// Bit N is set where it can be asked for the receive filter N.
    pub receive_filters: u32,
}

impl Abilities {
    /// Whether it can stamp every packet that comes in.
    #[must_use]
    pub const fn stamps_all(&self) -> bool {
        self.receive_filters & 1 << RECEIVE_ALL != 0
    }
}

/// `struct ethtool_ts_info`.
#[derive(Default)]
#[repr(C)]
struct TsInfo {
    command: u32,
    so_timestamping: u32,
    phc_index: i32,
    tx_types: u32,
    tx_reserved: [u32; 3],
    rx_filters: u32,
    rx_reserved: [u32; 3],
}

/// What a card can do, as its driver says.
///
/// # Errors
/// `ENODEV` where there is no such interface; `EOPNOTSUPP` where its driver says nothing.
pub fn abilities_of(name: &str) -> io::Result<Abilities> {
    let mut info = TsInfo { command: ETHTOOL_GET_TS_INFO, ..TsInfo::default() };
    request(name, SIOCETHTOOL, (&raw mut info).cast())?;
    Ok(Abilities { clock: u32::try_from(info.phc_index).ok(), receive_filters: info.rx_filters })
}

/// What a card stamps now.
///
/// # Errors
/// `ENODEV`; `EOPNOTSUPP` where it cannot stamp, or its driver does not tell.
pub fn setting_of(name: &str) -> io::Result<Setting> {
    let mut setting = Setting::default();
    request(name, SIOCGHWTSTAMP, (&raw mut setting).cast())?;
    Ok(setting)
}

/// Asks a card to stamp. Gives what it does: it may do more than it was asked to.
///
/// # Errors
/// `EPERM` without `CAP_NET_ADMIN`; `ERANGE` for what it cannot do; `EBUSY` where another's setting forbids it;
/// `EOPNOTSUPP` and `ENODEV` as [`setting_of`].
pub fn set(name: &str, mut setting: Setting) -> io::Result<Setting> {
    request(name, SIOCSHWTSTAMP, (&raw mut setting).cast())?;
    Ok(setting)
}

fn request(name: &str, request: libc::c_ulong, data: *mut c_void) -> io::Result<()> {
    let too_long = || io::Error::from_raw_os_error(libc::ENODEV);
    // SAFETY: no pointers.
    let socket = checked(unsafe { libc::socket(libc::AF_INET, libc::SOCK_DGRAM | libc::SOCK_CLOEXEC, 0) })?;
    // SAFETY: the call has made it, and nobody else has it.
    let socket = unsafe { OwnedFd::from_raw_fd(socket) };
    // SAFETY: numbers, and pointers that may be null.
    let mut asked: libc::ifreq = unsafe { zeroed() };
    // The last byte stays zero.
    let room = asked.ifr_name.len() - 1;
    if name.len() > room || name.as_bytes().contains(&0) {
        return Err(too_long());
    }
    for (to, from) in asked.ifr_name.iter_mut().zip(name.bytes()) {
        *to = from.cast_signed();
    }
    asked.ifr_ifru.ifru_data = data.cast();
    // SAFETY: the callers hand in the structure that the request is about, which outlives the call. The width of a request
    // differs between C libraries.
    checked(unsafe { libc::ioctl(socket.as_raw_fd(), request as _, &raw mut asked) }).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_structures_are_the_kernels() {
        assert_eq!(size_of::<Setting>(), size_of::<libc::hwtstamp_config>());
        assert_eq!(size_of::<TsInfo>(), 44);
    }

    #[test]
    fn a_loopback_has_no_hardware() {
        let abilities = abilities_of("lo").unwrap();
        assert_eq!((abilities.clock, abilities.stamps_all()), (None, false));
        assert_eq!(setting_of("lo").unwrap_err().raw_os_error(), Some(libc::EOPNOTSUPP));
    }

    #[test]
    fn no_interface_is_an_error_whatever_it_is_called() {
        for name in ["no-such-if", "a-name-that-no-interface-can-have", "zero\0byte", ""] {
            assert_eq!(abilities_of(name).unwrap_err().raw_os_error(), Some(libc::ENODEV), "{name}");
        }
    }
}
