//! What the real-time thread has counted so far, for others to read while it runs.
//!
//! A sequence lock of atomics: the writer never waits, a reader that meets it in the middle of a write looks again.

use std::{
    array, hint,
    sync::atomic::{AtomicU64, Ordering, fence},
};

use monitor_core::event::{ByteCounts, Counts, FlowCounts, FrameCounts, QueueCounts, RecordCounts};

use super::{LoopCounts, OverrunCounts};

/// Everything that is counted on the real-time thread.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Snapshot {
    /// By the pipeline.
    pub counts: Counts,
    /// By the loop.
    pub turns: LoopCounts,
    /// By the two lanes of the queue: data, control.
    pub lanes: [QueueCounts; 2],
}

/// Words of a snapshot; a test fails where it is not their number.
const WORDS: usize = 143;

impl Snapshot {
    /// Visits every number in a fixed order. Destructured, so that a new one cannot be forgotten.
    fn visit(&mut self, mut each: impl FnMut(&mut u64)) {
        let Self { counts, turns, lanes } = self;
        let Counts {
            records,
            bytes,
            frames,
            flows,
            alignment,
            streams_refused,
            configs_refused,
            config_series_lost,
            copies,
            configs_without_rate,
            packets_ignored,
        } = counts;
        let RecordCounts { carried, no_payload, malformed } = records;
        [carried, no_payload, malformed].into_iter().for_each(&mut each);
        let ByteCounts { received, in_frames, skipped, duplicate, buffered, dropped } = bytes;
        [received, in_frames, skipped, duplicate, buffered, dropped].into_iter().for_each(&mut each);
        let FrameCounts { found, decoded, undecoded, c37118, invalid, invalid_by_reason, crc_errors } =
            frames;
        [found, decoded, invalid, crc_errors].into_iter().for_each(&mut each);
        undecoded.iter_mut().chain(c37118).chain(invalid_by_reason).for_each(&mut each);
        let FlowCounts { tcp, fragments, resync } = flows;
        let named = tcp.named().into_iter().chain(fragments.named()).chain(resync.named());
        named.for_each(|(_, number)| each(number));
        alignment.numbers().into_iter().for_each(&mut each);
        [streams_refused, configs_refused, config_series_lost, copies, configs_without_rate, packets_ignored]
            .into_iter()
            .for_each(&mut each);
        let LoopCounts {
            delivered,
            discarded,
            malformed,
            pending,
            sleeps,
            woken,
            busy_heads,
            packets,
            met,
            overruns,
        } = turns;
        [delivered, discarded, malformed, pending, sleeps, woken, busy_heads, packets, met]
            .into_iter()
            .for_each(&mut each);
        let OverrunCounts { turns, overruns, by_cause, told, untold, worst_ns } = overruns;
        [turns, overruns, told, untold, worst_ns].into_iter().chain(by_cause).for_each(&mut each);
        for QueueCounts { offered, taken, dropped } in lanes {
            offered.iter_mut().chain(taken).chain(dropped).for_each(&mut each);
        }
    }
}

/// The shared copy.
#[derive(Debug)]
pub struct Board {
    /// Odd while it is being written.
    version: AtomicU64,
    words: [AtomicU64; WORDS],
}

impl Default for Board {
    fn default() -> Self {
        Self { version: AtomicU64::new(0), words: array::from_fn(|_| AtomicU64::new(0)) }
    }
}

impl Board {
    /// Writes a snapshot. Only the real-time thread calls it.
    pub(super) fn publish(&self, mut snapshot: Snapshot) {
        let version = self.version.load(Ordering::Relaxed);
        self.version.store(version + 1, Ordering::Relaxed);
        // Release fence: pairs with the Acquire fence in `read`. Whoever sees one of the words below sees the odd
        // version, or a later one.
        fence(Ordering::Release);
        let mut words = self.words.iter();
        snapshot.visit(|number| {
            if let Some(word) = words.next() {
                word.store(*number, Ordering::Relaxed);
            }
        });
        // Release: pairs with the Acquire load in `read`: whoever sees this even version sees all the words.
        self.version.store(version + 2, Ordering::Release);
    }

    /// The last snapshot that was written whole.
    #[must_use]
    pub fn read(&self) -> Snapshot {
        loop {
            let before = self.version.load(Ordering::Acquire);
            let mut snapshot = Snapshot::default();
            let mut words = self.words.iter();
            snapshot.visit(|number| {
                if let Some(word) = words.next() {
                    *number = word.load(Ordering::Relaxed);
                }
            });
            // Acquire fence: pairs with the Release fence in `publish`.
            fence(Ordering::Acquire);
            if before.is_multiple_of(2) && self.version.load(Ordering::Relaxed) == before {
                return snapshot;
            }
            hint::spin_loop();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicBool;

    use super::*;

    fn filled(value: u64) -> Snapshot {
        let mut snapshot = Snapshot::default();
        snapshot.visit(|number| *number = value);
        snapshot
    }

    #[test]
    fn there_is_a_word_for_every_number() {
        let mut numbers = 0;
        filled(0).visit(|_| numbers += 1);
        assert_eq!(numbers, WORDS);
    }

    #[test]
    fn a_reader_never_sees_half_a_snapshot() {
        let (board, stop) = (Board::default(), AtomicBool::new(false));
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let mut value = 0;
                while !stop.load(Ordering::Relaxed) {
                    value += 1;
                    board.publish(filled(value));
                }
            });
            let mut last = 0;
            for _ in 0..20_000 {
                let seen = board.read();
                assert_eq!(seen, filled(seen.counts.frames.found));
                assert!(seen.counts.frames.found >= last, "time runs forwards");
                last = seen.counts.frames.found;
            }
            stop.store(true, Ordering::Relaxed);
        });
    }
}
