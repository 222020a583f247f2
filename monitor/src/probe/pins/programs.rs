//! The programs that go onto interfaces, wherever they come from: just loaded, or pinned with the instance.

use aya::{
    Ebpf,
    programs::{SchedClassifier, Xdp},
};
use aya_obj::programs::XdpAttachType;

use super::{PinError, attach::not_pinnable, directory::Directory};
use crate::probe::{
    Hook, ProbeError,
    attach::{self as hooks, at_tc},
    xdp,
};

/// Programs for interfaces.
pub(super) trait HookPrograms {
    /// A program at tc, by name.
    fn classifier(&mut self, name: &str) -> Result<&mut SchedClassifier, ProbeError>;
    /// The program at XDP.
    fn xdp(&mut self) -> Result<&mut Xdp, ProbeError>;
}

impl HookPrograms for Ebpf {
    fn classifier(&mut self, name: &str) -> Result<&mut SchedClassifier, ProbeError> {
        hooks::program(self, name)
    }

    fn xdp(&mut self) -> Result<&mut Xdp, ProbeError> {
        hooks::program(self, xdp::PROGRAM)
    }
}

/// Those that an instance has pinned: nothing is loaded, and nothing is replaced.
pub(super) struct PinnedPrograms {
    classifiers: Vec<(&'static str, SchedClassifier)>,
    xdp: Option<Xdp>,
}

impl PinnedPrograms {
    pub(super) fn open(directory: &Directory, hook: Hook) -> Result<Self, PinError> {
        let pin = |name: &str| directory.programs().join(name);
        let classifier = |&(name, _): &(&'static str, _)| {
            let program = SchedClassifier::from_pin(pin(name));
            program.map(|program| (name, program)).map_err(|error| not_pinnable(name, &error))
        };
        let xdp = (hook == Hook::Xdp).then(|| Xdp::from_pin(pin(xdp::PROGRAM), XdpAttachType::Interface));
        Ok(Self {
            classifiers: at_tc(hook).iter().map(classifier).collect::<Result<_, _>>()?,
            xdp: xdp.transpose().map_err(|error| not_pinnable(xdp::PROGRAM, &error))?,
        })
    }
}

impl HookPrograms for PinnedPrograms {
    fn classifier(&mut self, name: &str) -> Result<&mut SchedClassifier, ProbeError> {
        let mut all = self.classifiers.iter_mut();
        all.find(|(one, _)| *one == name).map(|(_, program)| program).ok_or_else(|| missing_program(name))
    }

    fn xdp(&mut self) -> Result<&mut Xdp, ProbeError> {
        self.xdp.as_mut().ok_or_else(|| missing_program(xdp::PROGRAM))
    }
}

fn missing_program(name: &str) -> ProbeError {
    ProbeError::Program { program: name.to_owned(), reason: "the instance has not pinned it".to_owned() }
}
