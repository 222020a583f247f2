//! Where it is measured: a private veth pair, the sender's CPU and the reader's.

use std::sync::Arc;

use monitor::netns::{Netns, Pair, private_pair};
use monitor::sys::packet::FrameSender;
use monitor::sys::sched;

/// Both ends, and who works where.
pub(crate) struct Scene {
    pair: Pair,
    cpus: Cpus,
}

/// The veth's receiving side runs in the sender's softirq: on the sender's CPU, as a network card's would on a CPU that the
/// reader keeps off.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cpus {
    pub(crate) sender: usize,
    pub(crate) reader: usize,
}

impl Scene {
    pub(crate) fn new() -> Self {
        let online = sched::affinity().unwrap();
        let (mut first, mut last) = (online.iter(), online.iter());
        let cpus = Cpus { sender: first.next().unwrap(), reader: last.by_ref().last().unwrap() };
        assert_ne!(cpus.sender, cpus.reader, "this bench takes two CPUs: one to send on, one to read on");
        let pair = private_pair("stations0", "eth1").unwrap_or_else(|error| panic!("{error}"));
        Self { pair, cpus }
    }

    pub(crate) const fn cpus(&self) -> Cpus {
        self.cpus
    }

    pub(crate) fn sender(&mut self) -> FrameSender {
        let index = self.pair.stations.interface().unwrap_or_else(|error| panic!("{error}")).index;
        self.pair.stations.run(|| FrameSender::open(index)).unwrap().unwrap()
    }

    /// The namespace and the name of the end to receive on.
    pub(crate) fn monitored(&self) -> (Arc<Netns>, &str) {
        (self.pair.monitor.shared_netns(), self.pair.monitor.name())
    }

    /// Opens something on the end to receive on, by the interface's index.
    pub(crate) fn open<T: Send>(&mut self, open: impl FnOnce(u32) -> std::io::Result<T> + Send) -> T {
        let index = self.pair.monitor.interface().unwrap_or_else(|error| panic!("{error}")).index;
        self.pair.monitor.run(|| open(index)).unwrap().unwrap()
    }
}
