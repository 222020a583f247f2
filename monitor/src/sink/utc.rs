//! An instant as a person reads it: `2008-08-06 11:52:58.251598000`, UTC.

use std::fmt;

use monitor_core::time::Nanos;

const NANOS_PER_SECOND: i64 = 1_000_000_000;
const SECONDS_PER_DAY: i64 = 86_400;

/// Shows an instant with nanoseconds.
#[derive(Clone, Copy, Debug)]
pub struct Utc(pub Nanos);

impl fmt::Display for Utc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (seconds, ns) = (self.0.0.div_euclid(NANOS_PER_SECOND), self.0.0.rem_euclid(NANOS_PER_SECOND));
        let (days, second) = (seconds.div_euclid(SECONDS_PER_DAY), seconds.rem_euclid(SECONDS_PER_DAY));
        let (year, month, day) = civil(days);
        let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
        write!(f, "{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}.{ns:09}")
    }
}

/// Year, month and day of a day since 1970-01-01 in the Gregorian calendar. Counted in years that begin in March, so
/// that the leap day is the last one: then month lengths follow one rule (153 days in five months).
const fn civil(days: i64) -> (i64, i64, i64) {
    const DAYS_PER_ERA: i64 = 146_097;
    const DAYS_FROM_MARCH_0: i64 = 719_468;
    let days = days + DAYS_FROM_MARCH_0;
    let (era, day_of_era) = (days.div_euclid(DAYS_PER_ERA), days.rem_euclid(DAYS_PER_ERA));
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let (month, next_year) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    (era * 400 + year_of_era + next_year, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_instants() {
        for (ns, shown) in [
            (0, "1970-01-01 00:00:00.000000000"),
            (-1, "1969-12-31 23:59:59.999999999"),
            (1_218_023_578_251_598_000, "2008-08-06 11:52:58.251598000"),
            (951_782_399_000_000_001, "2000-02-28 23:59:59.000000001"),
            (951_782_400_000_000_000, "2000-02-29 00:00:00.000000000"),
            (4_107_542_400_000_000_000, "2100-03-01 00:00:00.000000000"),
        ] {
            assert_eq!(Utc(Nanos(ns)).to_string(), shown);
        }
    }
}
