//! The hub from the queue to the lines: names, windows, and sinks that block, fail or go away.

use std::io::{self, ErrorKind, Write};
use std::net::{IpAddr, Ipv4Addr};
use std::num::NonZeroU32;
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use monitor_core::event::{
    Addresses, BytesAt, Class, Classes, ConfigId, Endpoint, Event, EventKind, FrameEvent, InvalidReason,
    Outcome, Outlet, Protocol, QueueCounts, Stages, StreamCounts, StreamId, StreamKey, StreamTiming,
    Transport, UndecodedReason,
};
use monitor_core::packet::{InterfaceId, Stamps};
use monitor_core::protocol::c37118::encode::{
    self, ConfigKind, PmuSample, Preamble, StationConfig, StreamConfig,
};
use monitor_core::protocol::c37118::{
    Command, ConfigView, Coordinates, DataRate, Format, FrameView, IdCode, Layout, LayoutBounds,
    NominalFrequency, PhasorChannel, PhasorFormat, PhasorScaling, PhasorUnit, Stat, Text, TimeBase,
    TimeQuality, TimeTag, Version,
};
use monitor_core::time::{Mono, Nanos};
use serde_json::{Value, json};

use super::queue::{LaneBounds, QueueBounds, channel};
use super::*;
use crate::sink::{Json, Lines, Sink};

/// 2024-01-01 00:00:00 UTC.
const SOC: u32 = 1_704_067_200;
const ARRIVAL: Nanos = Nanos(1_704_067_200_523_000_000);

fn preamble() -> Preamble {
    let time = TimeTag::new(SOC, 500_000, TimeQuality::from_bits(0x20)).unwrap();
    Preamble { version: Version::V2011, idcode: IdCode(60), time }
}

fn written(write: impl FnOnce(&mut [u8]) -> usize) -> Vec<u8> {
    let mut buffer = vec![0; 4_096];
    let length = write(&mut buffer);
    buffer.truncate(length);
    buffer
}

fn config_frame() -> Vec<u8> {
    let phasors = [
        PhasorChannel {
            name: Text::from("VA"),
            unit: PhasorUnit::Volt,
            scaling: PhasorScaling::Unit { factor: 1 },
        },
        PhasorChannel {
            name: Text::from("I \"1\""),
            unit: PhasorUnit::Ampere,
            scaling: PhasorScaling::Unit { factor: 1 },
        },
    ];
    let station = StationConfig {
        station: Text::from("ALPHA"),
        idcode: IdCode(61),
        format: Format::new(PhasorFormat::FloatPolar, true, true),
        phasors: &phasors,
        analogs: &[],
        digitals: &[],
        nominal: NominalFrequency::Hz50,
        config_count: 7,
    };
    let stream = StreamConfig {
        time_base: TimeBase::MICROSECONDS,
        stations: &[station],
        data_rate: DataRate::from_word(50).unwrap(),
    };
    written(|buffer| encode::config(buffer, &preamble(), ConfigKind::Config2, &stream).unwrap())
}

fn layout() -> Layout {
    let bytes = config_frame();
    let view = ConfigView::new(FrameView::new(&bytes).unwrap()).unwrap();
    let mut layout = Layout::with_capacity(LayoutBounds { pmus: 1, phasors: 2, analogs: 0 });
    layout.fill(&view).unwrap();
    layout
}

fn data_frame() -> Vec<u8> {
    let phasors = [Some(Coordinates::Polar { magnitude: 100.5, angle_rad: -0.25 }), None];
    let sample = PmuSample {
        stat: Stat::from_word(0x21F0),
        phasors: &phasors,
        frequency_hz: Some(49.875),
        rocof_hz_per_s: None,
        analogs: &[],
        digitals: &[],
    };
    written(|buffer| encode::data(buffer, &preamble(), &layout(), &[sample]).unwrap())
}

fn endpoint(last: u8, port: u16) -> Endpoint {
    Endpoint::new(IpAddr::V4(Ipv4Addr::new(192, 0, 2, last)), port)
}

fn key() -> StreamKey {
    let (source, destination) = (endpoint(1, 0).address, endpoint(9, 0).address);
    StreamKey { source, destination, transport: Transport::Udp, idcode: 60 }
}

const CONFIG: ConfigId = ConfigId { slot: 3, generation: 1 };

fn event(kind: EventKind) -> Event {
    Event {
        arrival: ARRIVAL,
        first_arrival: ARRIVAL,
        bytes: BytesAt::default(),
        stages: Stages::NONE,
        stream: NonZeroU32::new(1).map(StreamId),
        config: None,
        interface: InterfaceId(0),
        kind,
    }
}

fn frame(frame_type: u8, outcome: Outcome) -> EventKind {
    let frame = FrameEvent {
        protocol: Protocol::C37118,
        frame_type: Some(frame_type),
        idcode: Some(60),
        addresses: Addresses::Ip { source: endpoint(1, 4712), destination: endpoint(9, 4713) },
        transport: Transport::Udp,
    };
    EventKind::Frame(frame, outcome)
}

fn data(config: Option<ConfigId>, outcome: Outcome) -> Event {
    Event { config, ..event(frame(0, outcome)) }
}

/// An output that a test can look into.
#[derive(Clone, Default)]
struct Shared(Arc<Mutex<Vec<u8>>>);

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Shared {
    fn lines(&self) -> Vec<Value> {
        let bytes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        bytes
            .split(|&byte| byte == b'\n')
            .filter(|line| !line.is_empty())
            .map(|line| serde_json::from_slice(line).unwrap())
            .collect()
    }
}

const ALL_LINES: Lines = Lines { frames: true, instants: true, overruns: true, windows: true, summary: true };

fn direct() -> (Direct<Json<Shared>>, Shared) {
    let out = Shared::default();
    (Direct::new(Json::new(out.clone(), ALL_LINES)), out)
}

fn announce(outlet: &mut impl Outlet) {
    assert!(outlet.announce(&event(EventKind::StreamOpened(key(), None)), &[]));
    let config = Event { config: Some(CONFIG), ..event(frame(3, Outcome::Decoded)) };
    assert!(outlet.announce(&config, &config_frame()));
}

fn common(kind: &str) -> Value {
    json!({
        "kind": kind, "arrival_ns": ARRIVAL.0, "transport": "udp", "src": "192.0.2.1:4712", "dst": "192.0.2.9:4713",
        "idcode": 60,
    })
}

fn with(mut value: Value, more: &Value) -> Value {
    let (object, more) = (value.as_object_mut().unwrap(), more.as_object().unwrap());
    object.extend(more.iter().map(|(key, value)| (key.clone(), value.clone())));
    value
}

#[test]
fn data_and_configuration_lines_are_the_contracts() {
    let (mut direct, out) = direct();
    announce(&mut direct);
    assert!(direct.offer(&data(Some(CONFIG), Outcome::Decoded), &data_frame()));
    let config = with(
        common("c37118.config"),
        &json!({
            "version": 2, "time_base": 1_000_000, "data_rate": 50,
            "pmus": [{
                "idcode": 61, "station": "ALPHA", "nominal_hz": 50, "config_count": 7,
                "format": {"word": 15, "phasors": "float32_polar", "frequency": "float32", "analogs": "float32"},
                "phasors": [{"name": "VA", "unit": "V", "scale": 1e-5}, {"name": "I \"1\"", "unit": "A", "scale": 1e-5}],
                "analogs": [], "digitals": [],
            }],
        }),
    );
    let data = with(
        common("c37118.data"),
        &json!({
            "soc": SOC, "fraction": 500_000, "time_base": 1_000_000, "time_ns": 1_704_067_200_500_000_000_i64,
            "time_quality": 0x20, "lateness_ns": 23_000_000, "config_source": "wire",
            "pmus": [{
                "idcode": 61, "station": "ALPHA", "stat": 0x21F0, "frequency_hz": 49.875, "rocof_hz_per_s": null,
                "phasors": [
                    {"name": "VA", "unit": "V", "magnitude": 100.5, "angle_rad": -0.25},
                    {"name": "I \"1\"", "unit": "A", "magnitude": null, "angle_rad": null},
                ],
                "analogs": [], "digitals": [],
            }],
        }),
    );
    assert_eq!(out.lines(), [config, data]);
}

#[test]
fn data_that_cannot_be_laid_out_say_why() {
    let (mut direct, out) = direct();
    let missing = Outcome::Undecoded(UndecodedReason::NoConfiguration);
    assert!(direct.offer(&data(None, missing), &data_frame()));
    // Decoded by the real-time thread, but its configuration never came here.
    assert!(direct.offer(&data(Some(CONFIG), Outcome::Decoded), &data_frame()));
    announce(&mut direct);
    let later = ConfigId { generation: 2, ..CONFIG };
    assert!(direct.offer(&data(Some(later), Outcome::Decoded), &data_frame()));
    let reasons: Vec<_> = out.lines().iter().filter_map(|line| line.get("reason").cloned()).collect();
    assert_eq!(reasons, ["no_configuration", "configuration_lost", "configuration_lost"]);
    let line = &out.lines()[0];
    assert_eq!((&line["pmus"], &line["time_ns"], &line["soc"]), (&Value::Null, &Value::Null, &json!(SOC)));
}

#[test]
fn commands_headers_and_broken_frames() {
    let (mut direct, out) = direct();
    let command = written(|buffer| encode::command(buffer, &preamble(), Command::SendConfig2, &[]).unwrap());
    let header = written(|buffer| encode::header(buffer, &preamble(), Text::from("Site A")).unwrap());
    assert!(direct.offer(&event(frame(4, Outcome::Decoded)), &command));
    assert!(direct.offer(&event(frame(1, Outcome::Decoded)), &header));
    assert!(direct.offer(&event(frame(0, Outcome::Invalid(InvalidReason::Crc))), &data_frame()));
    assert_eq!(
        out.lines(),
        [
            with(common("c37118.command"), &json!({"command": 5, "name": "send_cfg2"})),
            with(common("c37118.header"), &json!({"text": "Site A"})),
            with(common("c37118.invalid"), &json!({"error": "crc"})),
        ]
    );
}

#[test]
fn a_failed_output_refuses_what_follows_and_says_so() {
    struct Full;
    impl Write for Full {
        fn write(&mut self, _bytes: &[u8]) -> io::Result<usize> {
            Err(ErrorKind::StorageFull.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let mut direct = Direct::new(Json::new(Full, ALL_LINES));
    let missing = Outcome::Undecoded(UndecodedReason::NoConfiguration);
    assert!(!direct.offer(&data(None, missing), &data_frame()) && direct.has_failed());
    assert!(!direct.offer(&data(None, missing), &data_frame()));
    assert_eq!(direct.into_sink().err().map(|error| error.kind()), Some(ErrorKind::StorageFull));
}

fn quiet() -> OnEnd {
    Arc::new(|ended| panic!("{ended:?}"))
}

#[test]
fn live_lines_carry_interface_stages_window_and_summary() {
    let out = Shared::default();
    let fanout = Fanout::start(vec![Box::new(Json::new(out.clone(), ALL_LINES))], &quiet()).unwrap();
    let (mut sender, receiver) = channel(&QueueBounds::default(), fanout.wants()).unwrap();
    let registry = Registry::new([(InterfaceId(0), "eth1".to_owned())]);
    let windows = Arc::new(Mutex::new(0));
    let seen = Arc::clone(&windows);
    let hub = Hub::new(receiver, registry, fanout);
    let hub = thread::spawn(move || hub.run(|| Nanos(42), |_| *seen.lock().unwrap() += 1).unwrap());
    announce(&mut sender);
    let stamps = Stamps {
        receive: Mono::new(1_000),
        ring: Mono::new(1_300),
        reader: Mono::new(1_500),
        ..Stamps::default()
    };
    let live =
        Event { stages: Stages::new(&stamps, Mono::new(1_900)), ..data(Some(CONFIG), Outcome::Decoded) };
    assert!(sender.offer(&live, &data_frame()));
    let counts = StreamCounts { frames: 12, missing: 3, ..StreamCounts::default() };
    let timing = StreamTiming {
        rate_hz: 50.0,
        frequency_hz: Some(49.875),
        latency_ns: Some([1, 2, 3]),
        ..StreamTiming::default()
    };
    assert!(sender.offer(&event(EventKind::StreamCounts(counts, 3)), &[]));
    assert!(sender.offer(&event(EventKind::StreamTiming(timing)), &[]));
    sender.flush();
    while *windows.lock().unwrap() == 0 {
        thread::yield_now();
    }
    drop(sender);
    let (_, fanout, _) = hub.join().unwrap();
    assert!(fanout.counts().all(|(name, counts)| name == "json" && counts.unaccounted() == 0));
    let reports = fanout.finish(Summary { duration_ns: Some(7), ..Summary::default() });
    assert!(reports.iter().all(|report| report.finished));
    let lines = out.lines();
    let [config, data, window, .., summary] = &lines[..] else { panic!("{lines:?}") };
    assert_eq!((&config["kind"], &config["iface"]), (&json!("c37118.config"), &json!("eth1")));
    assert_eq!(
        data["stages_ns"],
        json!({
            "receive_to_ring": 300, "ring_to_reader": 200, "reader_to_decoded": 400, "receive_to_decoded": 900,
        })
    );
    assert_eq!((&window["kind"], &window["time_ns"]), (&json!("window"), &json!(42)));
    let row = &window["streams"][0];
    assert_eq!(row["id"], "c37118:192.0.2.1>192.0.2.9:udp:60");
    assert_eq!((&row["name"], &row["frames"], &row["missing"]), (&json!("ALPHA"), &json!(12), &json!(3)));
    assert_eq!((&row["rate_hz"], &row["latency_ns"]["p99"]), (&json!(50.0), &json!(2)));
    assert_eq!((&summary["kind"], &summary["duration_ns"]), (&json!("summary"), &json!(7)));
}

/// A sink that takes an event only when it is told to, and fails when it is told so.
struct Gate {
    name: &'static str,
    permits: Receiver<io::Result<()>>,
    taken: Sender<&'static str>,
}

impl Sink for Gate {
    fn name(&self) -> &'static str {
        self.name
    }

    fn wants(&self) -> Classes {
        Classes::NONE.with(Class::Frame)
    }

    fn take(&mut self, _item: &Item<'_>) -> io::Result<()> {
        // The permits' other end is gone only where the test is over.
        self.permits.recv().unwrap_or(Ok(()))?;
        self.taken.send(self.name).map_err(io::Error::other)
    }

    fn finish(&mut self, _summary: &Summary) -> io::Result<()> {
        self.taken.send("finished").map_err(io::Error::other)
    }
}

fn offer(fanout: &mut Fanout, registry: &mut Registry, times: usize) {
    let event = data(None, Outcome::Undecoded(UndecodedReason::NoConfiguration));
    for _ in 0..times {
        let bytes = data_frame();
        fanout.offer(&registry.resolve(&event, &bytes));
    }
}

fn counts_of(fanout: &Fanout, sink: &str) -> QueueCounts {
    fanout.counts().find(|(name, _)| *name == sink).unwrap().1
}

#[test]
fn a_sink_that_blocks_loses_its_own_events_alone() {
    const OFFERED: usize = 20;
    const CAPACITY: usize = 4;
    let (taken, seen) = mpsc::channel();
    let (_held, permits) = mpsc::channel();
    let blocked = Gate { name: "blocked", permits, taken: taken.clone() };
    let (open, permits) = mpsc::channel();
    let free = Gate { name: "free", permits, taken };
    let mut fanout =
        Fanout::with_capacity(vec![Box::new(blocked), Box::new(free)], &quiet(), CAPACITY).unwrap();
    let mut registry = Registry::default();
    for _ in 0..OFFERED {
        open.send(Ok(())).unwrap();
        offer(&mut fanout, &mut registry, 1);
        assert_eq!(seen.recv().unwrap(), "free");
    }
    let frame = Class::Frame as usize;
    let (blocked, free) = (counts_of(&fanout, "blocked"), counts_of(&fanout, "free"));
    assert_eq!((free.offered[frame], free.dropped[frame]), (OFFERED as u64, 0));
    assert_eq!(blocked.offered[frame], OFFERED as u64);
    // What its channel holds, and the one that it may hold in its hands.
    assert!((CAPACITY as u64..=CAPACITY as u64 + 1).contains(&blocked.taken[frame]), "{blocked:?}");
    assert_eq!(blocked.unaccounted(), 0);
    drop(open);
    // The blocked one is left behind; the other still gets its summary.
    let reports = fanout.finish(Summary::default());
    assert_eq!(
        reports.iter().map(|report| (report.name, report.finished)).collect::<Vec<_>>(),
        [("blocked", false), ("free", true)]
    );
    assert_eq!(seen.recv().unwrap(), "finished");
}

#[test]
fn a_sink_that_fails_ends_alone_and_says_so() {
    let (taken, seen) = mpsc::channel();
    let (told, ends) = mpsc::channel();
    let on_end: OnEnd =
        Arc::new(move |ended: Ended| told.send((ended.sink, is_closed(&ended.error))).unwrap());
    let (break_it, permits) = mpsc::channel();
    let failing = Gate { name: "failing", permits, taken: taken.clone() };
    let (open, permits) = mpsc::channel();
    let free = Gate { name: "free", permits, taken };
    let mut fanout = Fanout::with_capacity(vec![Box::new(failing), Box::new(free)], &on_end, 8).unwrap();
    let mut registry = Registry::default();
    break_it.send(Err(ErrorKind::BrokenPipe.into())).unwrap();
    offer(&mut fanout, &mut registry, 1);
    assert_eq!(ends.recv().unwrap(), ("failing", true));
    offer(&mut fanout, &mut registry, 2);
    for _ in 0..3 {
        open.send(Ok(())).unwrap();
        assert_eq!(seen.recv().unwrap(), "free");
    }
    let failing = counts_of(&fanout, "failing");
    let frame = Class::Frame as usize;
    assert_eq!((failing.taken[frame], failing.dropped[frame], failing.unaccounted()), (1, 2, 0));
    assert!(fanout.finish(Summary::default()).iter().all(|report| report.finished));
    assert_eq!(seen.recv().unwrap(), "finished");
}

#[test]
fn a_sink_takes_what_waits_for_it_before_the_summary() {
    let out = Shared::default();
    let fanout = Fanout::start(vec![Box::new(Json::new(out.clone(), ALL_LINES))], &quiet());
    let (mut fanout, mut registry) = (fanout.unwrap(), Registry::default());
    offer(&mut fanout, &mut registry, 1_000);
    let reports = fanout.finish(Summary::default());
    assert_eq!(reports[0].counts.taken[Class::Frame as usize], 1_000);
    let lines = out.lines();
    assert_eq!((lines.len(), &lines[1_000]["kind"]), (1_001, &json!("summary")));
}

#[test]
fn a_full_data_lane_still_lets_names_through() {
    let bounds = QueueBounds {
        data: LaneBounds { events: 1, bytes: 64 },
        control: LaneBounds { events: 4, bytes: 4_096 },
    };
    let (mut sender, mut receiver) = channel(&bounds, Classes::NONE.with(Class::Frame)).unwrap();
    let lost = data(Some(CONFIG), Outcome::Decoded);
    assert!(sender.offer(&lost, &[]) && !sender.offer(&lost, &[]));
    announce(&mut sender);
    let mut registry = Registry::default();
    receiver.receive(|event, bytes| {
        registry.resolve(event, bytes);
    });
    let stream = registry.stream(StreamId(NonZeroU32::MIN)).unwrap();
    assert_eq!(
        (&*stream.label, stream.name.as_deref()),
        ("c37118:192.0.2.1>192.0.2.9:udp:60", Some("ALPHA"))
    );
    assert!(registry.config(CONFIG).is_some());
    assert!(registry.config(ConfigId { generation: 2, ..CONFIG }).is_none());
}
