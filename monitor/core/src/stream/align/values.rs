//! The values of an instant's frames, kept until it is over.

use crate::protocol::c37118::{Coordinates, DataView, IdCode, PhasorUnit, PmuView, Stat};
use crate::time::Nanos;

/// What is kept of one PMU at one instant: 24 bytes. Values are 32-bit floats, as PMUs send them; what was sent as
/// integers is rounded to one part in 10^7.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AlignedPmu {
    /// The PMU's own IDCODE.
    pub idcode: IdCode,
    /// Its STAT.
    pub stat: Stat,
    polar: bool,
    /// NaN where absent, and so below.
    frequency_hz: f32,
    rocof_hz_per_s: f32,
    /// Re and im, or magnitude and angle.
    phasor: [f32; 2],
}

const _: () = assert!(size_of::<AlignedPmu>() <= 24);

impl AlignedPmu {
    fn of(pmu: &PmuView<'_>) -> Self {
        let voltage = pmu.phasor_scales().iter().position(|scale| scale.unit == PhasorUnit::Volt);
        let (polar, phasor) = match pmu.coordinates().nth(voltage.unwrap_or(0)).flatten() {
            Some(Coordinates::Polar { magnitude, angle_rad }) => (true, [magnitude, angle_rad]),
            Some(Coordinates::Rectangular { re, im }) => (false, [re, im]),
            None => (false, [f64::NAN; 2]),
        };
        Self {
            idcode: pmu.idcode(),
            stat: pmu.stat(),
            polar,
            frequency_hz: narrow(pmu.frequency_hz().unwrap_or(f64::NAN)),
            rocof_hz_per_s: narrow(pmu.rocof_hz_per_s().unwrap_or(f64::NAN)),
            phasor: phasor.map(narrow),
        }
    }

    /// Frequency in Hz; none where absent.
    #[must_use]
    pub fn frequency_hz(&self) -> Option<f64> {
        present(self.frequency_hz)
    }

    /// Rate of change of frequency in Hz/s; none where absent.
    #[must_use]
    pub fn rocof_hz_per_s(&self) -> Option<f64> {
        present(self.rocof_hz_per_s)
    }

    /// Its first voltage phasor, or its first phasor where it has no voltage; none where absent.
    #[must_use]
    pub fn phasor(&self) -> Option<Coordinates> {
        let [one, other] = [present(self.phasor[0])?, present(self.phasor[1])?];
        Some(if self.polar {
            Coordinates::Polar { magnitude: one, angle_rad: other }
        } else {
            Coordinates::Rectangular { re: one, im: other }
        })
    }
}

fn present(value: f32) -> Option<f64> {
    (!value.is_nan()).then(|| value.into())
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "float formats are 32 bits wide; see the type for the others"
)]
const fn narrow(value: f64) -> f32 {
    value as f32
}

/// One stream's frame of an instant.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry {
    pub(super) place: u32,
    pub(super) arrival: Nanos,
    first: u32,
    pmus: u32,
}

/// The frames of one open instant, in the order in which they came.
#[derive(Debug)]
pub(super) struct Values {
    entries: Vec<Entry>,
    pmus: Vec<AlignedPmu>,
    /// Most PMUs that are kept: `Vec::capacity` may be more.
    most: usize,
}

impl Values {
    /// With place for the frames of so many streams and the values of so many PMUs.
    pub(super) fn new(streams: usize, pmus: usize) -> Self {
        Self { entries: Vec::with_capacity(streams), pmus: Vec::with_capacity(pmus), most: pmus }
    }

    pub(super) fn clear(&mut self) {
        self.entries.clear();
        self.pmus.clear();
    }

    /// Keeps a frame's values. Gives how many PMUs found no place.
    pub(super) fn push(&mut self, place: u32, arrival: Nanos, view: &DataView<'_>) -> u64 {
        let (first, room) = (self.pmus.len(), self.most - self.pmus.len());
        let all = view.pmus();
        let refused = all.len().saturating_sub(room);
        for pmu in all.take(room) {
            self.pmus.push(AlignedPmu::of(&pmu));
        }
        // There is place: a stream stands here once, and its place is one of the streams'.
        let narrow = |wide: usize| u32::try_from(wide).unwrap_or(u32::MAX);
        let (first, pmus) = (narrow(first), narrow(self.pmus.len() - first));
        self.entries.push(Entry { place, arrival, first, pmus });
        refused as u64
    }

    pub(super) fn entries(&self) -> &[Entry] {
        &self.entries
    }

    pub(super) fn pmus(&self, entry: &Entry) -> &[AlignedPmu] {
        let first = entry.first as usize;
        self.pmus.get(first..first + entry.pmus as usize).unwrap_or_default()
    }
}
