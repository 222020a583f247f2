//! What one stream sends, and when, faults and all: nothing here knows of sockets or of the host's clock, so the same
//! plan gives the same bytes.

mod active;
mod batch;
mod injected;
#[cfg(test)]
mod tests;

use monitor_core::protocol::c37118::encode::EncodeError;
use monitor_core::protocol::c37118::{FrameKind, IdCode, Stat, TimeTag};

use self::active::Active;
use super::clock::{Clock, Leap, Shift, Told, midnight_after};
use super::disturbance::Disturbance;
use super::error::Error;
use super::fault::{Fault, FaultKind, Segmenting};
use super::frames::{Description, Frames};
use super::instant::{ReportingInstant, tag_of};
use super::ledger::Damage;
use super::random::Random;
use super::station::Station;

pub(super) use self::batch::{Batch, Cut, Grid, Note, Outgoing};
pub use self::injected::Injected;

/// What a stream is made from.
#[derive(Clone, Debug)]
pub(super) struct Cast {
    pub(super) stations: Vec<Station>,
    pub(super) description: Description,
    pub(super) seed: u64,
    /// Configurations that are sent without being asked for.
    pub(super) announced: Vec<FrameKind>,
    pub(super) config_every_s: u32,
    /// What is announced is announced at the first instant; else whoever connects is greeted with it.
    pub(super) opens: bool,
    /// CFG-3 of more bytes than this is sent in fragments.
    pub(super) config3_size: u16,
    pub(super) faults: Vec<Fault>,
}

/// One stream's future.
#[derive(Debug)]
pub(super) struct Script {
    cast: Cast,
    frames: Frames,
    clock: Clock,
    faults: Vec<Active>,
    origin_ns: i64,
    first: ReportingInstant,
    next: ReportingInstant,
    due_ns: i64,
    /// When the configuration changes next, the last time first, and whether each is sent.
    changes: Vec<(i64, bool)>,
    /// When the last frame that may not be overtaken leaves.
    ordered_ns: i64,
    injected: Injected,
}

impl Script {
    /// From true time `origin_ns` on, which is on the grid of instants.
    ///
    /// # Errors
    /// [`Error::Station`].
    pub(super) fn new(cast: Cast, origin_ns: i64) -> Result<Self, Error> {
        let frames = Frames::of_stream(cast.stations.clone(), cast.description)?;
        let stream = cast.description.idcode;
        let pmus: Vec<IdCode> = cast.stations.iter().map(Station::idcode).collect();
        let faults: Vec<Active> = (0..)
            .zip(&cast.faults)
            .filter_map(|(place, fault)| Active::of(fault, place, stream, &pmus, origin_ns))
            .collect();
        let clock = clock(&faults, origin_ns);
        let (due_ns, first) = clock.first(origin_ns, cast.description.rate);
        let mut changes: Vec<(i64, bool)> = faults
            .iter()
            .filter_map(|fault| match fault.kind {
                FaultKind::ConfigChange { sent, .. } => Some((fault.window, sent)),
                _ => None,
            })
            .flat_map(|(window, sent)| [(window.from_ns, sent), (window.until_ns, sent)])
            .filter(|(at, _)| *at < i64::MAX)
            .collect();
        changes.sort_unstable_by(|one, other| other.cmp(one));
        Ok(Self {
            cast,
            frames,
            clock,
            faults,
            origin_ns,
            first,
            next: first,
            due_ns,
            changes,
            ordered_ns: i64::MIN,
            injected: Injected::default(),
        })
    }

    pub(super) const fn description(&self) -> &Description {
        self.frames.description()
    }

    pub(super) const fn injected(&self) -> Injected {
        self.injected
    }

    /// When the next instant is due, in nanoseconds since the Unix epoch, simulated.
    pub(super) const fn due_ns(&self) -> i64 {
        self.due_ns
    }

    fn pass(&mut self) {
        (self.due_ns, self.next) = self.clock.following(self.due_ns, self.next);
    }

    /// Lets the next instant pass.
    pub(super) fn skip(&mut self) -> Result<(), EncodeError> {
        self.change(self.due_ns)?;
        self.pass();
        Ok(())
    }

    /// Adds what is sent at the next instant: its DATA, where there is somebody to get them, and before it the
    /// configurations that are due.
    pub(super) fn step(
        &mut self,
        with_data: bool,
        grid: &mut Grid,
        batch: &mut Batch,
    ) -> Result<(), EncodeError> {
        let (instant, at_ns) = (self.next, self.due_ns);
        let changed = self.change(at_ns)?;
        self.pass();
        if self.lasts(at_ns, |kind| matches!(kind, FaultKind::Silence)) {
            self.injected.silent += 1;
            return Ok(());
        }
        let told = self.tell(at_ns, instant);
        let opening = self.cast.opens && instant == self.first;
        if opening || changed || instant.begins_span_of(self.cast.config_every_s) {
            self.announce(told.tag, at_ns, changed, batch)?;
        }
        if with_data { self.data(instant, at_ns, told, grid, batch) } else { Ok(()) }
    }

    /// Changes the configuration where it is time. Gives whether a new one is to be sent.
    fn change(&mut self, at_ns: i64) -> Result<bool, EncodeError> {
        let mut send = false;
        while let Some((_, sent)) = self.changes.pop_if(|(when, _)| *when <= at_ns) {
            send = sent;
            self.injected.config_changes += 1;
            self.cast.description.config_count = self.cast.description.config_count.wrapping_add(1);
            for station in &mut self.cast.stations {
                station.switch_phasors();
            }
            let changed = Frames::of_stream(self.cast.stations.clone(), self.cast.description);
            // Of all formats the one that was there was not the smallest, or the other is smaller.
            self.frames =
                changed.map_err(|_| EncodeError::FrameTooLarge { size: usize::from(u16::MAX) + 1 })?;
        }
        Ok(send)
    }

    /// Whether a fault of this kind lasts.
    pub(super) fn lasts(&self, at_ns: i64, wanted: impl Fn(FaultKind) -> bool) -> bool {
        self.faults.iter().any(|fault| wanted(fault.kind) && fault.window.contains(at_ns))
    }

    /// How the stream's connections cut what they carry.
    pub(super) fn segmenting(&self, at_ns: i64) -> Option<Segmenting> {
        self.faults.iter().filter(|fault| fault.window.contains(at_ns)).find_map(|fault| match fault.kind {
            FaultKind::Segment(segmenting) => Some(segmenting),
            _ => None,
        })
    }

    /// What frames of an instant say of their time.
    fn tell(&mut self, at_ns: i64, instant: ReportingInstant) -> Told {
        let mut quality = 0;
        for fault in &self.faults {
            if let FaultKind::TimeQuality { bits } = fault.kind
                && fault.falls_on(self.cast.seed, instant, at_ns)
            {
                quality = bits;
            }
        }
        let base = self.cast.description.time_base;
        self.clock.tell(at_ns, instant, base, quality)
    }

    /// Adds the configurations that are sent without being asked for; the new one, where it has `changed`.
    fn announce(
        &mut self,
        tag: TimeTag,
        at_ns: i64,
        changed: bool,
        batch: &mut Batch,
    ) -> Result<(), EncodeError> {
        const CHANGED: [FrameKind; 1] = [FrameKind::Config2];
        let kinds = match self.cast.announced.as_slice() {
            [] if changed => CHANGED.to_vec(),
            announced => announced.to_vec(),
        };
        for kind in kinds {
            self.write(kind, tag, &mut |bytes| batch.add(at_ns, kind, bytes, Note::Other))?;
        }
        Ok(())
    }

    /// Writes a CFG or HDR; a CFG-3 in as many frames as it takes.
    pub(super) fn write(
        &mut self,
        kind: FrameKind,
        tag: TimeTag,
        take: &mut dyn FnMut(&[u8]),
    ) -> Result<(), EncodeError> {
        match kind {
            FrameKind::Config1 => take(self.frames.config1(tag)?),
            FrameKind::Config3 => self.frames.config3(tag, self.cast.config3_size, take)?,
            FrameKind::Header => take(self.frames.header(tag)?),
            FrameKind::Config2 | FrameKind::Data | FrameKind::Command => take(self.frames.config2(tag)?),
        }
        Ok(())
    }

    /// The time tag of an answer, which need not lie on the grid.
    pub(super) fn tag_of(&self, unix_ns: i64) -> TimeTag {
        tag_of(unix_ns, self.cast.description.time_base)
    }

    fn data(
        &mut self,
        instant: ReportingInstant,
        at_ns: i64,
        told: Told,
        grid: &mut Grid,
        batch: &mut Batch,
    ) -> Result<(), EncodeError> {
        self.measure(instant, at_ns, told, grid, batch)?;
        let Some(fate) = self.fate(instant, at_ns, batch) else {
            batch.forget();
            return Ok(());
        };
        let note = Note::Data { index: told.instant.index(), damage: fate.damage, cut: fate.cut };
        batch.finish(fate.at_ns, note, fate.size);
        for after in fate.copies {
            batch.repeat(fate.at_ns.saturating_add_unsigned(after));
        }
        Ok(())
    }

    /// Writes DATA as they are measured, with what is done to that, into the batch.
    fn measure(
        &mut self,
        instant: ReportingInstant,
        at_ns: i64,
        told: Told,
        grid: &mut Grid,
        batch: &mut Batch,
    ) -> Result<(), EncodeError> {
        let Self { cast, frames, clock, faults, origin_ns, injected, .. } = self;
        // What is measured is what there is, whatever the clock says.
        let measured = if clock.is_off(at_ns) {
            injected.clock_off += 1;
            ReportingInstant::nearest(at_ns, instant.rate())
        } else {
            instant
        };
        let qualified = |fault: &Active| {
            matches!(fault.kind, FaultKind::TimeQuality { .. }) && fault.falls_on(cast.seed, instant, at_ns)
        };
        injected.time_quality += u64::from(faults.iter().any(qualified));
        injected.clock_stuck += u64::from(told.stuck);
        injected.leap_bits += u64::from(told.leap_bits != 0);
        injected.leap_second += u64::from(told.inserted);
        let state = grid.at(measured);
        let warned = faults.iter().any(|fault| fault.warns(at_ns));
        injected.config_warned += u64::from(warned);
        let mut disturbed = false;
        let mut marked = false;
        let bytes = frames.data_of(told.tag, |station| {
            let mut sum = Disturbance::NONE;
            for fault in faults.iter().filter(|fault| fault.measures(station.idcode())) {
                if fault.falls_on(cast.seed, instant, at_ns) || fault.leaves_behind() {
                    sum.add(fault.kind, fault.window, *origin_ns, at_ns);
                }
            }
            marked |= sum.stat | sum.stat_clear != 0;
            let mut measurement = if sum == Disturbance::NONE {
                station.measure(measured, state)
            } else {
                disturbed |= Disturbance { stat: 0, stat_clear: 0, ..sum } != Disturbance::NONE;
                station.measure_under(measured, state, &sum)
            };
            if warned {
                measurement.stat = Stat::from_word(measurement.stat.word() | Stat::CONFIG_CHANGE);
            }
            measurement
        })?;
        injected.stat += u64::from(marked);
        injected.disturbed += u64::from(disturbed);
        batch.begin(FrameKind::Data, bytes);
        Ok(())
    }

    /// What becomes of the frame that was written last; none where it is lost.
    fn fate(&mut self, instant: ReportingInstant, at_ns: i64, batch: &mut Batch) -> Option<Fate> {
        let Self { cast, clock, faults, ordered_ns, injected, next, due_ns, .. } = self;
        let mut fate = Fate { at_ns, size: batch.written().len(), ..Fate::default() };
        let mut delay = 0;
        let mut keeps_order = false;
        for fault in faults.iter().filter(|fault| fault.is_of_frames()) {
            if !fault.falls_on(cast.seed, instant, at_ns) {
                continue;
            }
            let mut random = fault.random(cast.seed, instant);
            match fault.kind {
                FaultKind::Loss => {
                    injected.lost += 1;
                    return None;
                }
                FaultKind::Crc => {
                    injected.wrong_crc += 1;
                    fate.damage = fate.damage.max(Damage::Crc);
                    spoil(batch.written(), &mut random);
                }
                FaultKind::Truncate { bytes } => {
                    injected.truncated += 1;
                    fate.damage = Damage::Cut;
                    fate.size = cut(fate.size, bytes, &mut random);
                }
                FaultKind::Delay { by, ordered } => {
                    delay += by.draw(&mut random);
                    keeps_order |= ordered;
                }
                FaultKind::Duplicate { copies, after_ns } => {
                    injected.duplicated += u64::from(copies);
                    fate.copies.extend((1..=u64::from(copies)).map(|nth| nth * after_ns));
                }
                FaultKind::Reorder { depth } => {
                    injected.reordered += 1;
                    fate.at_ns = fate.at_ns.max(later(clock, *due_ns, *next, depth));
                }
                FaultKind::Fragment { size, reversed, incomplete } => {
                    injected.fragmented += 1;
                    let dropped = incomplete.then(|| random.whole(0, u32::MAX));
                    fate.cut = Some(Cut { size, reversed, dropped });
                }
                _ => {}
            }
        }
        injected.delayed += u64::from(delay > 0);
        fate.at_ns = fate.at_ns.saturating_add_unsigned(delay);
        if keeps_order {
            fate.at_ns = fate.at_ns.max(*ordered_ns);
            *ordered_ns = fate.at_ns;
        }
        Some(fate)
    }
}

/// What becomes of a frame.
#[derive(Clone, Debug, Default)]
struct Fate {
    at_ns: i64,
    damage: Damage,
    /// So many of its bytes go.
    size: usize,
    /// When its copies go behind it, in nanoseconds.
    copies: Vec<u64>,
    cut: Option<Cut>,
}

/// When the instant is due that is `depth` behind; the next one is due at `due_ns`.
fn later(clock: &Clock, due_ns: i64, next: ReportingInstant, depth: u16) -> i64 {
    (1..depth).fold((due_ns, next), |(at, instant), _| clock.following(at, instant)).0
}

/// Changes CHK to another one.
fn spoil(frame: &mut [u8], random: &mut Random) {
    if let Some((_, check)) = frame.split_last_chunk_mut::<2>() {
        // Not 0: the check differs.
        let change = u16::try_from(random.whole(1, 1 << 16)).unwrap_or(1).to_be_bytes();
        check.iter_mut().zip(change).for_each(|(byte, change)| *byte ^= change);
    }
}

/// Bytes that are left of `size`: at least one, and not all.
fn cut(size: usize, asked: Option<u16>, random: &mut Random) -> usize {
    let most = u32::try_from(size).unwrap_or(u32::MAX);
    let left = asked.map_or_else(|| random.whole(1, most), u32::from);
    usize::try_from(left.min(most.saturating_sub(1))).unwrap_or(size)
}

/// The clock that the faults make.
fn clock(faults: &[Active], origin_ns: i64) -> Clock {
    let mut clock = Clock::default();
    for Active { kind, window, .. } in faults {
        let from_start = super::fault::Window { from_ns: window.from_ns.max(origin_ns), ..*window };
        match *kind {
            FaultKind::ClockOffset { ns } => clock.shifts.push((from_start, Shift::Offset(ns))),
            FaultKind::ClockDrift { ppm } => clock.shifts.push((from_start, Shift::Drift(ppm))),
            FaultKind::ClockStuck => clock.stuck.push(*window),
            FaultKind::Leap { delete, announced, tagged } => {
                let midnight = midnight_after(window.from_ns.max(origin_ns));
                clock.leaps.push(Leap { midnight, delete, announced, tagged });
            }
            _ => {}
        }
    }
    clock
}
