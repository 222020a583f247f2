//! Capture files, pcap and pcapng, of any content: read to their end or to a clear error, every packet through the
//! pipeline.
#![no_main]

use std::io::Cursor;

use libfuzzer_sys::fuzz_target;
use monitor::capture::Capture;
use monitor_fuzz::batch;
use monitor_fuzz::judge::Judged;

fuzz_target!(init: batch::prepare(run), |bytes: &[u8]| run(bytes));

fn run(bytes: &[u8]) {
    let Ok(capture) = Capture::new(Cursor::new(bytes), "input".to_owned()) else { return };
    batch::judged(bytes, true, |judged, _| play(capture, judged));
}

fn play(mut capture: Capture<Cursor<&[u8]>>, judged: &mut Judged) {
    loop {
        match capture.next_record() {
            Ok(Some(record)) => judged.push(record),
            Ok(None) => break,
            Err(error) => {
                assert!(error.to_string().contains("input"), "an error that does not name its file: {error}");
                break;
            }
        }
    }
}
