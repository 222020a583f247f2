//! `simulate`: sends as PMUs do, over UDP, from where it is called.

use std::io::{self, Write as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use clap::Args;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;

use super::{Outcome, exit};
use crate::config;
use crate::simulate::{
    Counts, Fleet, FleetPlan, MOST_PMUS, Plan, Report, ReportingRate, Sender, nominal_for,
};

/// Send as PMUs do (C37.118 over UDP)
///
/// Sends CFG-2 at the start, when asked (CMD 5) and every minute, and DATA at every reporting instant. CMD 1 and 2
/// turn a station's DATA off and on, CMD 3 is answered with HDR. Ends with Ctrl-C.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Where the frames go
    #[arg(long, value_name = "ADDRESS:PORT", value_parser = destination)]
    to: SocketAddr,
    /// An address of this host to send from (default: the kernel's choice)
    #[arg(long, value_name = "ADDRESS")]
    from: Option<IpAddr>,
    /// How many PMUs, each with a socket and an IDCODE of its own
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=i64::from(MOST_PMUS)))]
    pmus: u16,
    /// Frames in a second from each PMU (10 to 240)
    #[arg(long, value_name = "R", default_value = "50", value_parser = rate)]
    rate: ReportingRate,
    /// How long, as 10s, 500ms or 2m (default: until Ctrl-C)
    #[arg(long, value_name = "TIME")]
    duration: Option<config::Duration>,
    /// What the stations and their measurements come from: the same seed, the same values
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// The first PMU's IDCODE; the others follow
    #[arg(long, value_name = "N", default_value_t = 101, value_parser = clap::value_parser!(u16).range(1..=65534))]
    first_idcode: u16,
    /// Print nothing but errors
    #[arg(long)]
    quiet: bool,
}

pub(super) fn run(arguments: &Arguments) -> Outcome {
    let sender = open(arguments).map_err(|error| error.to_string())?;
    let stop = stop_on_signals().map_err(|error| format!("cannot watch for Ctrl-C: {error}"))?;
    if !arguments.quiet {
        say(&beginning(arguments))?;
    }
    let report = sender.run(&stop);
    if !arguments.quiet {
        say(&summary(&report))?;
    }
    judge(&report)
}

fn open(arguments: &Arguments) -> Result<Sender, crate::simulate::Error> {
    let Arguments { to, from, pmus, rate, duration, seed, first_idcode, quiet: _ } = *arguments;
    let fleet = Fleet::new(&FleetPlan { seed, pmus, first_idcode, nominal: nominal_for(rate) })?;
    let plan = Plan { instants: duration.map(|duration| instants(duration.0, rate)), ..Plan::new(to, rate) };
    let any = if to.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    // Port 0: one address cannot give the same port to every station.
    Sender::open(fleet, plan, |_| SocketAddr::new(from.unwrap_or(any), 0))
}

/// The instants of a duration: at least one.
fn instants(duration: Duration, rate: ReportingRate) -> u64 {
    const NANOS_PER_SECOND: u128 = 1_000_000_000;
    let instants = duration.as_nanos() * u128::from(rate.get()) / NANOS_PER_SECOND;
    u64::try_from(instants).unwrap_or(u64::MAX).max(1)
}

fn destination(text: &str) -> Result<SocketAddr, String> {
    let to: SocketAddr = text.parse().map_err(|_| {
        "a destination is an address and a port, as 192.0.2.9:4713 or [2001:db8::9]:4713".to_owned()
    })?;
    if to.port() == 0 {
        return Err("port 0 is no destination; give a port from 1 to 65535 (4713 by convention)".to_owned());
    }
    Ok(to)
}

fn rate(text: &str) -> Result<ReportingRate, String> {
    text.parse().ok().and_then(ReportingRate::new).ok_or_else(|| {
        format!(
            "a rate is a whole number of frames in a second from {} to {}",
            ReportingRate::LEAST,
            ReportingRate::MOST
        )
    })
}

/// The first signal ends the sending; a second one ends the process, as if nobody listened.
fn stop_on_signals() -> io::Result<Arc<AtomicBool>> {
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        flag::register_conditional_default(signal, Arc::clone(&stop))?;
        flag::register(signal, Arc::clone(&stop))?;
    }
    Ok(stop)
}

fn beginning(arguments: &Arguments) -> String {
    let Arguments { to, pmus, rate, first_idcode: first, .. } = *arguments;
    let rate = rate.get();
    match pmus {
        1 => format!("sending to {to}: 1 PMU, IDCODE {first}, {rate} frames/s"),
        _ => format!(
            "sending to {to}: {pmus} PMUs, IDCODE {first} to {}, {rate} frames/s each",
            first + (pmus - 1)
        ),
    }
}

fn summary(report: &Report) -> String {
    let Counts {
        data,
        late,
        withheld,
        failed_data,
        config2,
        header,
        failed_other,
        commands,
        unanswered,
        refused,
    } = report.total();
    let failed = failed_data + failed_other;
    let (pmus, plural) = (report.stations.len(), if report.stations.len() == 1 { "" } else { "s" });
    format!(
        "sent {data} DATA ({late} late), {config2} CFG-2, {header} HDR from {pmus} PMU{plural} at {} instants; \
         {withheld} withheld, {failed} failed; received {commands} commands ({unanswered} unanswered), \
         {refused} other datagrams",
        report.instants,
    )
}

/// A frame that could not be sent is told; where none could, the verb has failed.
fn judge(report: &Report) -> Outcome {
    let Some(failure) = &report.first_failure else { return Ok(exit::DONE) };
    let total = report.total();
    let failed = total.failed_data + total.failed_other;
    let remedy = "check the route, the address and the firewall";
    let told = format!("{failed} frames could not be sent, the first to {failure}; {remedy}");
    if total.data + total.config2 + total.header == 0 {
        return Err(told);
    }
    eprintln!("pmu-monitor: {told}");
    Ok(exit::DONE)
}

fn say(line: &str) -> Result<(), String> {
    match writeln!(io::stdout(), "{line}") {
        // Whoever read the output has gone; the stations need not.
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(format!(
            "cannot write to standard output: {error}; check where it goes and that there is room"
        )),
        _ => Ok(()),
    }
}
