//! Configurations of any content, with what proves them put right: every view read to its end, the layout filled, and
//! DATA of the size that it predicts read by it.
#![no_main]

use libfuzzer_sys::fuzz_target;
use monitor_core::protocol::c37118::encode::reseal;
use monitor_core::protocol::c37118::{
    ConfigView, DataView, Fragment, FrameView, Layout, LayoutBounds, Series,
};
use monitor_fuzz::input::Input;

/// SYNC, FRAMESIZE, and all of the header.
const HEADER: usize = 14;

fuzz_target!(|bytes: &[u8]| run(bytes));

fn run(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let Some(kind) = input.byte() else { return };
    let length = input_length(&mut input);
    let content = input.bytes(length.into());
    let second = [0x31, 0x32, 0x21, 0x52][usize::from(kind & 3)];
    let frame = framed(second, content);
    if let Ok(view) = FrameView::new(&frame) {
        configuration(view, &mut input);
    }
    if let Ok(fragment) = Fragment::new(&frame) {
        assert!(fragment.bytes().len() == frame.len());
        let _ = format!("{}", fragment.continuation());
    }
    series(&mut input);
}

fn input_length(input: &mut Input<'_>) -> u16 {
    input.word().unwrap_or(0) & 0x0FFF
}

/// A frame around `content` whose size and check are right.
fn framed(second: u8, content: &[u8]) -> Vec<u8> {
    let mut frame = vec![0xAA, second, 0, 0, 0, 7, 0x65, 0x53, 0xF1, 0, 0, 0, 0, 0];
    debug_assert_eq!(frame.len(), HEADER);
    frame.extend(content);
    frame.extend([0, 0]);
    let size = u16::try_from(frame.len()).unwrap_or(u16::MAX);
    frame[2..4].copy_from_slice(&size.to_be_bytes());
    reseal(&mut frame);
    frame
}

fn configuration(frame: FrameView<'_>, input: &mut Input<'_>) {
    let view = match ConfigView::new(frame) {
        Ok(view) => view,
        Err(error) => {
            assert!(!error.to_string().is_empty() && !error.name().is_empty());
            return;
        }
    };
    let mut pmus = 0;
    for pmu in view.pmus() {
        pmus += 1;
        let names =
            pmu.phasors().map(|channel| channel.name).chain(pmu.analogs().map(|channel| channel.name));
        let names = names.chain(pmu.digitals().flat_map(|channel| channel.names)).chain([pmu.station()]);
        let letters: usize = names.map(|name| name.to_string().len()).sum();
        assert!(letters <= 3 * frame.bytes().len(), "names longer than the frame");
        let _ = (pmu.details(), pmu.nominal().hz(), pmu.config_count());
    }
    assert_eq!(pmus, usize::from(view.num_pmu()));
    // Room for what a few hundred bytes can describe, and not for the counts that they can claim.
    let mut layout = Layout::with_capacity(LayoutBounds { pmus: 64, phasors: 256, analogs: 256 });
    if layout.fill(&view).is_ok() {
        data(&layout, input);
    }
}

/// A DATA frame with any values, read by the layout.
fn data(layout: &Layout, input: &mut Input<'_>) {
    let Some(stream) = layout.stream() else { return };
    let size = usize::from(stream.data_framesize);
    let mut content = input.bytes(size.saturating_sub(HEADER + 2)).to_vec();
    content.resize(size.saturating_sub(HEADER + 2), 0x5A);
    let frame = framed(0x01, &content);
    let view = DataView::new(&frame, layout).expect("the size is the one that was predicted");
    let _ = (view.frame_index(), view.unix_ns());
    for pmu in view.pmus() {
        let read = pmu.phasors().count() + pmu.coordinates().count();
        assert_eq!(read, 2 * pmu.phasor_scales().len());
        let values = [pmu.frequency_hz(), pmu.rocof_hz_per_s()].into_iter().chain(pmu.analogs()).flatten();
        for value in values {
            assert!(!value.is_nan(), "an absent value is none");
        }
        let _ = pmu.digitals().fold(pmu.stat().word(), |sum, word| sum ^ word);
    }
    // A frame of any other size is not this stream's.
    let longer = framed(0x01, &[content.as_slice(), &[0]].concat());
    assert!(DataView::new(&longer, layout).is_err());
}

/// Fragments of any content, in any order.
fn series(input: &mut Input<'_>) {
    let mut room = [0; 512];
    let mut series: Option<Series> = None;
    while let Some(content) = input.stretch() {
        let frame = framed(0x52, content);
        let Ok(fragment) = Fragment::new(&frame) else { continue };
        let Some(going_on) = &mut series else {
            series = Series::begin(&fragment, &mut room).ok();
            continue;
        };
        match going_on.push(&fragment, &mut room) {
            Ok(None) => assert!(going_on.length() <= room.len()),
            Ok(Some(length)) => {
                let _ = FrameView::new(&room[..length]).map(ConfigView::new);
                return;
            }
            Err(error) => {
                assert!(!error.to_string().is_empty());
                series = None;
            }
        }
    }
}
