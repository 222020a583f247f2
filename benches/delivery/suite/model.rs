//! When frames arrive.

use std::time::Duration;

use monitor::live::Share;
use monitor::simulate::ReportingRate;

use super::random::Random;

/// A model of arrivals.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Model {
    /// 12 PMUs at 50 frames/s, all of them at once: as they report by the same second
    InPhase,
    /// 12 PMUs at 50 frames/s, 1.67 ms apart
    Spread,
    /// The same, each frame up to 0.2 ms early or late, evenly distributed: as in real captures
    Jitter,
    /// 12 PMUs whose frames come in twos: half of the gaps 0.18 to 1 ms (their median 0.59 ms), the others 20 to 80 ms, evenly distributed: as a TCP connection in a real capture
    Bursts,
    /// 12 PMUs at 50 frames/s over a wide area: each frame late by an exponential time of mean 1 ms, one in a hundred by 5 to 20 ms more, never overtaking its predecessor
    WideArea,
    /// 4000 frames/s, regular: 20 PMUs at 200 frames/s, 0.25 ms apart
    Fast,
}

/// One frame: when it is sent, nanoseconds after the beginning, and of which stream.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Arrival {
    pub(crate) at: u64,
    pub(crate) stream: u16,
}

impl Model {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::InPhase => "in-phase",
            Self::Spread => "spread",
            Self::Jitter => "jitter",
            Self::Bursts => "bursts",
            Self::WideArea => "wide-area",
            Self::Fast => "fast",
        }
    }

    pub(crate) const fn streams(self) -> u16 {
        if matches!(self, Self::Fast) { 20 } else { 12 }
    }

    pub(crate) fn rate(self) -> ReportingRate {
        if self == Self::Fast { ReportingRate::new(200).unwrap() } else { ReportingRate::FIFTY }
    }

    /// What `predict` may take of a CPU.
    pub(crate) fn cap(self) -> Share {
        match self {
            Self::InPhase | Self::Spread | Self::Bursts => "10%",
            Self::Jitter | Self::WideArea => "25%",
            Self::Fast => "40%",
        }
        .parse()
        .unwrap()
    }

    /// All arrivals of so long a time, in order.
    pub(crate) fn arrivals(self, length: Duration, seed: u64) -> Vec<Arrival> {
        let end = length.as_secs_f64() * 1e9;
        let mut all = Vec::new();
        for stream in 0..self.streams() {
            let mut random = Random::of(&[seed, self as u64, stream.into()]);
            let mut at = 0.0;
            for number in 0_u32.. {
                // Never before its predecessor: one sender's frames keep their order.
                at = self.next(&mut random, stream, number, at).max(at);
                if at >= end {
                    break;
                }
                all.push(Arrival { at: whole(at), stream });
            }
        }
        all.sort_by_key(|arrival| arrival.at);
        all
    }

    /// When a stream's frame with this number comes, after the last one came at `last`.
    fn next(self, random: &mut Random, stream: u16, number: u32, last: f64) -> f64 {
        let period = 1e9 / f64::from(self.rate().get());
        let place = f64::from(stream) / f64::from(self.streams());
        let due = (f64::from(number) + place) * period;
        match self {
            Self::InPhase => f64::from(number) * period,
            Self::Spread | Self::Fast => due,
            // The first not before the beginning.
            Self::Jitter => due + random.between(0.0, 400e3),
            Self::Bursts if number == 0 => place * 50e6,
            Self::Bursts if number % 2 == 1 => last + random.between(0.18e6, 1e6),
            Self::Bursts => last + random.between(20e6, 80e6),
            Self::WideArea => {
                let usual = -(1.0 - random.unit()).ln() * 1e6;
                let rare = if random.unit() < 0.01 { random.between(5e6, 20e6) } else { 0.0 };
                due + usual + rare
            }
        }
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "nanoseconds of some seconds")]
const fn whole(ns: f64) -> u64 {
    ns as u64
}
