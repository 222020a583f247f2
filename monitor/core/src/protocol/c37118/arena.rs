//! Many layouts in memory that they share: a small configuration costs little, and a large one fits too.
//!
//! Each layout has a slot, which names its runs of entries in three pools (PMUs, phasor scales, analog scales). A run
//! is taken where the pool's used part ends; what a cleared slot leaves behind stays unused until the end of a pool is
//! reached, and then all runs in use are moved together, in their order. Slots do not move, so nobody notices.
//!
//! # What moving costs
//! A pool is a quarter larger than what may be in use at once. So at least that quarter is written between two
//! moves, and moving costs at most four copies for each entry written, however full the arena is: 16 bytes each.

use std::hint::black_box;

use super::config::ConfigView;
use super::format::{Format, NominalFrequency, PhasorUnit};
use super::frame::IdCode;
use super::layout::{
    AnalogScale, LayoutBounds, LayoutError, LayoutRef, Measured, PhasorScale, PmuLayout, StreamLayout,
    analog_scales, phasor_scales, pmu_layouts,
};

/// How much an arena holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ArenaBounds {
    /// Layouts; at most 65 536. A slot costs 56 bytes.
    pub layouts: usize,
    /// PMUs of all layouts together; 28 bytes each, the quarter for moving included.
    pub pmus: usize,
    /// Phasors of all layouts together, and as many analogs; 40 bytes for the two.
    pub channels: usize,
    /// What one layout may take of it.
    pub each: LayoutBounds,
}

/// The layouts of many configurations, by slot.
#[derive(Debug)]
pub struct LayoutArena {
    each: LayoutBounds,
    slots: Vec<Slot>,
    pmus: Pool<PmuLayout>,
    phasors: Pool<PhasorScale>,
    analogs: Pool<AnalogScale>,
    /// Slots in the order of their runs; those that were cleared since are still among them.
    order: Vec<Placed>,
}

/// Where a layout's entries lie.
#[derive(Clone, Copy, Debug, Default)]
struct Slot {
    stream: Option<StreamLayout>,
    pmus: Run,
    phasors: Run,
    analogs: Run,
}

/// Entries of a pool that follow one another.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Run {
    start: u32,
    length: u32,
}

impl Run {
    const fn range(self) -> std::ops::Range<usize> {
        self.start as usize..self.start as usize + self.length as usize
    }
}

/// A slot, and where its run of PMUs began when it was filled. No two begin at the same place until all are moved,
/// because a configuration has a PMU: it tells a slot that was filled again since.
#[derive(Clone, Copy, Debug)]
struct Placed {
    slot: u16,
    start: u32,
}

impl LayoutArena {
    /// Takes all memory, and writes to all of it, so that filling a slot meets no page that was never touched.
    #[must_use]
    pub fn new(bounds: ArenaBounds) -> Self {
        let ArenaBounds { layouts, pmus, channels, each } = bounds;
        let layouts = layouts.min(usize::from(u16::MAX) + 1);
        let mut slots = vec![Slot::default(); layouts];
        black_box(&mut slots).fill(Slot::default());
        let mut order = vec![Placed { slot: 0, start: 0 }; with_slack(layouts)];
        black_box(&mut order).clear();
        Self {
            each,
            slots,
            pmus: Pool::new(pmus, BLANK_PMU),
            phasors: Pool::new(
                channels,
                PhasorScale { per_bit: 0.0, angle_rad: 0.0, unit: PhasorUnit::Volt },
            ),
            analogs: Pool::new(channels, AnalogScale { per_bit: 0.0, offset: 0.0 }),
            order,
        }
    }

    /// Slots, empty ones included.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.slots.len()
    }

    /// Whether it has no slots.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// Takes over the numbers of `config` into an empty slot, without allocating.
    ///
    /// # Errors
    /// [`LayoutError`], and the slot stays empty. A slot that does not exist, or is not empty, is
    /// [`LayoutError::NoRoom`].
    pub fn fill(&mut self, slot: u16, config: &ConfigView<'_>) -> Result<(), LayoutError> {
        let measured = Measured::of(config)?;
        measured.within(self.each)?;
        let room = self.pmus.has_room(measured.pmus)
            && self.phasors.has_room(measured.phasors)
            && self.analogs.has_room(measured.analogs);
        let vacant = self.slots.get(usize::from(slot)).is_some_and(|slot| slot.stream.is_none());
        if !room || !vacant {
            return Err(LayoutError::NoRoom);
        }
        let at_the_end = self.order.len() == self.order.capacity()
            || self.pmus.ends_within(measured.pmus)
            || self.phasors.ends_within(measured.phasors)
            || self.analogs.ends_within(measured.analogs);
        if at_the_end {
            self.move_together();
        }
        let filled = Slot {
            stream: Some(measured.stream),
            pmus: self.pmus.take(measured.pmus, pmu_layouts(config)),
            phasors: self.phasors.take(measured.phasors, phasor_scales(config)),
            analogs: self.analogs.take(measured.analogs, analog_scales(config)),
        };
        self.order.push(Placed { slot, start: filled.pmus.start });
        if let Some(place) = self.slots.get_mut(usize::from(slot)) {
            *place = filled;
        }
        Ok(())
    }

    /// Empties a slot; what it took is free.
    pub fn clear(&mut self, slot: u16) {
        if let Some(place) = self.slots.get_mut(usize::from(slot)) {
            let Slot { stream: _, pmus, phasors, analogs } = std::mem::take(place);
            self.pmus.free(pmus);
            self.phasors.free(phasors);
            self.analogs.free(analogs);
        }
    }

    /// The layout in a slot; an empty one where the slot is, or does not exist.
    #[must_use]
    #[inline]
    pub fn get(&self, slot: u16) -> LayoutRef<'_> {
        let Some(slot) = self.slots.get(usize::from(slot)) else { return LayoutRef::default() };
        LayoutRef {
            stream: slot.stream.as_ref(),
            pmus: self.pmus.get(slot.pmus),
            phasors: self.phasors.get(slot.phasors),
            analogs: self.analogs.get(slot.analogs),
        }
    }

    /// Moves all runs that are in use to the front of their pools.
    fn move_together(&mut self) {
        let Self { each: _, slots, pmus, phasors, analogs, order } = self;
        pmus.begin_moving();
        phasors.begin_moving();
        analogs.begin_moving();
        order.retain_mut(|placed| {
            let Some(slot) = slots.get_mut(usize::from(placed.slot)) else { return false };
            if slot.stream.is_none() || slot.pmus.start != placed.start {
                return false;
            }
            pmus.move_down(&mut slot.pmus);
            phasors.move_down(&mut slot.phasors);
            analogs.move_down(&mut slot.analogs);
            placed.start = slot.pmus.start;
            true
        });
    }
}

const BLANK_PMU: PmuLayout = PmuLayout::blank(IdCode(0), Format::from_word(0), NominalFrequency::Hz50);

/// What may be in use at once, and a quarter more.
const fn with_slack(bound: usize) -> usize {
    bound + bound / 4 + 1
}

/// Entries of one kind.
#[derive(Debug)]
struct Pool<T> {
    entries: Vec<T>,
    /// Where the used part ends.
    end: usize,
    /// Entries in use.
    used: usize,
    /// How many may be in use.
    bound: usize,
}

impl<T: Copy> Pool<T> {
    fn new(bound: usize, blank: T) -> Self {
        // Runs are numbered with 32 bits.
        let bound = bound.min(1 << 24);
        let mut entries = vec![blank; with_slack(bound)];
        black_box(&mut entries).fill(black_box(blank));
        Self { entries, end: 0, used: 0, bound }
    }

    const fn has_room(&self, length: usize) -> bool {
        self.used + length <= self.bound
    }

    /// Whether the pool ends before a run of that length would.
    const fn ends_within(&self, length: usize) -> bool {
        self.end + length > self.entries.len()
    }

    /// A run of `length`, for which there is room, filled.
    fn take(&mut self, length: usize, values: impl Iterator<Item = T>) -> Run {
        let place = self.entries.get_mut(self.end..self.end + length).unwrap_or_default();
        place.iter_mut().zip(values).for_each(|(entry, value)| *entry = value);
        let narrow = |wide: usize| u32::try_from(wide).unwrap_or(u32::MAX);
        let run = Run { start: narrow(self.end), length: narrow(length) };
        self.end += length;
        self.used += length;
        run
    }

    const fn free(&mut self, run: Run) {
        self.used -= run.length as usize;
    }

    fn get(&self, run: Run) -> &[T] {
        self.entries.get(run.range()).unwrap_or_default()
    }

    const fn begin_moving(&mut self) {
        self.end = 0;
    }

    /// Moves a run to the end of those that were moved before it. They come in their order, so none is overwritten.
    fn move_down(&mut self, run: &mut Run) {
        self.entries.copy_within(run.range(), self.end);
        run.start = u32::try_from(self.end).unwrap_or(u32::MAX);
        self.end += run.length as usize;
    }
}
