//! pcap files: one header, one link type, one resolution of time (microseconds or nanoseconds).

use std::io::Read;

use monitor_core::packet::{Direction, InterfaceId, LinkType};
use monitor_core::time::Nanos;
use pcap_parser::pcap::parse_pcap_header;

use super::{CaptureCounts, CaptureError, Found, MAX_PACKET, link_type, source::Source};

/// Length of the file header.
pub(super) const HEADER_BYTES: usize = 24;
/// Length of a packet's header.
const PACKET_HEADER_BYTES: usize = 16;
/// The same in files with Kuznetzov's extension (magic a1b2cd34).
const MODIFIED_PACKET_HEADER_BYTES: usize = 24;
/// The link type's bits in the header's last word; above them stands the length of the frame check sequence.
const LINK_TYPE_MASK: i32 = 0xFFFF;

const NANOSECONDS: i64 = 1_000_000_000;

/// What every packet's header begins with: seconds, fraction, captured length, length on the wire. What
/// Kuznetzov's extension adds stands behind.
type Words = [u32; 4];

/// A pcap file's header.
pub(super) struct Pcap {
    link: u16,
    ns_per_fraction: i64,
    header_bytes: usize,
    big_endian: bool,
}

/// Whether a file begins with one of pcap's magic numbers.
pub(super) fn begins(first: &[u8]) -> bool {
    const MAGIC: [[u8; 4]; 5] = [
        [0xd4, 0xc3, 0xb2, 0xa1],
        [0xa1, 0xb2, 0xc3, 0xd4],
        [0x4d, 0x3c, 0xb2, 0xa1],
        [0xa1, 0xb2, 0x3c, 0x4d],
        [0x34, 0xcd, 0xb2, 0xa1],
    ];
    MAGIC.iter().any(|magic| first.starts_with(magic))
}

impl Pcap {
    /// From a file's first bytes; none where they are no pcap header.
    pub(super) fn from_header(first: &[u8]) -> Option<Self> {
        let (_, header) = parse_pcap_header(first).ok()?;
        let (big_endian, modified) = (header.is_bigendian(), header.is_modified_format());
        Some(Self {
            link: u16::try_from(header.network.0 & LINK_TYPE_MASK).unwrap_or(u16::MAX),
            ns_per_fraction: if header.is_nanosecond_precision() { 1 } else { 1_000 },
            header_bytes: if modified { MODIFIED_PACKET_HEADER_BYTES } else { PACKET_HEADER_BYTES },
            big_endian,
        })
    }

    /// Refuses a file whose packets cannot be read.
    #[inline]
    pub(super) fn check_link(&self, name: &str) -> Result<LinkType, CaptureError> {
        link_type(self.link).ok_or_else(|| CaptureError::Link { name: name.to_owned(), link: self.link })
    }

    /// The next packet, taken from the source.
    #[inline]
    pub(super) fn next<R: Read>(
        &mut self,
        source: &mut Source<R>,
        name: &str,
        counts: &mut CaptureCounts,
    ) -> Result<Option<Found>, CaptureError> {
        let whole = source.want(self.header_bytes).map_err(|error| CaptureError::read(name, error))?;
        if !whole {
            return Ok(end(source, counts));
        }
        let words = self.words(source.data());
        let [.., captured, _] = words;
        let captured = captured as usize;
        if captured > MAX_PACKET {
            let what = format!("a packet of {captured} bytes");
            return Err(CaptureError::Damaged { name: name.to_owned(), offset: source.offset(), what });
        }
        let length = self.header_bytes + captured;
        let whole = source.want(length).map_err(|error| CaptureError::read(name, error))?;
        if !whole {
            return Ok(end(source, counts));
        }
        let link = self.check_link(name)?;
        source.take(length);
        Ok(Some(self.found(words, link)))
    }

    /// A packet's header, of which at least these words are there.
    fn words(&self, header: &[u8]) -> Words {
        header.first_chunk::<16>().map_or([0; 4], |bytes| {
            let (words, _) = bytes.as_chunks::<4>();
            std::array::from_fn(|at| {
                let word = u32::from_le_bytes(words[at]);
                if self.big_endian { word.swap_bytes() } else { word }
            })
        })
    }

    fn found(&self, words: Words, link: LinkType) -> Found {
        let [seconds, fraction, captured, length] = words;
        Found {
            arrival: Nanos(i64::from(seconds) * NANOSECONDS + i64::from(fraction) * self.ns_per_fraction),
            interface: InterfaceId(0),
            direction: Direction::Unknown,
            link,
            wire_length: length.max(captured),
            at: self.header_bytes,
            length: captured as usize,
        }
    }
}

/// The file has no further whole packet: what is left of one is counted.
fn end<R: Read>(source: &mut Source<R>, counts: &mut CaptureCounts) -> Option<Found> {
    let left = source.data().len();
    counts.cut_short_bytes += left as u64;
    source.take(left);
    None
}
