//! A stream's sockets: DATA over UDP to one place, a TCP server, or DATA over UDP at the command of TCP clients.

use std::io::{self, IoSlice};
use std::net::{SocketAddr, UdpSocket};

use super::books::{Books, Letter};
use super::report::{Counts, Transport};
use super::tcp::Server;
use super::udp::Datagrams;
use crate::simulate::fault::Segmenting;
use crate::simulate::script::Note;
use crate::sys::pollset::PollSet;

/// Somebody who sent a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asker {
    /// From this address, by UDP.
    Datagram(SocketAddr),
    /// The client with this number.
    Client(u64),
}

/// What was received.
#[derive(Clone, Copy, Debug)]
pub(super) enum Received<'a> {
    /// Bytes that begin as a frame does, and the frame's whole length as far as it came.
    Frame(&'a [u8]),
    /// Nothing of the sort.
    Other,
}

/// A stream's sockets.
#[derive(Debug)]
pub(super) enum Link {
    /// DATA by UDP, commands by UDP.
    Udp(Datagrams),
    /// All by TCP.
    Tcp(Server),
    /// Commands and answers by TCP, DATA by UDP.
    Control(Server, Outlet),
}

/// Where the DATA of a stream go that is controlled over TCP.
#[derive(Debug)]
pub(super) struct Outlet {
    pub(super) socket: UdpSocket,
    pub(super) to: DataTo,
}

/// The receiver of UDP DATA at the command of a TCP client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DataTo {
    /// One place, such as a multicast group, for as long as a client wants DATA.
    Place(SocketAddr),
    /// This port at the address of each client that wants DATA.
    Client(u16),
}

impl Outlet {
    fn send(&self, server: &Server, letter: &Letter<'_>, books: &mut Books, failures: &mut Failures) {
        let mut send = |to: SocketAddr| {
            let outcome = transmit(&self.socket, letter.bytes, to);
            judge(outcome, letter, to, books, failures);
        };
        match self.to {
            DataTo::Place(to) => send(to),
            DataTo::Client(port) => {
                server.wanting().for_each(|client| send(SocketAddr::new(client.ip(), port)));
            }
        }
    }
}

impl Link {
    /// Where it listens, and sends from.
    pub(super) fn address(&self) -> SocketAddr {
        match self {
            Self::Udp(datagrams) => datagrams.address(),
            Self::Tcp(server) | Self::Control(server, _) => server.address(),
        }
    }

    /// Whether a DATA frame would go anywhere.
    pub(super) fn wants_data(&self) -> bool {
        match self {
            Self::Udp(datagrams) => datagrams.is_on(),
            Self::Tcp(server) | Self::Control(server, _) => server.wants_data(),
        }
    }

    /// Whether a configuration that nobody asked for would go anywhere.
    pub(super) fn wants_announcements(&self) -> bool {
        match self {
            Self::Udp(_) => true,
            Self::Tcp(server) | Self::Control(server, _) => server.has_clients(),
        }
    }

    /// Sends a frame to everybody who gets the stream.
    pub(super) fn send(&mut self, letter: &Letter<'_>, books: &mut Books, failures: &mut Failures) {
        match self {
            Self::Udp(datagrams) if letter.is_data() && !datagrams.is_on() => {}
            Self::Udp(datagrams) => {
                let outcome = match letter.note {
                    Note::Data { cut: Some(cut), .. } => datagrams.send_cut(letter.bytes, cut),
                    _ => datagrams.send(letter.bytes),
                };
                judge(outcome, letter, datagrams.to(), books, failures);
            }
            Self::Control(server, outlet) if letter.is_data() => outlet.send(server, letter, books, failures),
            Self::Tcp(server) | Self::Control(server, _) => server.send(letter, books, failures),
        }
    }

    /// Whether frames of several instants may go in one call to the kernel.
    pub(super) const fn takes_many(&self) -> bool {
        matches!(self, Self::Udp(_))
    }

    /// Sends frames to everybody who gets the stream, in their order; by UDP those that leave whole in as few calls to the
    /// kernel as they take.
    pub(super) fn send_all(&mut self, letters: &[Letter<'_>], books: &mut Books, failures: &mut Failures) {
        for run in letters.chunk_by(|one, next| !one.is_cut() && !next.is_cut()) {
            match (&*self, run) {
                (Self::Udp(datagrams), [_, _, ..]) if datagrams.is_on() => {
                    let frames: Vec<IoSlice<'_>> =
                        run.iter().map(|letter| IoSlice::new(letter.bytes)).collect();
                    let mut letters = run.iter();
                    datagrams.send_each(&frames, |outcome| {
                        if let Some(letter) = letters.next() {
                            judge(outcome, letter, datagrams.to(), books, failures);
                        }
                    });
                }
                _ => {
                    for letter in run {
                        self.send(letter, books, failures);
                    }
                }
            }
        }
    }

    /// Answers one who asked.
    pub(super) fn answer(
        &mut self,
        asker: Asker,
        letter: &Letter<'_>,
        books: &mut Books,
        failures: &mut Failures,
    ) {
        match (self, asker) {
            (Self::Udp(datagrams), Asker::Datagram(to)) => {
                judge(datagrams.send_to(letter.bytes, to), letter, to, books, failures);
            }
            (Self::Tcp(server) | Self::Control(server, _), Asker::Client(client)) => {
                server.answer(client, letter, books, failures);
            }
            // No command comes that way.
            (Self::Udp(_), Asker::Client(_)) | (Self::Tcp(_) | Self::Control(..), Asker::Datagram(_)) => {}
        }
    }

    /// Cuts what connections carry like this from now on.
    pub(super) fn segment(&mut self, segmenting: Option<Segmenting>) {
        match self {
            Self::Udp(_) => {}
            Self::Tcp(server) | Self::Control(server, _) => server.segment(segmenting),
        }
    }

    /// Closes all connections, and lets nobody in until told otherwise. Gives how many there were.
    pub(super) fn disconnect(&mut self) -> u64 {
        match self {
            Self::Udp(_) => 0,
            Self::Tcp(server) | Self::Control(server, _) => server.disconnect(),
        }
    }

    /// Lets clients in.
    pub(super) fn admit(&mut self) {
        match self {
            Self::Udp(_) => {}
            Self::Tcp(server) | Self::Control(server, _) => server.admit(),
        }
    }

    /// Turns DATA on or off, for the asker or, over UDP, for the only receiver.
    pub(super) fn turn(&mut self, asker: Asker, on: bool) {
        match (self, asker) {
            (Self::Udp(datagrams), _) => datagrams.turn(on),
            (Self::Tcp(server) | Self::Control(server, _), Asker::Client(client)) => server.turn(client, on),
            (Self::Tcp(_) | Self::Control(..), Asker::Datagram(_)) => {}
        }
    }

    /// Takes in clients and bytes; hands every command's frame, and everything that is none, to `take`.
    pub(super) fn receive(&mut self, counts: &mut Counts, take: &mut dyn FnMut(Asker, Received<'_>)) {
        match self {
            Self::Udp(datagrams) => datagrams.receive(take),
            Self::Tcp(server) | Self::Control(server, _) => server.receive(counts, take),
        }
    }

    /// Clients that have come since the last call.
    pub(super) fn newcomers(&mut self) -> Vec<u64> {
        match self {
            Self::Udp(_) => Vec::new(),
            Self::Tcp(server) | Self::Control(server, _) => server.newcomers(),
        }
    }

    /// Adds what is to be waited for.
    pub(super) fn watch(&self, set: &mut PollSet) {
        match self {
            Self::Udp(datagrams) => datagrams.watch(set),
            Self::Tcp(server) | Self::Control(server, _) => server.watch(set),
        }
    }

    /// Hands over what clients have had no room for yet, waiting for each a second at most.
    pub(super) fn finish(self) {
        match self {
            Self::Udp(_) => {}
            Self::Tcp(server) | Self::Control(server, _) => server.finish(),
        }
    }
}

/// The first failure, kept.
#[derive(Debug, Default)]
pub(super) struct Failures(Option<String>);

impl Failures {
    pub(super) fn note(&mut self, failure: String) {
        self.0.get_or_insert(failure);
    }

    pub(super) fn into_first(self) -> Option<String> {
        self.0
    }
}

/// Counts what became of a datagram.
pub(super) fn judge(
    outcome: Result<(), String>,
    letter: &Letter<'_>,
    to: SocketAddr,
    books: &mut Books,
    failures: &mut Failures,
) {
    match outcome {
        Ok(()) => books.sent(letter, to.ip(), Transport::Udp),
        Err(failure) => {
            books.failed(letter.kind);
            failures.note(failure);
        }
    }
}

/// Hands one datagram to the kernel, or says why not.
pub(super) fn transmit(socket: &UdpSocket, frame: &[u8], to: SocketAddr) -> Result<(), String> {
    // A datagram goes whole or not at all.
    socket.send_to(frame, to).map(drop).map_err(|error| refusal(to, &error))
}

/// How it is told that the kernel has not taken a datagram.
pub(super) fn refusal(to: SocketAddr, error: &io::Error) -> String {
    format!("{to}: {error}")
}
