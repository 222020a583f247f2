//! Loss, delay, reordering and duplicates at random, against a simple model: instants as whole ticks of 1/1200 s in a
//! map, sets of streams, every rule looked up anew for each frame.

use std::collections::{BTreeMap, BTreeSet};

use monitor_core::stream::align::{End, Verdict, Wait};
use monitor_core::time::Nanos;
use proptest::prelude::*;

use crate::{Bench, MS, Told, key, rate};

const RATES: [i16; 8] = [10, 15, 20, 25, 30, 50, 60, 120];

/// A whole number of frames at each of [`RATES`].
const TICKS: u64 = 1_200;

const SECOND: i64 = 1_000 * MS;

#[derive(Debug, Default)]
struct Instant {
    expected: BTreeSet<u32>,
    present: BTreeMap<u32, i64>,
    late: BTreeSet<u32>,
    deadline: i64,
    over: bool,
}

#[derive(Debug)]
struct Model {
    wait: Wait,
    /// The rate and the last arrival of each stream that takes part.
    members: BTreeMap<u32, (i16, i64)>,
    instants: BTreeMap<u64, Instant>,
    settled: i64,
    told: Vec<Told>,
}

impl Model {
    fn new(wait: Wait) -> Self {
        Self { wait, members: BTreeMap::new(), instants: BTreeMap::new(), settled: 0, told: Vec::new() }
    }

    fn take(&mut self, frame: &Frame) -> Verdict {
        let Frame { number, word, index, arrival } = *frame;
        let now = arrival.0;
        while let Some(tick) = self.first_due(now) {
            self.end(tick, End::Window, now);
        }
        let took_part = self.members.contains_key(&number);
        if self.members.is_empty() {
            self.settled = now + SECOND;
        }
        let last = self.members.get(&number).map_or(now, |(_, last)| now.max(*last));
        self.members.insert(number, (word, last));

        let tick = index * (TICKS / u64::from(word.unsigned_abs()));
        let time = key(word, index).time.0;
        if !self.instants.contains_key(&tick) {
            let deadline = match self.wait {
                Wait::Relative(wait) => now + i64::from(wait),
                Wait::Absolute(wait) => time + i64::from(wait),
            };
            if deadline < now {
                return if took_part { Verdict::Late } else { Verdict::Joining };
            }
            let on = |word: i16| (tick * u64::from(word.unsigned_abs())).is_multiple_of(TICKS);
            let expected = self.members.iter().filter(|(_, (word, _))| on(*word)).map(|(number, _)| *number);
            let instant = Instant { expected: expected.collect(), deadline, ..Instant::default() };
            self.instants.insert(tick, instant);
        }
        let Some(instant) = self.instants.get_mut(&tick) else { unreachable!("it was put there") };
        if instant.present.contains_key(&number) || instant.late.contains(&number) {
            return Verdict::Duplicate;
        }
        if instant.over {
            if !instant.expected.contains(&number) {
                return Verdict::Joining;
            }
            instant.late.insert(number);
            return Verdict::Late;
        }
        instant.present.insert(number, now);
        instant.expected.insert(number);
        if instant.present.len() == instant.expected.len() && now >= self.settled {
            self.end(tick, End::Complete, now);
        }
        Verdict::Aligned
    }

    fn first_due(&self, now: i64) -> Option<u64> {
        self.instants
            .iter()
            .find(|(_, instant)| !instant.over && instant.deadline <= now)
            .map(|(tick, _)| *tick)
    }

    fn finish(&mut self, now: i64) {
        while let Some(tick) = self.instants.iter().find(|(_, instant)| !instant.over).map(|(tick, _)| *tick)
        {
            self.end(tick, End::Cut, now);
        }
    }

    fn end(&mut self, tick: u64, end: End, now: i64) {
        let Some(instant) = self.instants.get_mut(&tick) else { return };
        instant.over = true;
        let present: Vec<u32> = instant.present.keys().copied().collect();
        let absent: Vec<u32> =
            instant.expected.iter().copied().filter(|number| !instant.present.contains_key(number)).collect();
        let arrivals = || instant.present.iter().map(|(number, at)| (*at, *number));
        let (first, last) = (arrivals().min(), arrivals().max());
        let ((first_at, _), (last_at, _)) = (first.expect("never none"), last.expect("never none"));
        self.told.push(Told {
            key: key(1_200, tick),
            end,
            present,
            absent: absent.clone(),
            over: Nanos(now),
            skew_ns: last_at - first_at,
            first: 0,
            last: 0,
        });
        for number in absent.iter().filter(|_| end != End::Cut) {
            let leaves = |(word, last): &(i16, i64)| {
                let periods = 3 * i64::try_from(rate(*word).period_ns()).expect("short");
                now - last > (SECOND + SECOND / 2).max(periods)
            };
            if self.members.get(number).is_some_and(leaves) {
                self.members.remove(number);
            }
        }
    }
}

#[derive(Clone, Debug)]
struct Frame {
    number: u32,
    word: i16,
    index: u64,
    arrival: Nanos,
}

/// What becomes of a frame on its way.
#[derive(Clone, Debug)]
struct Fate {
    copies: i64,
    /// Beyond the ordinary delay, in milliseconds.
    delay: i64,
}

fn fate() -> impl Strategy<Value = Fate> {
    let copies = prop_oneof![12 => Just(1_i64), 2 => Just(0), 1 => Just(2)];
    let delay = prop_oneof![12 => 0..20_i64, 2 => 20..90_i64, 1 => 90..700_i64];
    (copies, delay).prop_map(|(copies, delay)| Fate { copies, delay })
}

/// A stream: rate, when it begins and how long it lasts in tenths of a second, and what becomes of its frames in turn.
fn stream() -> impl Strategy<Value = (i16, u64, u64, Vec<Fate>)> {
    let rate = prop::sample::select(RATES.to_vec());
    (rate, 0..25_u64, 5..40_u64, prop::collection::vec(fate(), 1..60))
}

fn frames(streams: &[(i16, u64, u64, Vec<Fate>)]) -> Vec<Frame> {
    let mut all = Vec::new();
    for (number, (word, begins, lasts, fates)) in (1..).zip(streams) {
        let per_second = u64::from(word.unsigned_abs());
        let first = (begins * per_second).div_ceil(10);
        for (index, fate) in (first..first + lasts * per_second / 10).zip(fates.iter().cycle()) {
            let ordinary = 20 * MS + i64::from(number) * MS;
            for copy in 0..fate.copies {
                // The first frames are on time, so that what is early and late is known from the start.
                let extra = if index < first + 5 { 0 } else { fate.delay * MS } + copy * 7 * MS;
                let arrival = key(*word, index).time.plus(ordinary + extra);
                all.push(Frame { number, word: *word, index, arrival });
            }
        }
    }
    all.sort_by_key(|frame| (frame.arrival, frame.number, frame.index));
    all
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn what_is_told_is_what_the_model_tells(
        streams in prop::collection::vec(stream(), 1..7),
        wait in 100_u32..250,
        absolute: bool,
    ) {
        let wait = if absolute { Wait::Absolute(wait * 1_000_000) } else { Wait::Relative(wait * 1_000_000) };
        let (mut bench, mut model) = (Bench::new(wait), Model::new(wait));
        let frames = frames(&streams);
        for frame in &frames {
            let verdict = bench.send_at(frame.number, frame.word, frame.index, frame.arrival);
            prop_assert_eq!(verdict, model.take(frame), "{:?}", frame);
        }
        bench.finish();
        model.finish(frames.last().map_or(0, |frame| frame.arrival.0));
        // Which of several that came at the same nanosecond was first is of no account.
        let told: Vec<Told> = bench.told.iter().map(|told| Told { first: 0, last: 0, ..told.clone() }).collect();
        prop_assert_eq!(&told, &model.told);

        let counts = bench.aligner.counts();
        prop_assert_eq!(counts.offered, frames.len() as u64);
        let aligned: usize = told.iter().map(|told| told.present.len()).sum();
        prop_assert_eq!(counts.aligned, aligned as u64);
        let absent: usize = told.iter().filter(|told| told.end != End::Cut).map(|told| told.absent.len()).sum();
        let of_streams: u32 = (1..=64).map(|number| bench.stream(number).absent).sum();
        prop_assert_eq!(u64::from(of_streams), absent as u64);
        let late: u32 = (1..=64).map(|number| bench.stream(number).late).sum();
        prop_assert_eq!(u64::from(late), counts.late);
    }
}
