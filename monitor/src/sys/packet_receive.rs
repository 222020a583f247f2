//! A packet socket that receives, with the kernel's receive stamps: what `cargo xtask bench delivery` measures the ring
//! beside. The monitor itself never receives this way.
//!
//! Its stamps are on `CLOCK_REALTIME`, as the kernel keeps those of sockets.
#![expect(unsafe_code, reason = "socket, setsockopt, getsockopt, bind and recvmsg")]

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use super::checked;
use super::clock::NANOS_PER_SECOND;

/// `AF_PACKET` in the width that an address holds it in.
const FAMILY: libc::c_ushort = 17;
const _: () = assert!(FAMILY as libc::c_int == libc::AF_PACKET);
/// `ETH_P_ALL` in network byte order: whatever comes in, as a capturing program asks for it.
const EVERY_PROTOCOL: u16 = 3_u16.to_be();
const _: () = assert!(u16::from_be(EVERY_PROTOCOL) as libc::c_int == libc::ETH_P_ALL);
/// Room for one control message with a timespec, aligned as a `cmsghdr` is.
const CONTROL_WORDS: usize = 8;

/// What an option's value takes; all of them are small structures.
const fn length_of<T>() -> libc::socklen_t {
    assert!(size_of::<T>() < 1 << 16);
    #[expect(clippy::cast_possible_truncation, reason = "below 65536")]
    let length = size_of::<T>() as libc::socklen_t;
    length
}

/// Sets one option of a socket.
pub(super) fn set_option<T>(
    socket: BorrowedFd<'_>,
    level: libc::c_int,
    name: libc::c_int,
    value: &T,
) -> io::Result<()> {
    // SAFETY: the pointer and the length are those of a live value, which the kernel only reads.
    checked(unsafe {
        libc::setsockopt(socket.as_raw_fd(), level, name, std::ptr::from_ref(value).cast(), length_of::<T>())
    })
    .map(drop)
}

/// A packet socket that is on no receive list yet, with software receive stamps switched on: what a packet of the
/// socket is stamped with is then the packet's own receive stamp.
pub(super) fn stamped_socket() -> io::Result<OwnedFd> {
    // SAFETY: no pointers are passed.
    let fd = checked(unsafe { libc::socket(libc::AF_PACKET, libc::SOCK_RAW | libc::SOCK_CLOEXEC, 0) })?;
    // SAFETY: the call has just returned this descriptor, and nobody else knows it.
    let socket = unsafe { OwnedFd::from_raw_fd(fd) };
    set_option(socket.as_fd(), libc::SOL_SOCKET, libc::SO_TIMESTAMPNS, &libc::c_int::from(true))?;
    Ok(socket)
}

/// Lets a socket receive what comes in on the interface `index` from now on.
pub(super) fn bind_to(socket: BorrowedFd<'_>, index: u32) -> io::Result<()> {
    let address = libc::sockaddr_ll {
        sll_family: FAMILY,
        sll_protocol: EVERY_PROTOCOL,
        sll_ifindex: i32::try_from(index).map_err(|_| io::Error::from_raw_os_error(libc::ENODEV))?,
        sll_hatype: 0,
        sll_pkttype: 0,
        sll_halen: 0,
        sll_addr: [0; 8],
    };
    let length = length_of::<libc::sockaddr_ll>();
    // SAFETY: the pointer and the length are those of a live sockaddr_ll.
    checked(unsafe { libc::bind(socket.as_raw_fd(), (&raw const address).cast(), length) }).map(drop)
}

/// Packets that the kernel had no room for since this was last asked (`PACKET_STATISTICS`).
pub(super) fn dropped(socket: BorrowedFd<'_>) -> io::Result<u64> {
    // Larger than either version's structure; both begin with packets and drops.
    let mut numbers = [0_u32; 3];
    let mut length = length_of::<[u32; 3]>();
    // SAFETY: the kernel writes at most `length` bytes, all inside the array.
    checked(unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::SOL_PACKET,
            libc::PACKET_STATISTICS,
            numbers.as_mut_ptr().cast(),
            &raw mut length,
        )
    })?;
    Ok(numbers[1].into())
}

/// One packet that was received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Received {
    /// Bytes of it that are in the buffer.
    pub length: usize,
    /// When the kernel received it, nanoseconds of `CLOCK_REALTIME`.
    pub stamp_ns: Option<i64>,
}

/// Receives what comes in on one interface, a system call for each packet.
#[derive(Debug)]
pub struct PacketReceiver(OwnedFd);

impl PacketReceiver {
    /// On the interface `index` of the current network namespace. A call waits for a packet `timeout_ms` at most.
    ///
    /// # Errors
    /// `EPERM` without `CAP_NET_RAW`; `ENODEV` where there is no such interface.
    pub fn open(index: u32, timeout_ms: u32) -> io::Result<Self> {
        let socket = stamped_socket()?;
        let timeout = libc::timeval {
            tv_sec: i64::from(timeout_ms / 1_000),
            tv_usec: i64::from(timeout_ms % 1_000) * 1_000,
        };
        set_option(socket.as_fd(), libc::SOL_SOCKET, libc::SO_RCVTIMEO, &timeout)?;
        bind_to(socket.as_fd(), index)?;
        Ok(Self(socket))
    }

    /// The next packet, from its Ethernet header on; none where the time ran out. Allocates nothing.
    ///
    /// # Errors
    /// What recvmsg(2) says, such as `ENETDOWN` where the interface goes down.
    pub fn receive(&self, buffer: &mut [u8]) -> io::Result<Option<Received>> {
        let mut control = [0_u64; CONTROL_WORDS];
        let mut part = libc::iovec { iov_base: buffer.as_mut_ptr().cast(), iov_len: buffer.len() };
        // SAFETY: msghdr is integers and pointers, for which all-zero bytes are a value.
        let mut message = unsafe { MaybeUninit::<libc::msghdr>::zeroed().assume_init() };
        message.msg_iov = &raw mut part;
        message.msg_iovlen = 1;
        message.msg_control = control.as_mut_ptr().cast();
        message.msg_controllen = size_of_val(&control) as _;
        // SAFETY: every pointer in the message is to live, writable memory of the length that stands beside it.
        let length = unsafe { libc::recvmsg(self.0.as_raw_fd(), &raw mut message, 0) };
        match usize::try_from(length) {
            Ok(length) => Ok(Some(Received { length, stamp_ns: stamp_of(&message) })),
            Err(_) => match io::Error::last_os_error() {
                over if over.kind() == io::ErrorKind::WouldBlock => Ok(None),
                over if over.kind() == io::ErrorKind::Interrupted => Ok(None),
                other => Err(other),
            },
        }
    }

    /// Packets that the socket had no room for since this was last asked.
    ///
    /// # Errors
    /// Only where a sandbox forbids the call.
    pub fn dropped(&self) -> io::Result<u64> {
        dropped(self.0.as_fd())
    }
}

/// The stamp among the control messages that the kernel filled in.
fn stamp_of(message: &libc::msghdr) -> Option<i64> {
    // SAFETY: the kernel has filled the control buffer and set its length, and the buffer lives in the caller.
    let mut next = unsafe { libc::CMSG_FIRSTHDR(message) };
    // SAFETY: a pointer that CMSG_FIRSTHDR or CMSG_NXTHDR gave is null or to a whole header.
    while let Some(header) = unsafe { next.as_ref() } {
        if header.cmsg_level == libc::SOL_SOCKET && header.cmsg_type == libc::SCM_TIMESTAMPNS {
            // SAFETY: the data of such a message is a timespec, at no particular alignment.
            let stamp = unsafe { libc::CMSG_DATA(header).cast::<libc::timespec>().read_unaligned() };
            return Some(stamp.tv_sec * NANOS_PER_SECOND + stamp.tv_nsec);
        }
        // SAFETY: both pointers are into the same filled control buffer.
        next = unsafe { libc::CMSG_NXTHDR(message, header) };
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interface_that_is_not_there_is_refused() {
        // Without the right to open such a socket, that is what is refused.
        let refused = PacketReceiver::open(u32::MAX - 1, 1).unwrap_err().raw_os_error();
        assert!(matches!(refused, Some(libc::ENODEV | libc::EPERM)), "{refused:?}");
    }
}
