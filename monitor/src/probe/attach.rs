//! Programs onto tracepoints and interfaces, and off again.
//!
//! On an interface a tcx link where the kernel has it (6.6), which goes with this process; before that a filter on a
//! clsact queueing discipline, which is removed by hand.

use aya::{
    Btf, Ebpf,
    programs::{
        BtfTracePoint, Link as _, LinkOrder, Program, ProgramError, SchedClassifier, TcAttachType,
        tc::{
            self, NlOptions, SchedClassifierLink, SchedClassifierLinkId, TcAttachOptions, TcError, TcHandle,
        },
    },
};
use monitor_common::{ADDED_CLSACT, ATTACHED_CLSACT, InstanceInterface};

use super::{Hook, Interface, ProbeError, error::chain, xdp};
use crate::netns::Links;

/// Programs on tracepoints: name, tracepoint, and what is missing without it (none: the run cannot do without).
pub(super) const STAGES: [(&str, &str, Option<&str>); 6] = [
    ("receive", "netif_receive_skb", None),
    ("softirq_exit", "softirq_exit", Some("softirq")),
    ("softirq_entry", "softirq_entry", Some("softirq")),
    ("softirq_raise", "softirq_raise", Some("interrupt")),
    ("irq_exit", "irq_handler_exit", Some("interrupt")),
    ("irq_entry", "irq_handler_entry", Some("interrupt")),
];

const HOOKS: [(&str, TcAttachType); 2] =
    [("ingress", TcAttachType::Ingress), ("egress", TcAttachType::Egress)];

/// The first line of what the verifier prints after a refusal says the reason; this many of its last lines show it.
const VERIFIER_LINES: usize = 6;

/// What attaching to an interface left behind.
pub(super) struct Hooked {
    pub(super) added_clsact: bool,
    pub(super) link: SchedClassifierLinkId,
}

/// Loads and attaches the programs on tracepoints. Gives a sentence for each stage that this kernel does not grant:
/// what cleans up goes before what writes, so that no stage is left half.
pub(super) fn stages(ebpf: &mut Ebpf, btf: &Btf) -> Result<Vec<String>, ProbeError> {
    let mut warnings = Vec::new();
    for (name, tracepoint, optional) in STAGES {
        match (stage(ebpf, btf, name, tracepoint), optional) {
            (Ok(()), _) => {}
            (Err(error), Some(stage)) => {
                warnings.push(format!("{error}; stamps of the {stage} stage will be absent"));
            }
            (Err(error), None) => return Err(error),
        }
    }
    Ok(warnings)
}

fn stage(ebpf: &mut Ebpf, btf: &Btf, name: &str, tracepoint: &str) -> Result<(), ProbeError> {
    let program: &mut BtfTracePoint = program(ebpf, name)?;
    program.load(tracepoint, btf).map_err(|error| refused(name, &error))?;
    program.attach().map_err(|error| attach_error(name, tracepoint, &error))?;
    Ok(())
}

/// The kernel's types as aya reads them.
pub(super) fn kernel_btf() -> Result<Btf, ProbeError> {
    Btf::from_sys_fs()
        .map_err(|error| ProbeError::Btf { path: "/sys/kernel/btf".to_owned(), reason: chain(&error) })
}

/// The programs at tc: what comes in is left to XDP where that is the hook, what leaves is seen here either way.
pub(super) const fn at_tc(hook: Hook) -> &'static [(&'static str, TcAttachType)] {
    match hook {
        Hook::Tc => &HOOKS,
        Hook::Xdp => HOOKS.split_at(1).1,
    }
}

/// Loads the programs that go onto interfaces.
pub(super) fn load_hooks(ebpf: &mut Ebpf, hook: Hook) -> Result<(), ProbeError> {
    for &(name, _) in at_tc(hook) {
        let program: &mut SchedClassifier = program(ebpf, name)?;
        program.load().map_err(|error| refused(name, &error))?;
    }
    if hook == Hook::Xdp { xdp::load(ebpf) } else { Ok(()) }
}

/// Attaches the programs at tc to an interface. Gives whether a clsact queueing discipline was added for it.
pub(super) fn hooks(ebpf: &mut Ebpf, interface: &Interface, hook: Hook) -> Result<bool, ProbeError> {
    let mut added = false;
    for &(name, way) in at_tc(hook) {
        let program: &mut SchedClassifier = program(ebpf, name)?;
        added |= hook_in(program, interface, name, way)?.added_clsact;
    }
    Ok(added)
}

/// Attaches one program, in the interface's own namespace.
pub(super) fn hook_in(
    program: &mut SchedClassifier,
    interface: &Interface,
    name: &str,
    way: TcAttachType,
) -> Result<Hooked, ProbeError> {
    let namespace =
        |error| ProbeError::Namespace { name: interface.name.clone(), source: std::io::Error::other(error) };
    let hooked = interface.netns.run(|| hook(program, &interface.name, way)).map_err(namespace)?;
    hooked.map_err(|error| attach_error(name, &interface.name, &error))
}

fn hook(program: &mut SchedClassifier, interface: &str, way: TcAttachType) -> Result<Hooked, ProgramError> {
    let tcx = TcAttachOptions::TcxOrder(LinkOrder::default());
    match program.attach_with_options(interface, way, tcx) {
        Ok(link) => Ok(Hooked { added_clsact: false, link }),
        Err(error) if lacks_tcx(&error) => {
            let added_clsact = tc::qdisc_add_clsact(interface).is_ok();
            let netlink = TcAttachOptions::Netlink(NlOptions::default());
            let link = program.attach_with_options(interface, way, netlink)?;
            Ok(Hooked { added_clsact, link })
        }
        Err(error) => Err(error),
    }
}

/// Removes filters that a record tells of, and the queueing discipline where it was added for them.
pub(super) fn detach_clsact(interface: &str, record: &InstanceInterface) -> Result<(), String> {
    if record.flags & ATTACHED_CLSACT == 0 {
        return Ok(());
    }
    for (place, (_, way)) in HOOKS.into_iter().enumerate() {
        let (priority, handle) = (record.priorities[place], TcHandle::from(record.handles[place]));
        let link = SchedClassifierLink::attached(interface, way, priority, handle, None);
        link.map_err(|error| error.to_string())?.detach().map_err(|error| chain(&error))?;
    }
    if record.flags & ADDED_CLSACT != 0 {
        let mut links = Links::open().map_err(|error| error.to_string())?;
        links.remove_clsact(interface).map_err(|error| error.to_string())?;
    }
    Ok(())
}

/// Before 6.6 the kernel knows no tcx attach type and answers EINVAL.
fn lacks_tcx(error: &ProgramError) -> bool {
    matches!(error, ProgramError::SyscallError(call) if call.io_error.raw_os_error() == Some(libc::EINVAL))
}

/// Takes all programs off. An interface that is gone has taken its own with it.
pub(super) fn detach(ebpf: &mut Ebpf) -> Result<(), ProbeError> {
    for (name, program) in ebpf.programs_mut() {
        if program.fd().is_err() {
            // Not loaded: the other hook's, or a stage that this kernel refused.
            continue;
        }
        let name = name.to_owned();
        match program {
            Program::BtfTracePoint(program) => {
                program.unload().map_err(|error| attach_error(&name, "its tracepoint", &error))?;
            }
            Program::SchedClassifier(program) => match program.unload() {
                Err(ProgramError::TcError(TcError::NetlinkError(_) | TcError::IoError(_))) | Ok(()) => {}
                Err(error) => return Err(attach_error(&name, "its interfaces", &error)),
            },
            _ => {}
        }
    }
    Ok(())
}

/// Removes the queueing disciplines that [`hooks`] added; one that went with its interface is gone already.
pub(super) fn remove_clsact(interfaces: &[Interface]) {
    for interface in interfaces {
        if let Err(error) = interface.netns.links().and_then(|mut links| links.remove_clsact(&interface.name))
        {
            tracing::debug!("clsact of {}: {error}", interface.name);
        }
    }
}

pub(super) fn program<'a, P>(ebpf: &'a mut Ebpf, name: &str) -> Result<&'a mut P, ProbeError>
where
    &'a mut P: TryFrom<&'a mut Program, Error = ProgramError>,
{
    let missing =
        || ProbeError::Program { program: name.to_owned(), reason: "not in the eBPF object".to_owned() };
    ebpf.program_mut(name).ok_or_else(missing)?.try_into().map_err(|_| missing())
}

pub(super) fn refused(name: &str, error: &ProgramError) -> ProbeError {
    let reason = match error {
        ProgramError::LoadError { io_error, verifier_log } => {
            let log = verifier_log.to_string();
            let lines: Vec<_> = log.lines().filter(|line| !line.trim().is_empty()).collect();
            format!("{io_error}\n{}", lines[lines.len().saturating_sub(VERIFIER_LINES)..].join("\n"))
        }
        other => chain(other),
    };
    ProbeError::Program { program: name.to_owned(), reason }
}

pub(super) fn attach_error(name: &str, target: &str, error: &ProgramError) -> ProbeError {
    ProbeError::Attach { program: name.to_owned(), target: target.to_owned(), reason: chain(error) }
}
