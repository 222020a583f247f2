//! One direction of a TCP connection: segments that wait to be read, by the sequence numbers behind their last bytes.

use std::collections::VecDeque;

/// What became of a segment that came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Segment {
    /// It waits.
    Waits,
    /// Its bytes had come before.
    Duplicate,
}

/// Segments in the order of their bytes.
#[derive(Debug, Default)]
pub(super) struct Segments {
    /// The number behind the last byte, and the receive stamp.
    waiting: VecDeque<(u32, u64)>,
    /// The number behind the last byte that was read, where anything was.
    read_to: Option<u32>,
    /// When its socket came to its end.
    closed_ns: Option<u64>,
}

/// What the end of a connection's segments shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    /// Its socket was closed.
    Closed,
    /// Somebody read from it, and it was not closed.
    Read,
    /// Neither.
    Never,
}

impl Segments {
    /// A segment has come in. Those that come out of order are put in their place.
    pub(super) fn come(&mut self, end: u32, stamp: u64) -> Segment {
        if self.read_to.is_some_and(|read| !is_behind(end, read)) && self.closed_ns.is_none() {
            return Segment::Duplicate;
        }
        let before = self.waiting.iter().rposition(|&(other, _)| !is_behind(other, end));
        if before.is_some_and(|at| self.waiting.get(at).is_some_and(|&(other, _)| other == end)) {
            return Segment::Duplicate;
        }
        self.waiting.insert(before.map_or(0, |at| at + 1), (end, stamp));
        Segment::Waits
    }

    /// Bytes were read, now up to `to`: gives the receive stamp of the next segment that this makes whole.
    pub(super) fn next_read(&mut self, to: u32) -> Option<u64> {
        self.read_to = Some(to);
        let &(end, stamp) = self.waiting.front()?;
        if is_behind(end, to) {
            return None;
        }
        self.waiting.pop_front();
        Some(stamp)
    }

    /// The socket has come to its end. What it has not read may still be, where the other side has reset it.
    pub(super) const fn close(&mut self, now: u64) {
        self.closed_ns = Some(now);
    }

    /// Another connection between the same ports begins: gives up what waited when the one before was closed; how many.
    pub(super) fn open(&mut self) -> usize {
        let Some(closed_ns) = self.closed_ns.take() else { return 0 };
        let waited = self.waiting.len();
        // What comes with the handshake's last segment is there before the connection is.
        self.waiting.retain(|&(_, stamp)| stamp > closed_ns);
        self.read_to = None;
        waited - self.waiting.len()
    }

    /// Gives up all that wait; how many.
    pub(super) fn give_up(&mut self) -> usize {
        let waited = self.waiting.len();
        self.waiting.clear();
        waited
    }

    /// Gives up the one that waits for longest; whether there was one.
    pub(super) fn give_up_first(&mut self) -> bool {
        self.waiting.pop_front().is_some()
    }

    pub(super) fn waiting(&self) -> usize {
        self.waiting.len()
    }

    pub(super) const fn ended(&self) -> Ended {
        match (self.closed_ns, self.read_to) {
            (Some(_), _) => Ended::Closed,
            (None, Some(_)) => Ended::Read,
            (None, None) => Ended::Never,
        }
    }
}

/// Whether a sequence number is behind another: numbers go round (RFC 9293, 3.4).
const fn is_behind(number: u32, other: u32) -> bool {
    number.wrapping_sub(other).cast_signed() > 0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(segments: &mut Segments, to: u32) -> Vec<u64> {
        std::iter::from_fn(|| segments.next_read(to)).collect()
    }

    #[test]
    fn a_segment_is_read_when_its_last_byte_is() {
        let mut segments = Segments::default();
        for (end, stamp) in [(100, 1), (200, 2), (300, 3)] {
            assert_eq!(segments.come(end, stamp), Segment::Waits);
        }
        assert!(read(&mut segments, 50).is_empty());
        assert_eq!(read(&mut segments, 199), [1]);
        assert_eq!(read(&mut segments, 300), [2, 3]);
        assert_eq!((segments.waiting(), segments.ended()), (0, Ended::Read));
    }

    #[test]
    fn what_comes_out_of_order_is_read_in_order_and_what_comes_again_is_told() {
        let mut segments = Segments::default();
        for (end, stamp, is) in [
            (300, 1, Segment::Waits),
            (100, 2, Segment::Waits),
            (200, 3, Segment::Waits),
            (200, 4, Segment::Duplicate),
        ] {
            assert_eq!(segments.come(end, stamp), is, "{end}");
        }
        assert_eq!(read(&mut segments, 200), [2, 3]);
        assert_eq!(segments.come(100, 5), Segment::Duplicate);
        assert_eq!(read(&mut segments, 300), [1]);
    }

    #[test]
    fn numbers_go_round() {
        let mut segments = Segments::default();
        segments.come(u32::MAX - 10, 1);
        segments.come(90, 2);
        assert_eq!(read(&mut segments, u32::MAX - 10), [1]);
        assert_eq!(read(&mut segments, 90), [2]);
    }

    #[test]
    fn a_connection_that_was_closed_is_told_from_the_next_between_the_same_ports() {
        let mut segments = Segments::default();
        segments.come(1000, 1);
        segments.come(1100, 2);
        assert_eq!(read(&mut segments, 1000), [1]);
        segments.close(3);
        assert_eq!(segments.ended(), Ended::Closed);
        segments.come(40, 4);
        assert_eq!(segments.open(), 1, "what waited is not the next one's");
        assert_eq!(read(&mut segments, 40), [4]);
        assert_eq!((segments.ended(), segments.open()), (Ended::Read, 0));
    }

    #[test]
    fn what_the_other_side_has_reset_may_still_be_read() {
        let mut segments = Segments::default();
        segments.come(1000, 1);
        segments.close(2);
        assert_eq!(read(&mut segments, 1000), [1]);
    }
}
