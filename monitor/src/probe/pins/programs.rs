//! The programs that an instance has pinned for interfaces: what goes onto one is one of these, whoever attaches it and
//! when, so that a pin counts the runs on all of them, and a filter is known by the number of its program.

use aya::programs::{SchedClassifier, Xdp};
use aya_obj::programs::XdpAttachType;

use super::{PinError, attach::not_pinnable, directory::Directory};
use crate::probe::{Hook, ProbeError, attach::at_tc, xdp};

/// Those for interfaces, opened.
pub(super) struct Programs {
    classifiers: Vec<(&'static str, SchedClassifier)>,
    xdp: Option<Xdp>,
}

impl Programs {
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

    /// A program at tc, by name.
    pub(super) fn classifier(&mut self, name: &str) -> Result<&mut SchedClassifier, ProbeError> {
        let mut all = self.classifiers.iter_mut();
        all.find(|(one, _)| *one == name).map(|(_, program)| program).ok_or_else(|| missing(name))
    }

    /// The program at XDP.
    pub(super) fn xdp(&mut self) -> Result<&mut Xdp, ProbeError> {
        self.xdp.as_mut().ok_or_else(|| missing(xdp::PROGRAM))
    }
}

fn missing(name: &str) -> ProbeError {
    ProbeError::Program { program: name.to_owned(), reason: "the instance has not pinned it".to_owned() }
}
