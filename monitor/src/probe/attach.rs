//! Programs onto tracepoints and interfaces, and off again.
//!
//! On an interface a tcx link where the kernel has it (6.6), which goes with this process; before that a filter on a
//! clsact queueing discipline, which is removed by hand.

use std::{io, mem};

use super::{Hook, Interface, ProbeError, error::chain, xdp};
use crate::netns::Links;
use aya::{
    Btf, Ebpf,
    programs::{
        BtfTracePoint, Link as _, LinkOrder, Program, ProgramError, SchedClassifier, TcAttachType,
        tc::{NlOptions, SchedClassifierLink, SchedClassifierLinkId, TcAttachOptions},
    },
};

/// Programs on tracepoints: name, tracepoint, and what is missing without it (none: the run cannot do without).
pub(super) const STAGES: [(&str, &str, Option<&str>); 6] = [
    ("receive", "netif_receive_skb", None),
    ("softirq_exit", "softirq_exit", Some("softirq")),
    ("softirq_entry", "softirq_entry", Some("softirq")),
    ("softirq_raise", "softirq_raise", Some("interrupt")),
    ("irq_exit", "irq_handler_exit", Some("interrupt")),
    ("irq_entry", "irq_handler_entry", Some("interrupt")),
];

/// Programs at tc: name, and which packets they are for.
pub(super) const CLASSIFIERS: [(&str, TcAttachType); 2] =
    [("ingress", TcAttachType::Ingress), ("egress", TcAttachType::Egress)];

/// The first line of what the verifier prints after a refusal says the reason; this many of its last lines show it.
const VERIFIER_LINES: usize = 6;

/// How programs go onto an interface.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Attachment {
    /// By a tcx link, by a filter where this kernel has none.
    #[default]
    Best,
    /// By a filter, as on every kernel before 6.6: how a newer one shows what happens there.
    Filter,
}

/// What attaching to an interface left behind.
struct Hooked {
    added_clsact: bool,
    link: SchedClassifierLinkId,
}

/// What this process has on one interface; dropping it takes it off.
pub(super) struct Held {
    pub(super) interface: Interface,
    links: Vec<SchedClassifierLink>,
    added_clsact: bool,
}

impl Held {
    /// Takes it off. In the interface's own namespace: the kernel knows a filter by the interface's index, which is
    /// another interface's elsewhere.
    ///
    /// # Errors
    /// Where the kernel does not let go; what vanished with its interface is no error.
    pub(super) fn release(&mut self) -> Result<(), ProbeError> {
        let Self { interface, links, added_clsact } = self;
        let (links, added) = (mem::take(links), mem::take(added_clsact));
        if links.is_empty() && !added {
            return Ok(());
        }
        let taken_off = interface.netns.run(|| take_off(interface, links, added));
        taken_off
            .map_err(|error| namespace_error(interface, error))?
            .map_err(|error| attach_error("the programs", &interface.name, &error))
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if let Err(error) = self.release() {
            tracing::debug!("{error}");
        }
    }
}

/// Removes links or filters, and the queueing discipline where it was added for them.
fn take_off(
    interface: &Interface,
    links: Vec<SchedClassifierLink>,
    added_clsact: bool,
) -> Result<(), ProgramError> {
    let all = Links::open().ok().and_then(|mut links| links.interfaces().ok()).unwrap_or_default();
    // By its index: it may have been renamed.
    let name = all.into_iter().find(|one| one.index == interface.key.ifindex).map(|one| one.name);
    let refused: Vec<_> = links.into_iter().filter_map(|link| link.detach().err()).collect();
    let Some(name) = name else { return Ok(()) };
    let index = interface.key.ifindex;
    // Not where somebody has put filters of his own on it meanwhile.
    if added_clsact && let Err(error) = Links::open().and_then(|mut links| links.remove_empty_clsact(index)) {
        tracing::debug!("clsact of {name}: {error}");
    }
    refused.into_iter().next().map_or(Ok(()), Err)
}

pub(super) fn namespace_error(interface: &Interface, error: crate::netns::Error) -> ProbeError {
    ProbeError::Namespace { name: interface.name.clone(), source: io::Error::other(error) }
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
        Hook::Tc => &CLASSIFIERS,
        Hook::Xdp => CLASSIFIERS.split_at(1).1,
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

/// Attaches the programs at tc to an interface.
pub(super) fn hooks(
    ebpf: &mut Ebpf,
    interface: &Interface,
    hook: Hook,
    attachment: Attachment,
) -> Result<Held, ProbeError> {
    let mut held = Held { interface: interface.clone(), links: Vec::new(), added_clsact: false };
    for &(name, way) in at_tc(hook) {
        let program: &mut SchedClassifier = program(ebpf, name)?;
        let hooked = hook_in(program, interface, name, way, attachment)?;
        held.added_clsact |= hooked.added_clsact;
        let link = program.take_link(hooked.link);
        held.links.push(link.map_err(|error| attach_error(name, &interface.name, &error))?);
    }
    Ok(held)
}

/// Attaches one program, in the interface's own namespace.
fn hook_in(
    program: &mut SchedClassifier,
    interface: &Interface,
    name: &str,
    way: TcAttachType,
    attachment: Attachment,
) -> Result<Hooked, ProbeError> {
    if attachment == Attachment::Best
        && let Some(link) = link_in(program, interface, name, way)?
    {
        return Ok(Hooked { added_clsact: false, link });
    }
    let add = || Links::open().and_then(|mut links| links.add_clsact(interface.key.ifindex)).is_ok();
    let added_clsact = interface.netns.run(add).map_err(|error| namespace_error(interface, error))?;
    Ok(Hooked { added_clsact, link: filter_in(program, interface, name, way)? })
}

/// Attaches one program by a tcx link, in the interface's own namespace. None where this kernel has no such links.
pub(super) fn link_in(
    program: &mut SchedClassifier,
    interface: &Interface,
    name: &str,
    way: TcAttachType,
) -> Result<Option<SchedClassifierLinkId>, ProbeError> {
    let tcx = TcAttachOptions::TcxOrder(LinkOrder::default());
    let linked = interface.netns.run(|| program.attach_with_options(&interface.name, way, tcx));
    match linked.map_err(|error| namespace_error(interface, error))? {
        Ok(link) => Ok(Some(link)),
        Err(error) if lacks_tcx(&error) => Ok(None),
        Err(error) => Err(attach_error(name, &interface.name, &error)),
    }
}

/// Attaches one program by a filter on clsact, which must be there, in the interface's own namespace.
pub(super) fn filter_in(
    program: &mut SchedClassifier,
    interface: &Interface,
    name: &str,
    way: TcAttachType,
) -> Result<SchedClassifierLinkId, ProbeError> {
    let netlink = TcAttachOptions::Netlink(NlOptions::default());
    let attached = interface.netns.run(|| program.attach_with_options(&interface.name, way, netlink));
    attached
        .map_err(|error| namespace_error(interface, error))?
        .map_err(|error| attach_error(name, &interface.name, &error))
}

/// Before 6.6 the kernel knows no tcx attach type and answers EINVAL.
fn lacks_tcx(error: &ProgramError) -> bool {
    matches!(error, ProgramError::SyscallError(call) if call.io_error.raw_os_error() == Some(libc::EINVAL))
}

/// Takes the programs off their tracepoints.
pub(super) fn leave_stages(ebpf: &mut Ebpf) -> Result<(), ProbeError> {
    for (name, program) in ebpf.programs_mut() {
        if program.fd().is_err() {
            // Not loaded: the other hook's, or a stage that this kernel refused.
            continue;
        }
        let name = name.to_owned();
        if let Program::BtfTracePoint(program) = program {
            program.unload().map_err(|error| attach_error(&name, "its tracepoint", &error))?;
        }
    }
    Ok(())
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
