//! How good a PMU says that its clock is, and for how long it has said so.
//!
//! A frame's state holds until the next frame says otherwise. Over a silence that is a stall nothing is known, and no
//! time is counted.

use super::report::optional_signed;
use crate::protocol::c37118::{ClockQuality, Stat, TimeQuality};
use crate::time::Nanos;

/// What one frame says of its clock: `MSG_TQ`, and of STAT the sync bit, the unlocked time and `PMU_TQ`; where the stream
/// holds several PMUs, the worst that any of them says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ClockState(u16);

impl ClockState {
    /// From the ten bits: `MSG_TQ` in bits 3-0, `PMU_TQ` in 6-4, unlocked time in 8-7, sync lost in 9.
    #[must_use]
    pub const fn from_word(word: u16) -> Self {
        Self(word & 0x3FF)
    }

    /// The ten bits.
    #[must_use]
    pub const fn word(self) -> u16 {
        self.0
    }

    /// Of a frame's time quality alone.
    #[must_use]
    pub const fn of(quality: TimeQuality) -> Self {
        Self((quality.bits() & 0x0F) as u16)
    }

    /// With what one PMU says, where that is worse.
    #[must_use]
    #[inline]
    pub fn worse(self, stat: Stat) -> Self {
        // Where the bits stand in STAT and here: nothing but these is compared, each with its own.
        let unlocked = (self.0 & 0b11 << 7).max((stat.word() >> 4 & 0b11) << 7);
        let pmu_tq = (self.0 & 0b111 << 4).max(u16::from(stat.time_quality()) << 4);
        let lost = self.0 & 1 << 9 | u16::from(stat.sync_lost()) << 9;
        Self(self.0 & 0x0F | pmu_tq | unlocked | lost)
    }

    /// How far the sender says that its clock may be off, in nanoseconds; none where it does not know, or has lost its
    /// time source.
    #[must_use]
    pub const fn bound_ns(self) -> Option<u64> {
        if self.sync_lost() {
            return None;
        }
        let message = match TimeQuality::from_bits(self.msg_tq()).clock() {
            ClockQuality::Locked => 0,
            ClockQuality::Within { ns } => ns,
            ClockQuality::Fault | ClockQuality::Reserved(_) => return None,
        };
        let pmu = match self.pmu_tq() {
            0 => 0,
            7 => return None,
            code => 10_u64.pow(code as u32 + 1),
        };
        Some(if message > pmu { message } else { pmu })
    }

    /// `MSG_TQ`, 0 to 15.
    #[must_use]
    pub const fn msg_tq(self) -> u8 {
        (self.0 & 0x0F) as u8
    }

    /// `PMU_TQ`, 0 to 7.
    #[must_use]
    pub const fn pmu_tq(self) -> u8 {
        (self.0 >> 4 & 0b111) as u8
    }

    /// Unlocked time, 0 to 3.
    #[must_use]
    pub const fn unlocked_time(self) -> u8 {
        (self.0 >> 7 & 0b11) as u8
    }

    /// Whether sync is lost.
    #[must_use]
    pub const fn sync_lost(self) -> bool {
        self.0 >> 9 & 1 == 1
    }
}

/// How long, in nanoseconds, a stream's frames said what of its clock. Each group sums to the time observed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ClockTimes {
    /// By `MSG_TQ`, 0 (locked) to 15 (fault).
    pub msg_tq: [u64; 16],
    /// By `PMU_TQ`, 0 (not used) to 7 (over 10 ms, or unknown).
    pub pmu_tq: [u64; 8],
    /// By the unlocked time, 0 (locked, or for less than 10 s) to 3 (1000 s or more).
    pub unlocked: [u64; 4],
    /// In sync (STAT bit 13 clear), and not.
    pub sync: [u64; 2],
    /// Times that any of it changed.
    pub changes: u64,
    /// What the last frame said; all 0 before the first.
    pub state: ClockState,
    /// Arrival of the first frame that said so without a break: nanoseconds since the Unix epoch.
    pub since_ns: Option<i64>,
}

impl ClockTimes {
    pub(super) fn visit(&mut self, each: &mut impl FnMut(&mut u64)) {
        let Self { msg_tq, pmu_tq, unlocked, sync, changes, state, since_ns } = self;
        msg_tq.iter_mut().chain(pmu_tq).chain(unlocked).chain(sync).for_each(&mut *each);
        each(changes);
        let mut word = state.word().into();
        each(&mut word);
        *state = ClockState::from_word(u16::try_from(word & 0x3FF).unwrap_or(0));
        optional_signed(since_ns, each);
    }

    fn add(&mut self, state: ClockState, ns: u64) {
        self.msg_tq[usize::from(state.msg_tq())] += ns;
        self.pmu_tq[usize::from(state.pmu_tq())] += ns;
        self.unlocked[usize::from(state.unlocked_time())] += ns;
        self.sync[usize::from(state.sync_lost())] += ns;
    }
}

/// Where a stream's clock stands: what each frame touches.
#[derive(Clone, Copy, Debug)]
pub(super) struct ClockWatch {
    state: ClockState,
    /// Steady time from which on the state was not added up yet, and of the last frame.
    from: i64,
    last: i64,
    /// Arrival of the state's first frame.
    since: Option<Nanos>,
}

impl ClockWatch {
    pub(super) const fn new() -> Self {
        Self { state: ClockState(0), from: 0, last: 0, since: None }
    }

    /// Takes what a frame says. `steady` is its arrival on a clock that is not set; `stall_ns` the silence over which
    /// nothing is known.
    #[inline]
    pub(super) fn take(
        &mut self,
        state: ClockState,
        arrival: Nanos,
        steady: i64,
        stall_ns: i64,
        times: &mut ClockTimes,
    ) {
        if self.state == state && self.since.is_some() && (0..=stall_ns).contains(&(steady - self.last)) {
            self.last = steady;
            return;
        }
        self.change(state, arrival, steady, stall_ns, times);
    }

    #[cold]
    fn change(
        &mut self,
        state: ClockState,
        arrival: Nanos,
        steady: i64,
        stall_ns: i64,
        times: &mut ClockTimes,
    ) {
        if self.since.is_some() {
            let held = (0..=stall_ns).contains(&(steady - self.last));
            let to = if held { steady } else { self.last };
            times.add(self.state, u64::try_from(to - self.from).unwrap_or(0));
            times.changes += u64::from(self.state != state);
        }
        if self.since.is_none() || self.state != state {
            self.since = Some(arrival);
        }
        (self.state, self.from, self.last) = (state, steady, steady);
    }

    /// What the times are, the present state's among them.
    pub(super) fn times(&self, times: &ClockTimes) -> ClockTimes {
        let mut times = *times;
        times.add(self.state, u64::try_from(self.last - self.from).unwrap_or(0));
        times.state = self.state;
        times.since_ns = self.since.map(|since| since.0);
        times
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PERIOD: i64 = 20_000_000;
    const STALL: i64 = 1_000_000_000;

    fn run(frames: impl IntoIterator<Item = (i64, u16)>) -> ClockTimes {
        let (mut watch, mut times) = (ClockWatch::new(), ClockTimes::default());
        for (at, word) in frames {
            watch.take(ClockState::from_word(word), Nanos(at + 7), at, STALL, &mut times);
        }
        watch.times(&times)
    }

    #[test]
    fn a_state_holds_until_the_next_frame_says_otherwise() {
        // 50 frames locked, 100 without sync at MSG_TQ 15, 25 locked again.
        let word = |n: i64| if (50..150).contains(&n) { 0x3FF } else { 0 };
        let times = run((0..175).map(|n| (n * PERIOD, word(n))));
        let ns = |frames: i64| (frames * PERIOD).unsigned_abs();
        assert_eq!((times.msg_tq[0], times.msg_tq[15]), (ns(50 + 24), ns(100)));
        assert_eq!((times.pmu_tq[0], times.pmu_tq[7]), (ns(74), ns(100)));
        assert_eq!((times.unlocked[0], times.unlocked[3]), (ns(74), ns(100)));
        assert_eq!(times.sync, [ns(74), ns(100)]);
        assert_eq!((times.changes, times.since_ns), (2, Some(150 * PERIOD + 7)));
    }

    #[test]
    fn nothing_is_known_of_a_silence() {
        let times = run([(0, 1), (PERIOD, 1), (PERIOD + 2 * STALL, 1), (2 * PERIOD + 2 * STALL, 1)]);
        assert_eq!(times.msg_tq[1], 2 * PERIOD.unsigned_abs());
        assert_eq!((times.changes, times.since_ns), (0, Some(7)), "the state is the same");
    }

    #[test]
    fn the_worst_pmu_counts() {
        let stat = Stat::from_word;
        let words = [stat(0x0040), stat(0x2190), stat(0)];
        let state = words.into_iter().fold(ClockState::of(TimeQuality::from_bits(0x24)), ClockState::worse);
        assert_eq!((state.msg_tq(), state.pmu_tq(), state.unlocked_time()), (4, 6, 1));
        assert!(state.sync_lost());
    }

    #[test]
    fn a_bound_is_the_larger_of_what_the_frame_and_its_pmus_say() {
        let bound = |quality, stat| {
            ClockState::of(TimeQuality::from_bits(quality)).worse(Stat::from_word(stat)).bound_ns()
        };
        assert_eq!(bound(0x20, 0), Some(0), "the leap bits do not matter");
        assert_eq!(bound(4, 0), Some(1_000));
        assert_eq!(bound(4, 0x0080), Some(1_000));
        assert_eq!(bound(4, 0x00C0), Some(10_000));
        assert_eq!([bound(0, 0x2000), bound(0, 0x01C0), bound(0xF, 0), bound(0xD, 0)], [None; 4]);
    }
}
