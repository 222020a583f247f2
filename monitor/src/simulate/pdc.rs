//! A small PDC (phasor data concentrator): asks each station for its CFG-2, then takes what comes and counts it.
//!
//! In the demo it is the reason why the stations' datagrams meet an open port, and why commands leave by the
//! monitored interface. In the tests it is the independent witness of what was sent.

use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use monitor_core::protocol::c37118::encode::{self, Preamble};
use monitor_core::protocol::c37118::{Command, FrameKind, FrameView, IdCode, Version};

use super::error::Error;
use super::instant::{ReportingInstant, tag_of};
use super::stop::Stop;
use crate::sys::clock::realtime_ns;

/// The largest UDP datagram.
const LARGEST_DATAGRAM: usize = 65_536;

/// Between two looks whether to end; after the end, how long nothing must arrive.
const QUIET: Duration = Duration::from_millis(20);

/// Bytes of a command without extended data.
const COMMAND_SIZE: usize = 18;

const THREAD: &str = "pdc";

/// A PDC with its socket, not yet reading.
#[derive(Debug)]
pub struct Pdc {
    socket: UdpSocket,
    address: SocketAddr,
}

impl Pdc {
    /// Opens its socket in the calling thread's network namespace.
    ///
    /// # Errors
    /// [`Error::Socket`].
    pub fn open(address: SocketAddr) -> Result<Self, Error> {
        let open = || {
            let socket = UdpSocket::bind(address)?;
            socket.set_read_timeout(Some(QUIET))?;
            let address = socket.local_addr()?;
            Ok(Self { socket, address })
        };
        open().map_err(|source: io::Error| Error::socket("UDP", address, source))
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Sends CMD 5 (send CFG-2) to each of `stations`, then reads on a thread of its own.
    ///
    /// # Errors
    /// [`Error::Thread`].
    pub fn spawn(self, stations: Vec<(IdCode, SocketAddr)>) -> Result<RunningPdc, Error> {
        let stop = Stop::new();
        let flag = stop.flag();
        let thread = thread::Builder::new()
            .name(THREAD.to_owned())
            .spawn(move || self.run(&stations, &flag))
            .map_err(|source| Error::Thread { name: THREAD, source })?;
        Ok(RunningPdc { stop, thread })
    }

    fn run(self, stations: &[(IdCode, SocketAddr)], stop: &AtomicBool) -> PdcCounts {
        let mut counts = PdcCounts::default();
        for &(idcode, station) in stations {
            match self.request(idcode, station) {
                Ok(()) => counts.commands += 1,
                Err(_) => counts.failed += 1,
            }
        }
        let mut buffer = vec![0; LARGEST_DATAGRAM];
        loop {
            // Read first: what arrived before the end was asked for is counted.
            let stopping = stop.load(Ordering::Relaxed);
            match self.socket.recv(&mut buffer) {
                Ok(length) => counts.add(buffer.get(..length).unwrap_or_default()),
                Err(_) if stopping => return counts,
                Err(_) => {}
            }
        }
    }

    fn request(&self, idcode: IdCode, station: SocketAddr) -> io::Result<()> {
        let mut command = [0; COMMAND_SIZE];
        let preamble = Preamble {
            version: Version::V2011,
            idcode,
            time: tag_of(realtime_ns(), ReportingInstant::TIME_BASE),
        };
        encode::command(&mut command, &preamble, Command::SendConfig2, &[]).map_err(io::Error::other)?;
        self.socket.send_to(&command, station).map(drop)
    }
}

/// A PDC that reads, and ends where this is dropped.
#[derive(Debug)]
pub struct RunningPdc {
    stop: Stop,
    thread: JoinHandle<PdcCounts>,
}

impl RunningPdc {
    /// Ends it once nothing has arrived for 20 ms, so end the senders first; returns what it has got.
    ///
    /// # Panics
    /// Where the thread did, with the same payload.
    #[must_use]
    pub fn stop(self) -> PdcCounts {
        let Self { stop, thread } = self;
        drop(stop);
        thread.join().unwrap_or_else(|payload| std::panic::resume_unwind(payload))
    }
}

/// What a PDC sent and got.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PdcCounts {
    /// DATA received whole, by their check word.
    pub data: u64,
    /// CFG-2 received.
    pub config2: u64,
    /// HDR received.
    pub header: u64,
    /// Any other frame received.
    pub other: u64,
    /// Datagrams received that are no frame.
    pub invalid: u64,
    /// CMD sent.
    pub commands: u64,
    /// CMD that could not be sent.
    pub failed: u64,
}

impl PdcCounts {
    fn add(&mut self, datagram: &[u8]) {
        let count = match FrameView::new(datagram).map(|frame| frame.kind()) {
            Ok(FrameKind::Data) => &mut self.data,
            Ok(FrameKind::Config2) => &mut self.config2,
            Ok(FrameKind::Header) => &mut self.header,
            Ok(FrameKind::Config1 | FrameKind::Config3 | FrameKind::Command) => &mut self.other,
            Err(_) => &mut self.invalid,
        };
        *count += 1;
    }
}
