//! Packets that came in parts: longer than the largest record, so the probe cut them.

use monitor_common::RecordHeader;

/// The longest packet that is put together: the kernel merges no more (`GRO_MAX_SIZE`, include/linux/netdevice.h).
const PACKET_MAX: usize = 8 * 65_536;
/// Packets put together at the same time: each CPU writes the parts of one without a break.
const SLOTS: usize = 4;

/// A packet of which parts are missing.
struct Slot {
    cpu: u32,
    packet: u64,
    filled: usize,
    records: u32,
    used: bool,
    bytes: Vec<u8>,
}

/// The packets that wait for parts.
pub(super) struct Assembly {
    slots: Vec<Slot>,
    next: usize,
}

/// What became of a part.
pub(super) enum Part<'a> {
    /// The packet is whole: its bytes, and the records they came in.
    Whole(&'a [u8], u32),
    /// More are to come.
    Waiting,
    /// It belongs to a packet whose earlier parts did not come; it is alone in its loss.
    Orphan,
}

impl Assembly {
    /// Allocates all that is needed. Pages are touched once, here.
    pub(super) fn new() -> Self {
        let slot =
            || Slot { cpu: 0, packet: 0, filled: 0, records: 0, used: false, bytes: vec![1; PACKET_MAX] };
        Self { slots: std::iter::repeat_with(slot).take(SLOTS).collect(), next: 0 }
    }

    /// Adds a part. Gives the records of a packet that had to be given up to make room beside what became of this one.
    pub(super) fn add(&mut self, header: &RecordHeader, part: &[u8]) -> (Part<'_>, u32) {
        if header.part_offset == 0 {
            let given_up = self.begin(header);
            return (self.fill(self.newest(), header, part), given_up);
        }
        let found = self
            .slots
            .iter()
            .position(|slot| slot.used && slot.cpu == header.cpu && slot.packet == header.packet);
        match found {
            Some(at) if self.slots[at].filled == header.part_offset as usize => {
                (self.fill(at, header, part), 0)
            }
            Some(at) => (Part::Orphan, self.give_up(at)),
            None => (Part::Orphan, 0),
        }
    }

    /// Records held by packets that never became whole.
    pub(super) fn pending(&self) -> u32 {
        self.slots.iter().filter(|slot| slot.used).map(|slot| slot.records).sum()
    }

    fn newest(&self) -> usize {
        (self.next + SLOTS - 1) % SLOTS
    }

    /// Takes a slot: that of an unfinished packet of the same CPU, which its probe has given up, else the next.
    fn begin(&mut self, header: &RecordHeader) -> u32 {
        let stale = self.slots.iter().position(|slot| slot.used && slot.cpu == header.cpu);
        let mut given_up = stale.map_or(0, |at| self.give_up(at));
        let at = self.next;
        given_up += self.give_up(at);
        self.next = (at + 1) % SLOTS;
        let slot = &mut self.slots[at];
        (slot.cpu, slot.packet, slot.filled, slot.records, slot.used) =
            (header.cpu, header.packet, 0, 0, true);
        given_up
    }

    fn give_up(&mut self, at: usize) -> u32 {
        let slot = &mut self.slots[at];
        if !std::mem::replace(&mut slot.used, false) {
            return 0;
        }
        slot.records
    }

    fn fill(&mut self, at: usize, header: &RecordHeader, part: &[u8]) -> Part<'_> {
        let slot = &mut self.slots[at];
        let Some(room) = slot.bytes.get_mut(slot.filled..slot.filled + part.len()) else {
            return Part::Orphan;
        };
        room.copy_from_slice(part);
        slot.filled += part.len();
        slot.records += 1;
        if slot.filled < header.packet_length as usize {
            return Part::Waiting;
        }
        slot.used = false;
        Part::Whole(&slot.bytes[..slot.filled], slot.records)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(cpu: u32, packet: u64, offset: u32, length: u32) -> RecordHeader {
        RecordHeader { cpu, packet, part_offset: offset, packet_length: length, ..RecordHeader::default() }
    }

    #[test]
    fn parts_become_the_packet_though_another_cpu_writes_between() {
        let mut assembly = Assembly::new();
        assert!(matches!(assembly.add(&header(0, 1, 0, 6), b"abc"), (Part::Waiting, 0)));
        assert!(matches!(assembly.add(&header(1, 1, 0, 4), b"xy"), (Part::Waiting, 0)));
        let (Part::Whole(bytes, 2), 0) = assembly.add(&header(0, 1, 3, 6), b"def") else { panic!("whole") };
        assert_eq!(bytes, b"abcdef");
        let (Part::Whole(bytes, 2), 0) = assembly.add(&header(1, 1, 2, 4), b"zw") else { panic!("whole") };
        assert_eq!(bytes, b"xyzw");
        assert_eq!(assembly.pending(), 0);
    }

    #[test]
    fn every_record_of_a_packet_given_up_is_told() {
        let mut assembly = Assembly::new();
        assert!(matches!(assembly.add(&header(0, 1, 0, 9), b"abc"), (Part::Waiting, 0)));
        assert!(matches!(assembly.add(&header(0, 1, 3, 9), b"def"), (Part::Waiting, 0)));
        assert_eq!(assembly.pending(), 2);
        // The same CPU begins another packet: the rest of the first was refused by a full ring.
        assert!(matches!(assembly.add(&header(0, 2, 0, 6), b"abc"), (Part::Waiting, 2)));
        assert!(matches!(assembly.add(&header(0, 1, 6, 9), b"ghi"), (Part::Orphan, 0)));
        // A part is missing in the middle.
        assert!(matches!(assembly.add(&header(0, 2, 4, 6), b"ef"), (Part::Orphan, 1)));
        assert_eq!(assembly.pending(), 0);
    }
}
