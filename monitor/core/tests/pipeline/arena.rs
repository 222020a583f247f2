//! The memory that layouts share, against layouts that each have their own.

use std::collections::BTreeMap;

use monitor_core::protocol::c37118::encode::{self, ConfigKind, Preamble, StationConfig, StreamConfig};
use monitor_core::protocol::c37118::{
    AnalogChannel, AnalogKind, AnalogScaling, ArenaBounds, ConfigView, DataRate, Format, FrameView, IdCode,
    Layout, LayoutArena, LayoutBounds, LayoutError, LayoutRef, NominalFrequency, PhasorChannel,
    PhasorScaling, PhasorUnit, Text, TimeBase, TimeQuality, TimeTag, Version,
};
use proptest::collection::vec;
use proptest::prelude::*;

const EACH: LayoutBounds = LayoutBounds { pmus: 5, phasors: 12, analogs: 12 };
const BOUNDS: ArenaBounds = ArenaBounds { layouts: 6, pmus: 12, channels: 30, each: EACH };

/// A CFG-2: for each PMU how many phasors and analogs it has. `mark` makes its scales its own.
fn config(pmus: &[(usize, usize)], mark: u32) -> Vec<u8> {
    let scaling = PhasorScaling::Unit { factor: mark };
    let phasors = [PhasorChannel { name: Text::new(b"V"), unit: PhasorUnit::Volt, scaling }; 8];
    let scaling = AnalogScaling::Unit { kind: AnalogKind::Rms, scale: 1 };
    let analogs = [AnalogChannel { name: Text::new(b"A"), scaling }; 8];
    let stations: Vec<_> = pmus
        .iter()
        .map(|&(phasor_count, analog_count)| StationConfig {
            station: Text::new(b"STATION"),
            idcode: IdCode(7),
            format: Format::from_word(0),
            phasors: &phasors[..phasor_count],
            analogs: &analogs[..analog_count],
            digitals: &[],
            nominal: NominalFrequency::Hz50,
            config_count: 1,
        })
        .collect();
    let rate = DataRate::from_word(50).expect("a rate");
    let stream = StreamConfig { time_base: TimeBase::MICROSECONDS, stations: &stations, data_rate: rate };
    let time = TimeTag::new(1, 0, TimeQuality::default()).expect("24 bits");
    let preamble = Preamble { version: Version::V2005, idcode: IdCode(7), time };
    let mut bytes = vec![0; 4096];
    let size = encode::config(&mut bytes, &preamble, ConfigKind::Config2, &stream).expect("a configuration");
    bytes.truncate(size);
    bytes
}

fn view(bytes: &[u8]) -> ConfigView<'_> {
    ConfigView::new(FrameView::new(bytes).expect("a frame")).expect("a configuration")
}

fn assert_same(shared: LayoutRef<'_>, own: LayoutRef<'_>) {
    assert_eq!(shared.stream(), own.stream());
    assert_eq!(shared.pmus(), own.pmus());
    for pmu in own.pmus() {
        assert_eq!(shared.phasor_scales(pmu), own.phasor_scales(pmu));
        assert_eq!(shared.analog_scales(pmu), own.analog_scales(pmu));
    }
}

#[derive(Clone, Debug)]
enum Step {
    Fill(u16, Vec<(usize, usize)>, u32),
    Clear(u16),
}

fn step() -> impl Strategy<Value = Step> {
    let slot = 0..8_u16;
    prop_oneof![
        3 => (slot.clone(), vec((0..8_usize, 0..8_usize), 1..7), 1..1_000_u32)
            .prop_map(|(slot, pmus, mark)| Step::Fill(slot, pmus, mark)),
        2 => slot.prop_map(Step::Clear),
    ]
}

proptest! {
    #[test]
    fn an_arena_gives_what_layouts_of_their_own_would(steps in vec(step(), 1..200)) {
        let mut arena = LayoutArena::new(BOUNDS);
        let mut own = BTreeMap::<u16, (Layout, [usize; 3])>::new();
        for step in steps {
            match step {
                Step::Clear(slot) => {
                    arena.clear(slot);
                    own.remove(&slot);
                }
                Step::Fill(slot, pmus, mark) => {
                    let bytes = config(&pmus, mark);
                    let mut layout = Layout::with_capacity(EACH);
                    let sums = pmus.iter().fold([0; 3], |[pmus, phasors, analogs], (more, others)| {
                        [pmus + 1, phasors + more, analogs + others]
                    });
                    let used = own.values().fold(sums, |[a, b, c], (_, [x, y, z])| [a + x, b + y, c + z]);
                    let room = used[0] <= BOUNDS.pmus && used[1].max(used[2]) <= BOUNDS.channels;
                    let vacant = usize::from(slot) < BOUNDS.layouts && !own.contains_key(&slot);
                    let expected = match layout.fill(&view(&bytes)) {
                        Ok(()) if !room || !vacant => Err(LayoutError::NoRoom),
                        other => other,
                    };
                    prop_assert_eq!(arena.fill(slot, &view(&bytes)), expected);
                    if expected.is_ok() {
                        own.insert(slot, (layout, sums));
                    }
                }
            }
            for slot in 0..8 {
                let empty = Layout::with_capacity(EACH);
                let layout = own.get(&slot).map_or(&empty, |(layout, _)| layout);
                assert_same(arena.get(slot), layout.borrow());
            }
        }
    }
}

#[test]
fn a_large_configuration_fits_where_small_ones_were() {
    let mut arena = LayoutArena::new(BOUNDS);
    let small = config(&[(5, 5)], 1);
    for slot in 0..6 {
        arena.fill(slot, &view(&small)).expect("room");
    }
    let large = config(&[(6, 6), (6, 6)], 2);
    assert_eq!(arena.fill(0, &view(&large)), Err(LayoutError::NoRoom));
    // What is free lies in pieces, each smaller than what comes, and this goes on for ever.
    for _ in 0..50 {
        for slot in [0, 2, 4] {
            arena.clear(slot);
        }
        arena.fill(0, &view(&large)).expect("room, once what is free lies together");
        let mut own = Layout::with_capacity(EACH);
        own.fill(&view(&large)).expect("place");
        assert_same(arena.get(0), own.borrow());
        own.fill(&view(&small)).expect("place");
        assert_same(arena.get(5), own.borrow());
        arena.clear(0);
        for slot in [0, 2, 4] {
            arena.fill(slot, &view(&small)).expect("room");
        }
    }
}
