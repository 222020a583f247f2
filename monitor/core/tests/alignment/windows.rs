//! Wait windows, who is expected, who is late, whose clock is not believed: one case each.

use monitor_core::stream::align::{End, StreamAlignment, Verdict, Wait};
use monitor_core::time::Nanos;

use crate::{Bench, MS, Told, key};

/// 100 ms.
const WAIT: u32 = 100_000_000;

/// Streams 1 to `streams` at 50/s that have run for four seconds, each 40 ms and its number late: all are expected, and
/// instants are over as soon as they are complete.
fn running(wait: Wait, streams: u32) -> Bench {
    let mut bench = Bench::new(wait);
    for index in 0..200 {
        for number in 1..=streams {
            assert_eq!(bench.send(number, 50, index, 40 * MS + i64::from(number)), Verdict::Aligned);
        }
    }
    bench.finish();
    let all: Vec<u32> = (1..=streams).collect();
    assert!(bench.told.iter().all(|told| told.present == all && told.absent.is_empty()));
    assert_eq!(bench.told.len(), 200);
    bench.told.clear();
    bench.restart_counts();
    bench
}

impl Bench {
    /// [`Bench::note`] compares with what was told.
    fn restart_counts(&mut self) {
        self.forgotten = self.aligner.counts().instants;
    }

    fn only(&self) -> &Told {
        assert_eq!(self.told.len(), 1, "{:?}", self.told);
        &self.told[0]
    }
}

#[test]
fn an_instant_is_over_when_the_last_has_come() {
    let mut bench = running(Wait::Relative(WAIT), 3);
    for (number, delay) in [(2, 30), (3, 45), (1, 61)] {
        assert!(bench.told.is_empty());
        bench.send(number, 50, 200, delay * MS);
    }
    let told = bench.only();
    assert_eq!((told.end, told.first, told.last), (End::Complete, 2, 1));
    assert_eq!((told.skew_ns, told.over), (31 * MS, key(50, 200).time.plus(61 * MS)));
}

#[test]
fn a_relative_window_is_from_the_first_arrival() {
    let mut bench = running(Wait::Relative(WAIT), 3);
    bench.send(1, 50, 200, 30 * MS);
    bench.send(2, 50, 200, 50 * MS);
    let end = key(50, 200).time.plus(130 * MS);
    bench.advance(end.plus(-1));
    assert!(bench.told.is_empty());
    bench.advance(end);
    let told = bench.only().clone();
    assert_eq!((told.end, &*told.present, &*told.absent), (End::Window, &[1, 2][..], &[3][..]));
    assert_eq!(bench.send(3, 50, 200, 131 * MS), Verdict::Late);
    assert_eq!(bench.send(3, 50, 200, 132 * MS), Verdict::Duplicate, "it came late once");
    assert_eq!(bench.send(1, 50, 200, 133 * MS), Verdict::Duplicate);
    let of_three = StreamAlignment { aligned: 200, absent: 1, late: 1, out_of_step: 0 };
    assert_eq!(bench.stream(3), of_three);
}

#[test]
fn an_absolute_window_is_from_the_time_tag_whenever_the_first_comes() {
    let mut bench = running(Wait::Absolute(WAIT), 2);
    assert_eq!(bench.send(1, 50, 200, 90 * MS), Verdict::Aligned);
    assert_eq!(bench.send(2, 50, 200, 101 * MS), Verdict::Late, "an arrival ends the window too");
    assert_eq!(bench.only().over, key(50, 200).time.plus(101 * MS));
    bench.told.clear();
    bench.restart_counts();
    assert_eq!(bench.send(1, 50, 210, 150 * MS), Verdict::Late, "no window is opened that has ended");
    assert!(bench.told.is_empty());
}

#[test]
fn an_arrival_ends_the_windows_before_it() {
    let mut bench = running(Wait::Relative(WAIT), 2);
    bench.send(1, 50, 200, 40 * MS);
    bench.send(1, 50, 201, 40 * MS);
    bench.send(1, 50, 206, 40 * MS);
    assert_eq!(bench.told.len(), 2, "{:?}", bench.told);
    assert!(bench.told.iter().all(|told| told.absent == [2]));
}

#[test]
fn streams_that_begin_together_are_together_from_the_first_instant() {
    let mut bench = Bench::new(Wait::Relative(WAIT));
    for index in 0..3 {
        for number in 1..=12 {
            bench.send(number, 50, index, 40 * MS);
        }
    }
    bench.finish();
    assert!(bench.told.iter().all(|told| told.present.len() == 12));
}

#[test]
fn one_that_joins_is_not_missed_before() {
    let mut bench = running(Wait::Relative(WAIT), 2);
    for index in 200..203 {
        bench.send(1, 50, index, 40 * MS);
        bench.send(2, 50, index, 41 * MS);
        let joins = bench.send(9, 50, index, 42 * MS);
        assert_eq!(joins, if index == 200 { Verdict::Joining } else { Verdict::Aligned });
    }
    assert!(bench.told.iter().all(|told| told.absent.is_empty()));
    assert_eq!(bench.told.iter().map(|told| told.present.len()).collect::<Vec<_>>(), [2, 3, 3]);
}

#[test]
fn one_that_stops_is_expected_for_a_second_and_a_half_and_no_longer() {
    let mut bench = running(Wait::Relative(WAIT), 3);
    for index in 200..300 {
        bench.send(1, 50, index, 40 * MS);
        bench.send(2, 50, index, 41 * MS);
    }
    let last_absent = bench.told.iter().filter(|told| told.absent == [3]).map(|told| told.key).max();
    // Its last frame was that of 199. The window of 270 is the first to end more than 1.5 s after its arrival, when
    // those up to 274 are open.
    assert_eq!(last_absent, Some(key(50, 274)));
    assert_eq!(bench.aligner.active(), 2);
    let absent = bench.stream(3).absent;
    assert!(bench.told.iter().filter(|told| !told.absent.is_empty()).count() == absent as usize);
    assert_eq!(bench.send(3, 50, 301, 40 * MS), Verdict::Aligned, "it is taken up again");
}

#[test]
fn a_clock_that_jumps_opens_nothing_and_holds_nothing_open_for_long() {
    for wait in [Wait::Relative(WAIT), Wait::Absolute(WAIT)] {
        for off in [29_000, -29_000, 5 * 86_400_000] {
            let mut bench = running(wait, 3);
            for index in 200..400 {
                for number in [1, 2] {
                    assert_eq!(bench.send(number, 50, index, 40 * MS), Verdict::Aligned);
                }
                let arrival = key(50, index).time.plus(40 * MS);
                let tag = key(50, index).time.plus(off * MS);
                let instant = monitor_core::stream::align::InstantKey { time: tag, leap: false };
                assert_eq!(bench.offer(3, Some((instant, crate::rate(50))), arrival), Verdict::OutOfStep);
            }
            assert_eq!(bench.aligner.counts().out_of_step, 200);
            assert_eq!(bench.stream(3).out_of_step, 200);
            let incomplete = bench.told.iter().filter(|told| !told.absent.is_empty()).count();
            assert!(incomplete < 85, "{incomplete} of {}", bench.told.len());
            assert_eq!(bench.told.last().map(|told| told.present.len()), Some(2));
        }
    }
}

#[test]
fn pmus_that_agree_are_aligned_on_a_host_whose_clock_is_off() {
    let mut bench = Bench::new(Wait::Relative(WAIT));
    for index in 0..100 {
        for number in 1..=3 {
            assert_eq!(bench.send(number, 50, index, 29_000 * MS), Verdict::Aligned);
        }
    }
    assert!(bench.told.iter().all(|told| told.present.len() == 3));
    // The host's clock is set right.
    let refused = (101..200).flat_map(|index| [1, 2, 3].map(|number| (number, index)));
    let refused =
        refused.filter(|(number, index)| bench.send(*number, 50, *index, 40 * MS) != Verdict::Aligned);
    assert!(refused.count() <= 16);
    let told = bench.told.last().expect("instants");
    assert_eq!((told.key, told.present.len()), (key(50, 199), 3));
}

#[test]
fn one_that_is_ahead_does_not_make_the_others_late() {
    let mut bench = running(Wait::Relative(WAIT), 3);
    for index in 200..400 {
        // Its clock is a second ahead: its frame of `index + 50` comes with the others' of `index`.
        assert_eq!(bench.send(3, 50, index + 50, -960 * MS), Verdict::Aligned);
        for number in [1, 2] {
            assert_eq!(bench.send(number, 50, index, 40 * MS), Verdict::Aligned, "{index}");
        }
    }
    let last = bench.told.last().expect("instants");
    assert_eq!((last.present.len(), last.first, last.skew_ns), (3, 3, 1_000 * MS));
    assert_eq!(bench.aligner.counts().late, 0);
}

#[test]
fn a_second_that_the_host_has_not_made_misaligns_nothing() {
    // All PMUs go on with another second than the host, as after a leap second.
    for off in [-50_i64, 50] {
        let mut bench = running(Wait::Relative(WAIT), 3);
        for index in 200..400_u64 {
            let tag = index.checked_add_signed(off).expect("after the start");
            let arrival = key(50, index).time.plus(40 * MS);
            for number in 1..=3 {
                // Backwards, the first second is one that was: other frames than those that came already.
                if off > 0 || index >= 250 {
                    assert_eq!(bench.send_at(number, 50, tag, arrival), Verdict::Aligned, "{off} {index}");
                }
            }
        }
        assert!(bench.told.iter().all(|told| told.present.len() == 3), "{off}");
    }
}

#[test]
fn a_host_clock_set_back_ends_what_is_open() {
    let mut bench = running(Wait::Relative(WAIT), 2);
    bench.send(1, 50, 200, 40 * MS);
    bench.advance(key(50, 200).time.plus(-3_600_000 * MS));
    assert_eq!(bench.only().end, End::Cut);
    assert_eq!(bench.aligner.counts().cut, 1);
    assert_eq!(bench.stream(2).absent, 0, "nobody is blamed");
}

#[test]
fn frames_without_rate_or_arrival_are_counted() {
    let mut bench = running(Wait::Relative(WAIT), 1);
    assert_eq!(bench.offer(1, None, key(50, 200).time), Verdict::Unaligned);
    assert_eq!(bench.send_at(1, 50, 200, Nanos(i64::MIN)), Verdict::Unaligned);
}

#[test]
fn values_are_those_of_the_frames() {
    let mut bench = running(Wait::Relative(WAIT), 2);
    bench.check_values = true;
    bench.send(2, 50, 200, 40 * MS);
    bench.send(1, 50, 200, 41 * MS);
    assert_eq!(bench.only().present, [1, 2]);
}
