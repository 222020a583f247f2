//! `simulate`: sends as PMUs do, from where it is called.

mod file;
mod open;
mod told;
mod values;

use std::io;
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use clap::Args;
use monitor_core::protocol::c37118::{Format, NominalFrequency, TimeBase};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;

use self::values::{Announced, From, Succession};
use super::Outcome;
use crate::config;
use crate::simulate::{Fault, MOST_CHANNELS, MOST_PMUS, Plan, ReportingRate, Shape};

/// What stands below the options.
const HELP_OF_FAULTS: &str = "\
Faults:
  of frames       loss=SHARE  crc=SHARE  duplicate=SHARE[,copies=N][,after=TIME]  reorder=SHARE[,depth=N]
                  truncate=SHARE[,bytes=N]  delay=TIME|uniform:TIME:TIME|normal:TIME:TIME|exponential:TIME|
                  pareto:TIME:SHAPE[,ordered=yes]  fragment=BYTES[,reversed=yes][,incomplete=yes] (UDP)
  of the clock    clock-offset=TIME  clock-drift=PPM  clock-stuck
                  leap=insert|delete[,tagged=next|last][,announced=no], at the first midnight of UTC from 'from' on
  of what is said stat=BITS[,clear=BITS]  time-quality=BITS  config-change,from=TIME[,warning=TIME][,sent=no]
  of the stream   silence  disconnect,from=TIME (TCP)  segment=bytes:N|random:N|coalesce:N (TCP)
  of the grid     frequency-step=HZ  frequency-ramp=HZ/S  rocof=HZ/S  phase-step=DEGREES  sag=SHARE

Keys of all: idcode=N or N-N (repeatable); from=, until=, for=: a span since the start or a time of UTC.
Keys of those of frames, of stat and of the grid: share=SHARE or every=N where the kind's value is no share.

The same seed and --start give the same frames and the same faults. See docs/simulate.md.";

/// Send as PMUs do (C37.118 over UDP and TCP)
///
/// Over UDP (--to), CFG-2 is sent at the start and every minute, and DATA at every reporting instant. Over TCP
/// (--listen), clients connect and ask: CMD 2 and 1 turn their DATA on and off. With both, clients ask over TCP and
/// DATA go by UDP to --to. CMD 3 is answered with HDR, 4 to 6 with CFG-1 to CFG-3. Ends with Ctrl-C.
#[derive(Debug, Args)]
#[command(after_long_help = HELP_OF_FAULTS)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of the command line")]
pub(super) struct Arguments {
    /// Where the frames go by UDP: an address or a multicast group
    #[arg(long, value_name = "ADDRESS:PORT", value_parser = values::destination)]
    to: Option<SocketAddr>,
    /// Be a TCP server here, the first stream's address
    #[arg(long, value_name = "ADDRESS:PORT", value_parser = values::listening)]
    listen: Option<SocketAddr>,
    /// With --listen: send DATA by UDP, to this port of the client that turned them on
    #[arg(long, value_name = "N", requires = "listen", conflicts_with = "to", value_parser = clap::value_parser!(u16).range(1..))]
    udp_port: Option<u16>,
    /// Send by UDP from this address of this host, the first stream's (default: the kernel's choice)
    #[arg(long, value_name = "ADDRESS[:PORT]", conflicts_with = "listen")]
    from: Option<From>,
    /// In what the next stream's address differs from the one before: port or address
    #[arg(long, value_name = "port|address", default_value = "port")]
    next: Succession,
    /// DATA begin by themselves: the default over UDP; over TCP with the connection, a configuration first
    #[arg(long, overrides_with = "commanded")]
    spontaneous: bool,
    /// DATA begin with CMD 2: the default over TCP
    #[arg(long, overrides_with = "spontaneous")]
    commanded: bool,
    /// Routers that multicast DATA may pass, and 1
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=255))]
    ttl: u32,
    /// How many PMUs
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=i64::from(MOST_PMUS)))]
    pmus: u16,
    /// How many of them share a stream, as a PDC sends them on: each DATA frame has a block for each
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=i64::from(MOST_PMUS)))]
    per_stream: u16,
    /// The first PMU's IDCODE, and its stream's; the others follow
    #[arg(long, value_name = "N", default_value_t = 101, value_parser = clap::value_parser!(u16).range(1..=65534))]
    first_idcode: u16,
    /// With --per-stream: the first stream's IDCODE; the others follow
    #[arg(long, value_name = "N", default_value_t = Plan::FIRST_STREAM_IDCODE, value_parser = clap::value_parser!(u16).range(1..=65534))]
    first_stream_idcode: u16,
    /// Frames in a second of each stream (10 to 240)
    #[arg(long, value_name = "R", default_value = "50", value_parser = values::rate)]
    rate: ReportingRate,
    /// The grid's nominal frequency (default: the one that the rate belongs to)
    #[arg(long, value_name = "50|60", value_parser = values::nominal)]
    nominal: Option<NominalFrequency>,
    /// How values are written, as float-polar or int-rect for all, or phasors=int-polar,analogs=float,freq=int
    /// (default: each PMU another way, all 16 in turn)
    #[arg(long, value_name = "FORMAT", value_parser = values::format)]
    format: Option<Format>,
    /// Phasors of each PMU
    #[arg(long, value_name = "N", default_value_t = Shape::USUAL.phasors(), value_parser = clap::value_parser!(u16).range(0..=i64::from(MOST_CHANNELS)))]
    phasors: u16,
    /// Analogs of each PMU
    #[arg(long, value_name = "N", default_value_t = Shape::USUAL.analogs(), value_parser = clap::value_parser!(u16).range(0..=i64::from(MOST_CHANNELS)))]
    analogs: u16,
    /// Digital words of each PMU
    #[arg(long, value_name = "N", default_value_t = Shape::USUAL.digitals(), value_parser = clap::value_parser!(u16).range(0..=i64::from(MOST_CHANNELS)))]
    digitals: u16,
    /// TIME_BASE: into how many parts FRACSEC divides the second
    #[arg(long, value_name = "N", default_value = "1000000", value_parser = values::time_base)]
    time_base: TimeBase,
    /// Configurations that are sent without being asked for, as 2 or 1,2,3, or none (default: 2; none where commanded)
    #[arg(long, value_name = "KINDS")]
    announce: Option<Announced>,
    /// How often they are
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = values::whole_seconds)]
    config_every: NonZeroU32,
    /// CFG-3 of more bytes than this is sent in fragments (CONT_IDX)
    #[arg(long, value_name = "BYTES", default_value_t = u16::MAX, value_parser = clap::value_parser!(u16).range(64..))]
    config3_size: u16,
    /// What goes wrong (repeatable), such as loss=0.01,idcode=103 or clock-offset=5s,from=10s,for=2s; all kinds and
    /// keys are below
    #[arg(long = "fault", value_name = "KIND[=VALUE][,KEY=VALUE]...")]
    faults: Vec<Fault>,
    /// Begin at this time of UTC, such as 2026-12-31T23:59:50Z, whatever it is now (default: now)
    #[arg(long, value_name = "TIME", value_parser = values::time)]
    start: Option<i64>,
    /// How long, as 10s, 500ms or 2m (default: until Ctrl-C)
    #[arg(long, value_name = "TIME")]
    duration: Option<config::Duration>,
    /// What the stations, their measurements and the faults come from: the same seed, the same values
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Read options from a TOML file, keys as here; those given here win
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Print at the end one object: what was sent, which faults were injected, and what each receiver must find
    #[arg(long)]
    json: bool,
    /// Print nothing but errors
    #[arg(long)]
    quiet: bool,
}

pub(super) fn run(arguments: &Arguments) -> Outcome {
    let from_file = arguments.config.as_deref().map(file::over).transpose()?;
    let arguments = from_file.as_ref().unwrap_or(arguments);
    let sender = open::sender(arguments)?;
    let stop = stop_on_signals().map_err(|error| format!("cannot watch for Ctrl-C: {error}"))?;
    let beginning = told::beginning(arguments, &sender);
    if arguments.json {
        // Standard output has nothing but the object.
        if !arguments.quiet {
            eprintln!("{beginning}");
        }
    } else if !arguments.quiet {
        told::say(&beginning)?;
    }
    let report = sender.run(&stop);
    if arguments.json {
        told::say(&told::object(arguments, &report))?;
    } else if !arguments.quiet {
        told::say(&told::summary(&report))?;
    }
    told::judge(&report)
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
