//! What is wrong with a capture: each message names the file, what is wrong with it, and the remedy.

use std::io::{self, ErrorKind};

/// Why a capture could not be read, or not to its end.
#[derive(Debug, thiserror::Error)]
pub enum CaptureError {
    /// It cannot be opened.
    #[error("cannot open {name}: {source}; {remedy}")]
    Open {
        /// The file.
        name: String,
        /// What the system said.
        source: io::Error,
        /// What to do.
        remedy: &'static str,
    },
    /// It is a directory.
    #[error("{name} is a directory; name a pcap or pcapng file in it")]
    Directory {
        /// The directory.
        name: String,
    },
    /// Reading failed.
    #[error("cannot read {name}: {source}; what stands before that place was decoded")]
    Read {
        /// The file.
        name: String,
        /// What the system said.
        source: io::Error,
    },
    /// It holds nothing.
    #[error(
        "{name} is empty; a capture begins with a pcap or pcapng header: was its writer stopped too early?"
    )]
    Empty {
        /// The file.
        name: String,
    },
    /// It ends inside the file header.
    #[error("{name} ends after {bytes} bytes, inside its pcap header (24 bytes); capture it again")]
    HeaderCut {
        /// The file.
        name: String,
        /// How much of the header is there.
        bytes: usize,
    },
    /// It begins like no capture.
    #[error("{name} is neither a pcap nor a pcapng file: it begins with {begins}; {remedy}")]
    NotACapture {
        /// The file.
        name: String,
        /// Its first bytes.
        begins: String,
        /// What to do.
        remedy: &'static str,
    },
    /// All of its packets are of a link type that is not read.
    #[error(
        "{name} has link type {link}, which is not read; capture on an Ethernet or Linux cooked interface (link \
         types 0, 1, 101, 108, 113, 228, 229 and 276 are read)"
    )]
    Link {
        /// The file.
        name: String,
        /// Its link type.
        link: u16,
    },
    /// It contradicts itself so that the next packet cannot be found.
    #[error(
        "{name} is damaged at byte {offset}: {what}; what stands before it was decoded, the rest was not read"
    )]
    Damaged {
        /// The file.
        name: String,
        /// Where.
        offset: u64,
        /// How.
        what: String,
    },
}

impl CaptureError {
    pub(super) fn open(name: &str, source: io::Error) -> Self {
        let remedy = match source.kind() {
            ErrorKind::NotFound => "check the path",
            ErrorKind::PermissionDenied => "run as a user who may read it, or change its permissions",
            _ => "check that it is a readable file",
        };
        Self::Open { name: name.to_owned(), source, remedy }
    }

    pub(super) fn read(name: &str, source: io::Error) -> Self {
        let name = name.to_owned();
        if source.kind() == ErrorKind::IsADirectory {
            Self::Directory { name }
        } else {
            Self::Read { name, source }
        }
    }

    pub(super) fn not_a_capture(name: &str, first: &[u8]) -> Self {
        let (kind, remedy) = foreign_format(first);
        let hex: Vec<String> = first.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        Self::NotACapture { name: name.to_owned(), begins: format!("{}{kind}", hex.join(" ")), remedy }
    }
}

/// Formats that people hand over instead of a capture, by their first bytes, and what to do with them.
fn foreign_format(first: &[u8]) -> (&'static str, &'static str) {
    const UNPACK: &str = "unpack it first";
    const CONVERT: &str = "convert it with 'editcap -F pcapng FILE OUT'";
    const KNOWN: [(&[u8], &str, &str); 6] = [
        (b"\x1f\x8b", " (gzip)", UNPACK),
        (b"\x28\xb5\x2f\xfd", " (zstd)", UNPACK),
        (b"\xfd7zXZ", " (xz)", UNPACK),
        (b"PK\x03\x04", " (zip)", UNPACK),
        (b"snoop\0", " (snoop)", CONVERT),
        (b"GMBU", " (Network Monitor)", CONVERT),
    ];
    KNOWN
        .iter()
        .find(|(magic, ..)| first.starts_with(magic))
        .map_or(("", "give a file written by tcpdump, dumpcap or Wireshark"), |&(_, kind, remedy)| {
            (kind, remedy)
        })
}
