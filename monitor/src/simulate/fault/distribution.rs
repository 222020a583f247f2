//! How long a delay takes.

use std::f64::consts::TAU;

use crate::simulate::random::Random;

/// No delay is longer than this, whatever the distribution draws: a minute.
pub(super) const LONGEST_NS: u64 = 60_000_000_000;

/// A distribution of spans of time, in nanoseconds, cut below at 0 and above at a minute.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Distribution {
    /// Always the same.
    Constant(f64),
    /// Evenly between two.
    Uniform(f64, f64),
    /// Normal: mean and standard deviation.
    Normal(f64, f64),
    /// Exponential: mean.
    Exponential(f64),
    /// Pareto: least, and shape (above 1 there is a mean; the smaller, the longer the tail).
    Pareto(f64, f64),
}

impl Distribution {
    /// One span, in nanoseconds.
    pub(in crate::simulate) fn draw(self, random: &mut Random) -> u64 {
        // Above 0, up to and with 1: a logarithm and a division take it.
        let mut unit = || 1.0 - random.between(0.0, 1.0);
        let ns = match self {
            Self::Constant(ns) => ns,
            Self::Uniform(low, high) => low + (high - low) * unit(),
            // Box and Muller.
            Self::Normal(mean, deviation) => {
                let (radius, angle) = ((-2.0 * unit().ln()).sqrt(), TAU * unit());
                mean + deviation * radius * angle.cos()
            }
            Self::Exponential(mean) => -mean * unit().ln(),
            Self::Pareto(least, shape) => least * unit().powf(-shape.recip()),
        };
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a float saturates: below at 0, above far beyond a minute"
        )]
        let ns = ns.round() as u64;
        ns.min(LONGEST_NS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mean(distribution: Distribution) -> f64 {
        const DRAWS: u32 = 20_000;
        let mut random = Random::of(&[11]);
        let sum: f64 = (0..DRAWS)
            .map(|_| u32::try_from(distribution.draw(&mut random)).map_or(f64::INFINITY, f64::from))
            .sum();
        sum / f64::from(DRAWS)
    }

    #[test]
    fn means_are_what_they_should_be() {
        for (distribution, expected) in [
            (Distribution::Constant(1e6), 1e6),
            (Distribution::Uniform(1e6, 3e6), 2e6),
            (Distribution::Normal(5e6, 1e6), 5e6),
            (Distribution::Exponential(2e6), 2e6),
            (Distribution::Pareto(1e6, 3.0), 1.5e6),
        ] {
            let mean = mean(distribution);
            assert!((mean - expected).abs() < 0.03 * expected, "{distribution:?}: {mean}");
        }
    }

    #[test]
    fn delays_are_cut_at_both_ends() {
        let mut random = Random::of(&[12]);
        assert_eq!(Distribution::Constant(1e15).draw(&mut random), LONGEST_NS);
        assert_eq!(Distribution::Constant(-5.0).draw(&mut random), 0);
        let draws: Vec<_> = (0..1000).map(|_| Distribution::Pareto(1e6, 0.5).draw(&mut random)).collect();
        assert!(draws.iter().all(|ns| (1_000_000..=LONGEST_NS).contains(ns)));
        assert!(draws.contains(&LONGEST_NS), "with shape 0.5 some are beyond a minute");
    }
}
