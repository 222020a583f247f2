//! A million interleavings in random order of the reader and two probes, whose stores reach memory late.
//!
//! A store goes into its thread's buffer and reaches memory at any later moment; a fence, or the exchange that submits,
//! waits until the buffer is empty. The reader's steps are taken down from the sleep that runs (`super::sleep`).

use std::cell::RefCell;
use std::sync::atomic::Ordering;

use super::{Shared, Word};

/// One step of the reader's sleep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Raise,
    Lower,
    Fence,
    /// Skips the sleep where there is a record.
    Look,
    Poll,
}

/// One step of a probe, for each of its records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Act {
    /// The record, or rather the producer's position behind it.
    Reserve,
    /// The exchange that submits.
    Submit,
    ReadFlag,
    /// What stands in the ring to wake, where the flag said so; then `Submit`.
    Mark,
    Wake,
    /// Says that this sleep was ended.
    End,
}

const PROBE: [Act; 7] =
    [Act::Reserve, Act::Submit, Act::ReadFlag, Act::Mark, Act::Submit, Act::Wake, Act::End];
const PROBES: usize = 2;
const RECORDS: u64 = 1;
const INTERLEAVINGS: u32 = 1_000_000;

/// Takes down what a sleep does to an empty ring.
#[derive(Default)]
struct Recorder(RefCell<Vec<Step>>);

struct Recorded<'a>(&'a Recorder, bool);

impl Word<u64> for Recorded<'_> {
    fn load(&self, _: Ordering) -> u64 {
        self.0.0.borrow_mut().push(Step::Look);
        0
    }

    fn store(&self, value: u64, _: Ordering) {
        assert!(self.1, "only the flag is written");
        self.0.0.borrow_mut().push(if value == 0 { Step::Lower } else { Step::Raise });
    }
}

impl Word<u32> for Recorded<'_> {
    fn load(&self, _: Ordering) -> u32 {
        0
    }

    fn store(&self, _: u32, _: Ordering) {}
}

impl Shared for Recorder {
    fn produced(&self) -> impl Word<u64> {
        Recorded(self, false)
    }

    fn consumed(&self) -> impl Word<u64> {
        Recorded(self, false)
    }

    fn length(&self, _: u64) -> impl Word<u32> {
        Recorded(self, false)
    }

    fn sleeping(&self) -> impl Word<u64> {
        Recorded(self, true)
    }

    fn fence(&self, order: Ordering) {
        assert_eq!(order, Ordering::SeqCst);
        self.0.borrow_mut().push(Step::Fence);
    }
}

fn recorded() -> Vec<Step> {
    let recorder = Recorder::default();
    super::sleep(&recorder, 0, 1, || recorder.0.borrow_mut().push(Step::Poll));
    recorder.0.into_inner()
}

/// Words of the memory. Each probe has a position of its own, which stands for the lock that lets one after the other
/// write the ring's.
const SLEEPING: usize = 0;
const WOKEN: usize = 1;
const PRODUCED: usize = 2;
const WORDS: usize = PRODUCED + PROBES;

/// Numbers that look like chance, the same in every run (Marsaglia's xorshift).
struct Chance(u64);

impl Chance {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from((self.0 >> 33) % limit as u64).unwrap()
    }
}

/// What the reader is about.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Doing {
    /// Takes what there is.
    Take,
    /// At this step of a sleep.
    Step(usize),
    /// In the queue, about to look as poll does.
    Queued(usize),
    /// Only a wake-up ends it.
    Asleep(usize),
}

/// One run from the first record to the last.
struct Run<'a> {
    steps: &'a [Step],
    acts: &'a [Act],
    memory: [u64; WORDS],
    /// The reader's first, then the probes'.
    buffers: [Buffer; 1 + PROBES],
    doing: Doing,
    taken: [u64; PROBES],
    sleeps: u64,
    woken: bool,
    probes: [Probe; PROBES],
}

/// Stores that have not reached memory: word and value, the oldest first.
#[derive(Clone, Copy, Default)]
struct Buffer {
    stores: [(usize, u64); 4],
    length: usize,
}

impl Buffer {
    fn push(&mut self, store: (usize, u64)) {
        self.stores[self.length] = store;
        self.length += 1;
    }

    fn pop(&mut self) -> Option<(usize, u64)> {
        self.length = self.length.checked_sub(1)?;
        let oldest = self.stores[0];
        self.stores.rotate_left(1);
        Some(oldest)
    }

    /// The newest value of a word.
    fn newest(&self, word: usize) -> Option<u64> {
        self.stores[..self.length].iter().rfind(|store| store.0 == word).map(|store| store.1)
    }

    /// Whether there is no room for another.
    const fn is_full(&self) -> bool {
        self.length == self.stores.len()
    }
}

/// How far a probe is.
#[derive(Clone, Copy, Default)]
struct Probe {
    emitted: u64,
    /// With marks.
    reserved: u64,
    /// The next act.
    at: usize,
    /// The sleep that is to be ended.
    sleep: u64,
}

impl Run<'_> {
    fn has_records(&self) -> bool {
        self.memory[PRODUCED..] != self.taken
    }

    fn flush(&mut self, thread: usize) -> bool {
        let Some((word, value)) = self.buffers[thread].pop() else { return false };
        self.memory[word] = value;
        true
    }

    /// The reader's next step, where it has one.
    fn reader(&mut self) -> bool {
        match self.doing {
            Doing::Take if self.has_records() => self.taken.copy_from_slice(&self.memory[PRODUCED..]),
            Doing::Take => {
                self.sleeps += 1;
                self.doing = Doing::Step(0);
            }
            Doing::Step(at) => return self.step(at),
            Doing::Queued(at) => {
                self.doing = if self.has_records() { Doing::Step(at + 1) } else { Doing::Asleep(at) };
            }
            Doing::Asleep(at) if self.woken => {
                self.woken = false;
                self.doing = Doing::Queued(at);
            }
            Doing::Asleep(_) => return false,
        }
        true
    }

    fn step(&mut self, at: usize) -> bool {
        if self.buffers[0].is_full() {
            return false;
        }
        let mut next = Doing::Step(at + 1);
        match self.steps.get(at) {
            None => next = Doing::Take,
            Some(Step::Raise) => self.buffers[0].push((SLEEPING, self.sleeps)),
            Some(Step::Lower) => self.buffers[0].push((SLEEPING, 0)),
            Some(Step::Fence) if self.buffers[0].length > 0 => return false,
            Some(Step::Look) if self.has_records() => {
                let poll = self.steps.iter().position(|&step| step == Step::Poll);
                next = Doing::Step(at.max(poll.unwrap_or(at)) + 1);
            }
            Some(Step::Fence | Step::Look) => {}
            Some(Step::Poll) => {
                self.woken = false;
                next = Doing::Queued(at);
            }
        }
        self.doing = next;
        true
    }

    /// A probe's next act, where it has one.
    fn probe(&mut self, probe: usize) -> bool {
        let Probe { mut emitted, mut reserved, mut at, mut sleep } = self.probes[probe];
        let Some(act) = self.acts.get(at).filter(|_| emitted < RECORDS) else { return false };
        let buffer = &mut self.buffers[1 + probe];
        if buffer.is_full() {
            return false;
        }
        match act {
            Act::Mark if sleep == 0 => {}
            Act::Reserve | Act::Mark => {
                reserved += 1;
                buffer.push((PRODUCED + probe, reserved));
            }
            Act::Submit if buffer.length > 0 => return false,
            Act::ReadFlag => {
                let woken = buffer.newest(WOKEN).unwrap_or(self.memory[WOKEN]);
                sleep = Some(self.memory[SLEEPING]).filter(|&sleep| sleep != woken).unwrap_or(0);
            }
            Act::Wake => {
                let queued = matches!(self.doing, Doing::Queued(_) | Doing::Asleep(_));
                self.woken |= sleep != 0 && queued;
            }
            Act::End if sleep != 0 => buffer.push((WOKEN, sleep)),
            Act::Submit | Act::End => {}
        }
        at += 1;
        if at == self.acts.len() {
            (emitted, at) = (emitted + 1, 0);
        }
        self.probes[probe] = Probe { emitted, reserved, at, sleep };
        true
    }

    /// One thing that any thread can do, chosen by chance.
    fn go_on(&mut self, chance: &mut Chance) -> bool {
        const MOVES: usize = 2 * (1 + PROBES);
        let first = chance.below(MOVES);
        (first..first + MOVES).any(|one| match one % MOVES {
            0 => self.reader(),
            step if step <= PROBES => self.probe(step - 1),
            flush => self.flush(flush - 1 - PROBES),
        })
    }
}

/// Whether one of so many interleavings ends with the reader asleep before a record.
fn loses_a_wake_up(steps: &[Step], acts: &[Act]) -> bool {
    let mut chance = Chance(0x2545_F491_4F6C_DD1D);
    (0..INTERLEAVINGS).any(|_| {
        let mut run = Run {
            steps,
            acts,
            memory: [0; WORDS],
            buffers: Default::default(),
            doing: Doing::Take,
            taken: [0; PROBES],
            sleeps: 0,
            woken: false,
            probes: [Probe::default(); PROBES],
        };
        while run.go_on(&mut chance) {}
        run.has_records()
    })
}

#[test]
fn a_million_interleavings_lose_no_wake_up() {
    let steps = recorded();
    assert_eq!(steps, [Step::Raise, Step::Fence, Step::Look, Step::Poll, Step::Lower]);
    assert!(!loses_a_wake_up(&steps, &PROBE));
}

#[test]
fn far_fewer_show_what_any_other_order_loses() {
    use Act::{End, Mark, ReadFlag, Reserve, Submit, Wake};
    use Step::{Fence, Look, Lower, Poll, Raise};
    for steps in [
        &[Raise, Look, Poll, Lower][..],
        &[Fence, Raise, Look, Poll, Lower],
        &[Fence, Look, Raise, Poll, Lower],
        &[Raise, Fence, Look, Lower, Poll],
    ] {
        assert!(loses_a_wake_up(steps, &PROBE), "{steps:?}");
    }
    for acts in [
        &[Reserve, ReadFlag, Mark, Submit, Wake, End][..],
        &[Reserve, ReadFlag, Submit, Mark, Submit, Wake, End],
        &[ReadFlag, Reserve, Submit, Mark, Submit, Wake, End],
        &[Reserve, Submit, ReadFlag, Wake, End],
        &[Reserve, Submit, ReadFlag, Mark, Submit, End],
    ] {
        assert!(loses_a_wake_up(&recorded(), acts), "{acts:?}");
    }
}
