//! `attach`: programs and maps that stay when this process ends.

use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use monitor_core::pipeline::Ports;

use super::{Outcome, complete, exit, output, run};
use crate::config::{InstanceName, Port, RunOptions, ports};
use crate::netns::Netns;
use crate::probe::{Hook, Interface, Matching, pins};

/// Attach an instance that stays: it counts, and keeps frames for `follow`, with no process of its own
///
/// Attached again, an instance keeps its counters; programs that this version has changed are replaced, each at once,
/// and interfaces are added.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Interface to attach to (repeatable)
    #[arg(long, value_name = "IF", add = complete::interface_names())]
    iface: Vec<String>,
    /// UDP or TCP port to match, or 'any' (repeatable; 4712 and 4713 where none is given for a new instance)
    #[arg(long = "port", value_name = "N|any")]
    ports: Vec<Port>,
    /// Where packets that come in are looked at: tc (the default), or xdp, which is earlier; some drivers reset their
    /// queues when an XDP program is attached, and a VLAN tag that the card strips is not to be seen there
    #[arg(long, value_name = "tc|xdp")]
    hook: Option<Hook>,
    /// Name of the instance of `attach` and `follow` ("default" where none is given)
    #[arg(long, value_name = "NAME", add = complete::instances())]
    instance: Option<InstanceName>,
    /// Attach again to interfaces of the instance that have gone and come back, or were moved to this network namespace
    #[arg(long)]
    reattach: bool,
    /// Read options from a TOML file; those given here win
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

pub(super) fn run(arguments: &Arguments) -> Outcome {
    let given = RunOptions {
        iface: arguments.iface.clone(),
        instance: arguments.instance.clone(),
        port: arguments.ports.clone(),
        hook: arguments.hook,
        reattach: arguments.reattach,
        ..RunOptions::default()
    };
    let options = run::overlay(arguments.config.as_deref(), given)?;
    if options.drops {
        return Ok(run::usage(run::DROPS_ARE_OF_RUN));
    }
    if options.reads {
        return Ok(run::usage(run::READS_ARE_OF_RUN));
    }
    let name = options.instance.clone().unwrap_or_default();
    let name = name.as_str();
    let mut names = options.iface.clone();
    let here = Arc::new(Netns::current().map_err(|error| error.to_string())?);
    let pinned = pins::Pinned::open(name).ok();
    if options.reattach {
        let pinned = pinned.as_ref().ok_or_else(|| pins::not_attached(name).to_string())?;
        let lost = pinned.lost(&here).map_err(|error| error.to_string())?;
        names.extend(lost.into_iter().map(|one| one.name));
    } else if names.is_empty() && pinned.is_none() {
        return Err("attach needs an interface: attach --iface IF (`ip link` lists them)".to_owned());
    }
    let wanted = names.into_iter().map(|name| (Arc::clone(&here), name)).collect::<Vec<_>>();
    let interfaces = Interface::find_all(&wanted).map_err(|error| error.to_string())?;
    let matching = match ports(&options.port) {
        Ports::Any => Matching::AnyPort,
        Ports::Set(ports) => Matching::Ports(ports),
    };
    // An instance that is there keeps its hook unless another is asked for, which is refused.
    let kept = pinned.map(|pinned| pinned.record().hook);
    let hook = options.hook.or(kept).unwrap_or_default();
    let attached = pins::attach(&pins::AttachOptions {
        name: name.to_owned(),
        matching,
        rematch: !options.port.is_empty(),
        sizes: options.bounds.of_kernel()?,
        hook,
        interfaces,
    })
    .map_err(|error| error.to_string())?;
    attached.warnings.iter().for_each(|warning| tracing::warn!("{warning}"));
    output::line(&describe(name, &attached))?;
    Ok(exit::DONE)
}

fn describe(name: &str, attached: &pins::Attached) -> String {
    let state = if attached.renewed {
        format!("instance {name} was attached already; its counters go on")
    } else {
        format!("instance {name} is attached")
    };
    let listed =
        |what: &str, names: &[String]| (!names.is_empty()).then(|| format!("{what}: {}", names.join(", ")));
    let parts = [
        Some(state),
        listed("interfaces", &attached.interfaces),
        listed("programs replaced", &attached.replaced),
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join("; ")
}
