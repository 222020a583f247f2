//! DATA (clause 6.3), in the format mix that a layout says.

use super::super::data::{
    ABSENT, ANGLE_BITS_PER_RAD, Coordinates, FREQUENCY_BITS_PER_HZ, ROCOF_BITS_PER_HZ_PER_S, nominal_hz,
};
use super::super::format::PhasorFormat;
use super::super::frame::FrameKind;
use super::super::layout::{AnalogScale, Layout, PhasorScale, PmuLayout};
use super::super::stat::Stat;
use super::writer::Frame;
use super::{EncodeError, Preamble};

/// One PMU's measurements at one instant, in SI units. `None` is written as the standard's absent value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PmuSample<'a> {
    /// STAT.
    pub stat: Stat,
    /// The phasors, in either coordinates whatever the format: as many as the layout says.
    pub phasors: &'a [Option<Coordinates>],
    /// The frequency in Hz, absolute.
    pub frequency_hz: Option<f64>,
    /// The rate of change of frequency in Hz/s.
    pub rocof_hz_per_s: Option<f64>,
    /// The analogs: as many as the layout says. An integer analog cannot be absent.
    pub analogs: &'a [Option<f64>],
    /// The digital status words: as many as the layout says.
    pub digitals: &'a [u16],
}

/// Writes a DATA frame as `layout` says.
///
/// # Errors
/// [`EncodeError`]: a buffer that is too small, an empty layout, other numbers of PMUs or channels than the
/// layout's, a value that its field cannot hold.
pub fn data(
    out: &mut [u8],
    preamble: &Preamble,
    layout: &Layout,
    samples: &[PmuSample<'_>],
) -> Result<usize, EncodeError> {
    let stream = layout.stream().ok_or(EncodeError::NoLayout)?;
    expect_count("PMUs", None, layout.pmus().len(), samples.len())?;
    let mut frame = Frame::begin(out, FrameKind::Data, preamble, usize::from(stream.data_framesize))?;
    for (number, (pmu, sample)) in (1..).zip(layout.pmus().iter().zip(samples)) {
        let mut block = Block { frame: &mut frame, pmu, number };
        block.write(sample, layout.phasor_scales(pmu), layout.analog_scales(pmu))?;
    }
    frame.finish()
}

fn expect_count(
    what: &'static str,
    pmu: Option<u16>,
    expected: usize,
    given: usize,
) -> Result<(), EncodeError> {
    if expected == given { Ok(()) } else { Err(EncodeError::Count { what, pmu, expected, given }) }
}

/// One PMU's block of a DATA frame being written.
struct Block<'f, 'o> {
    frame: &'f mut Frame<'o>,
    pmu: &'f PmuLayout,
    number: u16,
}

impl Block<'_, '_> {
    fn write(
        &mut self,
        sample: &PmuSample<'_>,
        phasors: &[PhasorScale],
        analogs: &[AnalogScale],
    ) -> Result<(), EncodeError> {
        expect_count("phasors", Some(self.number), phasors.len(), sample.phasors.len())?;
        expect_count("analogs", Some(self.number), analogs.len(), sample.analogs.len())?;
        expect_count("digitals", Some(self.number), self.pmu.digitals().into(), sample.digitals.len())?;
        self.frame.put(&sample.stat.word().to_be_bytes())?;
        for (channel, (phasor, scale)) in (1..).zip(sample.phasors.iter().zip(phasors)) {
            self.put_phasor(*phasor, scale, channel)?;
        }
        self.put_frequency(sample)?;
        for (channel, (analog, scale)) in (1..).zip(sample.analogs.iter().zip(analogs)) {
            self.put_analog(*analog, scale, channel)?;
        }
        for word in sample.digitals {
            self.frame.put(&word.to_be_bytes())?;
        }
        Ok(())
    }

    fn put_phasor(
        &mut self,
        phasor: Option<Coordinates>,
        scale: &PhasorScale,
        channel: u16,
    ) -> Result<(), EncodeError> {
        let field = Field { name: "PHASORS", pmu: self.number, channel: Some(channel) };
        let format = self.pmu.format().phasors();
        let PhasorScale { per_bit, angle_rad: turn, unit: _ } = *scale;
        // What reading turns back, this turns forward.
        let phasor = if turn == 0.0 { phasor } else { phasor.map(|phasor| phasor.turned(turn.into())) };
        let bits_per_unit = per_bit.recip();
        let (first, second) = match format {
            PhasorFormat::IntRectangular | PhasorFormat::FloatRectangular => {
                phasor.map(Coordinates::rectangular)
            }
            PhasorFormat::IntPolar | PhasorFormat::FloatPolar => phasor.map(Coordinates::polar),
        }
        .unzip();
        match format {
            PhasorFormat::IntRectangular => {
                self.frame.put(&field.integer(first, bits_per_unit)?)?;
                self.frame.put(&field.integer(second, bits_per_unit)?)
            }
            PhasorFormat::IntPolar => {
                self.frame.put(&field.unsigned(first, bits_per_unit)?)?;
                self.frame.put(&field.integer(second, ANGLE_BITS_PER_RAD)?)
            }
            PhasorFormat::FloatRectangular => {
                self.frame.put(&field.float(first, bits_per_unit)?)?;
                self.frame.put(&field.float(second, bits_per_unit)?)
            }
            PhasorFormat::FloatPolar => {
                self.frame.put(&field.float(first, bits_per_unit)?)?;
                self.frame.put(&field.float(second, 1.0)?)
            }
        }
    }

    fn put_frequency(&mut self, sample: &PmuSample<'_>) -> Result<(), EncodeError> {
        let frequency = Field { name: "FREQ", pmu: self.number, channel: None };
        let rocof = Field { name: "DFREQ", pmu: self.number, channel: None };
        if self.pmu.format().frequency_float() {
            self.frame.put(&frequency.float(sample.frequency_hz, 1.0)?)?;
            return self.frame.put(&rocof.float(sample.rocof_hz_per_s, 1.0)?);
        }
        let deviation = sample.frequency_hz.map(|hz| hz - nominal_hz(self.pmu.nominal()));
        self.frame.put(&frequency.integer(deviation, FREQUENCY_BITS_PER_HZ)?)?;
        self.frame.put(&rocof.integer(sample.rocof_hz_per_s, ROCOF_BITS_PER_HZ_PER_S)?)
    }

    fn put_analog(
        &mut self,
        analog: Option<f64>,
        scale: &AnalogScale,
        channel: u16,
    ) -> Result<(), EncodeError> {
        let field = Field { name: "ANALOG", pmu: self.number, channel: Some(channel) };
        let AnalogScale { per_bit, offset } = *scale;
        let analog = analog.map(|value| value - f64::from(offset));
        if self.pmu.format().analogs_float() {
            return self.frame.put(&field.float(analog, per_bit.recip())?);
        }
        let value = analog.ok_or(field.out_of_range(f64::NAN))?;
        let bits = whole(scaled(value, per_bit.recip()), i16::MIN.into(), i16::MAX.into())
            .ok_or(field.out_of_range(value))?;
        #[expect(clippy::cast_possible_truncation, reason = "`whole` has shown that it fits")]
        self.frame.put(&(bits as i16).to_be_bytes())
    }
}

/// Which field a value is written to, for the error that says so.
#[derive(Clone, Copy)]
struct Field {
    name: &'static str,
    pmu: u16,
    channel: Option<u16>,
}

impl Field {
    const fn out_of_range(self, value: f64) -> EncodeError {
        EncodeError::Range { field: self.name, pmu: self.pmu, channel: self.channel, value }
    }

    /// A signed 16-bit integer of `value` times `bits_per_unit`; absent is 0x8000, which no value becomes.
    fn integer(self, value: Option<f64>, bits_per_unit: f64) -> Result<[u8; 2], EncodeError> {
        let Some(value) = value else { return Ok(ABSENT.to_be_bytes()) };
        let bits = whole(scaled(value, bits_per_unit), f64::from(-i16::MAX), f64::from(i16::MAX))
            .ok_or(self.out_of_range(value))?;
        #[expect(clippy::cast_possible_truncation, reason = "`whole` has shown that it fits")]
        Ok((bits as i16).to_be_bytes())
    }

    /// An unsigned 16-bit integer; absent is 0, since only the angle tells that a polar phasor is absent.
    fn unsigned(self, value: Option<f64>, bits_per_unit: f64) -> Result<[u8; 2], EncodeError> {
        let value = value.unwrap_or(0.0);
        let bits =
            whole(scaled(value, bits_per_unit), 0.0, f64::from(u16::MAX)).ok_or(self.out_of_range(value))?;
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "`whole` has shown that it fits"
        )]
        Ok((bits as u16).to_be_bytes())
    }

    /// A 32-bit float of `value` times `bits_per_unit`, rounded to nearest; absent is NaN. A finite value may not
    /// become infinite.
    fn float(self, value: Option<f64>, bits_per_unit: f64) -> Result<[u8; 4], EncodeError> {
        let Some(value) = value else { return Ok(f32::NAN.to_be_bytes()) };
        let value = scaled(value, bits_per_unit);
        #[expect(clippy::cast_possible_truncation, reason = "rounding is meant, and overflow is looked for")]
        let narrow = value as f32;
        if value.is_nan() || narrow.is_infinite() && value.is_finite() {
            return Err(self.out_of_range(value));
        }
        Ok(narrow.to_be_bytes())
    }
}

/// `value` in bits. A scale of zero bits makes zero of everything, so only zero can be written with it.
fn scaled(value: f64, bits_per_unit: f64) -> f64 {
    if value == 0.0 { 0.0 } else { value * bits_per_unit }
}

/// `value` rounded to the nearest whole number, if it lies within the range.
fn whole(value: f64, least: f64, most: f64) -> Option<f64> {
    let rounded = value.round();
    (least..=most).contains(&rounded).then_some(rounded)
}
