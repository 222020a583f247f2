//! `attach`: programs and maps that stay when this process ends.

use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use monitor_core::pipeline::Ports;

use super::{Outcome, complete, exit, output, run};
use crate::config::{InstanceName, Port, RunOptions, ports};
use crate::hwstamps::{Holder, Owner};
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
    /// Ask the network card to stamp every packet that comes in, and say how long each took from there; what the card was asked
    /// before is put back at detach. At tc alone
    #[arg(long)]
    hw_stamps: bool,
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
        hw_stamps: arguments.hw_stamps,
        reattach: arguments.reattach,
        ..RunOptions::default()
    };
    let options = run::overlay(arguments.config.as_deref(), given)?;
    if let Some(wrong) = run::of_run_alone(&options) {
        return Ok(run::usage(wrong));
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
    let hardware_stamps = match run::hardware_stamps(&options, hook) {
        Ok(hardware_stamps) => hardware_stamps,
        Err(wrong) => return Ok(run::usage(&wrong)),
    };
    run::put_back_stamps();
    let attached = pins::attach(&pins::AttachOptions {
        name: name.to_owned(),
        matching,
        rematch: !options.port.is_empty(),
        sizes: options.bounds.of_kernel()?,
        hook,
        hardware_stamps,
        interfaces,
    })
    .map_err(|error| error.to_string())?;
    ask_cards(name, &attached.stamped, &here);
    attached.warnings.iter().for_each(|warning| tracing::warn!("{warning}"));
    output::line(&describe(name, &attached))?;
    Ok(exit::DONE)
}

/// Asks the network cards of an instance for their stamps: those of interfaces that are there.
fn ask_cards(name: &str, stamped: &[pins::InterfaceRecord], here: &Arc<Netns>) {
    let (holder, owner) = (Holder::of_host(), Owner::instance(name));
    for interface in stamped.iter().filter(|one| one.key.netns == here.inode()) {
        if let Err(none) = holder.ask(&interface.interface(here), &owner) {
            tracing::warn!("{none}");
        }
    }
    // Detached by another meanwhile, the instance left nobody to put back what was asked after that.
    run::put_back_stamps();
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
