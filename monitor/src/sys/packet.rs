//! Packet sockets that receive nothing: one holds an interface in promiscuous mode for as long as it is open, one
//! sends frames as they are, link header included.
//!
//! The kernel counts promiscuous memberships and takes this one back when the socket goes, by whatever death of the
//! process (packet(7), `PACKET_ADD_MEMBERSHIP`): no flag of the interface is left changed.
//!
//! Sending is for simulated wires and tests alone: a monitor sends nothing.
#![expect(unsafe_code, reason = "socket, setsockopt and bind")]

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

use super::checked;

/// `PACKET_MR_PROMISC` (packet(7)) in the width that the request holds it in.
const MR_PROMISC: libc::c_ushort = 1;
const _: () = assert!(MR_PROMISC as libc::c_int == libc::PACKET_MR_PROMISC);

#[expect(clippy::cast_possible_truncation, reason = "16 bytes")]
const REQUEST_LENGTH: libc::socklen_t = size_of::<libc::packet_mreq>() as libc::socklen_t;

/// Opens the socket in the current network namespace and joins the promiscuous membership of the interface `index`.
/// Drop the descriptor to leave.
///
/// # Errors
/// `EPERM` without `CAP_NET_RAW`; `ENODEV` where there is no such interface.
pub fn join_promiscuous(index: u32) -> io::Result<OwnedFd> {
    let socket = silent_socket()?;
    let request = libc::packet_mreq {
        mr_ifindex: i32::try_from(index).map_err(|_| io::Error::from_raw_os_error(libc::ENODEV))?,
        mr_type: MR_PROMISC,
        mr_alen: 0,
        mr_address: [0; 8],
    };
    // SAFETY: the pointer and the length are those of a live packet_mreq, which this option takes.
    checked(unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_PACKET,
            libc::PACKET_ADD_MEMBERSHIP,
            (&raw const request).cast(),
            REQUEST_LENGTH,
        )
    })?;
    Ok(socket)
}

/// Sends Ethernet frames from an interface.
#[derive(Debug)]
pub struct FrameSender(File);

/// `AF_PACKET` in the width that an address holds it in.
const FAMILY: libc::c_ushort = 17;
const _: () = assert!(FAMILY as libc::c_int == libc::AF_PACKET);

#[expect(clippy::cast_possible_truncation, reason = "20 bytes")]
const ADDRESS_LENGTH: libc::socklen_t = size_of::<libc::sockaddr_ll>() as libc::socklen_t;

impl FrameSender {
    /// For the interface `index` of the current network namespace, in which the socket stays.
    ///
    /// # Errors
    /// `EPERM` without `CAP_NET_RAW`; `ENODEV` where there is no such interface.
    pub fn open(index: u32) -> io::Result<Self> {
        let socket = silent_socket()?;
        let address = libc::sockaddr_ll {
            sll_family: FAMILY,
            // Still no protocol, so that nothing is received; of what is sent the kernel reads it in the frame.
            sll_protocol: 0,
            sll_ifindex: i32::try_from(index).map_err(|_| io::Error::from_raw_os_error(libc::ENODEV))?,
            sll_hatype: 0,
            sll_pkttype: 0,
            sll_halen: 0,
            sll_addr: [0; 8],
        };
        // SAFETY: the pointer and the length are those of a live sockaddr_ll.
        checked(unsafe { libc::bind(socket.as_raw_fd(), (&raw const address).cast(), ADDRESS_LENGTH) })?;
        Ok(Self(File::from(socket)))
    }

    /// Sends one frame, from its destination address on, without the check sequence.
    ///
    /// # Errors
    /// `EMSGSIZE` above the interface's MTU, `ENETDOWN` where it is down, `ENOBUFS` where its queue is full.
    pub fn send(&self, frame: &[u8]) -> io::Result<()> {
        // A datagram socket takes all of a write or nothing.
        (&self.0).write(frame).map(drop)
    }
}

/// Protocol 0: bound to no protocol, the socket is on no receive list and costs no packet anything.
fn silent_socket() -> io::Result<OwnedFd> {
    // SAFETY: no pointers are passed.
    let fd = checked(unsafe { libc::socket(libc::AF_PACKET, libc::SOCK_RAW | libc::SOCK_CLOEXEC, 0) })?;
    // SAFETY: the call has just returned this descriptor, and nobody else knows it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}
