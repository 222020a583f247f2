//! The reader's steps and the probe's over a modelled memory, of which loom walks the interleavings, with all that the
//! memory orderings allow: no wake-up is lost and no byte is read that is being written. With any step moved or any
//! ordering weakened, loom finds the one or the other.
//!
//! The reader's steps are those that run (`super`); a fault stands between them and the memory. The kernel's and the
//! probe's are told again here: `kernel/bpf/ringbuf.c`, and `emitting.rs` of the programs.
#![expect(unsafe_code, reason = "loom's cells give pointers")]

use std::cell::Cell;

use loom::{
    cell::UnsafeCell,
    model::Builder,
    sync::{
        Arc, Condvar, Mutex,
        atomic::{AtomicU32, AtomicU64, Ordering, fence},
    },
    thread,
};

use super::{Shared, Word};

const BUSY: u32 = 1 << 31;
const DISCARD: u32 = 1 << 30;
/// Bytes of a record, and of a mark: of the same length here.
const LENGTH: u32 = 8;
/// What one takes in the ring, its header included.
const ROOM: u64 = 16;

/// What is done otherwise than it should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    None,
    // The reader's.
    NoFence,
    FenceBeforeFlag,
    FlagAfterLook,
    FlagDownBeforePoll,
    SameNumberAgain,
    RelaxedProduced,
    RelaxedLength,
    RelaxedGiveBack,
    // The probe's.
    SubmitWithoutBarrier,
    FlagReadBeforeSubmit,
    WokenWithoutMark,
    EndedBeforeWoken,
}

/// A ring of a few records, the reader's page, and the queue that sleepers stand in.
struct Memory {
    fault: Fault,
    produced: AtomicU64,
    consumed: AtomicU64,
    lengths: Vec<AtomicU32>,
    bytes: Vec<UnsafeCell<u64>>,
    sleeping: AtomicU64,
    woken: AtomicU64,
    /// The ring's own lock.
    reserving: Mutex<()>,
    queue: Mutex<Queue>,
    woke: Condvar,
}

#[derive(Default)]
struct Queue {
    waiting: bool,
    woken: bool,
    /// Probes that have records left.
    emitting: u64,
}

impl Memory {
    fn new(fault: Fault, places: usize, probes: u64) -> Self {
        Self {
            fault,
            produced: AtomicU64::new(0),
            consumed: AtomicU64::new(0),
            lengths: (0..places).map(|_| AtomicU32::new(0)).collect(),
            bytes: (0..places).map(|_| UnsafeCell::new(0)).collect(),
            sleeping: AtomicU64::new(0),
            woken: AtomicU64::new(0),
            reserving: Mutex::new(()),
            queue: Mutex::new(Queue { emitting: probes, ..Queue::default() }),
            woke: Condvar::new(),
        }
    }

    fn place(&self, position: u64) -> usize {
        usize::try_from(position / ROOM).unwrap() % self.lengths.len()
    }

    /// `__bpf_ringbuf_reserve`.
    fn reserve(&self) -> Option<u64> {
        let _lock = self.reserving.lock().unwrap();
        let consumed = self.consumed.load(Ordering::Acquire);
        // Nobody writes it who does not hold the lock.
        let produced = self.produced.load(Ordering::Relaxed);
        if produced + ROOM - consumed > ROOM * self.lengths.len() as u64 {
            return None;
        }
        self.lengths[self.place(produced)].store(BUSY | LENGTH, Ordering::Relaxed);
        self.produced.store(produced + ROOM, Ordering::Release);
        Some(produced)
    }

    /// `bpf_ringbuf_commit`: its xchg is a full barrier.
    fn commit(&self, position: u64, bits: u32) {
        let length = &self.lengths[self.place(position)];
        if self.fault == Fault::SubmitWithoutBarrier {
            return length.store(LENGTH | bits, Ordering::Release);
        }
        fence(Ordering::SeqCst);
        length.swap(LENGTH | bits, Ordering::AcqRel);
        fence(Ordering::SeqCst);
    }

    /// A probe's record, where there is room, and the wake-up where the reader sleeps. Gives up the mark where it is
    /// `refused`: the ring's lock may be, since it is one that gives up (6.15).
    fn emit(&self, value: u64, refused: bool) {
        let Some(position) = self.reserve() else { return };
        self.bytes[self.place(position)].with_mut(|bytes| {
            // SAFETY: what loom is here to judge: that nobody else has this place between reserving and committing it.
            unsafe { *bytes = value };
        });
        let flag = if self.fault == Fault::FlagReadBeforeSubmit {
            let flag = self.flag();
            self.commit(position, 0);
            flag
        } else {
            self.commit(position, 0);
            self.flag()
        };
        let (sleep, woken) = flag;
        if sleep == 0 || sleep == woken {
            return;
        }
        if self.fault == Fault::EndedBeforeWoken {
            self.woken.store(sleep, Ordering::Relaxed);
        }
        if self.fault == Fault::WokenWithoutMark {
            self.wake_all();
            self.woken.store(sleep, Ordering::Relaxed);
        } else if !refused && let Some(mark) = self.reserve() {
            self.commit(mark, DISCARD);
            self.wake_all();
            self.woken.store(sleep, Ordering::Relaxed);
        }
    }

    fn flag(&self) -> (u64, u64) {
        (self.sleeping.load(Ordering::Relaxed), self.woken.load(Ordering::Relaxed))
    }

    /// `wake_up_all` from the ring's `irq_work`.
    fn wake_all(&self) {
        let mut queue = self.queue.lock().unwrap();
        if queue.waiting {
            queue.woken = true;
            self.woke.notify_all();
        }
    }

    /// ppoll(2): into the queue, then `ringbuf_map_poll_user` looks, then to sleep. No barrier is counted on between the
    /// first two; the kernel has one since 6.14.
    fn poll(&self) {
        if self.fault == Fault::FlagDownBeforePoll {
            self.sleeping.store(0, Ordering::Relaxed);
        }
        self.queue.lock().unwrap().waiting = true;
        while self.consumed.load(Ordering::Acquire) == self.produced.load(Ordering::Acquire) {
            let mut queue = self.queue.lock().unwrap();
            while !queue.woken {
                if queue.emitting == 0 {
                    drop(queue);
                    panic!("a wake-up was lost");
                }
                queue = self.woke.wait(queue).unwrap();
            }
            queue.woken = false;
        }
        let mut queue = self.queue.lock().unwrap();
        (queue.waiting, queue.woken) = (false, false);
    }

    /// A probe has emitted all: whoever still sleeps then sleeps for ever.
    fn end(&self) {
        self.queue.lock().unwrap().emitting -= 1;
        self.woke.notify_all();
    }
}

/// The reader's view of the memory, through the fault.
struct View<'a> {
    memory: &'a Memory,
    /// The flag that should be up already.
    held: Cell<Option<u64>>,
}

#[derive(Clone, Copy)]
enum Place {
    Produced,
    Consumed,
    Sleeping,
}

struct Accessed<'a>(&'a View<'a>, Place);
struct Length<'a>(&'a Memory, &'a AtomicU32);

impl Word<u64> for Accessed<'_> {
    fn load(&self, order: Ordering) -> u64 {
        let Self(View { memory, held }, place) = self;
        match place {
            Place::Produced => {
                let weak = memory.fault == Fault::RelaxedProduced;
                let produced = memory.produced.load(if weak { Ordering::Relaxed } else { order });
                if let Some(number) = held.take() {
                    memory.sleeping.store(number, Ordering::Relaxed);
                }
                produced
            }
            Place::Consumed => memory.consumed.load(order),
            Place::Sleeping => memory.sleeping.load(order),
        }
    }

    fn store(&self, value: u64, order: Ordering) {
        let Self(View { memory, held }, place) = self;
        match place {
            Place::Produced => panic!("it is the kernel's"),
            Place::Consumed => {
                let weak = memory.fault == Fault::RelaxedGiveBack;
                memory.consumed.store(value, if weak { Ordering::Relaxed } else { order });
            }
            Place::Sleeping if value != 0 && memory.fault == Fault::FlagAfterLook => held.set(Some(value)),
            Place::Sleeping => {
                if value != 0 && memory.fault == Fault::FenceBeforeFlag {
                    fence(Ordering::SeqCst);
                }
                memory.sleeping.store(value, order);
            }
        }
    }
}

impl Word<u32> for Length<'_> {
    fn load(&self, order: Ordering) -> u32 {
        let weak = self.0.fault == Fault::RelaxedLength;
        self.1.load(if weak { Ordering::Relaxed } else { order })
    }

    fn store(&self, _: u32, _: Ordering) {
        panic!("it is the kernel's");
    }
}

impl Shared for View<'_> {
    fn produced(&self) -> impl Word<u64> {
        Accessed(self, Place::Produced)
    }

    fn consumed(&self) -> impl Word<u64> {
        Accessed(self, Place::Consumed)
    }

    fn length(&self, position: u64) -> impl Word<u32> {
        Length(self.memory, &self.memory.lengths[self.memory.place(position)])
    }

    fn sleeping(&self) -> impl Word<u64> {
        Accessed(self, Place::Sleeping)
    }

    fn fence(&self, order: Ordering) {
        if !matches!(self.memory.fault, Fault::NoFence | Fault::FenceBeforeFlag) {
            fence(order);
        }
    }
}

/// Reads so many records, asleep in between: as the real-time thread does.
fn read(memory: &Memory, records: usize) -> Vec<u64> {
    let view = View { memory, held: Cell::new(None) };
    let (mut position, mut sleeps, mut read) = (0, 0, Vec::new());
    while read.len() < records {
        let end = super::produced(&view);
        let begun = position;
        while position < end {
            let length = super::length(&view, position);
            if length & BUSY != 0 {
                break;
            }
            assert_eq!(length & !DISCARD, LENGTH, "a header that is not there yet");
            if length & DISCARD == 0 {
                // SAFETY: as in `emit`.
                read.push(memory.bytes[memory.place(position)].with(|bytes| unsafe { *bytes }));
            }
            position += ROOM;
        }
        if position > begun {
            super::give_back(&view, position);
        } else if super::produced(&view) > position {
            thread::yield_now();
        } else {
            sleeps = if memory.fault == Fault::SameNumberAgain { 1 } else { sleeps + 1 };
            super::sleep(&view, position, sleeps, || memory.poll());
        }
    }
    read
}

/// One reader, and probes on CPUs of their own that emit so many records each, in a ring with so many places.
#[derive(Clone, Copy)]
struct Scene {
    probes: u64,
    records: u64,
    places: usize,
    /// How many the reader reads.
    read: u64,
    /// Whether each probe's first mark is refused.
    refused: bool,
    /// How often a thread is taken off its CPU where it could go on.
    preemptions: usize,
}

/// Room for each record and its mark.
const ONE: Scene = Scene { probes: 1, records: 2, places: 4, read: 2, refused: false, preemptions: 3 };
const TWO: Scene = Scene { probes: 2, records: 1, places: 4, read: 2, refused: false, preemptions: 2 };
/// Around the ring: the third record lies where the first did, if that has been read by then.
const AROUND: Scene = Scene { probes: 1, records: 3, places: 2, read: 1, refused: false, preemptions: 3 };

fn walk(scene: Scene, fault: Fault) {
    let Scene { probes, records, places, read: wanted, refused, preemptions } = scene;
    let mut builder = Builder::new();
    builder.preemption_bound = Some(preemptions);
    builder.check(move || {
        let memory = Arc::new(Memory::new(fault, places, probes));
        let emitting: Vec<_> = (0..probes)
            .map(|probe| {
                let memory = Arc::clone(&memory);
                thread::spawn(move || {
                    for record in 0..records {
                        memory.emit(probe * records + record, refused && record == 0);
                    }
                    memory.end();
                })
            })
            .collect();
        let mut read = read(&memory, usize::try_from(wanted).unwrap());
        for probe in emitting {
            probe.join().unwrap();
        }
        read.sort_unstable();
        // There may be more than was wanted, from what was read at once.
        assert!((0..wanted).eq(read.into_iter().take_while(|&record| record < wanted)));
    });
}

#[test]
fn no_wake_up_is_lost_and_no_record_is_torn() {
    walk(ONE, Fault::None);
}

#[test]
fn no_record_is_torn_where_the_ring_begins_anew() {
    walk(AROUND, Fault::None);
}

#[test]
fn none_is_lost_between_two_probes() {
    walk(TWO, Fault::None);
}

#[test]
fn the_next_probe_wakes_where_one_could_not() {
    walk(Scene { refused: true, ..ONE }, Fault::None);
}

macro_rules! loses_a_wake_up {
    ($($name:ident: $scene:expr, $fault:ident;)*) => {$(
        #[test]
        #[should_panic(expected = "a wake-up was lost")]
        fn $name() {
            walk($scene, Fault::$fault);
        }
    )*};
}

loses_a_wake_up! {
    without_the_fence_one_is_lost: ONE, NoFence;
    with_the_fence_before_the_flag_one_is_lost: ONE, FenceBeforeFlag;
    with_the_flag_up_after_the_look_one_is_lost: ONE, FlagAfterLook;
    with_the_flag_down_before_the_sleep_one_is_lost: ONE, FlagDownBeforePoll;
    where_two_sleeps_have_the_same_number_one_is_lost: ONE, SameNumberAgain;
    where_submitting_is_no_barrier_one_is_lost: ONE, SubmitWithoutBarrier;
    where_the_flag_is_read_before_submitting_one_is_lost: ONE, FlagReadBeforeSubmit;
    // A wake-up finds nobody in the queue who is on the way into it; the mark is what poll finds then.
    where_nothing_is_put_in_the_ring_to_wake_one_is_lost: ONE, WokenWithoutMark;
    where_a_sleep_counts_as_ended_before_it_is_one_is_lost: Scene { refused: true, ..ONE }, EndedBeforeWoken;
}

/// What loom says where bytes are read while they are written.
macro_rules! tears_a_record {
    ($($name:ident: $scene:expr, $fault:ident, $said:literal;)*) => {$(
        #[test]
        #[should_panic(expected = $said)]
        fn $name() {
            walk($scene, Fault::$fault);
        }
    )*};
}

tears_a_record! {
    where_the_producers_position_is_not_acquired_a_header_is_missing: ONE, RelaxedProduced, "not there yet";
    where_a_length_is_not_acquired_a_record_is_torn: ONE, RelaxedLength, "Causality violation";
    where_room_is_given_back_early_a_record_is_torn: AROUND, RelaxedGiveBack, "Causality violation";
}
