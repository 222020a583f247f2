//! A stream over TCP: a server with any number of clients, each with its own DATA switch.
//!
//! A frame goes to a client whole or not at all: what the kernel has no room for waits in a buffer, and where that
//! is full the next frame is not begun.

use std::collections::VecDeque;
use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsFd as _;
use std::time::Duration;

use super::books::{Books, Letter};
use super::link::{Asker, Failures, Received};
use super::report::{Counts, Transport};
use super::segments::Segments;
use crate::simulate::fault::Segmenting;
use crate::sys::pollset::PollSet;

/// Bytes that wait for a client: some seconds of a large stream.
const MOST_WAITING: usize = 1 << 20;

/// The most clients of one stream; another one is turned away.
const MOST_CLIENTS: usize = 64;

/// Bytes read at once.
const READ_SIZE: usize = 2048;

/// The largest command (clause 6.6: 65535 bytes at most); longer ones are refused long before.
const LARGEST_COMMAND: usize = 2048;

/// How long the end waits for a client that reads nothing.
const PATIENCE: Duration = Duration::from_secs(1);

/// SYNC's first byte.
const SYNC: u8 = 0xAA;

/// Bytes up to FRAMESIZE's end.
const SIZE_KNOWN: usize = 4;

/// The listening socket and its clients.
#[derive(Debug)]
pub(super) struct Server {
    listener: TcpListener,
    address: SocketAddr,
    clients: Vec<Client>,
    newcomers: Vec<u64>,
    /// Of the next client.
    number: u64,
    /// DATA begin with the connection.
    spontaneous: bool,
    /// Nobody is let in.
    shut: bool,
    seed: u64,
    segmenting: Option<Segmenting>,
}

#[derive(Debug)]
struct Client {
    number: u64,
    stream: TcpStream,
    peer: SocketAddr,
    on: bool,
    /// Bytes for which the kernel has had no room.
    waiting: VecDeque<u8>,
    /// Bytes of a command that has not come whole.
    read: Vec<u8>,
    /// How bytes are cut.
    segments: Segments,
    gone: bool,
}

impl Server {
    /// `seed` is what cuts at random are drawn from.
    pub(super) fn open(address: SocketAddr, spontaneous: bool, seed: u64) -> io::Result<Self> {
        let listener = TcpListener::bind(address)?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        Ok(Self {
            listener,
            address,
            clients: Vec::new(),
            newcomers: Vec::new(),
            number: 0,
            spontaneous,
            shut: false,
            seed,
            segmenting: None,
        })
    }

    pub(super) const fn address(&self) -> SocketAddr {
        self.address
    }

    pub(super) const fn has_clients(&self) -> bool {
        !self.clients.is_empty()
    }

    pub(super) fn wants_data(&self) -> bool {
        self.clients.iter().any(|client| client.on)
    }

    /// The addresses of the clients that want DATA.
    pub(super) fn wanting(&self) -> impl Iterator<Item = SocketAddr> {
        self.clients.iter().filter(|client| client.on).map(|client| client.peer)
    }

    pub(super) fn newcomers(&mut self) -> Vec<u64> {
        std::mem::take(&mut self.newcomers)
    }

    pub(super) fn turn(&mut self, number: u64, on: bool) {
        if let Some(client) = self.client(number) {
            client.on = on;
        }
    }

    fn client(&mut self, number: u64) -> Option<&mut Client> {
        self.clients.iter_mut().find(|client| client.number == number)
    }

    /// Sends a frame to each client; DATA to those that want them.
    pub(super) fn send(&mut self, letter: &Letter<'_>, books: &mut Books, failures: &mut Failures) {
        for client in &mut self.clients {
            if client.on || !letter.is_data() {
                client.put(letter, books, failures);
            }
        }
        self.clients.retain(|client| !client.gone);
    }

    pub(super) fn answer(
        &mut self,
        number: u64,
        letter: &Letter<'_>,
        books: &mut Books,
        failures: &mut Failures,
    ) {
        if let Some(client) = self.client(number) {
            client.put(letter, books, failures);
        }
    }

    pub(super) fn segment(&mut self, segmenting: Option<Segmenting>) {
        if self.segmenting != segmenting {
            self.segmenting = segmenting;
            for client in &mut self.clients {
                client.segments.cut(segmenting);
                client.flush();
            }
        }
    }

    pub(super) fn disconnect(&mut self) -> u64 {
        self.shut = true;
        let mut count = 0;
        for mut client in self.clients.drain(..) {
            client.segments.cut(None);
            client.flush();
            count += 1;
        }
        count
    }

    pub(super) const fn admit(&mut self) {
        self.shut = false;
    }

    pub(super) fn watch(&self, set: &mut PollSet) {
        set.add(self.listener.as_fd());
        for client in &self.clients {
            set.add(client.stream.as_fd());
        }
    }

    pub(super) fn receive(&mut self, counts: &mut Counts, take: &mut dyn FnMut(Asker, Received<'_>)) {
        self.accept(counts);
        for client in &mut self.clients {
            client.flush();
            client.receive(take);
        }
        self.clients.retain(|client| !client.gone);
    }

    /// Takes in who has connected. A connection that is gone before it could be taken costs nothing.
    fn accept(&mut self, counts: &mut Counts) {
        while let Ok((stream, peer)) = self.listener.accept() {
            if self.shut || self.clients.len() >= MOST_CLIENTS {
                continue;
            }
            // Without delay: each frame is a segment of its own, as PMUs send them.
            if stream.set_nonblocking(true).and_then(|()| stream.set_nodelay(true)).is_err() {
                continue;
            }
            counts.connections += 1;
            self.newcomers.push(self.number);
            self.clients.push(Client {
                number: self.number,
                stream,
                peer,
                on: self.spontaneous,
                waiting: VecDeque::new(),
                read: Vec::new(),
                segments: Segments::new(self.seed, self.number, self.segmenting),
                gone: false,
            });
            self.number += 1;
        }
    }

    pub(super) fn finish(self) {
        for mut client in self.clients {
            client.segments.cut(None);
            let ready = client.stream.set_nonblocking(false);
            if ready.and_then(|()| client.stream.set_write_timeout(Some(PATIENCE))).is_ok() {
                client.waiting.make_contiguous();
                // One that does not read loses what it did not read.
                let _ = client.stream.write_all(client.waiting.as_slices().0);
            }
        }
    }
}

impl Client {
    fn put(&mut self, letter: &Letter<'_>, books: &mut Books, failures: &mut Failures) {
        self.flush();
        if self.gone {
            return;
        }
        if self.waiting.len() + letter.bytes.len() > MOST_WAITING {
            books.failed(letter.kind);
            failures.note(format!("{}: {MOST_WAITING} bytes wait for this client already", self.peer));
            return;
        }
        self.waiting.extend(letter.bytes);
        self.segments.frame();
        self.flush();
        if !self.gone {
            books.sent(letter, self.peer.ip(), Transport::Tcp);
        }
    }

    /// Hands the kernel what it has room for, piece by piece.
    fn flush(&mut self) {
        loop {
            // Pieces at random are as long as they were drawn, whatever has been written of one.
            let size = self.segments.next(self.waiting.len());
            let piece = self.waiting.as_slices().0;
            let Some(piece) = piece.get(..size.min(piece.len())).filter(|piece| !piece.is_empty()) else {
                return;
            };
            match self.stream.write(piece) {
                Ok(0) => return,
                Ok(written) => {
                    self.waiting.drain(..written);
                    self.segments.written(written);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(_) => {
                    self.gone = true;
                    return;
                }
            }
        }
    }

    fn receive(&mut self, take: &mut dyn FnMut(Asker, Received<'_>)) {
        let mut buffer = [0; READ_SIZE];
        match self.stream.read(&mut buffer) {
            Ok(0) => self.gone = true,
            Ok(length) => self.read.extend_from_slice(buffer.get(..length).unwrap_or_default()),
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {}
            Err(_) => self.gone = true,
        }
        while let Some(size) = next_size(&self.read) {
            let asker = Asker::Client(self.number);
            if let Ok(size) = size {
                take(asker, Received::Frame(self.read.get(..size).unwrap_or_default()));
                self.read.drain(..size);
            } else {
                take(asker, Received::Other);
                // On from where the next one may begin.
                let next = self.read.iter().skip(1).position(|&byte| byte == SYNC);
                self.read.drain(..next.map_or(self.read.len(), |next| next + 1));
            }
        }
    }
}

/// The bytes are no beginning of a command.
struct NoFrame;

/// The size of the frame that `bytes` begin with, once it is there whole.
fn next_size(bytes: &[u8]) -> Option<Result<usize, NoFrame>> {
    let (&first, _) = bytes.split_first()?;
    if first != SYNC {
        return Some(Err(NoFrame));
    }
    let size = bytes.get(2..SIZE_KNOWN).and_then(|size| size.first_chunk())?;
    let size = usize::from(u16::from_be_bytes(*size));
    if !(SIZE_KNOWN..=LARGEST_COMMAND).contains(&size) {
        return Some(Err(NoFrame));
    }
    (bytes.len() >= size).then_some(Ok(size))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_taken_once_it_is_whole() {
        let bytes = [0xAA, 0x41, 0, 6, 1, 2, 0xAA];
        for length in 1..6 {
            assert!(next_size(&bytes[..length]).is_none(), "{length}");
        }
        assert!(matches!(next_size(&bytes), Some(Ok(6))));
        assert!(next_size(&[]).is_none());
        assert!(matches!(next_size(b"GET"), Some(Err(NoFrame))));
        assert!(matches!(next_size(&[0xAA, 0x41, 0, 3]), Some(Err(NoFrame))));
        assert!(matches!(next_size(&[0xAA, 0x41, 0xFF, 0xFF]), Some(Err(NoFrame))));
    }
}
