//! Several datagrams of one UDP socket in one call, as the simulator sends them. A monitor sends nothing.
#![expect(unsafe_code, reason = "sendmmsg")]

use std::io::{self, IoSlice};
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::AsRawFd as _;
use std::ptr;

use super::checked;

/// The most datagrams of one call; more are sent by several.
const AT_ONCE: usize = 32;

/// `AF_INET` in the width that an address holds it in.
const FAMILY: libc::sa_family_t = 2;
const _: () = assert!(FAMILY as libc::c_int == libc::AF_INET);
/// `AF_INET6`.
const FAMILY_6: libc::sa_family_t = 10;
const _: () = assert!(FAMILY_6 as libc::c_int == libc::AF_INET6);

/// Sends each of `datagrams` to `to`, in their order, and tells `done` once of each, in that order, what became of it. One
/// that the kernel refuses holds up none behind it: sendmmsg(2) stops before it, and is called again.
///
/// Errors are those of send(2): `EMSGSIZE` for what is too long for a datagram, `ENETUNREACH` without a route, `EAGAIN`
/// where a non-blocking socket has no room.
pub fn send_each(
    socket: &UdpSocket,
    to: SocketAddr,
    datagrams: &[IoSlice<'_>],
    mut done: impl FnMut(io::Result<()>),
) {
    match to {
        SocketAddr::V4(to) => {
            let address = libc::sockaddr_in {
                sin_family: FAMILY,
                sin_port: to.port().to_be(),
                sin_addr: libc::in_addr { s_addr: u32::from(*to.ip()).to_be() },
                sin_zero: [0; 8],
            };
            send_each_to(socket, &address, datagrams, &mut done);
        }
        SocketAddr::V6(to) => {
            let address = libc::sockaddr_in6 {
                sin6_family: FAMILY_6,
                sin6_port: to.port().to_be(),
                sin6_flowinfo: to.flowinfo(),
                sin6_addr: libc::in6_addr { s6_addr: to.ip().octets() },
                sin6_scope_id: to.scope_id(),
            };
            send_each_to(socket, &address, datagrams, &mut done);
        }
    }
}

/// `A` is one of the kernel's types of addresses, which begin with their family.
fn send_each_to<A>(
    socket: &UdpSocket,
    address: &A,
    datagrams: &[IoSlice<'_>],
    done: &mut dyn FnMut(io::Result<()>),
) {
    let mut rest = datagrams;
    while !rest.is_empty() {
        match send_some(socket, address, rest) {
            // Never 0: what cannot be sent at all is an error.
            Ok(sent) => {
                let (sent, unsent) = rest.split_at(sent.clamp(1, rest.len()));
                for _ in sent {
                    done(Ok(()));
                }
                rest = unsent;
            }
            Err(error) => {
                // It is the first one's: where others went before it, the kernel says how many, and keeps the error.
                done(Err(error));
                rest = rest.get(1..).unwrap_or_default();
            }
        }
    }
}

/// Gives how many went, from the first on.
fn send_some<A>(socket: &UdpSocket, address: &A, datagrams: &[IoSlice<'_>]) -> io::Result<usize> {
    let address_length = libc::socklen_t::try_from(size_of::<A>()).map_err(io::Error::other)?;
    let address: *const A = address;
    // SAFETY: all zeros is a msghdr without an address, buffers, control data or flags.
    let mut messages: [libc::mmsghdr; AT_ONCE] = unsafe { std::mem::zeroed() };
    let mut count = 0;
    for (message, datagram) in messages.iter_mut().zip(datagrams) {
        // The kernel only reads through these pointers, and IoSlice has iovec's layout by its documentation.
        message.msg_hdr.msg_name = address.cast_mut().cast();
        message.msg_hdr.msg_namelen = address_length;
        message.msg_hdr.msg_iov = ptr::from_ref(datagram).cast_mut().cast();
        message.msg_hdr.msg_iovlen = 1;
        count += 1;
    }
    // SAFETY: the first `count` headers are filled in, and what they point to is borrowed for as long as the call lasts.
    let sent = checked(unsafe { libc::sendmmsg(socket.as_raw_fd(), messages.as_mut_ptr(), count, 0) })?;
    usize::try_from(sent).map_err(io::Error::other)
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    #[test]
    fn each_is_told_of_once_and_one_that_is_refused_holds_up_none() {
        let receiver = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let sender = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        // More than a datagram holds.
        let too_long = vec![0; 1 << 16];
        let sent: Vec<Vec<u8>> = (0..100).map(|at| vec![at; 1 + usize::from(at)]).collect();
        let refused = [0, 1, 40, 41, 99];
        let datagrams: Vec<IoSlice<'_>> = sent
            .iter()
            .enumerate()
            .map(|(at, datagram)| IoSlice::new(if refused.contains(&at) { &too_long } else { datagram }))
            .collect();
        let mut outcomes = Vec::new();
        send_each(&sender, receiver.local_addr().unwrap(), &datagrams, |outcome| outcomes.push(outcome));
        assert_eq!(outcomes.len(), 100);
        let mut buffer = [0; 200];
        for (at, outcome) in outcomes.iter().enumerate() {
            if refused.contains(&at) {
                assert_eq!(outcome.as_ref().unwrap_err().raw_os_error(), Some(libc::EMSGSIZE));
                continue;
            }
            assert!(outcome.is_ok(), "{outcome:?}");
            let length = receiver.recv(&mut buffer).unwrap();
            assert_eq!(buffer[..length], sent[at]);
        }
    }
}
