//! The world that `run` makes where no interface is given: twelve stations in one private namespace, a PDC in
//! another, and the veth pair between them, whose end at the PDC is the one to monitor.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use super::error::Error;
use super::instant::ReportingRate;
use super::pdc::{Pdc, PdcCounts, RunningPdc};
use super::sender::{Plan, Report, RunningSender, Sender};
use super::station::{Fleet, FleetPlan, nominal_for};
use crate::netns::{End, Netns, Pair, private_pair};

/// The interfaces' names, the monitored one's as of an ordinary second network card.
const STATIONS_INTERFACE: &str = "stations0";
const MONITOR_INTERFACE: &str = "eth1";

/// TEST-NET-1, kept for documentation (RFC 5737): the PDC at .1, the stations from .11 on.
const NETWORK: [u8; 3] = [192, 0, 2];
const PREFIX: u8 = 24;
const PDC_HOST: u8 = 1;
const FIRST_STATION_HOST: u8 = 11;

/// UDP by convention (IEEE C37.118.2-2011, annex F).
const PORT: u16 = 4713;

/// Which demo.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DemoOptions {
    /// Frames in a second from each station.
    pub rate: ReportingRate,
    /// What the stations and their measurements come from.
    pub seed: u64,
    /// The first station's IDCODE; the others follow.
    pub first_idcode: u16,
    /// After how many instants the stations fall silent by themselves.
    pub instants: Option<u64>,
}

impl Default for DemoOptions {
    /// 50 frames/s from IDCODE 101 on, without end.
    fn default() -> Self {
        Self { rate: ReportingRate::FIFTY, seed: 1, first_idcode: 101, instants: None }
    }
}

/// The world, made and silent: the time to attach to the monitor's end.
#[derive(Debug)]
pub struct Demo {
    pair: Pair,
    sender: Sender,
    pdc: Pdc,
}

impl Demo {
    /// How many stations there are.
    pub const PMUS: u8 = 12;

    /// Makes namespaces, interfaces, addresses and sockets; sends nothing of C37.118.
    ///
    /// # Errors
    /// [`Error::Netns`] without `CAP_SYS_ADMIN` and `CAP_NET_ADMIN` or where the kernel has no veth;
    /// [`Error::IdCodes`]; [`Error::Socket`] beyond the limit of open files.
    pub fn prepare(options: &DemoOptions) -> Result<Self, Error> {
        let DemoOptions { rate, seed, first_idcode, instants } = *options;
        let nominal = nominal_for(rate);
        let fleet = Fleet::new(&FleetPlan { seed, pmus: Self::PMUS.into(), first_idcode, nominal })?;
        let mut pair = private_pair(STATIONS_INTERFACE, MONITOR_INTERFACE)?;
        introduce(&mut pair)?;
        let to = SocketAddr::new(address(PDC_HOST), PORT);
        let pdc = pair.monitor.run(|| Pdc::open(to))??;
        let plan = Plan { instants, ..Plan::new(to, rate) };
        let from = |place| SocketAddr::new(station(place), PORT);
        let sender = pair.stations.run(|| Sender::open(fleet, plan, from))??;
        Ok(Self { pair, sender, pdc })
    }

    /// The end to monitor.
    #[must_use]
    pub const fn monitor(&self) -> &End {
        &self.pair.monitor
    }

    /// The namespace of the end to monitor.
    #[must_use]
    pub fn monitor_netns(&self) -> Arc<Netns> {
        self.pair.monitor.shared_netns()
    }

    /// Lets the PDC ask and the stations send.
    ///
    /// # Errors
    /// [`Error::Thread`].
    pub fn begin(self) -> Result<RunningDemo, Error> {
        let Self { pair, sender, pdc } = self;
        let pdc = pdc.spawn(sender.addresses())?;
        match sender.spawn() {
            Ok(sender) => Ok(RunningDemo { sender, pdc, pair }),
            Err(error) => {
                let _nothing_sent = pdc.stop();
                Err(error)
            }
        }
    }
}

/// The world, sending.
#[derive(Debug)]
pub struct RunningDemo {
    sender: RunningSender,
    pdc: RunningPdc,
    pair: Pair,
}

impl RunningDemo {
    /// The monitored end.
    #[must_use]
    pub const fn monitor(&self) -> &End {
        &self.pair.monitor
    }

    /// Ends the stations, then the PDC. The namespaces and the interfaces stay for as long as the returned report
    /// does, so that what is attached can be read and detached in peace.
    ///
    /// # Panics
    /// Where one of the threads did.
    #[must_use]
    pub fn stop(self) -> DemoReport {
        let Self { sender, pdc, pair } = self;
        let sent = sender.stop();
        DemoReport { sent, received: pdc.stop(), pair }
    }

    /// The same once the stations have fallen silent by themselves.
    ///
    /// # Panics
    /// Where one of the threads did.
    #[must_use]
    pub fn wait(self) -> DemoReport {
        let Self { sender, pdc, pair } = self;
        let sent = sender.wait();
        DemoReport { sent, received: pdc.stop(), pair }
    }
}

/// What became of it.
#[derive(Debug)]
pub struct DemoReport {
    /// What the stations sent.
    pub sent: Report,
    /// What the PDC got.
    pub received: PdcCounts,
    pair: Pair,
}

impl DemoReport {
    /// The monitored end.
    #[must_use]
    pub const fn monitor(&self) -> &End {
        &self.pair.monitor
    }
}

/// Gives both ends their addresses and tells each the other's, so that no frame waits for an ARP reply.
fn introduce(pair: &mut Pair) -> Result<(), Error> {
    let Pair { stations, monitor } = pair;
    let pdc = address(PDC_HOST);
    monitor.add_address(pdc, PREFIX)?;
    if let Some(mac) = monitor.interface()?.mac {
        stations.add_neighbour(pdc, mac)?;
    }
    let mac = stations.interface()?.mac;
    for place in 0..Demo::PMUS.into() {
        stations.add_address(station(place), PREFIX)?;
        if let Some(mac) = mac {
            monitor.add_neighbour(station(place), mac)?;
        }
    }
    Ok(())
}

fn station(place: u16) -> IpAddr {
    // Twelve places: far below the last host.
    address(u8::try_from(place).map_or(u8::MAX, |place| FIRST_STATION_HOST.saturating_add(place)))
}

fn address(host: u8) -> IpAddr {
    let [a, b, c] = NETWORK;
    IpAddr::V4(Ipv4Addr::new(a, b, c, host))
}
