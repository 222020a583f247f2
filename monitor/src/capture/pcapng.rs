//! pcapng files: sections of either byte order, interfaces each with a link type, resolution and offset of time.
//!
//! A block's length is checked here before pcap-parser sees it, so that a block which contradicts itself is passed
//! over alone and a file cut short is told from a damaged one.

use std::io::Read;

use monitor_core::packet::{Direction, InterfaceId};
use monitor_core::time::Nanos;
use pcap_parser::pcapng::{
    BOM_MAGIC, Block, EnhancedPacketBlock, InterfaceDescriptionBlock, OptionCode, PcapNGOption, SHB_MAGIC,
    SimplePacketBlock, UnknownBlock, parse_block_be, parse_block_le,
};

use super::{CaptureCounts, CaptureError, Found, UNKNOWN_ARRIVAL, link_type, source::Source};

/// Type, length, and length again: no block is shorter.
const MIN_BLOCK: usize = 12;
/// Longest block that is believed: decryption secrets and journals may be large, packets are not.
const MAX_BLOCK: usize = 64 << 20;
/// Bytes of a block that tell its length, and the byte order where it begins a section.
const BLOCK_HEAD: usize = 12;
/// Type of the obsolete packet block, which pcap-parser hands on as unknown.
const OBSOLETE_PACKET: u32 = 2;
/// Where the bytes of an enhanced (and of an obsolete) packet block begin.
const PACKET_AT: usize = 28;
/// Where those of a simple packet block begin.
const SIMPLE_PACKET_AT: usize = 12;
/// Option `epb_flags`; its two lowest bits say the direction.
const EPB_FLAGS: OptionCode = OptionCode(2);

const NANOSECONDS: i128 = 1_000_000_000;

/// Whether a file begins with a section header, in either byte order.
pub(super) fn begins(first: &[u8]) -> bool {
    // The type reads the same either way; the byte-order mark after the length does not.
    let bom = first.get(8..12).and_then(|bom| <[u8; 4]>::try_from(bom).ok());
    first.starts_with(&SHB_MAGIC.to_le_bytes())
        && bom.is_some_and(|bom| bom == BOM_MAGIC.to_le_bytes() || bom == BOM_MAGIC.to_be_bytes())
}

/// What the interface descriptions of the current section say.
#[derive(Default)]
pub(super) struct PcapNg {
    big_endian: bool,
    interfaces: Vec<Interface>,
    /// Interfaces of the sections before: numbers go on counting.
    before: usize,
}

#[derive(Clone, Copy)]
struct Interface {
    link: u16,
    snaplen: u32,
    resolution: Resolution,
    offset_s: i64,
}

/// Units of time per second: a power of ten or of two.
#[derive(Clone, Copy)]
enum Resolution {
    Decimal(u32),
    Binary(u32),
}

impl Resolution {
    /// From the option `if_tsresol`: the exponent, negated, of 2 where the top bit is set and of 10 where not.
    const fn new(option: u8) -> Self {
        if option & 0x80 == 0 { Self::Decimal(option as u32) } else { Self::Binary((option & 0x7F) as u32) }
    }

    /// Nanoseconds of that many units.
    fn ns(self, units: u64) -> i128 {
        let units = i128::from(units);
        match self {
            Self::Decimal(exponent) if exponent <= 9 => units * 10_i128.pow(9 - exponent),
            Self::Decimal(exponent) => 10_i128.checked_pow(exponent - 9).map_or(0, |unit| units / unit),
            Self::Binary(exponent) => (units * NANOSECONDS) >> exponent,
        }
    }
}

impl PcapNg {
    /// The next packet, taken from the source.
    pub(super) fn next<R: Read>(
        &mut self,
        source: &mut Source<R>,
        name: &str,
        counts: &mut CaptureCounts,
    ) -> Result<Option<Found>, CaptureError> {
        let read = |error| CaptureError::read(name, error);
        loop {
            let head = source.want(BLOCK_HEAD).map_err(read)?;
            let length = if head { self.block_length(source.data()) } else { MIN_BLOCK };
            if !length.is_multiple_of(4) || !(MIN_BLOCK..=MAX_BLOCK).contains(&length) {
                let what = format!("a block of {length} bytes");
                return Err(CaptureError::Damaged { name: name.to_owned(), offset: source.offset(), what });
            }
            if !source.want(length).map_err(read)? {
                let left = source.data().len();
                counts.cut_short_bytes += left as u64;
                source.take(left);
                return Ok(None);
            }
            source.take(length);
            if let Some(found) = self.block(source.taken(), counts) {
                return Ok(Some(found));
            }
        }
    }

    /// A block's length; a section header also tells the byte order from here on.
    fn block_length(&mut self, head: &[u8]) -> usize {
        let word = |at: usize| head.get(at..at + 4).and_then(|word| word.try_into().ok()).unwrap_or_default();
        if word(0) == SHB_MAGIC.to_le_bytes() {
            self.big_endian = word(8) == BOM_MAGIC.to_be_bytes();
        }
        let length = if self.big_endian { u32::from_be_bytes(word(4)) } else { u32::from_le_bytes(word(4)) };
        length as usize
    }

    fn block(&mut self, bytes: &[u8], counts: &mut CaptureCounts) -> Option<Found> {
        let parsed = if self.big_endian { parse_block_be(bytes) } else { parse_block_le(bytes) };
        let Ok((_, block)) = parsed else {
            counts.damaged_blocks += 1;
            return None;
        };
        match block {
            Block::SectionHeader(_) => {
                self.before += self.interfaces.len();
                self.interfaces.clear();
                None
            }
            Block::InterfaceDescription(interface) => {
                self.interfaces.push(self.interface(&interface));
                None
            }
            Block::EnhancedPacket(packet) => self.enhanced(&packet, counts),
            Block::SimplePacket(packet) => self.simple(&packet, counts),
            Block::Unknown(block) if block.block_type == self.swapped(OBSOLETE_PACKET) => {
                self.obsolete(&block, counts)
            }
            _ => None,
        }
    }

    /// pcap-parser gives an unknown block's type as read little-endian, whatever the section's order.
    const fn swapped(&self, block_type: u32) -> u32 {
        if self.big_endian { block_type.swap_bytes() } else { block_type }
    }

    fn interface(&self, block: &InterfaceDescriptionBlock<'_>) -> Interface {
        Interface {
            link: u16::try_from(block.linktype.0).unwrap_or(u16::MAX),
            snaplen: block.snaplen,
            resolution: Resolution::new(block.if_tsresol),
            offset_s: self.offset(&block.options),
        }
    }

    /// Seconds to add to each time; read here because pcap-parser takes them as little-endian always.
    fn offset(&self, options: &[PcapNGOption<'_>]) -> i64 {
        let option = options.iter().find(|option| option.code == OptionCode::IfTsoffset);
        let value = option.and_then(|option| option.value().get(..8)).and_then(|value| value.try_into().ok());
        value.map_or(
            0,
            |value| if self.big_endian { i64::from_be_bytes(value) } else { i64::from_le_bytes(value) },
        )
    }

    fn enhanced(&self, packet: &EnhancedPacketBlock<'_>, counts: &mut CaptureCounts) -> Option<Found> {
        let units = u64::from(packet.ts_high) << 32 | u64::from(packet.ts_low);
        let found = self.found(packet.if_id, Some(units), packet.caplen, packet.origlen, counts)?;
        Some(Found { direction: self.direction(&packet.options), ..found })
    }

    fn direction(&self, options: &[PcapNGOption<'_>]) -> Direction {
        let option = options.iter().find(|option| option.code == EPB_FLAGS);
        let value = option.and_then(|option| option.value().get(..4)).and_then(|value| value.try_into().ok());
        let flags = value.map_or(0, |value| {
            if self.big_endian { u32::from_be_bytes(value) } else { u32::from_le_bytes(value) }
        });
        match flags & 0b11 {
            0b01 => Direction::Ingress,
            0b10 => Direction::Egress,
            _ => Direction::Unknown,
        }
    }

    /// A simple packet belongs to the first interface, has no time, and is as long as the snap length lets it be.
    fn simple(&self, packet: &SimplePacketBlock<'_>, counts: &mut CaptureCounts) -> Option<Found> {
        let snaplen = self.interfaces.first().map_or(0, |interface| interface.snaplen);
        let limit = if snaplen == 0 { u32::MAX } else { snaplen };
        let held = u32::try_from(packet.data.len()).unwrap_or(u32::MAX);
        let captured = packet.origlen.min(limit).min(held);
        let found = self.found(0, None, captured, packet.origlen, counts)?;
        counts.untimed += 1;
        Some(Found { at: SIMPLE_PACKET_AT, ..found })
    }

    /// The obsolete packet block: a 16-bit interface and a 16-bit drop count where the enhanced one has 32 bits.
    fn obsolete(&self, block: &UnknownBlock<'_>, counts: &mut CaptureCounts) -> Option<Found> {
        const FIXED: usize = 20;
        let Some((fixed, held)) = block.data.split_at_checked(FIXED) else {
            counts.damaged_blocks += 1;
            return None;
        };
        let word = |at: usize| {
            let word = [fixed[at], fixed[at + 1], fixed[at + 2], fixed[at + 3]];
            if self.big_endian { u32::from_be_bytes(word) } else { u32::from_le_bytes(word) }
        };
        let number = [fixed[0], fixed[1]];
        let number = if self.big_endian { u16::from_be_bytes(number) } else { u16::from_le_bytes(number) };
        let units = u64::from(word(4)) << 32 | u64::from(word(8));
        let (captured, wire) = (word(12), word(16));
        if captured as usize > held.len() {
            counts.damaged_blocks += 1;
            return None;
        }
        self.found(u32::from(number), Some(units), captured, wire, counts)
    }

    fn found(
        &self,
        number: u32,
        units: Option<u64>,
        captured: u32,
        wire: u32,
        counts: &mut CaptureCounts,
    ) -> Option<Found> {
        let Some(interface) = self.interfaces.get(number as usize) else {
            counts.damaged_blocks += 1;
            return None;
        };
        let Some(link) = link_type(interface.link) else {
            counts.foreign_link += 1;
            counts.foreign_link_type = Some(interface.link);
            return None;
        };
        Some(Found {
            arrival: units.map_or(UNKNOWN_ARRIVAL, |units| interface.arrival(units)),
            interface: InterfaceId(u16::try_from(self.before + number as usize).unwrap_or(u16::MAX)),
            direction: Direction::Unknown,
            link,
            wire_length: wire.max(captured),
            at: PACKET_AT,
            length: captured as usize,
        })
    }
}

impl Interface {
    fn arrival(&self, units: u64) -> Nanos {
        let ns = self.resolution.ns(units) + i128::from(self.offset_s) * NANOSECONDS;
        Nanos(i64::try_from(ns).unwrap_or(if ns < 0 { i64::MIN + 1 } else { i64::MAX }))
    }
}
