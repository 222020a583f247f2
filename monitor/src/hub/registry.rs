//! Who is who: streams and configurations by the numbers that events carry.
//!
//! Built on the hub's side from what the real-time thread announces, and free to allocate. What it hands out is shared
//! (`Arc`), so that a sink on another thread keeps what an event spoke of after the registry has gone on.

use std::collections::HashMap;
use std::sync::Arc;

use monitor_core::event::{
    Absent, Class, ConfigId, ConfigNews, ConfigSource, Event, EventKind, Outcome, StreamId, StreamKey,
};
use monitor_core::packet::InterfaceId;
use monitor_core::protocol::c37118::{ConfigView, FrameView, Layout, LayoutBounds};
use monitor_core::stream::RuleId;

use super::InterfaceNames;
use crate::config::StreamName;

/// A stream as sinks see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamInfo {
    /// Its number in events.
    pub id: StreamId,
    /// What makes it one.
    pub key: StreamKey,
    /// The key as the contract writes it, `c37118:192.0.2.1>192.0.2.9:udp:60`.
    pub label: Arc<str>,
    /// The name that the configuration file gives it, else its station's, once a configuration told it; for several
    /// PMUs the first one's and how many more.
    pub name: Option<Arc<str>>,
    /// Whether the configuration file gave the name, which then stays.
    pub given: bool,
}

/// Names of one PMU of a configuration, without padding; what is not UTF-8 in them is replaced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PmuNames {
    /// STN.
    pub station: Box<str>,
    /// CHNAM of its phasors.
    pub phasors: Box<[Box<str>]>,
    /// CHNAM of its analogs.
    pub analogs: Box<[Box<str>]>,
}

/// A configuration that lays DATA frames out: the numbers to read them by and the names to show them with.
#[derive(Debug)]
pub struct Config {
    /// Its number in events.
    pub id: ConfigId,
    /// The frame.
    pub bytes: Arc<[u8]>,
    /// What reading DATA takes.
    pub layout: Layout,
    /// Names, in the order of the layout's PMUs.
    pub pmus: Box<[PmuNames]>,
    /// Where it came from.
    pub source: ConfigSource,
}

impl Config {
    /// From a frame that the pipeline has accepted. None where it does not lay out anything.
    fn new(id: ConfigId, source: ConfigSource, bytes: &[u8]) -> Option<Self> {
        let view = ConfigView::new(FrameView::without_check(bytes).ok()?).ok()?;
        let mut layout = Layout::with_capacity(bounds_of(&view));
        layout.fill(&view).ok()?;
        let pmus = view
            .pmus()
            .map(|pmu| PmuNames {
                station: pmu.station().to_string().into(),
                phasors: pmu.phasors().map(|channel| channel.name.to_string().into()).collect(),
                analogs: pmu.analogs().map(|channel| channel.name.to_string().into()).collect(),
            })
            .collect();
        Some(Self { id, bytes: bytes.into(), layout, pmus, source })
    }

    /// What a stream of this configuration is called.
    fn stream_name(&self) -> Option<Arc<str>> {
        let [first, others @ ..] = &*self.pmus else { return None };
        Some(match others.len() {
            0 => Arc::from(&*first.station),
            more => format!("{} +{more}", first.station).into(),
        })
    }
}

/// Exactly as large as the configuration: the bounds of the real-time thread do not matter here.
fn bounds_of(view: &ConfigView<'_>) -> LayoutBounds {
    let bound = |count: usize| u16::try_from(count).unwrap_or(u16::MAX);
    LayoutBounds {
        pmus: view.num_pmu(),
        phasors: bound(view.pmus().map(|pmu| pmu.phasors().len()).sum()),
        analogs: bound(view.pmus().map(|pmu| pmu.analogs().len()).sum()),
    }
}

/// One event with everything that its numbers stand for, borrowed.
#[derive(Clone, Copy, Debug)]
pub struct Item<'a> {
    /// What happened.
    pub event: &'a Event,
    /// The bytes it speaks of.
    pub bytes: &'a [u8],
    /// Its stream.
    pub stream: Option<&'a Arc<StreamInfo>>,
    /// The configuration that lays it out.
    pub config: Option<&'a Arc<Config>>,
    /// The interface's name, when live.
    pub interface: Option<&'a Arc<str>>,
    /// Of an aligned instant: the stream that came first, the one that came last, and those that were absent.
    pub peers: &'a [Option<Arc<StreamInfo>>],
}

/// The same, owned: what crosses to a sink's thread. The bytes are copied once and shared among the sinks.
#[derive(Clone, Debug)]
pub struct OwnedItem {
    event: Event,
    bytes: Arc<[u8]>,
    stream: Option<Arc<StreamInfo>>,
    config: Option<Arc<Config>>,
    interface: Option<Arc<str>>,
    peers: Vec<Option<Arc<StreamInfo>>>,
}

impl OwnedItem {
    /// Borrows it again.
    #[must_use]
    pub fn item(&self) -> Item<'_> {
        let Self { event, bytes, stream, config, interface, peers } = self;
        let (stream, config, interface) = (stream.as_ref(), config.as_ref(), interface.as_ref());
        Item { event, bytes, stream, config, interface, peers }
    }
}

impl From<&Item<'_>> for OwnedItem {
    fn from(item: &Item<'_>) -> Self {
        let Item { event, bytes, stream, config, interface, peers } = *item;
        Self {
            event: *event,
            bytes: bytes.into(),
            stream: stream.cloned(),
            config: config.cloned(),
            interface: interface.cloned(),
            peers: peers.to_vec(),
        }
    }
}

/// All streams, configurations and interfaces of a run.
#[derive(Debug, Default)]
pub struct Registry {
    streams: HashMap<StreamId, Arc<StreamInfo>>,
    /// By slot; the generation in it says which use of the slot it is.
    configs: Vec<Option<Arc<Config>>>,
    interfaces: HashMap<InterfaceId, Arc<str>>,
    /// Where names of interfaces that come later are told.
    told: Option<InterfaceNames>,
    /// Names that the configuration file gives.
    names: Vec<StreamName>,
    /// Those of the last instant; kept, so that one costs no allocation.
    peers: Vec<Option<Arc<StreamInfo>>>,
}

impl Registry {
    /// With the names of the interfaces; none for a capture, which is not live.
    #[must_use]
    pub fn new(interfaces: impl IntoIterator<Item = (InterfaceId, String)>) -> Self {
        let interfaces = interfaces.into_iter().map(|(id, name)| (id, name.into())).collect();
        Self { interfaces, ..Self::default() }
    }

    /// Hears the names of interfaces that come later, too.
    #[must_use]
    pub fn hearing(self, told: InterfaceNames) -> Self {
        Self { told: Some(told), ..self }
    }

    /// Takes in the names that were told.
    pub(super) fn hear(&mut self) {
        if let Some(told) = &self.told {
            self.interfaces.extend(told.take());
        }
    }

    /// With the names that the configuration file gives.
    #[must_use]
    pub fn naming(mut self, names: Vec<StreamName>) -> Self {
        self.names = names;
        self
    }

    /// What is said in the configuration file of streams, in its order.
    #[must_use]
    pub fn names(&self) -> &[StreamName] {
        &self.names
    }

    /// Learns what an event tells and gives it back with what its numbers stand for.
    pub fn resolve<'a>(&'a mut self, event: &'a Event, bytes: &'a [u8]) -> Item<'a> {
        self.learn(event, bytes);
        // A name is told before the first event of its interface can be made.
        if !self.interfaces.contains_key(&event.interface) {
            self.hear();
        }
        self.find_peers(event, bytes);
        Item {
            event,
            bytes,
            stream: event.stream.and_then(|id| self.stream(id)),
            config: event.config.and_then(|id| self.config(id)),
            interface: self.interfaces.get(&event.interface),
            peers: &self.peers,
        }
    }

    fn find_peers(&mut self, event: &Event, bytes: &[u8]) {
        self.peers.clear();
        let EventKind::Instant(instant) = event.kind else { return };
        let of_instant = [Some(instant.first), Some(instant.last)].into_iter();
        let streams = &self.streams;
        let peer = |id: Option<StreamId>| id.and_then(|id| streams.get(&id)).cloned();
        self.peers.extend(of_instant.chain(Absent::new(bytes).streams()).map(peer));
    }

    /// A stream by its number.
    #[must_use]
    pub fn stream(&self, id: StreamId) -> Option<&Arc<StreamInfo>> {
        self.streams.get(&id)
    }

    /// A configuration by its slot, where the slot still holds this generation of it.
    #[must_use]
    pub fn config(&self, id: ConfigId) -> Option<&Arc<Config>> {
        self.configs.get(usize::from(id.slot))?.as_ref().filter(|config| config.id == id)
    }

    fn learn(&mut self, event: &Event, bytes: &[u8]) {
        match event.kind {
            EventKind::StreamOpened(key, rule) => self.open(event.stream, key, rule),
            EventKind::Frame(_, Outcome::Decoded) if event.kind.class() == Class::Config => {
                self.configure(event.config, ConfigSource::Wire, bytes);
            }
            EventKind::Config(ConfigNews::Adopted(source)) => self.configure(event.config, source, bytes),
            _ => {}
        }
        self.name_stream(event);
    }

    /// A stream that is new, or for which another rule holds now: then a name that its station gave it stays, unless
    /// the rule gives one.
    fn open(&mut self, id: Option<StreamId>, key: StreamKey, rule: Option<RuleId>) {
        let Some(id) = id else { return };
        let table = rule.and_then(|RuleId(place)| self.names.get(usize::from(place)));
        let given = table.and_then(|table| table.name.clone());
        let learned = || self.streams.get(&id).filter(|info| !info.given).and_then(|info| info.name.clone());
        let (given, name) = (given.is_some(), given.or_else(learned));
        let info = StreamInfo { id, key, label: key.to_string().into(), given, name };
        self.streams.insert(id, Arc::new(info));
    }

    fn configure(&mut self, id: Option<ConfigId>, source: ConfigSource, bytes: &[u8]) {
        // A repetition changes nothing: the pipeline gives what is new a generation of its own.
        let Some(id) = id.filter(|id| self.config(*id).is_none()) else { return };
        let Some(config) = Config::new(id, source, bytes) else { return };
        let slot = usize::from(id.slot);
        if self.configs.len() <= slot {
            self.configs.resize_with(slot + 1, || None);
        }
        self.configs[slot] = Some(Arc::new(config));
    }

    /// A stream takes its name from the first configuration that lays it out, and a new one where that changes it.
    fn name_stream(&mut self, event: &Event) {
        let (Some(stream), Some(config)) = (event.stream, event.config) else { return };
        let told = event.kind.class() == Class::Config;
        let Some(info) =
            self.streams.get(&stream).filter(|info| !info.given && (told || info.name.is_none()))
        else {
            return;
        };
        let Some(name) = self.config(config).and_then(|config| config.stream_name()) else { return };
        if info.name.as_ref() != Some(&name) {
            let named = StreamInfo { name: Some(name), ..StreamInfo::clone(info) };
            self.streams.insert(stream, Arc::new(named));
        }
    }
}
