//! One question to a time daemon on this host, one answer: datagrams over its Unix socket or over loopback.
//!
//! The daemon answers to where the question came from, so a Unix question needs a socket file of its own for as long
//! as it lasts. It is made beside the daemon's, where the daemon is sure to be allowed to write (its service may be
//! confined to that directory), else in the directory for temporary files, and is removed at once.

use std::fs::{self, Permissions};
use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// How long an answer is waited for. A daemon on this host answers within a millisecond; one that is stopped never.
const ANSWER_WITHIN: Duration = Duration::from_millis(250);
/// More than any answer read here has.
const MOST_BYTES: usize = 1_500;
/// Answers to other questions that are passed over before it is given up.
const MOST_STRAY: usize = 8;

/// A place to put questions to.
#[derive(Debug)]
pub(super) enum Line {
    /// Over a Unix socket, whose file lasts as long.
    Unix { socket: UnixDatagram, _file: OwnFile },
    /// Over loopback.
    Udp(UdpSocket),
}

/// A socket file that goes when it is dropped.
#[derive(Debug)]
pub(super) struct OwnFile(PathBuf);

impl Drop for OwnFile {
    fn drop(&mut self) {
        // Nothing is left to do where somebody else removed it.
        let _ = fs::remove_file(&self.0);
    }
}

impl Line {
    /// To the daemon whose socket is the file at `daemon`.
    pub(super) fn unix(daemon: &Path) -> io::Result<Self> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        // Relaxed: the number only has to differ from the others.
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("pmu-monitor.{}.{number}", std::process::id());
        let beside = daemon.parent().map(|directory| directory.join(&name));
        let elsewhere = std::env::temp_dir().join(&name);
        let (socket, file) = beside.and_then(|path| bind(path).ok()).map_or_else(|| bind(elsewhere), Ok)?;
        socket.connect(daemon)?;
        socket.set_read_timeout(Some(ANSWER_WITHIN))?;
        socket.set_write_timeout(Some(ANSWER_WITHIN))?;
        Ok(Self::Unix { socket, _file: file })
    }

    /// To the daemon at an address of this host.
    pub(super) fn udp(daemon: SocketAddr) -> io::Result<Self> {
        if !daemon.ip().is_loopback() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "only a daemon on this host is asked"));
        }
        let own: SocketAddr = if daemon.is_ipv4() { ([127, 0, 0, 1], 0).into() } else { ([0; 16], 0).into() };
        let socket = UdpSocket::bind(own)?;
        socket.connect(daemon)?;
        socket.set_read_timeout(Some(ANSWER_WITHIN))?;
        Ok(Self::Udp(socket))
    }

    /// Sends `question` and gives what `read` makes of the answer. Datagrams of which it makes nothing are late answers
    /// to earlier questions, and are passed over.
    pub(super) fn ask<T>(&self, question: &[u8], read: impl Fn(&[u8]) -> Option<T>) -> io::Result<T> {
        match self {
            Self::Unix { socket, .. } => socket.send(question)?,
            Self::Udp(socket) => socket.send(question)?,
        };
        let mut bytes = [0; MOST_BYTES];
        for _ in 0..MOST_STRAY {
            let length = match self {
                Self::Unix { socket, .. } => socket.recv(&mut bytes)?,
                Self::Udp(socket) => socket.recv(&mut bytes)?,
            };
            if let Some(answer) = bytes.get(..length).and_then(&read) {
                return Ok(answer);
            }
        }
        Err(io::Error::new(io::ErrorKind::InvalidData, "it answers something else"))
    }
}

/// A socket file that the daemon may write to, whoever it runs as.
fn bind(path: PathBuf) -> io::Result<(UnixDatagram, OwnFile)> {
    let socket = UnixDatagram::bind(&path)?;
    let file = OwnFile(path);
    fs::set_permissions(&file.0, Permissions::from_mode(0o666))?;
    Ok((socket, file))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_is_answered_and_leaves_no_file() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("daemon");
        let daemon = UnixDatagram::bind(&path).unwrap();
        let answers = std::thread::spawn(move || {
            let mut bytes = [0; 16];
            let (length, from) = daemon.recv_from(&mut bytes).unwrap();
            let from = from.as_pathname().unwrap().to_owned();
            daemon.send_to(b"late", &from).unwrap();
            daemon.send_to(&bytes[..length], &from).unwrap();
        });
        let line = Line::unix(&path).unwrap();
        let answer = line.ask(b"question", |bytes| (bytes == b"question").then_some(bytes.len())).unwrap();
        assert_eq!(answer, 8);
        answers.join().unwrap();
        drop(line);
        let left: Vec<_> =
            fs::read_dir(directory.path()).unwrap().map(|one| one.unwrap().file_name()).collect();
        assert_eq!(left, ["daemon"]);
    }

    #[test]
    fn nobody_there_is_an_error() {
        let directory = tempfile::tempdir().unwrap();
        let error = Line::unix(&directory.path().join("nobody")).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
    }

    #[test]
    fn only_this_host_is_asked() {
        assert!(Line::udp("192.0.2.1:323".parse().unwrap()).is_err());
    }
}
