//! What simulated stations measure: one grid whose frequency wanders, and substations along it.
//!
//! The stations share the grid's frequency and add a swing of their own; voltage angles turn by the integral of
//! the deviation from nominal, ROCOF is its derivative. Currents lag their voltages by the power factor, and the
//! power that the analogs give is that of the phasors.

use std::f64::consts::{PI, TAU};

use monitor_core::protocol::c37118::encode::PmuSample;
use monitor_core::protocol::c37118::{Coordinates, Format, IdCode, NominalFrequency, Stat};

use super::Error;
use super::disturbance::Disturbance;
use super::instant::{ReportingInstant, ReportingRate};
use super::random::{Random, purpose};
use super::tones::{Band, Motion, Tones};

/// The most PMUs of a fleet.
pub const MOST_PMUS: u16 = 1000;

/// 65535 and 0 are reserved (clause 6.2.2).
pub(super) const LAST_IDCODE: u16 = u16::MAX - 1;

/// What the substations are called. Beyond these a number is added, for which four of the field's 16 bytes are left.
const NAMES: [&str; 24] = [
    "Aldermere",
    "Blackcombe",
    "Carrow Hill",
    "Dunmore West",
    "Eskdale",
    "Fairholm",
    "Glenbrae",
    "Harrow Vale",
    "Innisfield",
    "Juniper Flat",
    "Kestrel Hill",
    "Larkfield",
    "Millbrook",
    "Northgate",
    "Oakridge",
    "Penmarch",
    "Quarry Bank",
    "Redcliffe",
    "Stonebridge",
    "Tarn Moor",
    "Upton North",
    "Vale Cross",
    "Westerfield",
    "Yarrow Point",
];

/// Line-to-line, kV.
const VOLTAGES_KV: [u16; 3] = [132, 275, 330];

/// The words of FORMAT have 16 meanings. Counted down, twelve stations have every phasor format with integer and
/// with float FREQ, and integer and float analogs.
const FORMATS: u16 = 16;

/// The grid stays within the normal operating frequency band of the Australian mainland, 49.85 to 50.15 Hz, with
/// a third to spare; periods from 20 minutes to 5 seconds.
const GRID_BOUND_HZ: f64 = 0.1;
const GRID_BAND: Band = Band { slowest: 72, octaves: 8, in_octave: 2, corner: 1440 };

/// A station's own swing against the grid: electromechanical modes of 0.3 to 1.2 Hz.
const SWING_BOUND_HZ: f64 = 0.002;
const SWING_BAND: Band = Band { slowest: 25_920, octaves: 2, in_octave: 1, corner: 51_840 };

/// Slow changes of voltage and load in parts of their usual values; periods from 40 minutes to 75 seconds.
const VOLTAGE_BOUND: f64 = 0.01;
const LOAD_BOUND: f64 = 0.15;
const DRIFT_BAND: Band = Band { slowest: 36, octaves: 5, in_octave: 1, corner: 144 };

/// Noise of a magnitude, in parts of it, and of an angle in rad: a tenth of the 1 % TVE that is allowed.
const NOISE: f64 = 0.001;

/// The lag of phases B and C behind A.
const THIRD: f64 = TAU / 3.0;

/// How often a tap changer may move, and how likely it does.
const TAP_SPAN_S: u64 = 5;
const TAP_ONE_IN: u32 = 20;

const BREAKERS_CLOSED: u16 = 0b0000_0011;
const ISOLATORS_CLOSED: u16 = 0b0000_1100;
const TAP_MOVING: u16 = 0b0010_0000;

/// `PMU_TQ` 1: the time is within 100 ns of UTC. Everything else good, locked and untriggered.
const STAT_GOOD: Stat = Stat::from_word(1 << 6);

/// Which fleet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FleetPlan {
    /// Another seed, other stations and another day of the grid.
    pub seed: u64,
    /// How many PMUs: 1 to 1000.
    pub pmus: u16,
    /// The first station's IDCODE; the others follow.
    pub first_idcode: u16,
    /// The grid's nominal frequency.
    pub nominal: NominalFrequency,
}

/// A grid and the PMUs on it.
#[derive(Clone, Debug)]
pub struct Fleet {
    grid: Tones,
    stations: Vec<Station>,
}

impl Fleet {
    /// The fleet that `plan` describes, always the same.
    ///
    /// # Errors
    /// [`Error::Pmus`], [`Error::IdCodes`].
    pub fn new(plan: &FleetPlan) -> Result<Self, Error> {
        let FleetPlan { seed, pmus, first_idcode: first, nominal: _ } = *plan;
        if !(1..=MOST_PMUS).contains(&pmus) {
            return Err(Error::Pmus(pmus));
        }
        if first == 0 || first.checked_add(pmus - 1).is_none_or(|last| last > LAST_IDCODE) {
            return Err(Error::IdCodes { first, pmus });
        }
        let grid = Tones::wandering(&mut Random::of(&[seed, purpose::GRID]), GRID_BAND, GRID_BOUND_HZ);
        let stations = (0..pmus).map(|place| Station::new(plan, place)).collect();
        Ok(Self { grid, stations })
    }

    /// The same, each PMU's values written in this format.
    #[must_use]
    pub fn formatted(mut self, format: Format) -> Self {
        for station in &mut self.stations {
            station.format = format;
        }
        self
    }

    /// Its stations, by ascending IDCODE.
    #[must_use]
    pub fn stations(&self) -> &[Station] {
        &self.stations
    }

    /// What the whole grid does at an instant.
    #[must_use]
    pub fn grid(&self, instant: ReportingInstant) -> GridState {
        GridState(self.grid.at(instant))
    }
}

/// What all stations share at an instant.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GridState(Motion);

/// One substation and its PMU.
#[derive(Clone, Debug)]
pub struct Station {
    seed: u64,
    name: String,
    idcode: IdCode,
    format: Format,
    nominal: NominalFrequency,
    voltage_kv: u16,
    /// Of phase A against UTC at nominal frequency.
    angle_rad: f64,
    /// Usual magnitudes of a phase, V and A, root mean square.
    voltage: f64,
    current: f64,
    /// By which currents lag their voltages.
    lag_rad: f64,
    /// How far each phase is from the usual, in parts of it.
    unbalance: [f64; 3],
    swing: Tones,
    voltage_drift: Tones,
    load_drift: Tones,
}

impl Station {
    /// Channel names of the phasors: three phases and the positive sequence.
    pub const PHASORS: [&'static str; 8] = ["VA", "VB", "VC", "V1", "IA", "IB", "IC", "I1"];
    /// Channel names of the analogs: three-phase active and reactive power in MW and Mvar.
    pub const ANALOGS: [&'static str; 2] = ["P MW", "Q MVAR"];
    /// The digital status words.
    pub const DIGITALS: usize = 1;
    /// How many of [`Station::PHASORS`], the first, are voltages.
    pub const VOLTAGES: usize = 4;

    fn new(plan: &FleetPlan, place: u16) -> Self {
        let idcode = plan.first_idcode + place;
        let mut random = Random::of(&[plan.seed, purpose::STATION, place.into()]);
        let voltage_kv = random.pick(&VOLTAGES_KV).unwrap_or(VOLTAGES_KV[0]);
        let phase_voltage = f64::from(voltage_kv) * 1e3 / 3.0_f64.sqrt();
        Self {
            seed: plan.seed,
            name: name(place),
            idcode: IdCode(idcode),
            format: Format::from_word(FORMATS - 1 - place % FORMATS),
            nominal: plan.nominal,
            voltage_kv,
            angle_rad: random.between(-0.6, 0.6),
            voltage: phase_voltage * random.between(0.99, 1.04),
            current: random.between(250.0, 1100.0),
            lag_rad: random.between(0.1, 0.45),
            unbalance: [(); 3].map(|()| random.between(-0.004, 0.004)),
            swing: Tones::wandering(&mut random, SWING_BAND, SWING_BOUND_HZ),
            voltage_drift: Tones::wandering(&mut random, DRIFT_BAND, VOLTAGE_BOUND),
            load_drift: Tones::wandering(&mut random, DRIFT_BAND, LOAD_BOUND),
        }
    }

    /// The station's name, ASCII, at most 16 bytes, another for every station of a fleet.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The IDCODE of its stream and its PMU.
    #[must_use]
    pub const fn idcode(&self) -> IdCode {
        self.idcode
    }

    /// How its values are written.
    #[must_use]
    pub const fn format(&self) -> Format {
        self.format
    }

    /// The grid's nominal frequency.
    #[must_use]
    pub const fn nominal(&self) -> NominalFrequency {
        self.nominal
    }

    /// The busbar's nominal voltage, line to line, kV.
    #[must_use]
    pub const fn voltage_kv(&self) -> u16 {
        self.voltage_kv
    }

    /// Writes phasors as the other number from now on: floats as integers, integers as floats.
    pub(super) const fn switch_phasors(&mut self) {
        const PHASORS_FLOAT: u16 = 1 << 1;
        self.format = Format::from_word(self.format.word() ^ PHASORS_FLOAT);
    }

    /// More than any phase of this station has: V for a voltage, A for a current. Integer formats scale by it.
    #[must_use]
    pub(super) fn most(&self, phasor: usize) -> f64 {
        const ROOM: f64 = 1.25;
        ROOM * if phasor < Self::VOLTAGES { self.voltage } else { self.current }
    }

    /// What the PMU measures at `instant`, while the grid does `grid`.
    #[must_use]
    pub fn measure(&self, instant: ReportingInstant, grid: GridState) -> Measurement {
        self.measure_under(instant, grid, &Disturbance::NONE)
    }

    /// The same where something is wrong.
    pub(super) fn measure_under(
        &self,
        instant: ReportingInstant,
        grid: GridState,
        disturbance: &Disturbance,
    ) -> Measurement {
        let frequency = grid.0.plus(self.swing.at(instant)).plus(disturbance.frequency);
        let angle = self.angle_rad + TAU * frequency.integral + disturbance.angle_rad;
        let drift = 1.0 + self.voltage_drift.at(instant).value;
        let voltage = self.voltage * drift * disturbance.voltage;
        let current = self.current * (1.0 + self.load_drift.at(instant).value);
        let mut noise = Random::of(&[
            self.seed,
            purpose::NOISE,
            self.idcode.0.into(),
            instant.rate().get().into(),
            instant.index(),
        ]);
        let voltages = self.phases(voltage, angle, &mut noise);
        let currents = self.phases(current, angle - self.lag_rad, &mut noise);
        let (v1, i1) = (positive_sequence(voltages), positive_sequence(currents));
        let power = power(v1, i1);
        let [va, vb, vc] = voltages;
        let [ia, ib, ic] = currents;
        Measurement {
            stat: Stat::from_word(STAT_GOOD.word() & !disturbance.stat_clear | disturbance.stat),
            phasors: [va, vb, vc, v1, ia, ib, ic, i1].map(Some),
            frequency_hz: f64::from(self.nominal.hz()) + frequency.value,
            rocof_hz_per_s: frequency.slope + disturbance.rocof,
            analogs: power.map(Some),
            digitals: [self.status(instant)],
        }
    }

    /// Three phases of about `magnitude`, the first at `angle_rad`.
    fn phases(&self, magnitude: f64, angle_rad: f64, noise: &mut Random) -> [Coordinates; 3] {
        let mut lag = 0.0;
        self.unbalance.map(|unbalance| {
            let magnitude = magnitude * (1.0 + unbalance + noise.between(-NOISE, NOISE));
            let angle_rad = wrapped(angle_rad - lag + noise.between(-NOISE, NOISE));
            lag += THIRD;
            Coordinates::Polar { magnitude, angle_rad }
        })
    }

    fn status(&self, instant: ReportingInstant) -> u16 {
        let span = instant.index() / (u64::from(instant.rate().get()) * TAP_SPAN_S);
        let mut random = Random::of(&[self.seed, purpose::TAP, self.idcode.0.into(), span]);
        let moving = if random.whole(0, TAP_ONE_IN) == 0 { TAP_MOVING } else { 0 };
        BREAKERS_CLOSED | ISOLATORS_CLOSED | moving
    }
}

/// What one PMU measured at one instant, before any rounding to its format.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Measurement {
    /// Good, locked, within 100 ns of UTC.
    pub stat: Stat,
    /// In the order of [`Station::PHASORS`], polar, V and A (root mean square), angles above -pi up to pi.
    pub phasors: [Option<Coordinates>; Station::PHASORS.len()],
    /// Hz, absolute.
    pub frequency_hz: f64,
    /// Hz/s.
    pub rocof_hz_per_s: f64,
    /// In the order of [`Station::ANALOGS`], MW and Mvar.
    pub analogs: [Option<f64>; Station::ANALOGS.len()],
    /// Breakers, isolators, tap changer.
    pub digitals: [u16; Station::DIGITALS],
}

impl Measurement {
    /// As the encoder takes it.
    #[must_use]
    pub fn sample(&self) -> PmuSample<'_> {
        PmuSample {
            stat: self.stat,
            phasors: &self.phasors,
            frequency_hz: Some(self.frequency_hz),
            rocof_hz_per_s: Some(self.rocof_hz_per_s),
            analogs: &self.analogs,
            digitals: &self.digitals,
        }
    }
}

/// The nominal frequency that a reporting rate belongs to (IEEE C37.118.1, table 1): 10, 25, 50, 100 and 200 are
/// 50 Hz systems', other divisors and multiples of 60 those of 60 Hz. Any other rate is taken for 50 Hz.
#[must_use]
pub fn nominal_for(rate: ReportingRate) -> NominalFrequency {
    let fits = |hz: u16| hz.is_multiple_of(rate.get()) || rate.get().is_multiple_of(hz);
    if fits(60) && !fits(50) { NominalFrequency::Hz60 } else { NominalFrequency::Hz50 }
}

fn name(place: u16) -> String {
    let place = usize::from(place);
    let name = NAMES[place % NAMES.len()];
    match place / NAMES.len() {
        0 => name.to_owned(),
        more => format!("{name} {}", more + 1),
    }
}

/// The mean of the three phases, each turned to where A is.
fn positive_sequence(phases: [Coordinates; 3]) -> Coordinates {
    let (mut re, mut im, mut lead) = (0.0, 0.0, 0.0);
    for phase in phases {
        let (magnitude, angle_rad) = phase.polar();
        let (sine, cosine) = (angle_rad + lead).sin_cos();
        re += magnitude * cosine / 3.0;
        im += magnitude * sine / 3.0;
        lead += THIRD;
    }
    let (magnitude, angle_rad) = Coordinates::Rectangular { re, im }.polar();
    Coordinates::Polar { magnitude, angle_rad }
}

/// Three-phase power of the positive sequence: MW and Mvar.
fn power(voltage: Coordinates, current: Coordinates) -> [f64; 2] {
    let ((volts, voltage_rad), (amperes, current_rad)) = (voltage.polar(), current.polar());
    let (sine, cosine) = (voltage_rad - current_rad).sin_cos();
    [cosine, sine].map(|part| 3.0 * volts * amperes * part / 1e6)
}

/// The same direction, above -pi up to pi.
fn wrapped(angle_rad: f64) -> f64 {
    let turned = angle_rad.rem_euclid(TAU);
    if turned > PI { turned - TAU } else { turned }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use monitor_core::protocol::c37118::PhasorFormat;

    use super::*;

    fn plan(pmus: u16) -> FleetPlan {
        FleetPlan { seed: 1, pmus, first_idcode: 101, nominal: NominalFrequency::Hz50 }
    }

    fn instants(count: u64) -> impl Iterator<Item = ReportingInstant> {
        let first = ReportingInstant::at_or_after(1_790_000_000_000_000_000, ReportingRate::FIFTY).index();
        (first..first + count).map(|index| ReportingInstant::new(index, ReportingRate::FIFTY))
    }

    #[test]
    fn a_thousand_names_differ_and_fit_their_field() {
        let fleet = Fleet::new(&plan(MOST_PMUS)).unwrap();
        let names: BTreeSet<&str> = fleet.stations().iter().map(Station::name).collect();
        assert_eq!(names.len(), 1000);
        assert!(names.iter().all(|name| name.is_ascii() && name.len() <= 16), "{names:?}");
    }

    #[test]
    fn twelve_stations_have_every_format() {
        let fleet = Fleet::new(&plan(12)).unwrap();
        let formats = |of: fn(Format) -> bool| {
            let all = fleet.stations().iter().map(Station::format).filter(|&format| of(format));
            all.map(|format| format.word() & 3).collect::<BTreeSet<_>>().len()
        };
        assert_eq!(formats(Format::frequency_float), PhasorFormat::ALL.len());
        assert_eq!(formats(|format| !format.frequency_float()), PhasorFormat::ALL.len());
        assert_eq!(formats(Format::analogs_float), PhasorFormat::ALL.len());
        assert_eq!(formats(|format| !format.analogs_float()), PhasorFormat::ALL.len());
    }

    #[test]
    fn impossible_fleets_are_refused() {
        assert!(matches!(Fleet::new(&plan(0)), Err(Error::Pmus(0))));
        assert!(matches!(Fleet::new(&plan(1001)), Err(Error::Pmus(1001))));
        for first in [0, 65_534, u16::MAX] {
            let refused = Fleet::new(&FleetPlan { first_idcode: first, ..plan(2) });
            assert!(matches!(refused, Err(Error::IdCodes { .. })), "{first}");
        }
        assert!(Fleet::new(&FleetPlan { first_idcode: 65_533, ..plan(2) }).is_ok());
    }

    #[test]
    fn the_same_seed_gives_the_same_and_another_another() {
        let at = instants(1).next().unwrap();
        let measure = |seed| {
            let fleet = Fleet::new(&FleetPlan { seed, ..plan(3) }).unwrap();
            fleet.stations().iter().map(|station| station.measure(at, fleet.grid(at))).collect::<Vec<_>>()
        };
        assert_eq!(measure(5), measure(5));
        assert_ne!(measure(5), measure(6));
    }

    #[test]
    fn values_are_plausible() {
        let fleet = Fleet::new(&plan(50)).unwrap();
        for instant in instants(200) {
            for station in fleet.stations() {
                let measured = station.measure(instant, fleet.grid(instant));
                assert!((49.85..50.15).contains(&measured.frequency_hz), "{measured:?}");
                assert!(measured.rocof_hz_per_s.abs() < 0.1, "{measured:?}");
                for (place, phasor) in measured.phasors.into_iter().enumerate() {
                    let (magnitude, angle) = phasor.unwrap().polar();
                    assert!(magnitude < station.most(place) && magnitude > 0.5 * station.most(place));
                    assert!(angle > -PI && angle <= PI);
                }
            }
        }
    }

    #[test]
    fn angles_turn_by_the_deviation_from_nominal() {
        let fleet = Fleet::new(&plan(1)).unwrap();
        let station = &fleet.stations()[0];
        let rows: Vec<_> = instants(500).map(|at| station.measure(at, fleet.grid(at))).collect();
        let (mut turned, mut deviation) = (0.0, 0.0);
        for pair in rows.windows(2) {
            let [before, after] = pair else { panic!("windows of two") };
            let angle = |row: &Measurement| row.phasors[3].unwrap().polar().1;
            turned += wrapped(angle(after) - angle(before));
            deviation += TAU * 0.02 * (f64::midpoint(before.frequency_hz, after.frequency_hz) - 50.0);
        }
        assert!((turned - deviation).abs() < 4.0 * NOISE, "{turned} {deviation}");
        assert!(deviation.abs() > 20.0 * NOISE, "the frequency hardly moved: {deviation}");
    }

    #[test]
    fn phases_are_a_third_of_a_turn_apart_and_currents_lag() {
        let fleet = Fleet::new(&plan(1)).unwrap();
        let at = instants(1).next().unwrap();
        let measured = fleet.stations()[0].measure(at, fleet.grid(at));
        let angle = |place: usize| measured.phasors[place].unwrap().polar().1;
        assert!((wrapped(angle(0) - angle(1)) - THIRD).abs() < 0.01);
        assert!((wrapped(angle(1) - angle(2)) - THIRD).abs() < 0.01);
        assert!((0.05..0.5).contains(&wrapped(angle(3) - angle(7))));
        let [megawatts, megavars] = measured.analogs.map(Option::unwrap);
        assert!(megawatts > 0.0 && megavars > 0.0 && megawatts < 1000.0);
    }

    #[test]
    fn rates_belong_to_their_systems() {
        let of = |rate| nominal_for(ReportingRate::new(rate).unwrap()).hz();
        assert_eq!([10, 25, 50, 100, 200].map(of), [50; 5]);
        assert_eq!([12, 15, 20, 30, 60, 120, 240].map(of), [60; 7]);
    }
}
