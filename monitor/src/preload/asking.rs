//! Asks a PMU for its configuration: one command, and then only listening.

use std::io::{self, ErrorKind, Read as _, Write as _};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, UdpSocket};
use std::time::{Duration, Instant};

use monitor_core::event::{ConfigSource, Endpoint, Transport};
use monitor_core::protocol::c37118::encode::{self, Preamble};
use monitor_core::protocol::c37118::{IdCode, TimeTag, Version};
use monitor_core::stream::{Preload, PreloadError};

use super::Request;
use super::frames::{Answer, AnswerError};
use crate::sys::clock::realtime_ns;

/// How long a connection may take.
const CONNECT_WITHIN: Duration = Duration::from_secs(3);
/// How long the answer may take, from the command on.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);
/// Bytes of a command without extended data.
const COMMAND_SIZE: usize = 18;
/// The largest UDP datagram, and what is read of a TCP stream at once.
const PIECE: usize = 65_536;

/// Why a PMU did not give its configuration.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// No connection.
    #[error("no connection: {0}; check the address and the port, and whether the PMU takes another client")]
    Connect(io::Error),
    /// The command could not be sent, or the answer not be read.
    #[error("the connection failed: {0}")]
    Exchange(io::Error),
    /// The connection was closed first.
    #[error(
        "the connection was closed before a configuration came; the PMU may take one client only, or know \
         another IDCODE"
    )]
    Closed,
    /// Nothing came in time.
    #[error(
        "no configuration came within {} s; the PMU may know another IDCODE, or not have this version",
        ANSWER_WITHIN.as_secs()
    )]
    Silent,
    /// What came is no configuration of the stream.
    #[error(transparent)]
    Answer(#[from] AnswerError),
    /// The configuration lays out nothing.
    #[error("the configuration in the answer cannot be used: {0}")]
    Unusable(PreloadError),
}

/// Sends the command, once, and waits for the configuration. Sockets are made in the calling thread's network
/// namespace.
///
/// # Errors
/// [`AskError`].
pub fn ask(request: &Request) -> Result<Preload, AskError> {
    let command = command(request).map_err(AskError::Exchange)?;
    let frame = match request.transport {
        Transport::Udp => over_udp(request, &command),
        Transport::Tcp | Transport::Ethernet => over_tcp(request, &command),
    }?;
    let address = Endpoint::new(request.to.ip(), 0).address;
    Preload::new(Some(address), ConfigSource::Requested, &frame).map_err(AskError::Unusable)
}

fn command(request: &Request) -> io::Result<[u8; COMMAND_SIZE]> {
    let seconds = u32::try_from(realtime_ns() / 1_000_000_000).unwrap_or(0);
    let time = TimeTag::from_words(seconds, 0);
    let preamble = Preamble { version: Version::V2011, idcode: IdCode(request.idcode), time };
    let mut command = [0; COMMAND_SIZE];
    encode::command(&mut command, &preamble, request.version.command(), &[]).map_err(io::Error::other)?;
    Ok(command)
}

fn over_tcp(request: &Request, command: &[u8]) -> Result<Vec<u8>, AskError> {
    let mut stream = TcpStream::connect_timeout(&request.to, CONNECT_WITHIN).map_err(AskError::Connect)?;
    stream.write_all(command).map_err(AskError::Exchange)?;
    let mut answer = Answer::new(request.idcode);
    let mut piece = vec![0; PIECE];
    let deadline = Deadline::new();
    loop {
        stream.set_read_timeout(Some(deadline.left()?)).map_err(AskError::Exchange)?;
        match stream.read(&mut piece) {
            Ok(0) => return Err(AskError::Closed),
            Ok(length) => {
                if let Some(frame) = answer.take(piece.get(..length).unwrap_or_default())? {
                    return Ok(frame);
                }
            }
            Err(error) if error.kind() == ErrorKind::ConnectionReset => return Err(AskError::Closed),
            Err(error) => go_on(error)?,
        }
    }
}

fn over_udp(request: &Request, command: &[u8]) -> Result<Vec<u8>, AskError> {
    let any: SocketAddr = match request.to {
        SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
        SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
    };
    let socket = UdpSocket::bind(any).map_err(AskError::Exchange)?;
    socket.connect(request.to).map_err(AskError::Connect)?;
    socket.send(command).map_err(AskError::Connect)?;
    let mut answer = Answer::new(request.idcode);
    let mut piece = vec![0; PIECE];
    let deadline = Deadline::new();
    loop {
        socket.set_read_timeout(Some(deadline.left()?)).map_err(AskError::Exchange)?;
        match socket.recv(&mut piece) {
            Ok(length) => {
                if let Some(frame) = answer.take(piece.get(..length).unwrap_or_default())? {
                    return Ok(frame);
                }
            }
            // The kernel's word for: nobody listens on that port.
            Err(error) if error.kind() == ErrorKind::ConnectionRefused => {
                return Err(AskError::Connect(error));
            }
            Err(error) => go_on(error)?,
        }
    }
}

struct Deadline(Instant);

impl Deadline {
    fn new() -> Self {
        Self(Instant::now() + ANSWER_WITHIN)
    }

    fn left(&self) -> Result<Duration, AskError> {
        let left = self.0.saturating_duration_since(Instant::now());
        if left.is_zero() { Err(AskError::Silent) } else { Ok(left) }
    }
}

/// A wait that ran out is looked at by the next call of [`Deadline::left`].
fn go_on(error: io::Error) -> Result<(), AskError> {
    match error.kind() {
        ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted => Ok(()),
        _ => Err(AskError::Exchange(error)),
    }
}
