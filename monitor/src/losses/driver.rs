//! Counters of a driver's own that mean that a packet was lost (`ethtool -S`).
//!
//! Drivers name them as they like: those of the table are read, and no others. What the kernel counts of every interface
//! ([`super::LinkCounts`]) is not in it, though drivers show that too.

use std::io;
use std::sync::Arc;

use crate::sys::ethtool::DriverStatistics;

/// Who has lost a packet that a counter counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LostBy {
    /// The card, or its driver, had no room for it.
    Card,
    /// It was damaged when it came.
    Wire,
    /// An XDP program on the interface dropped it.
    Program,
}

/// A name, whose `#` is the number of a queue, and by whom it was lost.
type Known = (&'static str, LostBy);

/// What is read, with the drivers that have it: files of the kernel's `drivers/net`, and of its documentation.
const KNOWN: [Known; 15] = [
    // igb_ethtool.c, igc_ethtool.c (no descriptor), veth.c (no memory)
    ("rx_queue_#_drops", LostBy::Card),
    // veth.c
    ("rx_queue_#_xdp_drops", LostBy::Program),
    // ixgbe_ethtool.c
    ("rx_no_dma_resources", LostBy::Card),
    // ice_ethtool.c
    ("rx_dropped.nic", LostBy::Card),
    ("rx_crc_errors.nic", LostBy::Wire),
    ("rx_length_errors.nic", LostBy::Wire),
    // mlx5 (device_drivers/ethernet/mellanox/mlx5/counters.rst)
    ("rx_out_of_buffer", LostBy::Card),
    ("rx_discards_phy", LostBy::Card),
    ("rx_crc_errors_phy", LostBy::Wire),
    ("rx_in_range_len_errors_phy", LostBy::Wire),
    // stmmac_ethtool.c
    ("rx_missed_cntr", LostBy::Card),
    ("rx_overflow_cntr", LostBy::Card),
    ("mmc_rx_fifo_overflow", LostBy::Card),
    ("mmc_rx_crc_error", LostBy::Wire),
    ("mmc_rx_align_error", LostBy::Wire),
];

/// By whom a packet was lost that a counter of this name counts; none of one that is not known.
#[must_use]
pub fn lost_by(name: &str) -> Option<LostBy> {
    KNOWN.iter().find(|(known, _)| is_called(name, known)).map(|(_, by)| *by)
}

fn is_called(name: &str, known: &str) -> bool {
    let Some((before, behind)) = known.split_once('#') else { return name == known };
    let number = name.strip_prefix(before).and_then(|rest| rest.strip_suffix(behind));
    number.is_some_and(|number| !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()))
}

/// One counter.
#[derive(Clone, Debug)]
struct Counter {
    name: Arc<str>,
    place: usize,
    last: u64,
    grown: u64,
}

/// Those of one interface that is read again and again.
#[derive(Clone, Debug, Default)]
pub(super) struct Driver {
    counters: Vec<Counter>,
    /// How many the driver has; where that changes their places do, too.
    all: usize,
}

impl Driver {
    /// Reads them once more. A driver that has none is no error.
    pub(super) fn read(&mut self, statistics: &mut DriverStatistics, interface: &str) -> io::Result<()> {
        let values = match statistics.values(interface) {
            Err(error) if error.raw_os_error() == Some(libc::EOPNOTSUPP) => return Ok(()),
            values => values?,
        };
        if values.len() != self.all {
            let names = statistics.names(interface)?;
            self.find(&names, &values);
        }
        self.take(&values);
        Ok(())
    }

    /// Where each stands. One that was there keeps what it has grown by; a new one counts from now on.
    fn find(&mut self, names: &[String], values: &[u64]) {
        let known = names.iter().enumerate().filter(|(_, name)| lost_by(name).is_some());
        let counter = |(place, name): (usize, &String)| {
            let new = || {
                let last = values.get(place).copied().unwrap_or(0);
                Counter { name: name.as_str().into(), place, last, grown: 0 }
            };
            let counter = self.counters.iter().find(|one| *one.name == **name).cloned();
            Counter { place, ..counter.unwrap_or_else(new) }
        };
        self.counters = known.map(counter).collect();
        self.all = values.len();
    }

    /// One that reads less than before began again at 0.
    fn take(&mut self, values: &[u64]) {
        for counter in &mut self.counters {
            let Some(now) = values.get(counter.place).copied() else { continue };
            counter.grown += if now < counter.last { now } else { now - counter.last };
            counter.last = now;
        }
    }

    /// Those that have grown, by name.
    pub(super) fn grown(&self) -> std::collections::BTreeMap<Arc<str>, u64> {
        let grown = self.counters.iter().filter(|counter| counter.grown > 0);
        grown.map(|counter| (Arc::clone(&counter.name), counter.grown)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_counter_is_known_by_its_name_whatever_its_queue() {
        assert_eq!(lost_by("rx_queue_12_drops"), Some(LostBy::Card));
        assert_eq!(lost_by("rx_queue_0_xdp_drops"), Some(LostBy::Program));
        assert_eq!(lost_by("rx_crc_errors_phy"), Some(LostBy::Wire));
        for other in ["rx_queue__drops", "rx_queue_1_2_drops", "tx_queue_0_drops", "rx_packets", ""] {
            assert_eq!(lost_by(other), None, "{other}");
        }
    }

    #[test]
    fn growth_outlives_a_driver_that_gets_more_queues() {
        let names = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>();
        let mut driver = Driver::default();
        driver.find(&names(&["rx_packets", "rx_queue_0_drops"]), &[9, 40]);
        driver.take(&[10, 43]);
        driver.find(&names(&["rx_queue_0_drops", "rx_queue_1_drops", "rx_packets"]), &[44, 7, 11]);
        driver.take(&[44, 7, 11]);
        driver.take(&[45, 9, 12]);
        let grown: Vec<_> =
            driver.grown().into_iter().map(|(name, grown)| (name.to_string(), grown)).collect();
        assert_eq!(grown, [("rx_queue_0_drops".to_owned(), 5), ("rx_queue_1_drops".to_owned(), 2)]);
        driver.take(&[3, 9, 13]);
        assert_eq!(driver.grown().values().sum::<u64>(), 10, "set back, and 3 since");
    }
}
