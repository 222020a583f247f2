//! What is known of a stream beside its counts and its timing: too much for an event, so it crosses as bytes beside one.
//!
//! A [`StreamReport`] is a fixed number of words, in a fixed order, in this host's byte order. Each part is defined,
//! count by count, in `docs/streams.md`.

use super::quality::ClockTimes;

/// Words of a report; a test fails where it is not their number.
const WORDS: usize = 92;

/// Bytes of a report.
pub const REPORT_SIZE: usize = WORDS * 8;

/// Smallest, mean, largest and standard deviation of some spans of time, in nanoseconds. Without a span all are 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Spread {
    /// Spans measured.
    pub count: u64,
    /// Smallest.
    pub min: i64,
    /// Mean, rounded to nearest.
    pub mean: i64,
    /// Largest.
    pub max: i64,
    /// Standard deviation.
    pub deviation: u64,
}

/// How regularly frames come, by their arrivals and by their time tags.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pace {
    /// DATA_RATE of the last configuration that laid a frame out; none where it states no rate.
    pub declared: Option<i16>,
    /// Between the first bytes of successive frames.
    pub gaps: Spread,
    /// Between the time tags of successive frames, each newer than all before; what is missing makes them longer.
    pub tag_gaps: Spread,
    /// Mean of those that most frames have: one over the rate at which the PMU sends, whatever was lost.
    pub usual_tag_gap_ns: Option<i64>,
    /// Frames that came in the same packet as the frame before: TCP's coalescing, or several in one datagram.
    pub coalesced: u64,
}

/// Where a limit for lateness comes from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u8)]
pub enum LimitBasis {
    /// Performance class M: 7/Fs (IEEE C37.118.1-2011, table 14).
    #[default]
    ClassM,
    /// Performance class P: 2/Fs.
    ClassP,
    /// Set in the configuration file.
    Set,
    /// Class M, which SVC_CLASS of the stream's CFG-3 declares.
    DeclaredM,
    /// Class P, likewise.
    DeclaredP,
}

/// Whether a stream's time tags and the host's clock agree, as its fastest frames show.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u8)]
pub enum Agreement {
    /// No frame was judged yet.
    #[default]
    Unknown,
    /// The fastest frame of the last minutes is neither early nor beyond the limit.
    Agree,
    /// It is, or may be TAI where UTC is due: the clocks differ by about [`LatenessReport::smallest_ns`], and lateness
    /// against the time tag means nothing.
    Offset,
}

/// Lateness: arrival minus time tag, in nanoseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LatenessReport {
    /// Beyond this a frame is late; none before a rate is known.
    pub limit_ns: Option<u64>,
    /// Where the limit comes from.
    pub basis: LimitBasis,
    /// Whether the clocks agree at present.
    pub agreement: Agreement,
    /// The smallest lateness of the last one to two minutes.
    pub smallest_ns: Option<i64>,
    /// 36 or 37 where the clocks are so many seconds apart, in either direction: TAI is taken for UTC.
    pub tai_mistake_s: Option<i32>,
    /// How far this host's clock may have been off when the last frame came; none where nobody knows.
    pub host_bound_ns: Option<u64>,
    /// Frames that were judged by their time tag. With the three `unjudged` these are all frames of `variation`.
    pub judged: u64,
    /// Those of them that came later than the limit, whatever the clocks' error.
    pub late: u64,
    /// Those that are so near the limit that the clocks' error bounds do not allow to say.
    pub late_unsure: u64,
    /// Those that were judged as if this host's clock were exact, because nobody knows how far it may be off.
    pub judged_unbounded: u64,
    /// Frames not judged because the sender's own clock is not known to be within the limit.
    pub unjudged_sender: u64,
    /// Frames not judged because this host's clock, with the sender's, may be off by more than the limit.
    pub unjudged_host: u64,
    /// Frames not judged because the clocks do not agree.
    pub unjudged_clocks: u64,
    /// Late frames that came in one packet with a later frame that was not late: the transport held them back.
    pub late_coalesced: u64,
    /// Frames that came later than the limit, measured from the stream's own smallest lateness.
    pub delayed: u64,
    /// Lateness measured so: how much the delay varies, whatever the clocks.
    pub variation: Spread,
}

/// Copies: the same packet, seen again on its way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CopyCounts {
    /// On the same interface: a mirror of both directions, or of several ports.
    pub mirror: u64,
    /// By the other LAN of PRP (IEC 62439-3).
    pub prp: u64,
    /// On another interface.
    pub interface: u64,
    /// Arrival of the copy minus that of the packet that counts.
    pub skew: Spread,
    /// Packets with a redundancy trailer of LAN A and of LAN B.
    pub lan: [u64; 2],
}

/// Silences.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stalls {
    /// A silence longer than this is a stall; nanoseconds.
    pub limit_ns: u64,
    /// Stalls, the present one among them.
    pub count: u64,
    /// How long they were in all, from the last frame before to the first one behind, or to now; nanoseconds.
    pub total_ns: u64,
    /// The longest of them.
    pub longest_ns: u64,
    /// Arrival of the last frame, where the stream is stalled now: nanoseconds since the Unix epoch.
    pub since_ns: Option<i64>,
}

/// Leap seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Leaps {
    /// Inserted ones that the time quality announced, or told of.
    pub inserted: u64,
    /// Deleted ones, likewise.
    pub deleted: u64,
    /// Seconds that were tagged twice without a leap bit: their frames are duplicates.
    pub repeated: u64,
    /// Seconds that no frame was tagged with while frames went on coming, without a leap bit: theirs are missing.
    pub skipped: u64,
}

/// Frames in which the STAT of at least one PMU says so.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StatCounts {
    /// Bits 15-14 are 01 or 11: the PMU has an error.
    pub data_error: u64,
    /// Bits 15-14 are 10: test mode, or data that are absent.
    pub test_or_absent: u64,
    /// Bit 13.
    pub sync_lost: u64,
    /// Bit 12.
    pub sorted_by_arrival: u64,
    /// Bit 11.
    pub trigger: u64,
    /// Bit 10.
    pub config_change: u64,
    /// Bit 9.
    pub modified: u64,
}

/// All of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StreamReport {
    /// How regularly frames come.
    pub pace: Pace,
    /// How late.
    pub lateness: LatenessReport,
    /// How often twice.
    pub copies: CopyCounts,
    /// How long the PMU's clock was how good.
    pub clock: ClockTimes,
    /// How long nothing came.
    pub stalls: Stalls,
    /// Leap seconds.
    pub leaps: Leaps,
    /// What STAT said.
    pub stat: StatCounts,
}

impl StreamReport {
    /// As bytes.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; REPORT_SIZE] {
        let (mut report, mut bytes) = (*self, [0; REPORT_SIZE]);
        let (places, _) = bytes.as_chunks_mut::<8>();
        let mut places = places.iter_mut();
        report.visit(&mut |word| {
            if let Some(place) = places.next() {
                *place = word.to_ne_bytes();
            }
        });
        bytes
    }

    /// From the bytes that [`StreamReport::to_bytes`] made; none where they are not as many.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let bytes: &[u8; REPORT_SIZE] = bytes.try_into().ok()?;
        let (words, _) = bytes.as_chunks::<8>();
        let (mut report, mut words) = (Self::default(), words.iter());
        report.visit(&mut |word| *word = words.next().map_or(0, |bytes| u64::from_ne_bytes(*bytes)));
        Some(report)
    }

    /// Visits every word in a fixed order. Destructured all the way down, so that a new one cannot be forgotten.
    fn visit(&mut self, each: &mut impl FnMut(&mut u64)) {
        let Self { pace, lateness, copies, clock, stalls, leaps, stat } = self;
        let Pace { declared, gaps, tag_gaps, usual_tag_gap_ns, coalesced } = pace;
        let mut rate = declared.map(i64::from);
        optional_signed(&mut rate, each);
        *declared = rate.and_then(|rate| i16::try_from(rate).ok());
        gaps.visit(each);
        tag_gaps.visit(each);
        optional_signed(usual_tag_gap_ns, each);
        each(coalesced);
        lateness.visit(each);
        let CopyCounts { mirror, prp, interface, skew, lan } = copies;
        [mirror, prp, interface].into_iter().chain(lan).for_each(&mut *each);
        skew.visit(each);
        clock.visit(each);
        let Stalls { limit_ns, count, total_ns, longest_ns, since_ns } = stalls;
        [limit_ns, count, total_ns, longest_ns].into_iter().for_each(&mut *each);
        optional_signed(since_ns, each);
        let Leaps { inserted, deleted, repeated, skipped } = leaps;
        [inserted, deleted, repeated, skipped].into_iter().for_each(&mut *each);
        let StatCounts {
            data_error,
            test_or_absent,
            sync_lost,
            sorted_by_arrival,
            trigger,
            config_change,
            modified,
        } = stat;
        [data_error, test_or_absent, sync_lost, sorted_by_arrival, trigger, config_change, modified]
            .into_iter()
            .for_each(each);
    }
}

impl Spread {
    fn visit(&mut self, each: &mut impl FnMut(&mut u64)) {
        let Self { count, min, mean, max, deviation } = self;
        each(count);
        for number in [min, mean, max] {
            signed(number, each);
        }
        each(deviation);
    }
}

impl LatenessReport {
    fn visit(&mut self, each: &mut impl FnMut(&mut u64)) {
        let Self {
            limit_ns,
            basis,
            agreement,
            smallest_ns,
            tai_mistake_s,
            host_bound_ns,
            judged,
            late,
            late_unsure,
            judged_unbounded,
            unjudged_sender,
            unjudged_host,
            unjudged_clocks,
            late_coalesced,
            delayed,
            variation,
        } = self;
        optional(limit_ns, each);
        optional(host_bound_ns, each);
        let mut mistake = tai_mistake_s.map(i64::from);
        optional_signed(&mut mistake, each);
        *tai_mistake_s = mistake.and_then(|seconds| i32::try_from(seconds).ok());
        let (mut basis_word, mut agreement_word) = (*basis as u64, *agreement as u64);
        [&mut basis_word, &mut agreement_word].into_iter().for_each(&mut *each);
        *basis = match basis_word {
            1 => LimitBasis::ClassP,
            2 => LimitBasis::Set,
            3 => LimitBasis::DeclaredM,
            4 => LimitBasis::DeclaredP,
            _ => LimitBasis::ClassM,
        };
        *agreement = match agreement_word {
            1 => Agreement::Agree,
            2 => Agreement::Offset,
            _ => Agreement::Unknown,
        };
        optional_signed(smallest_ns, each);
        [judged, late, late_unsure, judged_unbounded].into_iter().for_each(&mut *each);
        [unjudged_sender, unjudged_host, unjudged_clocks].into_iter().for_each(&mut *each);
        [late_coalesced, delayed].into_iter().for_each(&mut *each);
        variation.visit(each);
    }
}

/// Visits a word that may be absent; the largest number stands for that.
fn optional(number: &mut Option<u64>, each: &mut impl FnMut(&mut u64)) {
    let mut word = number.unwrap_or(u64::MAX);
    each(&mut word);
    *number = Some(word).filter(|word| *word != u64::MAX);
}

/// Visits a signed word.
pub(super) fn signed(number: &mut i64, each: &mut impl FnMut(&mut u64)) {
    let mut word = number.cast_unsigned();
    each(&mut word);
    *number = word.cast_signed();
}

/// Visits a signed word that may be absent; the smallest number stands for that.
pub(super) fn optional_signed(number: &mut Option<i64>, each: &mut impl FnMut(&mut u64)) {
    let mut word = number.unwrap_or(i64::MIN);
    signed(&mut word, each);
    *number = Some(word).filter(|word| *word != i64::MIN);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_crosses_whole() {
        let mut words = 0;
        StreamReport::default().visit(&mut |_| words += 1);
        assert_eq!(words, WORDS);
        let mut report = StreamReport::default();
        let mut number = 0;
        report.visit(&mut |word| {
            number += 1;
            *word = number;
        });
        // Those that are no plain numbers.
        report.lateness.basis = LimitBasis::DeclaredP;
        report.lateness.agreement = Agreement::Offset;
        report.lateness.smallest_ns = Some(-7);
        (report.lateness.tai_mistake_s, report.lateness.host_bound_ns) = (Some(37), None);
        report.stalls.since_ns = None;
        report.clock.state = super::super::ClockState::from_word(0x3FF);
        assert_eq!(StreamReport::from_bytes(&report.to_bytes()), Some(report));
        assert_eq!(StreamReport::from_bytes(&report.to_bytes()[1..]), None);
        let nothing = StreamReport::default();
        assert_eq!(StreamReport::from_bytes(&nothing.to_bytes()), Some(nothing));
    }
}
