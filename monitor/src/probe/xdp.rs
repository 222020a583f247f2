//! The XDP program onto an interface: through a link, or not at all.

use aya::{
    Ebpf,
    programs::{ProgramError, Xdp, XdpMode, links::FdLink},
};

use super::{
    Interface, ProbeError,
    attach::{program, refused},
    error::chain,
};

/// The program's name in the object.
pub(super) const PROGRAM: &str = "early";

/// The program on an interface.
pub(super) struct Attached {
    pub(super) link: FdLink,
    /// A sentence where the driver has no XDP of its own.
    pub(super) warning: Option<String>,
}

/// Loads the program, once.
pub(super) fn load(ebpf: &mut Ebpf) -> Result<(), ProbeError> {
    let xdp: &mut Xdp = program(ebpf, PROGRAM)?;
    xdp.load().map_err(|error| refused(PROGRAM, &error))
}

/// Attaches it, in the interface's own namespace: in the driver where that has XDP, else in the kernel's generic path.
pub(super) fn attach(ebpf: &mut Ebpf, interface: &Interface) -> Result<Attached, ProbeError> {
    let xdp: &mut Xdp = program(ebpf, PROGRAM)?;
    let namespace =
        |error| ProbeError::Namespace { name: interface.name.clone(), source: std::io::Error::other(error) };
    interface.netns.run(|| in_namespace(xdp, interface)).map_err(namespace)?
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
        Ok(link) => Ok(Attached { link, warning: None }),
    }
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
                "another XDP program is on it (`bpftool net show dev {}` names it); detach that one, or use --hook tc, \
                 which lets others be",
                interface.name
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

/// aya attaches through netlink, and says nothing, where the kernel answers EINVAL to a link. Such an attachment is
/// taken back at once.
fn linked(xdp: &mut Xdp, interface: &Interface, mode: XdpMode) -> Result<FdLink, Refusal> {
    let id = xdp.attach_to_if_index(interface.key.ifindex, mode).map_err(|error| refusal(&error))?;
    let link = xdp.take_link(id).map_err(|error| refusal(&error))?;
    FdLink::try_from(link).map_err(|_| Refusal::Netlink)
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
