//! From options to a sender.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use clap::error::ErrorKind;

use super::Arguments;
use super::values::{From, Succession};
use crate::simulate::{DataTo, Fleet, FleetPlan, Plan, ReportingRate, Route, Sender, Shape, nominal_for};

/// Opens what `arguments` ask for. Wrong usage ends the process here, with status 2.
pub(super) fn sender(arguments: &Arguments) -> Result<Sender, String> {
    let Arguments { pmus, seed, first_idcode, rate, next, .. } = *arguments;
    let nominal = arguments.nominal.unwrap_or_else(|| nominal_for(rate));
    let plan = plan(arguments);
    let first = first_address(arguments, plan.route);
    let fleet = Fleet::new(&FleetPlan { seed, pmus, first_idcode, nominal });
    let fleet = fleet.map_err(|error| error.to_string())?;
    let fleet = match arguments.format {
        Some(format) => fleet.formatted(format),
        None => fleet,
    };
    let streams = pmus.div_ceil(arguments.per_stream);
    let addresses: Vec<SocketAddr> =
        (0..streams).map(|place| next.nth(first, place)).collect::<Option<_>>().ok_or_else(|| {
            let which = if matches!(plan.route, Route::Udp(_)) { "--from" } else { "--listen" };
            format!(
                "{streams} streams from {first} run out of values for the {next}; begin lower with {which}"
            )
        })?;
    let from = |place: u16| addresses.get(usize::from(place)).copied().unwrap_or(first);
    Sender::open(fleet, plan, from).map_err(|error| error.to_string())
}

fn plan(arguments: &Arguments) -> Plan {
    let Arguments { rate, time_base, per_stream, first_stream_idcode, config_every, start, ttl, .. } =
        *arguments;
    let usual = Plan::over(route(arguments), rate);
    let spontaneous = match (arguments.spontaneous, arguments.commanded) {
        (false, false) => usual.spontaneous,
        (spontaneous, _) => spontaneous,
    };
    let announced = match &arguments.announce {
        Some(announced) => announced.0.clone(),
        None if spontaneous => Plan::ANNOUNCED.to_vec(),
        None => Vec::new(),
    };
    Plan {
        spontaneous,
        time_base,
        per_stream,
        first_stream_idcode,
        // The parser has kept each below the most.
        shape: Shape::new(arguments.phasors, arguments.analogs, arguments.digitals).unwrap_or(Shape::USUAL),
        announced,
        config_every_s: config_every,
        instants: arguments.duration.map(|duration| instants(duration.0, rate)),
        start_ns: start,
        config3_size: arguments.config3_size,
        faults: arguments.faults.clone(),
        seed: arguments.seed,
        ttl,
        ..usual
    }
}

fn route(arguments: &Arguments) -> Route {
    match (arguments.to, arguments.listen, arguments.udp_port) {
        (Some(to), None, _) => Route::Udp(to),
        (Some(to), Some(_), _) => Route::Control(DataTo::Place(to)),
        (None, Some(_), Some(port)) => Route::Control(DataTo::Client(port)),
        (None, Some(_), None) => Route::Tcp,
        (None, None, _) => super::file::command()
            .error(
                ErrorKind::MissingRequiredArgument,
                "where to? give --to ADDRESS:PORT to send by UDP, or --listen ADDRESS:PORT to be a TCP server",
            )
            .exit(),
    }
}

/// The first stream's address.
fn first_address(arguments: &Arguments, route: Route) -> SocketAddr {
    let any: IpAddr = match route {
        Route::Udp(to) if to.is_ipv6() => Ipv6Addr::UNSPECIFIED.into(),
        _ => Ipv4Addr::UNSPECIFIED.into(),
    };
    // Port 0: the kernel's choice, another one for each stream.
    let From { address, port } = arguments.from.unwrap_or(From { address: any, port: 0 });
    arguments.listen.unwrap_or(SocketAddr::new(address, port))
}

/// The instants of a duration: at least one.
fn instants(duration: Duration, rate: ReportingRate) -> u64 {
    const NANOS_PER_SECOND: u128 = 1_000_000_000;
    let instants = duration.as_nanos() * u128::from(rate.get()) / NANOS_PER_SECOND;
    u64::try_from(instants).unwrap_or(u64::MAX).max(1)
}

impl Succession {
    /// The address of the stream at `place`, from 0; none beyond the last there is. A port 0 stays one.
    fn nth(self, first: SocketAddr, place: u16) -> Option<SocketAddr> {
        let (address, port) = (first.ip(), first.port());
        match (self, address) {
            (Self::Port, _) if port == 0 => Some(first),
            (Self::Port, _) => Some(SocketAddr::new(address, port.checked_add(place)?)),
            (Self::Address, IpAddr::V4(address)) => {
                let address = u32::from(address).checked_add(place.into())?;
                Some(SocketAddr::new(Ipv4Addr::from(address).into(), port))
            }
            (Self::Address, IpAddr::V6(address)) => {
                let address = u128::from(address).checked_add(place.into())?;
                Some(SocketAddr::new(Ipv6Addr::from(address).into(), port))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_follow_each_other_to_the_last() {
        let first: SocketAddr = "192.0.2.255:65534".parse().unwrap();
        let nth = |one: Succession, place| one.nth(first, place).map(|address| address.to_string());
        assert_eq!(nth(Succession::Port, 1).as_deref(), Some("192.0.2.255:65535"));
        assert_eq!(nth(Succession::Port, 2), None);
        assert_eq!(nth(Succession::Address, 1).as_deref(), Some("192.0.3.0:65534"));
        let last: SocketAddr = "255.255.255.255:1".parse().unwrap();
        assert_eq!(Succession::Address.nth(last, 1), None);
    }
}
