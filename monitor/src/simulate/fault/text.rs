//! Faults as they are written: `KIND[=VALUE][,KEY=VALUE]...`. What is wrong is told by its part.

use std::fmt;
use std::ops::RangeInclusive;

use super::Fault;
use super::distribution::{Distribution, LONGEST_NS};
use super::kind::{FaultKind, LeapTag, Segmenting};
use super::scope::{Often, Scope, When};
use crate::config;
use crate::simulate::utc::parse_utc;

/// A fault that cannot be read: which part of it, and what would be right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FaultError {
    part: String,
    reason: String,
}

impl fmt::Display for FaultError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "'{}': {}", self.part, self.reason)
    }
}

impl std::error::Error for FaultError {}

type Read<T> = Result<T, String>;

pub(super) fn parse(text: &str) -> Result<Fault, FaultError> {
    let (head, rest) = text.split_once(',').unwrap_or((text, ""));
    let mut keys = Keys::new(rest)?;
    let in_part = |part: &str| {
        let part = part.to_owned();
        move |reason| FaultError { part, reason }
    };
    let scope = scope(&mut keys)?;
    let (name, value) = head.split_once('=').map_or((head, None), |(name, value)| (name, Some(value)));
    let (kind, share) = kind(name, value, &mut keys).map_err(|wrong| match wrong {
        Wrong::Head(reason) => in_part(head)(reason),
        Wrong::Key(error) => error,
    })?;
    if let Some((key, value)) = keys.0.first() {
        return Err(in_part(&format!("{key}={value}"))(format!("{name} has no '{key}'")));
    }
    let scope = with_share(scope, share).map_err(in_part(head))?;
    check(&kind, &scope).map_err(in_part(text))?;
    Ok(Fault { kind, scope })
}

/// The parts behind the first.
struct Keys<'a>(Vec<(&'a str, &'a str)>);

impl<'a> Keys<'a> {
    fn new(text: &'a str) -> Result<Self, FaultError> {
        let parts = text.split(',').filter(|_| !text.is_empty()).map(|part| {
            part.split_once('=')
                .filter(|(key, value)| !key.is_empty() && !value.is_empty())
                .ok_or_else(|| FaultError { part: part.to_owned(), reason: "write KEY=VALUE".to_owned() })
        });
        parts.collect::<Result<_, _>>().map(Self)
    }

    /// Takes a key out, read by `read`.
    fn take<T>(&mut self, key: &str, read: impl Fn(&str) -> Read<T>) -> Result<Option<T>, FaultError> {
        let Some(place) = self.0.iter().position(|(one, _)| *one == key) else { return Ok(None) };
        let (key, value) = self.0.remove(place);
        read(value).map(Some).map_err(|reason| FaultError { part: format!("{key}={value}"), reason })
    }
}

fn scope(keys: &mut Keys<'_>) -> Result<Scope, FaultError> {
    let mut scope = Scope::default();
    while let Some(range) = keys.take("idcode", idcodes)? {
        scope.idcodes.push(range);
    }
    scope.from = keys.take("from", when)?;
    scope.until = keys.take("until", when)?;
    if let Some(span) = keys.take("for", span)? {
        let told = |reason: &str| FaultError { part: "for".to_owned(), reason: reason.to_owned() };
        if scope.until.is_some() {
            return Err(told("give 'for' or 'until', not both"));
        }
        scope.until = Some(match scope.from.unwrap_or(When::Since(0)) {
            When::Since(ns) => When::Since(ns.saturating_add(span)),
            When::Utc(ns) => When::Utc(ns.saturating_add_unsigned(span)),
        });
    }
    if let Some(share) = keys.take("share", share)? {
        scope.often = Often::Share(share);
    }
    if let Some(every) = keys.take("every", |text| whole(text, 1..=1_000_000_000))? {
        scope.often = Often::Every(every);
    }
    Ok(scope)
}

/// A share that stands as the kind's own value.
fn with_share(mut scope: Scope, share: Option<f64>) -> Read<Scope> {
    match (share, scope.often) {
        (None, _) => {}
        (Some(share), Often::Always) => scope.often = Often::Share(share),
        (Some(_), _) => return Err("the share stands here already: leave 'share' and 'every' out".to_owned()),
    }
    Ok(scope)
}

/// What can only be said of the whole.
fn check(kind: &FaultKind, scope: &Scope) -> Read<()> {
    let once = matches!(
        kind,
        FaultKind::Leap { .. }
            | FaultKind::ConfigChange { .. }
            | FaultKind::ClockOffset { .. }
            | FaultKind::ClockDrift { .. }
            | FaultKind::ClockStuck
            | FaultKind::Silence
            | FaultKind::Disconnect
            | FaultKind::Segment(_)
            | FaultKind::FrequencyStep { .. }
            | FaultKind::FrequencyRamp { .. }
    );
    if once && scope.often != Often::Always {
        return Err(format!("{} lasts for its time; it has no 'share' and no 'every'", kind.name()));
    }
    if matches!(kind, FaultKind::ConfigChange { .. } | FaultKind::Disconnect) && scope.from.is_none() {
        return Err(format!("{} needs its time: from=TIME", kind.name()));
    }
    if let (Some(When::Since(from)), Some(When::Since(until))) = (scope.from, scope.until)
        && from >= until
    {
        return Err("it ends before it begins".to_owned());
    }
    Ok(())
}

/// What is wrong: the kind with its value, or a key.
enum Wrong {
    Head(String),
    Key(FaultError),
}

impl From<FaultError> for Wrong {
    fn from(error: FaultError) -> Self {
        Self::Key(error)
    }
}

impl From<String> for Wrong {
    fn from(reason: String) -> Self {
        Self::Head(reason)
    }
}

/// The kind, and a share where that is the kind's value.
fn kind(name: &str, value: Option<&str>, keys: &mut Keys<'_>) -> Result<(FaultKind, Option<f64>), Wrong> {
    let own_share = || value.map(share).transpose();
    let needed = |what: &str| value.ok_or_else(|| format!("write {name}={what}"));
    let none = || match value {
        None => Ok(()),
        Some(_) => Err(format!("{name} has no value")),
    };
    let kind = match name {
        "loss" => return Ok((FaultKind::Loss, own_share()?)),
        "crc" => return Ok((FaultKind::Crc, own_share()?)),
        "duplicate" => {
            let copies = keys.take("copies", |text| narrow(text, 1..=100))?.unwrap_or(1);
            let after_ns = keys.take("after", span)?.unwrap_or(0);
            return Ok((FaultKind::Duplicate { copies, after_ns }, own_share()?));
        }
        "reorder" => {
            let depth = keys.take("depth", |text| narrow(text, 1..=1000))?.unwrap_or(1);
            return Ok((FaultKind::Reorder { depth }, own_share()?));
        }
        "truncate" => {
            let bytes = keys.take("bytes", |text| narrow(text, 1..=u16::MAX.into()))?;
            return Ok((FaultKind::Truncate { bytes }, own_share()?));
        }
        "delay" => {
            let by = distribution(needed("5ms or another distribution")?)?;
            let ordered = keys.take("ordered", truth)?.unwrap_or(false);
            FaultKind::Delay { by, ordered }
        }
        "clock-offset" => FaultKind::ClockOffset { ns: signed_span(needed("TIME")?)? },
        "clock-drift" => FaultKind::ClockDrift { ppm: quantity(needed("PPM")?, "ppm", -1_000.0..=1_000.0)? },
        "clock-stuck" => none().map(|()| FaultKind::ClockStuck)?,
        "leap" => {
            let delete = match needed("insert or leap=delete")? {
                "insert" => false,
                "delete" => true,
                _ => return Err("a leap second is one to insert or to delete".to_owned().into()),
            };
            let announced = keys.take("announced", truth)?.unwrap_or(true);
            let tagged = keys.take("tagged", leap_tag)?.unwrap_or_default();
            FaultKind::Leap { delete, announced, tagged }
        }
        "stat" => {
            let clear = keys.take("clear", |text| bits(text, u16::MAX.into()))?.unwrap_or(0);
            FaultKind::Stat { bits: bits(needed("0x2000")?, u16::MAX.into())?, clear }
        }
        "time-quality" => {
            let bits = bits(needed("0x0F")?, u8::MAX.into())?;
            FaultKind::TimeQuality { bits: u8::try_from(bits).unwrap_or(u8::MAX) }
        }
        "config-change" => {
            none()?;
            let warning_ns = keys.take("warning", span)?.unwrap_or(1_000_000_000);
            let sent = keys.take("sent", truth)?.unwrap_or(true);
            FaultKind::ConfigChange { warning_ns, sent }
        }
        "silence" => none().map(|()| FaultKind::Silence)?,
        "disconnect" => none().map(|()| FaultKind::Disconnect)?,
        "fragment" => {
            let size = narrow(needed("BYTES")?, 8..=65_528)?;
            if size % 8 != 0 {
                return Err("a fragment carries a multiple of 8 bytes".to_owned().into());
            }
            let reversed = keys.take("reversed", truth)?.unwrap_or(false);
            let incomplete = keys.take("incomplete", truth)?.unwrap_or(false);
            FaultKind::Fragment { size, reversed, incomplete }
        }
        "segment" => FaultKind::Segment(segmenting(needed("bytes:N, random:N or coalesce:N")?)?),
        "frequency-step" => FaultKind::FrequencyStep { hz: quantity(needed("HZ")?, "Hz", -10.0..=10.0)? },
        "frequency-ramp" => {
            FaultKind::FrequencyRamp { hz_per_s: quantity(needed("HZ/S")?, "Hz/s", -20.0..=20.0)? }
        }
        "rocof" => FaultKind::Rocof { hz_per_s: quantity(needed("HZ/S")?, "Hz/s", -100.0..=100.0)? },
        "phase-step" => {
            FaultKind::PhaseStep { rad: quantity(needed("DEGREES")?, "deg", -360.0..=360.0)?.to_radians() }
        }
        "sag" => FaultKind::Sag { depth: quantity(needed("SHARE")?, "", 0.0..=1.0)? },
        _ => return Err(format!("no fault has this name; there are {}", FaultKind::NAMES.join(", ")).into()),
    };
    Ok((kind, None))
}

fn share(text: &str) -> Read<f64> {
    let share = text.parse::<f64>().ok().filter(|share| *share > 0.0 && *share <= 1.0);
    share.ok_or_else(|| format!("'{text}' is no share of the frames: a number above 0, up to 1"))
}

fn idcodes(text: &str) -> Read<RangeInclusive<u16>> {
    let one = |text: &str| {
        text.parse::<u16>().map_err(|_| format!("'{text}' is no IDCODE; write 103, or a range as 103-110"))
    };
    match text.split_once('-') {
        None => one(text).map(|idcode| idcode..=idcode),
        Some((first, last)) => Ok(one(first)?..=one(last)?),
    }
}

fn when(text: &str) -> Read<When> {
    if let Some(ns) = parse_utc(text) {
        return Ok(When::Utc(ns));
    }
    span(text).map(When::Since).map_err(|_| {
        format!("'{text}' is no time; write a span since the start as 5s, or UTC as 2026-12-31T23:59:59Z")
    })
}

/// Nanoseconds; 0 with or without a unit.
fn span(text: &str) -> Read<u64> {
    if matches!(text, "0" | "0s" | "0ms" | "0us" | "0ns") {
        return Ok(0);
    }
    let span: config::Duration = text.parse()?;
    Ok(u64::try_from(span.0.as_nanos()).unwrap_or(u64::MAX))
}

fn signed_span(text: &str) -> Read<i64> {
    let (negative, magnitude) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let ns = span(magnitude)?.cast_signed();
    Ok(if negative { -ns } else { ns })
}

fn distribution(text: &str) -> Read<Distribution> {
    const WRITTEN: &str = "write 5ms, uniform:1ms:5ms, normal:5ms:1ms, exponential:2ms or pareto:1ms:2.5";
    let told = |reason: String| format!("{reason}; {WRITTEN}");
    let ns = |text: &str| {
        let ns = span(text).map_err(told)?;
        if ns > LONGEST_NS { Err(told(format!("'{text}' is longer than a minute"))) } else { Ok(float(ns)) }
    };
    let parts: Vec<&str> = text.split(':').collect();
    match parts.as_slice() {
        [span] => ns(span).map(Distribution::Constant),
        ["uniform", low, high] => {
            let (low, high) = (ns(low)?, ns(high)?);
            if low > high {
                return Err("uniform goes from the shorter to the longer span".to_owned());
            }
            Ok(Distribution::Uniform(low, high))
        }
        ["normal", mean, deviation] => Ok(Distribution::Normal(ns(mean)?, ns(deviation)?)),
        ["exponential", mean] => ns(mean).map(Distribution::Exponential),
        ["pareto", least, shape] => {
            let number = shape.parse::<f64>().ok().filter(|shape| (0.1..=100.0).contains(shape));
            let number = number.ok_or_else(|| told(format!("'{shape}' is no shape from 0.1 to 100")))?;
            Ok(Distribution::Pareto(ns(least)?, number))
        }
        _ => Err(told("no such distribution".to_owned())),
    }
}

/// A span is at most a year: exact in 53 bits.
fn float(ns: u64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "a minute at most where this is asked")]
    {
        ns as f64
    }
}

fn segmenting(text: &str) -> Read<Segmenting> {
    let wrong = || "segments are bytes:N, random:N or coalesce:N".to_owned();
    let (how, count) = text.split_once(':').ok_or_else(wrong)?;
    match how {
        "bytes" => narrow(count, 1..=u16::MAX.into()).map(Segmenting::Bytes),
        "random" => narrow(count, 1..=u16::MAX.into()).map(Segmenting::Random),
        "coalesce" => narrow(count, 1..=1000).map(Segmenting::Coalesce),
        _ => Err(wrong()),
    }
}

fn leap_tag(text: &str) -> Read<LeapTag> {
    match text {
        "next" => Ok(LeapTag::Next),
        "last" => Ok(LeapTag::Last),
        _ => Err("an inserted second is tagged as the next or as the last one".to_owned()),
    }
}

fn truth(text: &str) -> Read<bool> {
    match text {
        "true" | "yes" => Ok(true),
        "false" | "no" => Ok(false),
        _ => Err(format!("'{text}' is neither yes nor no")),
    }
}

fn whole(text: &str, range: RangeInclusive<u64>) -> Read<u64> {
    text.parse::<u64>()
        .ok()
        .filter(|number| range.contains(number))
        .ok_or_else(|| format!("'{text}' is no whole number from {} to {}", range.start(), range.end()))
}

fn narrow(text: &str, range: RangeInclusive<u64>) -> Read<u16> {
    whole(text, range).map(|number| u16::try_from(number).unwrap_or(u16::MAX))
}

fn bits(text: &str, most: u64) -> Read<u16> {
    let number = match text.strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(digits, 16).ok(),
        None => text.parse().ok(),
    };
    let number = number.filter(|number| *number <= most);
    let number = number.ok_or_else(|| format!("'{text}' is no number of bits from 0 to {most:#x}"))?;
    Ok(u16::try_from(number).unwrap_or(u16::MAX))
}

/// A number with or without its unit.
fn quantity(text: &str, unit: &str, range: RangeInclusive<f64>) -> Read<f64> {
    let number = text.strip_suffix(unit).unwrap_or(text).trim();
    number.parse::<f64>().ok().filter(|number| range.contains(number)).ok_or_else(|| {
        let unit = if unit.is_empty() { String::new() } else { format!(" {unit}") };
        format!("'{text}' is no number from {} to {}{unit}", range.start(), range.end())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Fault {
        text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    #[test]
    fn every_kind_can_be_written() {
        for text in [
            "loss=0.01",
            "loss,every=50",
            "duplicate=0.5,copies=2,after=1ms",
            "reorder=0.1,depth=3",
            "delay=5ms",
            "delay=uniform:1ms:5ms,share=0.5,ordered=yes",
            "delay=normal:5ms:1ms",
            "delay=exponential:2ms",
            "delay=pareto:1ms:2.5",
            "crc=0.1",
            "truncate=0.1,bytes=20",
            "clock-offset=-5s,from=1s,for=2s",
            "clock-drift=20ppm",
            "clock-stuck,from=1s,for=2s",
            "leap=insert,from=2026-12-31T23:59:59Z",
            "leap=delete,announced=no",
            "leap=insert,tagged=last",
            "stat=0x2000,clear=0x01C0,from=1s",
            "time-quality=0x0F",
            "config-change,from=2s,warning=500ms,sent=no",
            "silence,from=1s,until=2s",
            "disconnect,from=1s,for=1s",
            "fragment=512,reversed=yes,share=0.5",
            "segment=bytes:1",
            "segment=random:40",
            "segment=coalesce:3",
            "frequency-step=-0.5Hz,from=1s",
            "frequency-ramp=1Hz/s,from=1s,for=1s",
            "rocof=2",
            "phase-step=10deg",
            "sag=0.3,idcode=101-103,idcode=110",
        ] {
            let fault = read(text);
            assert!(text.starts_with(fault.kind.name()), "{text}: {fault:?}");
            assert!(FaultKind::NAMES.contains(&fault.kind.name()), "{text}");
        }
    }

    #[test]
    fn parts_come_out_as_they_were_meant() {
        let fault = read("loss=0.25,idcode=101-103,idcode=110,from=1s,for=2s");
        assert_eq!(fault.scope.idcodes, [101..=103, 110..=110]);
        assert_eq!(fault.scope.from, Some(When::Since(1_000_000_000)));
        assert_eq!(fault.scope.until, Some(When::Since(3_000_000_000)));
        assert_eq!(fault.scope.often, Often::Share(0.25));
        assert_eq!(read("clock-offset=-20ms").kind, FaultKind::ClockOffset { ns: -20_000_000 });
        let FaultKind::PhaseStep { rad } = read("phase-step=180deg").kind else { panic!("a phase step") };
        assert!((rad - std::f64::consts::PI).abs() < 1e-12);
    }

    #[test]
    fn what_is_wrong_is_told_by_its_part() {
        for (text, named) in [
            ("lost=0.1", "'lost=0.1': no fault has this name; there are loss,"),
            ("loss=2", "'loss=2': '2' is no share"),
            ("loss=0.1,pmu=3", "'pmu=3': loss has no 'pmu'"),
            ("loss=0.1,idcode=x", "'idcode=x': 'x' is no IDCODE"),
            ("loss=0.1,idcode", "'idcode': write KEY=VALUE"),
            ("loss=0.1,every=3", "'loss=0.1': the share stands here already"),
            ("loss,from=soon", "'from=soon': 'soon' is no time"),
            ("loss,from=2s,until=1s", "it ends before it begins"),
            ("loss,until=1s,for=1s", "'for': give 'for' or 'until'"),
            ("delay", "'delay': write delay=5ms"),
            ("delay=uniform:5ms:1ms", "from the shorter to the longer"),
            ("delay=gauss:1ms", "'delay=gauss:1ms': no such distribution; write 5ms"),
            ("delay=2min", "longer than a minute"),
            ("leap=both", "one to insert or to delete"),
            ("config-change", "config-change needs its time: from=TIME"),
            ("config-change=1,from=1s", "config-change has no value"),
            ("silence,share=0.1", "silence lasts for its time"),
            ("fragment=100", "a multiple of 8"),
            ("segment=7", "bytes:N, random:N or coalesce:N"),
            ("stat=0x10000", "from 0 to 0xffff"),
            ("sag=1.5", "'sag=1.5': '1.5' is no number from 0 to 1"),
            ("frequency-step=a", "from -10 to 10 Hz"),
            ("truncate=0.1,bytes=0", "'bytes=0': '0' is no whole number"),
            ("", "no fault has this name"),
        ] {
            let error = text.parse::<Fault>().unwrap_err().to_string();
            assert!(error.contains(named), "{text}: {error}");
        }
    }
}
