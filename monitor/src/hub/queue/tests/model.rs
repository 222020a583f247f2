//! A model of the sleep flag: two threads with store buffers, every interleaving walked.
//!
//! A store goes into its thread's buffer and reaches memory at any later moment; a fence waits until the buffer is
//! empty; a load reads its own buffer first, then memory. That is what the hardware may do, and more than enough to
//! lose a wake-up where a fence is missing or stands at the wrong place.

use std::collections::HashSet;

/// What the two threads share.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Cell {
    /// Whether an event is there.
    Event,
    /// Whether the hub says that it sleeps.
    Asleep,
}

/// One step of a thread.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Step {
    Store(Cell),
    Fence,
    /// Sender: writes the eventfd where the flag is set.
    RingIfAsleep,
    /// Hub: goes to sleep where there is no event, else is done.
    SleepIfEmpty,
}

const SENDER: [Step; 3] = [Step::Store(Cell::Event), Step::Fence, Step::RingIfAsleep];
const HUB: [Step; 3] = [Step::Store(Cell::Asleep), Step::Fence, Step::SleepIfEmpty];

#[derive(Clone, PartialEq, Eq, Hash, Default)]
struct State {
    memory: [bool; 2],
    buffers: [Vec<usize>; 2],
    at: [usize; 2],
    rung: bool,
    asleep: bool,
}

impl State {
    fn load(&self, thread: usize, cell: Cell) -> bool {
        self.memory[cell as usize] || self.buffers[thread].contains(&(cell as usize))
    }

    /// All states that one move of a thread leads to: its next step, or its oldest store reaching memory.
    fn moves(&self, thread: usize, program: &[Step]) -> Vec<Self> {
        let mut next = Vec::new();
        if let [_, ..] = self.buffers[thread][..] {
            let mut state = self.clone();
            let cell = state.buffers[thread].remove(0);
            state.memory[cell] = true;
            next.push(state);
        }
        if let Some(&step) = program.get(self.at[thread])
            && (step != Step::Fence || self.buffers[thread].is_empty())
        {
            let mut state = self.clone();
            state.at[thread] += 1;
            match step {
                Step::Store(cell) => state.buffers[thread].push(cell as usize),
                Step::Fence => {}
                Step::RingIfAsleep => state.rung |= self.load(thread, Cell::Asleep),
                Step::SleepIfEmpty => state.asleep = !self.load(thread, Cell::Event),
            }
            next.push(state);
        }
        next
    }
}

/// Whether some interleaving ends with the hub asleep, an event waiting, and nobody having rung.
fn loses_a_wake_up(sender: &[Step], hub: &[Step]) -> bool {
    let mut open = vec![State::default()];
    let mut seen = HashSet::new();
    while let Some(state) = open.pop() {
        if !seen.insert(state.clone()) {
            continue;
        }
        let next = [state.moves(0, sender), state.moves(1, hub)].concat();
        if next.is_empty() && state.asleep && !state.rung {
            return true;
        }
        open.extend(next);
    }
    false
}

#[test]
fn the_order_in_use_loses_none() {
    assert!(!loses_a_wake_up(&SENDER, &HUB));
}

#[test]
fn every_other_order_loses_one() {
    let [publish, fence, ring] = SENDER;
    let [flag, _, sleep] = HUB;
    for sender in
        [&[publish, ring, fence][..], &[fence, publish, ring], &[ring, publish, fence], &[publish, ring]]
    {
        assert!(loses_a_wake_up(sender, &HUB));
    }
    for hub in [&[flag, sleep, fence][..], &[fence, flag, sleep], &[sleep, flag, fence], &[flag, sleep]] {
        assert!(loses_a_wake_up(&SENDER, hub));
    }
}
