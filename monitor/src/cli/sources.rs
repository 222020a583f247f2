//! Options that say where a configuration comes from, shared by `run` and `follow`.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;

use clap::Args;

use crate::config::RunOptions;
use crate::preload::{Asked, ConfigFrame, Request, RequestTarget, RequestVersion, StateDirectory};
use crate::session::Sources;

/// Where a configuration comes from when it does not come over the wire.
#[derive(Clone, Debug, Args)]
pub(super) struct SourceArguments {
    /// Directory in which configurations are kept from one run to the next ($`STATE_DIRECTORY`, /var/lib/pmu-monitor for
    /// root, or $`XDG_STATE_HOME`/pmu-monitor where none is given)
    #[arg(long, value_name = "DIR", conflicts_with = "no_state")]
    state_dir: Option<PathBuf>,
    /// Keep no configurations for the next run, and use none of earlier ones
    #[arg(long)]
    no_state: bool,
    /// A CFG-2 or CFG-3 frame, raw or in hexadecimal, that lays out DATA until one is seen on the wire (repeatable);
    /// with ADDRESS/IDCODE= before it those of that PMU alone
    #[arg(long, value_name = "[ADDRESS/IDCODE=]FILE")]
    config_frame: Vec<ConfigFrame>,
    /// Ask a PMU for its configuration (repeatable): this sends one command, to port 4712 over TCP where none is given
    #[arg(long, value_name = "[udp:]ADDRESS[:PORT][/IDCODE]")]
    request_config: Vec<RequestTarget>,
    /// Which configuration to ask for, 2 (CFG-2) or 3 (CFG-3) (2 where none is given)
    #[arg(long, value_name = "2|3")]
    request_config_version: Option<RequestVersion>,
    /// Allow --request-config over UDP: a PMU that serves one client only may leave its PDC for this host
    #[arg(long)]
    request_config_udp: bool,
    /// IDCODE of the stream for a --request-config that names none, 1 to 65534
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=65_534))]
    idcode: Option<u16>,
}

impl SourceArguments {
    /// These, in options that hold nothing else.
    pub(super) fn into_options(self) -> RunOptions {
        let Self {
            state_dir,
            no_state,
            config_frame,
            request_config,
            request_config_version,
            request_config_udp,
            idcode,
        } = self;
        RunOptions {
            state_dir,
            no_state,
            config_frame,
            request_config,
            request_config_version,
            request_config_udp,
            idcode,
            ..RunOptions::default()
        }
    }
}

/// The requests that were asked for.
///
/// # Errors
/// Wrong usage: a stream that is not named, UDP that was not allowed.
pub(super) fn requests(options: &RunOptions) -> Result<Vec<Request>, String> {
    let asked = Asked {
        idcode: options.idcode,
        udp_allowed: options.request_config_udp,
        version: options.request_config_version.unwrap_or_default(),
    };
    options.request_config.iter().map(|target| Request::new(target, asked)).collect()
}

/// Reads what there is, and says what will be sent. `keeps` is false where what is seen is not worth keeping.
pub(super) fn gather(options: &RunOptions, requests: Vec<Request>, keeps: bool) -> Result<Sources, String> {
    let state = match &options.state_dir {
        _ if options.no_state => None,
        Some(given) => Some(StateDirectory::below(given)),
        None if keeps => StateDirectory::usual(is_root()),
        None => None,
    };
    let files = options.config_frame.iter().map(|file| file.read().map_err(|error| error.to_string()));
    let mut preloads = files.collect::<Result<Vec<_>, _>>()?;
    let mut complaints = Vec::new();
    if let Some(state) = &state {
        let loaded = state.load();
        preloads.extend(loaded.preloads);
        complaints = loaded.complaints;
    }
    for request in &requests {
        eprintln!("pmu-monitor: {}", request.warning());
    }
    Ok(Sources { preloads, complaints, state, requests })
}

fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0)
}
