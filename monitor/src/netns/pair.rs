//! Two private namespaces with a veth pair between them: the stations send in the one, the monitor watches the other.
//!
//! The demo and the tests share it. Nothing of it is visible on the host, and nothing is left when it is dropped or
//! the process dies.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use super::{Error, Interface, Links, MacAddress, Netns};

/// The numbers of the two interfaces. They differ on purpose: where an interface has the number of its own other end,
/// as the first ones of two new namespaces would, the kernel takes it for one without another end and may put the news
/// of its carrier off by a second (`linkwatch_urgent_event` in the kernel's `net/core/link_watch.c`). Far above those of
/// the tunnel interfaces that some kernels put into every namespace.
const STATIONS_INDEX: u32 = 101;
const MONITOR_INDEX: u32 = 102;
/// Longest wait for the pair's carrier.
const CARRIER_WITHIN: Duration = Duration::from_secs(5);

/// Both sides. Frames sent on one arrive on the other.
#[derive(Debug)]
pub struct Pair {
    /// Where the PMUs are simulated.
    pub stations: End,
    /// Where the monitor attaches.
    pub monitor: End,
}

/// One side: its namespace and the interface in it.
#[derive(Debug)]
pub struct End {
    netns: Arc<Netns>,
    links: Links,
    name: String,
}

/// Makes the pair with the interface `stations_if` on the stations' side and `monitor_if` on the monitor's, both up
/// and passing frames, without addresses. The names may be equal.
///
/// # Errors
/// [`Error::Namespace`] without `CAP_SYS_ADMIN`, [`Error::Interface`] where the kernel has no veth, [`Error::Name`].
pub fn private_pair(stations_if: &str, monitor_if: &str) -> Result<Pair, Error> {
    let mut stations = End::new(stations_if)?;
    let mut monitor = End::new(monitor_if)?;
    let ends = ((stations_if, STATIONS_INDEX), (monitor_if, MONITOR_INDEX));
    stations.links.create_numbered_veth(ends.0, ends.1, &monitor.netns)?;
    stations.links.set_up(stations_if)?;
    monitor.links.set_up(monitor_if)?;
    stations.links.wait_running(stations_if, CARRIER_WITHIN)?;
    monitor.links.wait_running(monitor_if, CARRIER_WITHIN)?;
    Ok(Pair { stations, monitor })
}

impl Pair {
    /// Sets the MTU of both sides, bytes.
    ///
    /// # Errors
    /// [`Error::Interface`] outside of 68 to 65535.
    pub fn set_mtu(&mut self, mtu: u32) -> Result<(), Error> {
        for end in [&mut self.stations, &mut self.monitor] {
            end.links.set_mtu(&end.name, mtu)?;
        }
        Ok(())
    }
}

impl End {
    fn new(name: &str) -> Result<Self, Error> {
        let netns = Arc::new(Netns::create()?);
        let links = netns.links()?;
        Ok(Self { netns, links, name: name.to_owned() })
    }

    /// This side's namespace.
    #[must_use]
    pub fn netns(&self) -> &Netns {
        &self.netns
    }

    /// The same, for who needs it for longer than this side is kept: it keeps the namespace alive, though not the
    /// interface in it.
    #[must_use]
    pub fn shared_netns(&self) -> Arc<Netns> {
        Arc::clone(&self.netns)
    }

    /// The interface's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The interfaces of this side's namespace, for what is not offered here.
    pub fn links(&mut self) -> &mut Links {
        &mut self.links
    }

    /// The interface as it is now.
    ///
    /// # Errors
    /// [`Error::NoSuchInterface`] where it has been deleted.
    pub fn interface(&mut self) -> Result<Interface, Error> {
        self.links.interface(&self.name)
    }

    /// Gives the interface an address, usable at once.
    ///
    /// # Errors
    /// As [`Links::add_address`].
    pub fn add_address(&mut self, address: IpAddr, prefix: u8) -> Result<(), Error> {
        self.links.add_address(&self.name, address, prefix)
    }

    /// Adds a permanent neighbour entry.
    ///
    /// # Errors
    /// As [`Links::add_neighbour`].
    pub fn add_neighbour(&mut self, address: IpAddr, mac: MacAddress) -> Result<(), Error> {
        self.links.add_neighbour(&self.name, address, mac)
    }

    /// Runs `work` inside this side's namespace.
    ///
    /// # Errors
    /// As [`Netns::run`].
    ///
    /// # Panics
    /// Where `work` does.
    pub fn run<T: Send>(&self, work: impl FnOnce() -> T + Send) -> Result<T, Error> {
        self.netns.run(work)
    }
}
