//! Inputs in batches. One pipeline, for each way of choosing ports, is kept over [`INPUTS`] of them and then made anew:
//! making one costs more than most inputs do, and what the inputs before have left in it is state that a single input
//! would have to be long to reach. Streams are shared by a batch's inputs; TCP connections are each input's own.
//!
//! # How a failure is repeated
//! A failing input may need those before it. On a panic the batch so far is written beside the artifact that libFuzzer
//! writes, and named; the same program with `PMU_FUZZ_BATCH=FILE` plays it from a new pipeline. What runs out of time or
//! memory is no panic: libFuzzer's own artifact is all that is kept of it.

use std::cell::RefCell;
use std::{env, fs, panic, process};

use crate::judge::Judged;

/// Inputs that share a pipeline.
pub const INPUTS: usize = 64;

/// Time between two inputs: more than a copy may come behind, less than what ends a stream.
const BETWEEN_NS: i64 = 1_000_000_000;

/// Where a batch to be played is named.
const REPLAY: &str = "PMU_FUZZ_BATCH";

/// Bytes of the length before each input in a batch's file.
const LENGTH: usize = 4;

thread_local! {
    static GIVEN: RefCell<Given> = const { RefCell::new(Given { inputs: 0, bytes: Vec::new() }) };
    static KEPT: RefCell<[Option<Judged>; 2]> = const { RefCell::new([None, None]) };
}

/// The inputs of the batch, each behind its length: as its file is.
struct Given {
    inputs: usize,
    bytes: Vec<u8>,
}

impl Given {
    /// Notes one more. Gives its place in the batch.
    fn note(&mut self, input: &[u8]) -> usize {
        if self.inputs == INPUTS {
            self.inputs = 0;
            self.bytes.clear();
        }
        let length =
            u32::try_from(input.len()).expect("libFuzzer's inputs have a length of a few thousand bytes");
        self.bytes.extend(length.to_be_bytes());
        self.bytes.extend(input);
        self.inputs += 1;
        self.inputs - 1
    }
}

/// Gives an input to the target's `run`, with the pipeline that watches any port or two, and its place in the batch.
pub fn judged(input: &[u8], any: bool, run: impl FnOnce(&mut Judged, u16)) {
    let place = GIVEN.with_borrow_mut(|given| given.note(input));
    KEPT.with_borrow_mut(|kept| {
        if place == 0 {
            *kept = [None, None];
        }
        let judged = kept[usize::from(any)].get_or_insert_with(|| Judged::new(any));
        judged.pass(BETWEEN_NS);
        run(judged, u16::try_from(place).unwrap_or(0));
        judged.judge();
    });
}

/// To be called once, before the first input: has the batch written where an input fails, and where one is to be played,
/// plays it and ends the process.
pub fn prepare(target: fn(&[u8])) {
    let before = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        save();
        // libFuzzer's, which aborts.
        before(info);
    }));
    let Some(file) = env::var_os(REPLAY) else { return };
    let batch = match fs::read(&file) {
        Ok(batch) => batch,
        Err(error) => {
            eprintln!("{}: {error}; {REPLAY} names a batch that a failure has left", file.display());
            process::exit(1);
        }
    };
    let mut played = 0;
    for input in inputs(&batch) {
        target(input);
        played += 1;
    }
    eprintln!("{}: {played} inputs played, none failed", file.display());
    process::exit(0);
}

/// The inputs that stand in a batch's file.
fn inputs(mut batch: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let (length, rest) = batch.split_first_chunk::<LENGTH>()?;
        let length = usize::try_from(u32::from_be_bytes(*length)).unwrap_or(usize::MAX);
        let (input, rest) = rest.split_at(length.min(rest.len()));
        batch = rest;
        Some(input)
    })
}

/// Writes the batch so far to where libFuzzer writes its artifacts.
fn save() {
    let prefix =
        env::args().find_map(|argument| Some(argument.strip_prefix("-artifact_prefix=")?.to_owned()));
    let file = format!("{}batch-{}", prefix.unwrap_or_default(), process::id());
    GIVEN.with_borrow(|given| {
        if given.inputs == 0 {
            return;
        }
        match fs::write(&file, &given.bytes) {
            Ok(()) => {
                eprintln!("{} inputs since the pipeline was made: {REPLAY}={file} repeats them", given.inputs)
            }
            Err(error) => eprintln!("{file}: {error}: the inputs before are lost"),
        }
    });
}
