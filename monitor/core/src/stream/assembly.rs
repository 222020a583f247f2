//! Configurations that come in fragments, on their way to become whole: a fixed number of buffers.
//!
//! A series of fragments belongs to one stream. Its fragments have to come in their order. One that is repeated (by a
//! mirror, say) changes nothing; a first one begins anew; any other ends the series, and the sender has to be waited
//! for until it sends the configuration again. A series that nothing was added to for [`IDLE_NS`] gives its buffer to
//! another stream's that begins, and after [`EXPIRED_NS`] nothing continues it: what comes then is of another
//! configuration, which fragments do not name.

use super::StreamKey;
use crate::protocol::c37118::{Continuation, Fragment, Series};
use crate::time::Nanos;

/// How long a series may wait for its next fragment once another wants its buffer: a second, and fragments follow
/// one another within milliseconds.
pub const IDLE_NS: i64 = 1_000_000_000;

/// How long a fragment may follow the one before: long enough for 64 kB over a slow line, and less than the minute in
/// which many PMUs send their configuration again.
pub const EXPIRED_NS: i64 = 30_000_000_000;

/// What became of a fragment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gathered {
    /// It is kept; more have to follow.
    Kept,
    /// It was there already.
    Repeated,
    /// It completes the configuration, which lies in the buffer with this number ([`Assemblies::lend`]).
    Whole(usize),
    /// It continues no series, or ended one by not being the next, or found no buffer.
    Lost,
}

/// All series, and their buffers.
#[derive(Debug)]
pub struct Assemblies {
    places: Vec<Place>,
    /// Series that did not become whole.
    lost: u64,
    /// Configurations that began where no buffer was free.
    refused: u64,
}

#[derive(Debug)]
struct Place {
    buffer: Vec<u8>,
    gathering: Option<Gathering>,
}

/// A stream's series; without one, it became whole, and its last fragment may be repeated.
#[derive(Clone, Copy, Debug)]
struct Gathering {
    key: StreamKey,
    series: Option<Series>,
    /// The fragment that came last.
    last: Continuation,
    /// Bytes of the whole configuration.
    whole: usize,
    first_arrival: Nanos,
    arrival: Nanos,
}

impl Assemblies {
    /// With `places` buffers of `bytes` each, all of them touched.
    #[must_use]
    pub fn new(places: usize, bytes: usize) -> Self {
        let place = || {
            let mut buffer = vec![0; bytes];
            std::hint::black_box(&mut buffer).fill(0);
            Place { buffer, gathering: None }
        };
        Self { places: std::iter::repeat_with(place).take(places).collect(), lost: 0, refused: 0 }
    }

    /// Series that did not become whole: a fragment was missing, out of order, broken, or the whole was too large.
    #[must_use]
    pub const fn lost(&self) -> u64 {
        self.lost
    }

    /// Series that began where every buffer was in use.
    #[must_use]
    pub const fn refused(&self) -> u64 {
        self.refused
    }

    /// Whether a fragment without a CHK of its own may belong to what was begun: then it is no broken frame.
    #[must_use]
    pub fn expects(&self, key: &StreamKey) -> bool {
        self.places.iter().any(|place| place.gathering.is_some_and(|one| one.key == *key))
    }

    /// Takes a fragment of a stream.
    pub fn take(&mut self, key: &StreamKey, fragment: &Fragment<'_>, arrival: Nanos) -> Gathered {
        let own = self.places.iter().position(|place| place.gathering.is_some_and(|one| one.key == *key));
        match (own, fragment.continuation()) {
            (Some(number), Continuation::First) => {
                let unfinished = self
                    .places
                    .get(number)
                    .and_then(|place| place.gathering)
                    .is_some_and(|one| one.series.is_some() && one.last != Continuation::First);
                self.lost += u64::from(unfinished);
                self.begin(number, key, fragment, arrival)
            }
            (Some(number), _) => self.go_on(number, fragment, arrival),
            (None, Continuation::First) => {
                if let Some(number) = self.free(arrival) {
                    self.begin(number, key, fragment, arrival)
                } else {
                    self.refused += 1;
                    Gathered::Lost
                }
            }
            (None, _) => Gathered::Lost,
        }
    }

    /// Takes the whole configuration out of its place, so that everything else can be changed while it is read: its
    /// buffer, which begins with it, its length, and the arrival of its first fragment. To be given back.
    #[must_use]
    pub fn lend(&mut self, number: usize) -> Option<(Vec<u8>, usize, Nanos)> {
        let place = self.places.get_mut(number)?;
        let gathering = place.gathering?;
        Some((std::mem::take(&mut place.buffer), gathering.whole, gathering.first_arrival))
    }

    /// Takes back what was lent.
    pub fn give_back(&mut self, number: usize, buffer: Vec<u8>) {
        if let Some(place) = self.places.get_mut(number) {
            place.buffer = buffer;
        }
    }

    /// A buffer that is not used, or of a series that became whole, or of one that has waited for long.
    fn free(&mut self, now: Nanos) -> Option<usize> {
        let usable = |place: &Place| {
            place.gathering.is_none_or(|one| one.series.is_none() || now.since(one.arrival) >= IDLE_NS)
        };
        let number = self
            .places
            .iter()
            .position(|place| place.gathering.is_none())
            .or_else(|| self.places.iter().position(usable))?;
        let unfinished = self.places.get(number)?.gathering.is_some_and(|one| one.series.is_some());
        self.lost += u64::from(unfinished);
        Some(number)
    }

    fn begin(&mut self, number: usize, key: &StreamKey, first: &Fragment<'_>, arrival: Nanos) -> Gathered {
        let Some(place) = self.places.get_mut(number) else { return Gathered::Lost };
        let Ok(series) = Series::begin(first, &mut place.buffer) else {
            place.gathering = None;
            self.lost += 1;
            return Gathered::Lost;
        };
        let last = Continuation::First;
        let series = Some(series);
        place.gathering =
            Some(Gathering { key: *key, series, last, whole: 0, first_arrival: arrival, arrival });
        Gathered::Kept
    }

    fn go_on(&mut self, number: usize, next: &Fragment<'_>, arrival: Nanos) -> Gathered {
        let Some(place) = self.places.get_mut(number) else { return Gathered::Lost };
        let Some(gathering) = &mut place.gathering else { return Gathered::Lost };
        if next.continuation() == gathering.last {
            return Gathered::Repeated;
        }
        let Some(series) = &mut gathering.series else {
            // It became whole: what follows is of a series whose beginning was not seen.
            place.gathering = None;
            return Gathered::Lost;
        };
        let expired = arrival.since(gathering.arrival) >= EXPIRED_NS;
        match series.push(next, &mut place.buffer) {
            _ if expired => {
                place.gathering = None;
                self.lost += 1;
                Gathered::Lost
            }
            Ok(length) => {
                (gathering.last, gathering.arrival) = (next.continuation(), arrival);
                let Some(length) = length else { return Gathered::Kept };
                (gathering.series, gathering.whole) = (None, length);
                Gathered::Whole(number)
            }
            Err(_) => {
                place.gathering = None;
                self.lost += 1;
                Gathered::Lost
            }
        }
    }
}
