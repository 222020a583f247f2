//! The XDP program onto an interface: through a link, or not at all.

use std::os::fd::AsFd;

use aya::{
    Ebpf,
    programs::{ProgramError, Xdp, XdpMode, links::FdLink, loaded_programs},
};

use super::{
    Interface, ProbeError,
    attach::{namespace_error, program, refused},
    error::chain,
};
use crate::{netns::Links, sys::uname::Uname};

/// The program's name in the object.
pub(super) const PROGRAM: &str = "early";

/// The first kernel with `bpf_xdp_load_bytes` and programs that take packets in several buffers.
const FIRST_KERNEL: (u32, u32) = (5, 18);

/// The program on an interface.
pub(super) struct Attached {
    pub(super) link: FdLink,
    /// A sentence where the driver has no XDP of its own, or may have lost packets over it.
    pub(super) warning: Option<String>,
}

/// Loads the program, once.
pub(super) fn load(ebpf: &mut Ebpf) -> Result<(), ProbeError> {
    let xdp: &mut Xdp = program(ebpf, PROGRAM)?;
    xdp.load().map_err(|error| match Uname::read().ok() {
        Some(kernel) if is_too_old(&kernel) => too_old(&kernel),
        _ => refused(PROGRAM, &error),
    })
}

fn is_too_old(kernel: &Uname) -> bool {
    kernel.number().is_some_and(|number| number < FIRST_KERNEL)
}

fn too_old(kernel: &Uname) -> ProbeError {
    let (major, minor) = FIRST_KERNEL;
    let reason = format!(
        "--hook xdp needs Linux {major}.{minor} or later (bpf_xdp_load_bytes, XDP with several buffers), and this is \
         {}; use --hook tc",
        kernel.release
    );
    ProbeError::Program { program: PROGRAM.to_owned(), reason }
}

/// Attaches it, in the interface's own namespace: in the driver where that has XDP, else in the kernel's generic path.
pub(super) fn attach(ebpf: &mut Ebpf, interface: &Interface) -> Result<Attached, ProbeError> {
    attach_program(ebpf, PROGRAM, interface)
}

/// The same with any XDP program of the object.
pub(super) fn attach_program(
    ebpf: &mut Ebpf,
    name: &str,
    interface: &Interface,
) -> Result<Attached, ProbeError> {
    attach_loaded(program(ebpf, name)?, interface)
}

/// The same with a program that is loaded, by whomever.
pub(super) fn attach_loaded(xdp: &mut Xdp, interface: &Interface) -> Result<Attached, ProbeError> {
    let attached = interface.netns.run(|| in_namespace(xdp, interface));
    attached.map_err(|error| namespace_error(interface, error))?
}

fn in_namespace(xdp: &mut Xdp, interface: &Interface) -> Result<Attached, ProbeError> {
    match linked(xdp, interface, XdpMode::Driver) {
        Err(Refusal::NotByDriver) => {
            let link = linked(xdp, interface, XdpMode::Skb).map_err(|refusal| refusal.told(interface))?;
            let warning = format!(
                "{}: its driver has no XDP, so the program runs in the kernel's generic path, later than in a driver \
                 and slower than tc",
                interface.name
            );
            Ok(Attached { link, warning: Some(warning) })
        }
        Err(refusal) => Err(refusal.told(interface)),
        Ok(link) => Ok(Attached { link, warning: may_have_reset(interface) }),
    }
}

/// Of a card's driver one cannot ask whether it resets its queues over this; one that is made by the kernel has none.
fn may_have_reset(interface: &Interface) -> Option<String> {
    let is_card = Links::open().and_then(|mut links| links.interface(&interface.name)).ok()?.kind.is_none();
    is_card.then(|| {
        format!(
            "{}: some drivers reset their queues when an XDP program is attached or detached; packets of that moment \
             may have been lost",
            interface.name
        )
    })
}

/// Why there is no link.
enum Refusal {
    NotByDriver,
    Occupied,
    Netlink,
    Other(String),
}

impl Refusal {
    fn told(self, interface: &Interface) -> ProbeError {
        let reason = match self {
            Self::NotByDriver => {
                "neither its driver nor the kernel's generic path takes an XDP program".to_owned()
            }
            Self::Occupied => format!(
                "another XDP program is on it: {}; detach that one (`ip link set dev {name} xdp off`, or `bpftool link \
                 detach` where a link holds it), or use --hook tc, which lets others be",
                occupant(interface),
                name = interface.name
            ),
            Self::Netlink => {
                "this kernel attaches XDP programs through netlink alone, which leaves them behind when a \
                              process is killed and cannot be pinned; use --hook tc"
                    .to_owned()
            }
            Self::Other(reason) => reason,
        };
        ProbeError::Attach { program: PROGRAM.to_owned(), target: interface.name.clone(), reason }
    }
}

/// "program 77, early": as far as the kernel tells, which gives names to `CAP_SYS_ADMIN` alone.
fn occupant(interface: &Interface) -> String {
    let found = interface.netns.links().and_then(|mut links| links.interface(&interface.name));
    let Some(id) = found.ok().and_then(|found| found.xdp_program) else {
        return format!("`bpftool net show dev {}` tells which", interface.name);
    };
    let named = loaded_programs().filter_map(Result::ok).find(|program| program.id() == id);
    match named.as_ref().and_then(|program| program.name_as_str()) {
        Some(name) if !name.is_empty() => format!("program {id}, {name}"),
        _ => format!("program {id}"),
    }
}

/// aya attaches through netlink, and says nothing, where the kernel answers EINVAL to a link. Such an attachment is
/// taken back at once.
fn linked(xdp: &mut Xdp, interface: &Interface, mode: XdpMode) -> Result<FdLink, Refusal> {
    let id = xdp.attach_to_if_index(interface.key.ifindex, mode).map_err(|error| refusal(&error))?;
    let link = xdp.take_link(id).map_err(|error| refusal(&error))?;
    FdLink::try_from(link).map_err(|_| {
        // What is no descriptor aya has dropped without detaching it.
        match take_off(xdp, &interface.name) {
            Ok(()) => Refusal::Netlink,
            Err(error) => {
                Refusal::Other(format!("attached through netlink, and cannot be taken off: {error}"))
            }
        }
    })
}

fn take_off(xdp: &Xdp, interface: &str) -> Result<(), String> {
    let program = xdp.fd().map_err(|error| error.to_string())?;
    let mut links = Links::open().map_err(|error| error.to_string())?;
    links.remove_xdp(interface, program.as_fd()).map_err(|error| error.to_string())
}

fn refusal(error: &ProgramError) -> Refusal {
    let errno = match error {
        ProgramError::SyscallError(call) => call.io_error.raw_os_error(),
        _ => None,
    };
    match errno {
        Some(libc::EOPNOTSUPP) => Refusal::NotByDriver,
        Some(libc::EBUSY | libc::EEXIST) => Refusal::Occupied,
        _ => Refusal::Other(chain(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kernel_that_is_too_old_is_named() {
        let kernel = |release: &str| Uname {
            release: release.to_owned(),
            version: String::new(),
            machine: "x86_64".to_owned(),
        };
        assert!(is_too_old(&kernel("5.15.0-100-generic")));
        assert!(!is_too_old(&kernel("5.18.0")) && !is_too_old(&kernel("6.1.0-rt")));
        let error = too_old(&kernel("5.15.0-100-generic")).to_string();
        assert!(
            error.contains("5.18") && error.contains("5.15.0-100-generic") && error.contains("--hook tc"),
            "{error}"
        );
    }
}
