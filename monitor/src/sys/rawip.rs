//! Whole IP packets, header included, as simulated networks send them. A monitor sends nothing.
#![expect(unsafe_code, reason = "socket and sendto")]

use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

use super::checked;

/// `AF_INET` in the width that an address holds it in.
const FAMILY: libc::sa_family_t = 2;
const _: () = assert!(FAMILY as libc::c_int == libc::AF_INET);
/// `AF_INET6`.
const FAMILY_6: libc::sa_family_t = 10;
const _: () = assert!(FAMILY_6 as libc::c_int == libc::AF_INET6);

/// Sends packets with their own headers (raw(7); `inet6_create` in the kernel's `net/ipv6/af_inet6.c` has it so for IPv6
/// too). It receives nothing: protocol `IPPROTO_RAW` only sends.
#[derive(Debug)]
pub struct PacketSender(OwnedFd);

impl PacketSender {
    /// In the current network namespace, for packets of the IP version that `to` has.
    ///
    /// # Errors
    /// `EPERM` without `CAP_NET_RAW`.
    pub fn open(to: &SocketAddr) -> io::Result<Self> {
        let family = if to.is_ipv4() { libc::AF_INET } else { libc::AF_INET6 };
        // SAFETY: no pointers are passed.
        let fd =
            checked(unsafe { libc::socket(family, libc::SOCK_RAW | libc::SOCK_CLOEXEC, libc::IPPROTO_RAW) })?;
        // SAFETY: the call has just returned this descriptor, and nobody else knows it.
        Ok(Self(unsafe { OwnedFd::from_raw_fd(fd) }))
    }

    /// Sends one packet by the route to `to`, whose port says nothing. In an IPv4 header the kernel fills in the check sum.
    ///
    /// # Errors
    /// `EMSGSIZE` above the interface's MTU, `ENETUNREACH` without a route, `EAFNOSUPPORT` for an address of the other
    /// version.
    pub fn send(&self, packet: &[u8], to: &SocketAddr) -> io::Result<()> {
        match to {
            SocketAddr::V4(to) => {
                let address = libc::sockaddr_in {
                    sin_family: FAMILY,
                    sin_port: 0,
                    sin_addr: libc::in_addr { s_addr: u32::from(*to.ip()).to_be() },
                    sin_zero: [0; 8],
                };
                self.send_by(&address, packet)
            }
            SocketAddr::V6(to) => {
                let address = libc::sockaddr_in6 {
                    sin6_family: FAMILY_6,
                    // A raw socket takes it for a protocol's number, and this for none.
                    sin6_port: 0,
                    sin6_flowinfo: 0,
                    sin6_addr: libc::in6_addr { s6_addr: to.ip().octets() },
                    sin6_scope_id: to.scope_id(),
                };
                self.send_by(&address, packet)
            }
        }
    }

    /// `A` is one of the kernel's types of addresses, which begin with their family.
    fn send_by<A>(&self, address: &A, packet: &[u8]) -> io::Result<()> {
        let length = libc::socklen_t::try_from(size_of::<A>()).map_err(io::Error::other)?;
        let address: *const A = address;
        // SAFETY: both pointers are live, with the lengths given.
        let sent = unsafe {
            libc::sendto(self.0.as_raw_fd(), packet.as_ptr().cast(), packet.len(), 0, address.cast(), length)
        };
        if sent < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
    }
}
