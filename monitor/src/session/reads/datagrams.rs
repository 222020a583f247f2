//! Datagrams to one local port, in the order in which they came, and the sockets that read them.
//!
//! Where the kernel names the datagram that was read, it is looked up. Where it names but the socket, which datagram was
//! read is inferred: the one that the read before has seen next in the queue; where that was empty, the first that has
//! come since, of the length that was read.

use std::{
    collections::{HashMap, VecDeque},
    net::SocketAddr,
};

use monitor_common::ReadRecord;

use super::sockets::address;

/// Datagrams that were read and are kept for another socket that may get them too (multicast).
const KEPT: usize = 1024;

/// A datagram.
#[derive(Clone, Copy, Debug)]
struct Datagram {
    stamp: u64,
    mark: u64,
    remote: SocketAddr,
    local: SocketAddr,
    netns: u32,
    read: bool,
}

impl Datagram {
    /// Bytes of payload: its mark has the header's length.
    const fn length(&self) -> u32 {
        /// Bytes of the header itself, which counts them too.
        const HEADER: u32 = 8;
        let [_, _, _, _, high, low, _, _] = self.mark.to_ne_bytes();
        (u16::from_be_bytes([high, low]) as u32).saturating_sub(HEADER)
    }
}

/// What waits next in a socket, by its last read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    NotKnown,
    Nothing,
    Mark(u64),
}

/// A socket that has read.
#[derive(Clone, Copy, Debug)]
struct Reader {
    socket: u64,
    local: SocketAddr,
    remote: Option<SocketAddr>,
    netns: u32,
    /// Behind the last datagram that it has read.
    place: u64,
    next: Next,
    last_ns: u64,
}

impl Reader {
    fn takes(&self, datagram: &Datagram) -> bool {
        let any = self.local.ip().is_unspecified();
        (any || self.local.ip() == datagram.local.ip())
            && self.remote.is_none_or(|remote| remote == datagram.remote)
            && (self.netns == 0 || datagram.netns == 0 || self.netns == datagram.netns)
    }
}

/// A datagram that was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Found {
    /// Its receive stamp.
    pub(super) stamp: u64,
    /// Whether another socket had read it before.
    pub(super) again: bool,
}

/// What became of a datagram that is no longer kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Datagrams {
    /// Somebody read it.
    Read,
    /// A later one of its flow was read.
    PassedOver,
    /// Nobody has read it yet, though somebody reads what is sent there.
    Unread,
    /// Nobody reads what is sent there.
    NoReader,
}

/// Those to one local port.
#[derive(Debug, Default)]
pub(super) struct Port {
    datagrams: VecDeque<Datagram>,
    /// Place of the first one kept.
    first: u64,
    readers: Vec<Reader>,
    /// Behind the last that was read, by flow.
    read_to: HashMap<(SocketAddr, SocketAddr), u64>,
}

/// Sockets and flows that are told apart.
const READERS_MAX: usize = 64;
const FLOWS_MAX: usize = 1024;

impl Port {
    /// A datagram has come.
    pub(super) fn come(&mut self, record: &ReadRecord) {
        self.datagrams.push_back(Datagram {
            stamp: record.time_ns,
            mark: record.mark,
            remote: address(record.remote, record.remote_port),
            local: address(record.local, record.local_port),
            netns: record.netns,
            read: false,
        });
    }

    /// Gives up one that need not be kept any longer: who may still read it has not read so far.
    pub(super) fn surplus(&mut self) -> Option<Datagrams> {
        let first = self.datagrams.front()?;
        let is_surplus = self.datagrams.len() > KEPT && self.fate(first, self.first) != Datagrams::Unread;
        is_surplus.then(|| self.give_up_first()).flatten()
    }

    /// This very datagram was read.
    pub(super) fn named(&mut self, record: &ReadRecord) -> Option<Found> {
        let (remote, local) =
            (address(record.remote, record.remote_port), address(record.local, record.local_port));
        let is_it = |one: &&Datagram| one.mark == record.mark && one.remote == remote && one.local == local;
        // One that is the same in every bit is read after the other.
        let unread = self.datagrams.iter().position(|one| is_it(&one) && !one.read);
        let at = unread.or_else(|| self.datagrams.iter().rposition(|one| is_it(&one)))?;
        Some(self.read(at))
    }

    /// A datagram was read from this socket.
    pub(super) fn some(&mut self, record: &ReadRecord) -> Option<Found> {
        let reader = self.reader(record)?;
        let Reader { place, next, last_ns, .. } = *self.readers.get(reader)?;
        let from = usize::try_from(place.saturating_sub(self.first)).ok()?;
        let now_next = if record.mark == 0 { Next::Nothing } else { Next::Mark(record.mark) };
        let chosen = self.infer(reader, from, (next, now_next), last_ns, record.length);
        let first = self.first;
        let reader = self.readers.get_mut(reader)?;
        (reader.next, reader.last_ns) = (now_next, record.time_ns);
        let at = chosen?;
        reader.place = first + at as u64 + 1;
        Some(self.read(at))
    }

    /// Which one it was, of those from a place on.
    fn infer(
        &self,
        reader: usize,
        from: usize,
        (next, now_next): (Next, Next),
        last_ns: u64,
        length: u32,
    ) -> Option<usize> {
        let reader = self.readers.get(reader)?;
        let waiting = self.datagrams.iter().enumerate().skip(from).filter(|(_, one)| reader.takes(one));
        if let Next::Mark(mark) = next {
            return waiting.clone().find(|(_, one)| one.mark == mark).map(|(at, _)| at);
        }
        let before = |end: usize| {
            let before = waiting.clone().filter(move |(at, _)| *at < end);
            let mut whole = before.clone().filter(|(_, one)| one.length() == length);
            // A buffer that is too short cuts it off.
            let mut cut = before.filter(|(_, one)| one.length() > length);
            if next == Next::NotKnown {
                // Others may have come before there was this socket.
                return whole.next_back().or_else(|| cut.next_back()).map(|(at, _)| at);
            }
            // What had come when the queue was seen empty was dropped, or on its way into it.
            let since = |one: &(usize, &Datagram)| one.1.stamp > last_ns;
            let pick = whole.clone().find(since).or_else(|| whole.clone().next());
            pick.or_else(|| cut.clone().find(since)).or_else(|| cut.clone().next()).map(|(at, _)| at)
        };
        // It stood before the one that is next now; where that one is not known, it came before all that are.
        match now_next {
            Next::Mark(mark) => {
                waiting.clone().filter(|(_, one)| one.mark == mark).find_map(|(at, _)| before(at))
            }
            _ => before(self.datagrams.len()),
        }
    }

    fn reader(&mut self, record: &ReadRecord) -> Option<usize> {
        if let Some(at) = self.readers.iter().position(|one| one.socket == record.socket) {
            return Some(at);
        }
        if self.readers.len() >= READERS_MAX {
            // The one that was quiet for longest is most likely gone.
            let quiet = self.readers.iter().enumerate().min_by_key(|(_, one)| one.last_ns)?.0;
            self.readers.swap_remove(quiet);
        }
        let remote = (record.remote_port != 0).then(|| address(record.remote, record.remote_port));
        self.readers.push(Reader {
            socket: record.socket,
            local: address(record.local, record.local_port),
            remote,
            netns: record.netns,
            place: self.first,
            next: Next::NotKnown,
            last_ns: 0,
        });
        Some(self.readers.len() - 1)
    }

    fn read(&mut self, at: usize) -> Found {
        let behind = self.first + at as u64 + 1;
        let Some(one) = self.datagrams.get_mut(at) else { return Found { stamp: 0, again: false } };
        let found = Found { stamp: one.stamp, again: one.read };
        one.read = true;
        let flow = (one.remote, one.local);
        if self.read_to.len() < FLOWS_MAX || self.read_to.contains_key(&flow) {
            let to = self.read_to.entry(flow).or_default();
            *to = behind.max(*to);
        }
        found
    }

    /// Gives up the one that has been kept for longest.
    pub(super) fn give_up_first(&mut self) -> Option<Datagrams> {
        let one = self.datagrams.pop_front()?;
        self.first += 1;
        Some(self.fate(&one, self.first - 1))
    }

    fn fate(&self, one: &Datagram, place: u64) -> Datagrams {
        if one.read {
            return Datagrams::Read;
        }
        let read_to = self.read_to.get(&(one.remote, one.local)).copied().unwrap_or(0);
        if read_to > place {
            Datagrams::PassedOver
        } else if self.read_to.keys().any(|(_, local)| *local == one.local) {
            Datagrams::Unread
        } else {
            Datagrams::NoReader
        }
    }

    /// What was lost may have been reads: nothing is known of what is next.
    pub(super) fn forget_next(&mut self) {
        self.readers.iter_mut().for_each(|reader| reader.next = Next::NotKnown);
    }

    pub(super) fn kept(&self) -> usize {
        self.datagrams.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PMU: [u8; 16] = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF, 192, 0, 2, 1];
    const PDC: [u8; 16] = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF, 192, 0, 2, 9];
    const ANY: [u8; 16] = [0; 16];

    fn header(length: u16, check: u16) -> u64 {
        let [a, b] = (length + 8).to_be_bytes();
        let [c, d] = check.to_be_bytes();
        u64::from_ne_bytes([0, 1, 0, 2, a, b, c, d])
    }

    fn packet(stamp: u64, header: u64) -> ReadRecord {
        ReadRecord {
            time_ns: stamp,
            mark: header,
            remote: PMU,
            local: PDC,
            remote_port: 1,
            local_port: 2,
            ..ReadRecord::default()
        }
    }

    /// A read of a socket bound to any address, and what is then next.
    fn read(time: u64, length: u32, next: u64) -> ReadRecord {
        ReadRecord {
            time_ns: time,
            mark: next,
            local: ANY,
            local_port: 2,
            socket: 0xABCD,
            length,
            ..ReadRecord::default()
        }
    }

    fn stamps(port: &mut Port, reads: &[ReadRecord]) -> Vec<Option<u64>> {
        reads.iter().map(|one| port.some(one).map(|found| found.stamp)).collect()
    }

    fn rest(port: &mut Port) -> Vec<Datagrams> {
        std::iter::from_fn(|| port.give_up_first()).collect()
    }

    #[test]
    fn a_datagram_that_is_named_is_found_though_others_were_dropped() {
        let mut port = Port::default();
        for at in 1..=4 {
            port.come(&packet(at, header(54, 7 + u16::try_from(at).unwrap())));
        }
        assert_eq!(port.named(&packet(9, header(54, 9))), Some(Found { stamp: 2, again: false }));
        assert_eq!(port.named(&packet(9, header(54, 9))), Some(Found { stamp: 2, again: true }));
        assert_eq!(port.named(&packet(9, header(54, 99))), None);
        let wanted = [Datagrams::PassedOver, Datagrams::Read, Datagrams::Unread, Datagrams::Unread];
        assert_eq!(rest(&mut port), wanted);
    }

    #[test]
    fn what_is_the_same_in_every_bit_is_read_in_its_order() {
        let mut port = Port::default();
        port.come(&packet(1, header(54, 7)));
        port.come(&packet(2, header(54, 7)));
        let named = [(); 2].map(|()| port.named(&packet(9, header(54, 7))).unwrap().stamp);
        assert_eq!(named, [1, 2]);
        let mut port = Port::default();
        (1..=3).for_each(|at| port.come(&packet(at, header(54, 7))));
        let next = header(54, 7);
        let reads = [read(9, 54, next), read(9, 54, next), read(9, 54, 0)];
        assert_eq!(stamps(&mut port, &reads), [Some(1), Some(2), Some(3)]);
    }

    #[test]
    fn a_socket_read_at_once_is_followed() {
        let mut port = Port::default();
        for at in 1..=3 {
            port.come(&packet(at * 10, header(54, 0)));
            assert_eq!(stamps(&mut port, &[read(at * 10 + 1, 54, 0)]), [Some(at * 10)]);
        }
        assert_eq!(rest(&mut port), [Datagrams::Read; 3]);
    }

    #[test]
    fn a_queue_that_overflowed_is_followed_by_what_is_next_in_it() {
        let mut port = Port::default();
        let numbered = |at: u64| packet(at, header(54, u16::try_from(at).unwrap()));
        for at in 1..=6 {
            port.come(&numbered(at));
        }
        // The third to the fifth found no room.
        let reads = [read(20, 54, numbered(2).mark), read(21, 54, numbered(6).mark), read(22, 54, 0)];
        assert_eq!(stamps(&mut port, &reads), [Some(1), Some(2), Some(6)]);
        let dropped = [Datagrams::PassedOver; 3];
        let wanted = [&[Datagrams::Read; 2][..], &dropped, &[Datagrams::Read]].concat();
        assert_eq!(rest(&mut port), wanted);
    }

    #[test]
    fn what_was_dropped_when_the_queue_was_empty_is_not_taken_for_the_next() {
        let mut port = Port::default();
        port.come(&packet(10, header(54, 1)));
        port.come(&packet(11, header(54, 2)));
        assert_eq!(stamps(&mut port, &[read(12, 54, header(54, 2)), read(13, 54, 0)]), [Some(10), Some(11)]);
        port.come(&packet(12, header(54, 3)));
        port.come(&packet(20, header(54, 4)));
        assert_eq!(stamps(&mut port, &[read(21, 54, 0)]), [Some(20)]);
    }

    #[test]
    fn the_first_read_is_not_of_what_came_before_there_was_a_socket() {
        let mut port = Port::default();
        for at in 1..=9 {
            port.come(&packet(at, header(54, u16::try_from(at).unwrap())));
        }
        assert_eq!(stamps(&mut port, &[read(10, 54, 0)]), [Some(9)]);
        // Nor is one taken that was there before the run.
        let mut port = Port::default();
        port.come(&packet(5, header(54, 5)));
        assert_eq!(stamps(&mut port, &[read(6, 54, header(54, 77))]), [None]);
        assert_eq!(stamps(&mut port, &[read(7, 54, header(54, 5)), read(8, 54, 0)]), [None, Some(5)]);
    }

    #[test]
    fn a_read_of_another_length_is_of_another_datagram_or_cut_off() {
        let mut port = Port::default();
        port.come(&packet(1, header(54, 0)));
        assert_eq!(stamps(&mut port, &[read(2, 54, 0)]), [Some(1)]);
        port.come(&packet(3, header(54, 0)));
        port.come(&packet(4, header(400, 0)));
        assert_eq!(stamps(&mut port, &[read(5, 400, 0)]), [Some(4)]);
        port.come(&packet(6, header(54, 0)));
        assert_eq!(stamps(&mut port, &[read(7, 20, 0), read(8, 900, 0)]), [Some(6), None]);
    }

    #[test]
    fn what_nobody_reads_is_not_kept_without_end() {
        let mut port = Port::default();
        (0..KEPT as u64 + 5).for_each(|at| port.come(&packet(at, header(54, 0))));
        let given_up: Vec<_> = std::iter::from_fn(|| port.surplus()).collect();
        assert_eq!((given_up, port.kept()), (vec![Datagrams::NoReader; 5], KEPT));
        // What a reader is behind with is.
        port.named(&packet(9, header(54, 0)));
        (0..9).for_each(|at| port.come(&packet(at, header(54, 0))));
        assert_eq!(std::iter::from_fn(|| port.surplus()).collect::<Vec<_>>(), [Datagrams::Read]);
        assert_eq!(port.kept(), KEPT + 8);
    }
}
