//! The programs of an object, attached as in a run to an interface on which nothing happens, and the ring that they
//! fill.

use std::cell::RefCell;
use std::path::PathBuf;

use monitor::netns::{Pair, private_pair};
use monitor::probe::{Hook, Interface, Matching, Options, Probe, Sizes, Subject};
use monitor::reader::Ring;
use monitor_common::{PacketCounters, Taken};
use monitor_core::packet::InterfaceId;

use crate::cases::{Case, PORT};

/// Bytes of the ring: the least, small enough to stay in the processor's own cache, so that what is measured is the
/// programs and not what else runs on the machine.
const RING_BYTES: u32 = 256 << 10;

/// Whose programs, and how loaded.
pub(crate) enum Object {
    /// Those that are built in.
    Own,
    /// Another object's: only what it is compared by is loaded of it.
    Other(PathBuf),
    /// Those that are built in, reading the network card's own stamps, at tc alone.
    Stamped,
    /// Those that are built in, where drops are told of: at tc each packet handed on is remembered.
    WithDrops,
}

/// Loaded and attached.
pub(crate) struct Programs {
    probe: Probe,
    ring: RefCell<Ring>,
    /// Behind the first.
    name: Option<&'static str>,
    subjects: Vec<Subject>,
    _pairs: [Pair; 2],
}

impl Programs {
    pub(crate) fn load(object: &Object) -> Self {
        let (name, other) = match object {
            Object::Own => (None, None),
            Object::Other(path) => (Some("the other object"), Some(path)),
            Object::Stamped => (Some("with --hw-stamps"), None),
            Object::WithDrops => (Some("with --drops"), None),
        };
        let drops = matches!(object, Object::WithDrops);
        let hook = if drops { Hook::Tc } else { Hook::Xdp };
        let (matching, sizes) = (Matching::Ports(vec![4712, PORT]), Sizes::of_ring(RING_BYTES));
        let hardware_stamps = matches!(object, Object::Stamped);
        let options = Options { drops, hardware_stamps, ..Options::new(hook, matching, sizes) };
        let probe = other.map_or_else(|| Probe::load(&options), |path| Probe::load_from(path, &options));
        let mut probe = probe.unwrap_or_else(|error| panic!("{error}"));
        let compared = |subject: &Subject| match object {
            Object::Own => true,
            Object::Other(_) => *subject != Subject::Clock,
            Object::Stamped | Object::WithDrops => *subject == Subject::Ingress,
        };
        let subjects: Vec<_> = Subject::ALL.into_iter().filter(compared).collect();
        // Another is attached where it does nothing. Those that tell of drops are loaded by attaching them to tc.
        let attached = [Subject::Early, Subject::EmptyEarly];
        for subject in subjects.iter().copied().chain(attached).filter(|_| !drops) {
            probe.load_subject(subject).unwrap_or_else(|error| panic!("{error}"));
        }
        let pairs = [pair(), pair()];
        let [watched, other] = [interface(&pairs[0], 0), interface(&pairs[1], 1)];
        probe.attach(&watched).unwrap_or_else(|error| panic!("{error}"));
        if !drops {
            probe.attach_empty_early(&other).unwrap_or_else(|error| panic!("{error}"));
        }
        let kernel = probe.kernel();
        let ring = Ring::map(kernel.ring(), kernel.ring_bytes().unwrap(), kernel.reader_page()).unwrap();
        Self { probe, ring: RefCell::new(ring), name, subjects, _pairs: pairs }
    }

    /// Whether a subject was loaded.
    pub(crate) fn has(&self, subject: Subject) -> bool {
        self.subjects.contains(&subject)
    }

    /// What it is called beside the first.
    pub(crate) fn name(&self) -> &'static str {
        self.name.unwrap_or("these")
    }

    /// Mean of the runs of one call, nanoseconds.
    pub(crate) fn time(&self, subject: Subject, case: &Case) -> f64 {
        let trial =
            self.probe.trial(subject, &case.packet, case.runs()).unwrap_or_else(|error| panic!("{error}"));
        let mut ring = self.ring.borrow_mut();
        ring.drain(usize::MAX, |_| ());
        ring.commit(&Taken::default());
        trial.mean.as_secs_f64() * 1e9
    }

    pub(crate) fn counters(&self) -> PacketCounters {
        self.probe.kernel().counters().unwrap()
    }

    /// Every packet that matches was put into the ring: else the figures would be of another path.
    pub(crate) fn assert_nothing_refused(&self, before: &PacketCounters, cases: &[Case], calls: u32) {
        let after = self.counters();
        assert_eq!(after.ring_full, before.ring_full, "records that were refused");
        assert_eq!(after.read_failed, before.read_failed);
        let matched = cases
            .iter()
            .filter(|case| case.matches && self.has(case.subject))
            .map(|case| u64::from(calls * case.runs()));
        assert_eq!(after.submitted - before.submitted, matched.sum::<u64>(), "packets that matched");
    }
}

fn pair() -> Pair {
    private_pair("stations0", "eth1").unwrap_or_else(|error| panic!("{error}"))
}

fn interface(pair: &Pair, id: u16) -> Interface {
    let netns = pair.monitor.shared_netns();
    Interface::find(&netns, "eth1", InterfaceId(id)).unwrap_or_else(|error| panic!("{error}"))
}
