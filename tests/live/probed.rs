//! The kernel side in the test's own process: programs on the monitor's end of a pair, and their ring.

use std::sync::Arc;

use monitor::netns::{End, Pair};
use monitor::probe::{Attachment, Hook, Interface, Matching, Options, Probe, Sizes};
use monitor::reader::{Perf, Ring};
use monitor_common::PacketCounters;
use monitor_core::packet::InterfaceId;

use crate::wire::{PORT, TCP_PORT};

pub(crate) struct Probed {
    pub(crate) probe: Probe,
    pub(crate) interface: Interface,
}

pub(crate) fn options() -> Options {
    Options::new(Hook::Tc, Matching::Ports(vec![PORT, TCP_PORT]), Sizes::of_ring(4 << 20))
}

impl Probed {
    pub(crate) fn on(pair: &Pair) -> Self {
        Self::by(Attachment::Best, pair)
    }

    pub(crate) fn by(attachment: Attachment, pair: &Pair) -> Self {
        Self::with(Probe::load(&options()).unwrap(), attachment, pair)
    }

    pub(crate) fn with(mut probe: Probe, attachment: Attachment, pair: &Pair) -> Self {
        let interface = found(&pair.monitor);
        probe.attach_by(attachment, &interface).unwrap();
        Self { probe, interface }
    }

    pub(crate) fn ring(&self) -> Ring {
        let kernel = self.probe.kernel();
        Ring::map(kernel.ring(), kernel.ring_bytes().unwrap(), kernel.reader_page()).unwrap()
    }

    /// The perf buffers, of a probe that was loaded with them.
    pub(crate) fn perf(&self, bytes: usize) -> Perf {
        perf_of(&self.probe, bytes)
    }

    pub(crate) fn counters(&self) -> PacketCounters {
        self.probe.kernel().counters().unwrap()
    }
}

/// The perf buffers of a probe, of so many bytes for each CPU.
pub(crate) fn perf_of(probe: &Probe, bytes: usize) -> Perf {
    let events = probe.perf_events().unwrap().expect("loaded with the perf buffer");
    Perf::open(events, bytes, probe.kernel().reader_page()).unwrap()
}

fn found(end: &End) -> Interface {
    Interface::find(&Arc::clone(&end.shared_netns()), end.name(), InterfaceId(0)).unwrap()
}
