//! Packets handed to the programs by hand (`BPF_PROG_TEST_RUN`, the kernel's `bpf_prog_run.rst`): what becomes of
//! each, and how long it takes. Tests and benches use it; nothing is attached and nothing is sent.

use std::time::Duration;

use aya::{
    Ebpf,
    programs::{Program, ProgramError, SchedClassifier, TestRun as _, TestRunOptions, Xdp},
};

use super::{Interface, Probe, ProbeError, error::chain, xdp};

/// Bytes of `struct __sk_buff` (`include/uapi/linux/bpf.h`) up to the end of `hwtstamp`, its last member.
const SKB_BYTES: usize = 192;
/// Where that begins.
const HWTSTAMP: usize = 184;

/// A program that takes packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    /// tc ingress.
    Ingress,
    /// tc egress.
    Egress,
    /// XDP.
    Early,
    /// A program at tc that does nothing.
    EmptyIngress,
    /// A program at XDP that does nothing.
    EmptyEarly,
    /// A program at tc that reads the clock, once.
    Clock,
}

impl Subject {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Ingress, Self::Egress, Self::Early, Self::EmptyIngress, Self::EmptyEarly, Self::Clock];

    /// Its name in the object.
    #[must_use]
    pub const fn program(self) -> &'static str {
        match self {
            Self::Ingress => "ingress",
            Self::Egress => "egress",
            Self::Early => "early",
            Self::EmptyIngress => "empty_ingress",
            Self::EmptyEarly => "empty_early",
            Self::Clock => "clock_ingress",
        }
    }
}

/// What came of handing a packet over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trial {
    /// What the program returned: `TC_ACT_UNSPEC` (as `u32`) or `XDP_PASS` from all of these.
    pub returned: u32,
    /// Mean time of one run, whole nanoseconds.
    pub mean: Duration,
}

impl Probe {
    /// Loads the programs that are not needed for monitoring with this probe's hook, so that all of [`Subject`] can be
    /// tried.
    ///
    /// # Errors
    /// Where the kernel refuses one.
    pub fn load_all_subjects(&mut self) -> Result<(), ProbeError> {
        Subject::ALL.into_iter().try_for_each(|subject| self.load_subject(subject))
    }

    /// Loads one of them.
    ///
    /// # Errors
    /// Where the kernel refuses it, or the object has none of that name.
    pub fn load_subject(&mut self, subject: Subject) -> Result<(), ProbeError> {
        load(self.ebpf_mut(), subject.program())
    }

    /// Attaches the XDP program that does nothing to an interface, as another's would be. Test runs of an XDP program
    /// that is attached nowhere have the kernel rewrite its own code and wait for all CPUs, each time
    /// (`kernel/bpf/dispatcher.c`): what is then measured runs on cold caches.
    ///
    /// # Errors
    /// Where the program has not been loaded, or the kernel refuses.
    pub fn attach_empty_early(&mut self, interface: &Interface) -> Result<(), ProbeError> {
        let attached = xdp::attach_program(self.ebpf_mut(), Subject::EmptyEarly.program(), interface)?;
        self.keep_link(interface.id, attached.link);
        Ok(())
    }

    /// Hands `packet`, from its Ethernet header on, to a program `repeat` times, on this CPU, as if it came in on the
    /// loopback interface of this thread's network namespace.
    ///
    /// # Errors
    /// Where the program has not been loaded, or the kernel does not take the packet (it wants 14 bytes at least).
    pub fn trial(&self, subject: Subject, packet: &[u8], repeat: u32) -> Result<Trial, ProbeError> {
        self.try_with(subject, packet, TestRunOptions { repeat, ..TestRunOptions::new() })
    }

    /// The same with a packet that the network card has stamped, on its own clock, at tc.
    ///
    /// # Errors
    /// As [`Probe::trial`]; for a program at XDP.
    pub fn trial_stamped(
        &self,
        subject: Subject,
        packet: &[u8],
        hardware_ns: u64,
        repeat: u32,
    ) -> Result<Trial, ProbeError> {
        let mut context = [0; SKB_BYTES];
        context[HWTSTAMP..].copy_from_slice(&hardware_ns.to_ne_bytes());
        self.try_with(
            subject,
            packet,
            TestRunOptions { ctx_in: Some(&context), repeat, ..TestRunOptions::new() },
        )
    }

    fn try_with<'a>(
        &self,
        subject: Subject,
        packet: &'a [u8],
        options: TestRunOptions<'a>,
    ) -> Result<Trial, ProbeError> {
        let name = subject.program();
        let options = TestRunOptions { data_in: Some(packet), ..options };
        let tried = match self.ebpf().program(name) {
            Some(Program::SchedClassifier(program)) => program.test_run(options),
            Some(Program::Xdp(program)) => program.test_run(options),
            _ => return Err(absent(name)),
        };
        let result = tried.map_err(|error| ProbeError::Program {
            program: name.to_owned(),
            reason: format!("a packet of {} bytes handed to it: {}", packet.len(), chain(&error)),
        })?;
        Ok(Trial { returned: result.return_value, mean: result.duration })
    }
}

fn load(ebpf: &mut Ebpf, name: &str) -> Result<(), ProbeError> {
    let loaded = match ebpf.program_mut(name) {
        Some(Program::SchedClassifier(program)) => SchedClassifier::load(program),
        Some(Program::Xdp(program)) => Xdp::load(program),
        _ => return Err(absent(name)),
    };
    match loaded {
        Ok(()) | Err(ProgramError::AlreadyLoaded) => Ok(()),
        Err(error) => Err(super::attach::refused(name, &error)),
    }
}

fn absent(name: &str) -> ProbeError {
    ProbeError::Program { program: name.to_owned(), reason: "not in the eBPF object".to_owned() }
}
