//! What a driver counts of its card beside the kernel's own counters (`ethtool -S`), by the ioctl of `ethtool(8)`.
#![expect(unsafe_code, reason = "the ioctl takes a structure whose pointer the kernel writes through")]

use std::ffi::CString;
use std::io;
use std::net::UdpSocket;
use std::os::fd::AsRawFd as _;

use super::checked;

/// Commands and the set of strings (`include/uapi/linux/ethtool.h`).
const GSTRINGS: u32 = 0x1B;
const GSTATS: u32 = 0x1D;
const GSSET_INFO: u32 = 0x37;
const STATS: u32 = 1;
/// Bytes of a name (`ETH_GSTRING_LEN`).
const NAME: usize = 32;
/// Counters of a driver that is believed; drivers have some for each queue, and a few thousands with the most queues.
const MOST: usize = 65_536;
/// Counters that there is room for beyond twice as many as the driver has. The kernel writes as many as it has when it
/// is asked for them, whatever it had when it was asked for their number.
const SPARE: usize = 1_024;
/// Words of a header before the names, or before the counters: the command, the set or the number, and padding.
const HEADER: usize = 2;

/// Asks the drivers of one network namespace: that in which it was opened.
#[derive(Debug)]
pub struct DriverStatistics {
    socket: UdpSocket,
    /// Where the kernel writes.
    buffer: Vec<u64>,
}

impl DriverStatistics {
    /// In the current network namespace.
    ///
    /// # Errors
    /// Where the process has no descriptor left.
    pub fn open() -> io::Result<Self> {
        let socket = UdpSocket::bind((std::net::Ipv4Addr::UNSPECIFIED, 0))?;
        Ok(Self { socket, buffer: vec![0; HEADER + 1] })
    }

    /// The names of an interface's counters, in the driver's order.
    ///
    /// # Errors
    /// `EOPNOTSUPP` where its driver has none; `ENODEV` where there is no such interface.
    pub fn names(&mut self, interface: &str) -> io::Result<Vec<String>> {
        let all = self.number(interface)?;
        self.make_room(all, NAME / size_of::<u64>());
        self.set([GSTRINGS, STATS, 0]);
        self.ask(interface)?;
        let bytes: Vec<u8> = self.buffer.iter().flat_map(|word| word.to_ne_bytes()).collect();
        // `struct ethtool_gstrings`: three numbers of 32 bits, then the names.
        let number = bytes.get(8..12).and_then(|word| word.try_into().ok()).map_or(0, u32::from_ne_bytes);
        let names = bytes.get(12..).unwrap_or_default().chunks_exact(NAME);
        let name = |name: &[u8]| {
            let end = name.iter().position(|byte| *byte == 0).unwrap_or(NAME);
            String::from_utf8_lossy(&name[..end]).into_owned()
        };
        let names = names.take(usize::try_from(number).unwrap_or(MOST)).map(name).collect();
        // They are asked for once, and take four times as much as the counters.
        self.buffer = vec![0; HEADER + 1];
        Ok(names)
    }

    /// The counters, in the same order.
    ///
    /// # Errors
    /// As [`DriverStatistics::names`].
    pub fn values(&mut self, interface: &str) -> io::Result<Vec<u64>> {
        let all = self.number(interface)?;
        self.make_room(all, 1);
        self.set([GSTATS, 0, 0]);
        self.ask(interface)?;
        // `struct ethtool_stats`: two numbers of 32 bits, then the counters.
        let [_, number] = halves(self.buffer[0]);
        let number = usize::try_from(number).unwrap_or(MOST).min(self.buffer.len() - 1);
        Ok(self.buffer[1..=number].to_vec())
    }

    /// How many counters its driver has.
    fn number(&mut self, interface: &str) -> io::Result<usize> {
        // `struct ethtool_sset_info`: the command, padding, a mask of sets, and how many strings each has.
        self.set([GSSET_INFO, 0, 0]);
        self.buffer[1] = 1 << STATS;
        self.ask(interface)?;
        let [number, _] = halves(self.buffer[2]);
        match usize::try_from(number) {
            _ if self.buffer[1] == 0 => Err(io::Error::from_raw_os_error(libc::EOPNOTSUPP)),
            Ok(number) if number <= MOST => Ok(number),
            _ => Err(io::Error::other(format!("{interface}: its driver has {number} counters"))),
        }
    }

    /// For as many counters, or names, of so many words each, and as many again.
    fn make_room(&mut self, number: usize, words: usize) {
        let room = HEADER + (2 * number + SPARE) * words;
        if self.buffer.len() < room {
            self.buffer.resize(room, 0);
        }
    }

    fn set(&mut self, [command, second, third]: [u32; 3]) {
        let word = |low: u32, high: u32| {
            let mut bytes = [0; 8];
            bytes[..4].copy_from_slice(&low.to_ne_bytes());
            bytes[4..].copy_from_slice(&high.to_ne_bytes());
            u64::from_ne_bytes(bytes)
        };
        self.buffer[..3].copy_from_slice(&[word(command, second), word(third, 0), 0]);
    }

    fn ask(&mut self, interface: &str) -> io::Result<()> {
        let name = CString::new(interface)?;
        let name = name.as_bytes_with_nul();
        if name.len() > libc::IFNAMSIZ {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        let mut ifr_name = [0; libc::IFNAMSIZ];
        for (place, byte) in ifr_name.iter_mut().zip(name) {
            *place = byte.cast_signed();
        }
        let ifru_data = self.buffer.as_mut_ptr().cast();
        let mut request = libc::ifreq { ifr_name, ifr_ifru: libc::__c_anonymous_ifr_ifru { ifru_data } };
        // SAFETY: the structure is whole, and its pointer is to a buffer that outlives the call. The kernel writes three
        // words for the number of counters; for counters and names as many as the driver has, for which `make_room` has
        // just made room twice over and more: a driver's number changes with its queues alone, and stays.
        checked(unsafe { libc::ioctl(self.socket.as_raw_fd(), libc::SIOCETHTOOL, &raw mut request) })?;
        Ok(())
    }
}

/// The two numbers of 32 bits in a word, in the order of memory.
fn halves(word: u64) -> [u32; 2] {
    let bytes = word.to_ne_bytes();
    let (halves, _) = bytes.as_chunks::<4>();
    [u32::from_ne_bytes(halves[0]), u32::from_ne_bytes(halves[1])]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interface_without_any_and_one_that_is_not_there_are_errors() {
        let mut statistics = DriverStatistics::open().unwrap();
        let error = |interface: &str, statistics: &mut DriverStatistics| {
            statistics.values(interface).unwrap_err().raw_os_error()
        };
        assert_eq!(error("lo", &mut statistics), Some(libc::EOPNOTSUPP));
        assert_eq!(error("no-such-if", &mut statistics), Some(libc::ENODEV));
        assert_eq!(
            statistics.names("longer-than-any-interface").unwrap_err().kind(),
            io::ErrorKind::InvalidInput
        );
    }
}
