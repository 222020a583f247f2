//! Captures: pcap and pcapng files as a source of records, in the ring reader's place.
//!
//! A [`Capture`] streams: it holds one buffer, and each [`Record`] borrows its bytes from it. What a file says about
//! itself (link type, resolution of time, byte order) is read here; what a packet says is the pipeline's work.

mod error;
mod pcap;
mod pcapng;
mod source;

use std::{fs::File, io::Read, path::Path};

use monitor_core::packet::{Direction, InterfaceId, LinkType, Record, RecordKind, Stamps};
use monitor_core::time::Nanos;

pub use error::CaptureError;
use source::Source;

/// Arrival of a packet whose capture gives no time (a pcapng simple packet block). Shown as absent, never as 1970.
pub const UNKNOWN_ARRIVAL: Nanos = Nanos::UNKNOWN;

/// Largest packet that is believed. The kernel's largest merged packet is 512 KiB (BIG TCP); more is damage.
pub(crate) const MAX_PACKET: usize = 1 << 20;

/// What a capture held, and what of it could not be handed on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CaptureCounts {
    /// Packets handed on.
    pub packets: u64,
    /// Packets of a link type that is not read.
    pub foreign_link: u64,
    /// The last such link type (pcap's number).
    pub foreign_link_type: Option<u16>,
    /// Blocks of a pcapng file that contradict themselves; passed over by their length.
    pub damaged_blocks: u64,
    /// Packets without a time of their own.
    pub untimed: u64,
    /// Bytes of the packet or block that the file ends inside; 0 where it ends as it should.
    pub cut_short_bytes: u64,
}

impl CaptureCounts {
    /// What was lost, in one sentence, where anything was.
    #[must_use]
    pub fn losses(&self) -> Option<String> {
        let mut parts = Vec::new();
        if self.cut_short_bytes > 0 {
            let bytes = self.cut_short_bytes;
            parts.push(format!("it ends inside a packet, whose {bytes} bytes are not decoded"));
        }
        if self.damaged_blocks > 0 {
            parts.push(format!("{} blocks contradict themselves and were passed over", self.damaged_blocks));
        }
        if let Some(link) = self.foreign_link_type {
            let packets = self.foreign_link;
            parts.push(format!(
                "{packets} packets of a link type that is not read (such as {link}) were left out"
            ));
        }
        if self.untimed > 0 {
            parts.push(format!("{} packets carry no time", self.untimed));
        }
        (!parts.is_empty()).then(|| parts.join("; "))
    }
}

/// A packet found in the buffer: all but its bytes, which stand at `at` from the start of what was just taken.
struct Found {
    arrival: Nanos,
    interface: InterfaceId,
    direction: Direction,
    link: LinkType,
    wire_length: u32,
    at: usize,
    length: usize,
}

enum Format {
    Pcap(pcap::Pcap),
    PcapNg(pcapng::PcapNg),
}

/// A capture being read.
pub struct Capture<R> {
    name: String,
    source: Source<R>,
    format: Format,
    counts: CaptureCounts,
}

impl Capture<File> {
    /// Opens a capture file.
    ///
    /// # Errors
    /// Where it cannot be opened or read, is a directory, is empty, or is no capture: each names the file.
    pub fn open(path: &Path) -> Result<Self, CaptureError> {
        let name = path.display().to_string();
        let file = File::open(path).map_err(|source| CaptureError::open(&name, source))?;
        Self::new(file, name)
    }
}

impl<R: Read> Capture<R> {
    /// From anything that gives a capture's bytes; `name` is what errors call it.
    ///
    /// # Errors
    /// Where it cannot be read, is empty, or is no capture.
    pub fn new(reader: R, name: String) -> Result<Self, CaptureError> {
        let mut source = Source::new(reader);
        let format = recognise(&mut source, &name)?;
        Ok(Self { name, source, format, counts: CaptureCounts::default() })
    }

    /// The next packet, or none at the end.
    ///
    /// # Errors
    /// Where reading fails, or where the file is damaged so that the next packet cannot be found. What was handed out
    /// before stays good.
    pub fn next_record(&mut self) -> Result<Option<Record<'_>>, CaptureError> {
        let found = match &mut self.format {
            Format::Pcap(pcap) => pcap.next(&mut self.source, &self.name, &mut self.counts)?,
            Format::PcapNg(pcapng) => pcapng.next(&mut self.source, &self.name, &mut self.counts)?,
        };
        let Some(found) = found else { return Ok(None) };
        self.counts.packets += 1;
        let bytes = &self.source.taken()[found.at..found.at + found.length];
        Ok(Some(Record {
            arrival: found.arrival,
            stamps: Stamps::default(),
            interface: found.interface,
            direction: found.direction,
            kind: RecordKind::Packet,
            link: found.link,
            vlan: None,
            vlan_unknown: false,
            segments: 0,
            segment_size: 0,
            wire_length: found.wire_length,
            bytes,
            records: 1,
        }))
    }

    /// What it held so far.
    #[must_use]
    pub const fn counts(&self) -> CaptureCounts {
        self.counts
    }
}

fn recognise<R: Read>(source: &mut Source<R>, name: &str) -> Result<Format, CaptureError> {
    let whole = source.want(pcap::HEADER_BYTES).map_err(|error| CaptureError::read(name, error))?;
    let first = source.data();
    if first.is_empty() {
        return Err(CaptureError::Empty { name: name.to_owned() });
    }
    if pcapng::begins(first) {
        return Ok(Format::PcapNg(pcapng::PcapNg::default()));
    }
    match pcap::Pcap::from_header(first) {
        Some(pcap) => {
            pcap.check_link(name)?;
            source.take(pcap::HEADER_BYTES);
            Ok(Format::Pcap(pcap))
        }
        None if whole || !pcap::begins(first) => Err(CaptureError::not_a_capture(name, first)),
        None => Err(CaptureError::HeaderCut { name: name.to_owned(), bytes: first.len() }),
    }
}

/// What a link type's packets begin with, where they are read at all. Numbers of the LINKTYPE_ registry.
const fn link_type(number: u16) -> Option<LinkType> {
    match number {
        0 | 108 => Some(LinkType::Loopback),
        1 => Some(LinkType::Ethernet),
        101 | 228 | 229 => Some(LinkType::Ip),
        113 => Some(LinkType::LinuxSll),
        276 => Some(LinkType::LinuxSll2),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
