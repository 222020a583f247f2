//! A stream over UDP: one receiver or a multicast group, commands on the same socket.

use std::io::{self, IoSlice};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::os::fd::AsFd as _;

use super::fragments::Fragmenter;
use super::link::{Asker, Received, refusal, transmit};
use crate::simulate::script::Cut;
use crate::sys::datagrams;
use crate::sys::pollset::PollSet;

/// The most datagrams of one stream between two instants: a flood of commands holds up no DATA.
const COMMANDS_AT_ONCE: usize = 16;

/// Room for a command; a longer datagram is cut and so refused.
const LARGEST_COMMAND: usize = 2048;

/// The socket and where DATA go.
#[derive(Debug)]
pub(super) struct Datagrams {
    socket: UdpSocket,
    address: SocketAddr,
    to: SocketAddr,
    on: bool,
    /// For datagrams that leave in fragments.
    raw: Option<Fragmenter>,
}

impl Datagrams {
    /// From `from` to `to`; `on`: DATA are sent before anybody asks.
    pub(super) fn open(from: SocketAddr, to: SocketAddr, on: bool, ttl: u32) -> io::Result<Self> {
        let socket = open(from, to.ip(), ttl)?;
        let address = socket.local_addr()?;
        Ok(Self { socket, address, to, on, raw: None })
    }

    pub(super) const fn address(&self) -> SocketAddr {
        self.address
    }

    pub(super) const fn is_on(&self) -> bool {
        self.on
    }

    pub(super) const fn turn(&mut self, on: bool) {
        self.on = on;
    }

    pub(super) fn send(&self, frame: &[u8]) -> Result<(), String> {
        transmit(&self.socket, frame, self.to)
    }

    /// Sends frames in their order, and tells of each what became of it.
    pub(super) fn send_each(&self, frames: &[IoSlice<'_>], mut done: impl FnMut(Result<(), String>)) {
        let to = self.to;
        datagrams::send_each(&self.socket, to, frames, |outcome| {
            done(outcome.map_err(|error| refusal(to, &error)));
        });
    }

    pub(super) const fn to(&self) -> SocketAddr {
        self.to
    }

    /// Sends a frame in IP fragments made here.
    pub(super) fn send_cut(&mut self, frame: &[u8], cut: Cut) -> Result<(), String> {
        let Self { address, to, raw, .. } = self;
        let failed = |error: io::Error| format!("{to} in fragments: {error}");
        if raw.is_none() {
            // An unbound socket has no address of its own to write into a header; the route has.
            let from = if address.ip().is_unspecified() { route(*to).map_err(failed)? } else { address.ip() };
            let opened = Fragmenter::open(SocketAddr::new(from, address.port()), *to);
            *raw = Some(opened.map_err(failed)?);
        }
        match raw {
            Some(raw) => raw.send(frame, cut).map_err(failed),
            None => Ok(()),
        }
    }

    pub(super) fn send_to(&self, frame: &[u8], to: SocketAddr) -> Result<(), String> {
        transmit(&self.socket, frame, to)
    }

    pub(super) fn watch(&self, set: &mut PollSet) {
        set.add(self.socket.as_fd());
    }

    /// Errors of receiving say only that nothing is there, or that nobody listens at the other end.
    pub(super) fn receive(&self, take: &mut dyn FnMut(Asker, Received<'_>)) {
        let mut buffer = [0; LARGEST_COMMAND];
        for _ in 0..COMMANDS_AT_ONCE {
            let Ok((length, asker)) = self.socket.recv_from(&mut buffer) else { return };
            take(Asker::Datagram(asker), Received::Frame(buffer.get(..length).unwrap_or_default()));
        }
    }
}

/// A socket that sends to `to`, if that is a group no further than `ttl` routers.
pub(super) fn open(from: SocketAddr, to: IpAddr, ttl: u32) -> io::Result<UdpSocket> {
    let socket = UdpSocket::bind(from)?;
    socket.set_nonblocking(true)?;
    match to {
        IpAddr::V4(group) if group.is_multicast() => socket.set_multicast_ttl_v4(ttl)?,
        _ => {}
    }
    Ok(socket)
}

/// The address that this host sends from to `to`.
fn route(to: SocketAddr) -> io::Result<IpAddr> {
    let any: IpAddr = if to.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let socket = UdpSocket::bind(SocketAddr::new(any, 0))?;
    socket.connect(to)?;
    Ok(socket.local_addr()?.ip())
}
