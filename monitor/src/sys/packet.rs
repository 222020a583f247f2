//! A packet socket that receives nothing and holds an interface in promiscuous mode for as long as it is open.
//!
//! The kernel counts such memberships and takes this one back when the socket goes, by whatever death of the process
//! (packet(7), `PACKET_ADD_MEMBERSHIP`): no flag of the interface is left changed.
#![expect(unsafe_code, reason = "socket and setsockopt")]

use std::io;
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

/// Protocol 0: bound to no protocol, the socket is on no receive list and costs no packet anything.
fn silent_socket() -> io::Result<OwnedFd> {
    // SAFETY: no pointers are passed.
    let fd = checked(unsafe { libc::socket(libc::AF_PACKET, libc::SOCK_RAW | libc::SOCK_CLOEXEC, 0) })?;
    // SAFETY: the call has just returned this descriptor, and nobody else knows it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}
