//! Whole IPv4 packets, header included, as simulated networks send them. A monitor sends nothing.
#![expect(unsafe_code, reason = "socket and sendto")]

use std::io;
use std::net::Ipv4Addr;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

use super::checked;

/// `AF_INET` in the width that an address holds it in.
const FAMILY: libc::sa_family_t = 2;
const _: () = assert!(FAMILY as libc::c_int == libc::AF_INET);

#[expect(clippy::cast_possible_truncation, reason = "16 bytes")]
const ADDRESS_LENGTH: libc::socklen_t = size_of::<libc::sockaddr_in>() as libc::socklen_t;

/// Sends packets with their own headers (raw(7)). It receives nothing: protocol `IPPROTO_RAW` only sends.
#[derive(Debug)]
pub struct PacketSender(OwnedFd);

impl PacketSender {
    /// In the current network namespace.
    ///
    /// # Errors
    /// `EPERM` without `CAP_NET_RAW`.
    pub fn open() -> io::Result<Self> {
        // SAFETY: no pointers are passed.
        let fd = checked(unsafe {
            libc::socket(libc::AF_INET, libc::SOCK_RAW | libc::SOCK_CLOEXEC, libc::IPPROTO_RAW)
        })?;
        // SAFETY: the call has just returned this descriptor, and nobody else knows it.
        Ok(Self(unsafe { OwnedFd::from_raw_fd(fd) }))
    }

    /// Sends one packet by the route to `to`. The kernel fills in the header's check sum.
    ///
    /// # Errors
    /// `EMSGSIZE` above the interface's MTU, `ENETUNREACH` without a route.
    pub fn send(&self, packet: &[u8], to: Ipv4Addr) -> io::Result<()> {
        let address = libc::sockaddr_in {
            sin_family: FAMILY,
            sin_port: 0,
            sin_addr: libc::in_addr { s_addr: u32::from(to).to_be() },
            sin_zero: [0; 8],
        };
        // SAFETY: both pointers are live, with the lengths given.
        let sent = unsafe {
            libc::sendto(
                self.0.as_raw_fd(),
                packet.as_ptr().cast(),
                packet.len(),
                0,
                (&raw const address).cast(),
                ADDRESS_LENGTH,
            )
        };
        if sent < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
    }
}
