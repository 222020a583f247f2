//! One PMU's block of a configuration.

use super::super::format::{Format, NominalFrequency};
use super::super::frame::IdCode;
use super::super::text::Text;
use super::channel::{AnalogChannels, DIGITAL_BITS, DigitalChannels, PhasorChannels, Units};
use super::names::{NameFormat, Names};
use super::reader::Reader;
use super::scaling::{ANSCALE_SIZE, PHSCALE_SIZE, UNIT_SIZE};
use super::{ConfigError, PmuDetails};

/// One PMU of a configuration.
#[derive(Clone, Copy, Debug)]
pub struct PmuConfig<'a> {
    station: Text<'a>,
    idcode: u16,
    format: u16,
    phasors: (Names<'a>, Units<'a>),
    analogs: (Names<'a>, Units<'a>),
    digitals: (Names<'a>, &'a [[u8; UNIT_SIZE]]),
    details: Option<PmuDetails>,
    nominal: u16,
    config_count: u16,
}

impl<'a> PmuConfig<'a> {
    /// A block of CFG-1 or CFG-2 (Table 8): STN, IDCODE, FORMAT, PHNMR, ANNMR, DGNMR, CHNAM, PHUNIT, ANUNIT,
    /// DIGUNIT, FNOM, CFGCNT.
    pub(super) fn read(reader: &mut Reader<'a>) -> Result<Self, ConfigError> {
        const NAMES: NameFormat = NameFormat::Fixed;
        let station = reader.names(1, NAMES, "STN")?.next().unwrap_or_default();
        let idcode = reader.word("IDCODE")?;
        let format = reader.word("FORMAT")?;
        let [phasors, analogs, digitals] = counts(reader)?;
        let names = channel_names(reader, NAMES, [phasors, analogs, digitals])?;
        let phasor_units = units::<UNIT_SIZE>(reader, phasors, "PHUNIT")?;
        let analog_units = units::<UNIT_SIZE>(reader, analogs, "ANUNIT")?;
        let digital_units = units::<UNIT_SIZE>(reader, digitals, "DIGUNIT")?;
        let nominal = reader.word("FNOM")?;
        let config_count = reader.word("CFGCNT")?;
        let [phasor_names, analog_names, digital_names] = names;
        Ok(Self {
            station,
            idcode,
            format,
            phasors: (phasor_names, Units::Unit(phasor_units)),
            analogs: (analog_names, Units::Unit(analog_units)),
            digitals: (digital_names, digital_units),
            details: None,
            nominal,
            config_count,
        })
    }

    /// A block of CFG-3 (Table 10): STN, IDCODE, G_PMU_ID, FORMAT, PHNMR, ANNMR, DGNMR, CHNAM, PHSCALE, ANSCALE,
    /// DIGUNIT, PMU_LAT, PMU_LON, PMU_ELEV, SVC_CLASS, WINDOW, GRP_DLY, FNOM, CFGCNT.
    pub(super) fn read3(reader: &mut Reader<'a>) -> Result<Self, ConfigError> {
        const NAMES: NameFormat = NameFormat::Prefixed;
        let station = reader.names(1, NAMES, "STN")?.next().unwrap_or_default();
        let idcode = reader.word("IDCODE")?;
        let global_id = reader.array("G_PMU_ID")?;
        let format = reader.word("FORMAT")?;
        let [phasors, analogs, digitals] = counts(reader)?;
        let names = channel_names(reader, NAMES, [phasors, analogs, digitals])?;
        let phasor_units = units::<PHSCALE_SIZE>(reader, phasors, "PHSCALE")?;
        let analog_units = units::<ANSCALE_SIZE>(reader, analogs, "ANSCALE")?;
        let digital_units = units::<UNIT_SIZE>(reader, digitals, "DIGUNIT")?;
        let details = reader.array("PMU_LAT to GRP_DLY")?;
        let nominal = reader.word("FNOM")?;
        let config_count = reader.word("CFGCNT")?;
        let [phasor_names, analog_names, digital_names] = names;
        Ok(Self {
            station,
            idcode,
            format,
            phasors: (phasor_names, Units::PhasorScale(phasor_units)),
            analogs: (analog_names, Units::AnalogScale(analog_units)),
            digitals: (digital_names, digital_units),
            details: Some(PmuDetails::read(global_id, details)),
            nominal,
            config_count,
        })
    }

    /// The station's name, STN: 16 bytes at most in CFG-1 and CFG-2, 255 in CFG-3.
    #[must_use]
    pub const fn station(&self) -> Text<'a> {
        self.station
    }

    /// This PMU's own IDCODE, which is not the stream's.
    #[must_use]
    pub const fn idcode(&self) -> IdCode {
        IdCode(self.idcode)
    }

    /// FORMAT.
    #[must_use]
    pub const fn format(&self) -> Format {
        Format::from_word(self.format)
    }

    /// FNOM.
    #[must_use]
    pub const fn nominal(&self) -> NominalFrequency {
        NominalFrequency::from_word(self.nominal)
    }

    /// CFGCNT: how often the configuration was changed.
    #[must_use]
    pub const fn config_count(&self) -> u16 {
        self.config_count
    }

    /// What a CFG-3 says beyond a CFG-2; `None` in CFG-1 and CFG-2.
    #[must_use]
    pub const fn details(&self) -> Option<PmuDetails> {
        self.details
    }

    /// The phasor channels, PHNMR of them.
    #[must_use]
    pub const fn phasors(&self) -> PhasorChannels<'a> {
        let (names, units) = self.phasors;
        PhasorChannels { names, units }
    }

    /// The analog channels, ANNMR of them.
    #[must_use]
    pub const fn analogs(&self) -> AnalogChannels<'a> {
        let (names, units) = self.analogs;
        AnalogChannels { names, units }
    }

    /// The digital status words, DGNMR of them.
    #[must_use]
    pub const fn digitals(&self) -> DigitalChannels<'a> {
        let (names, units) = self.digitals;
        DigitalChannels { names, units }
    }
}

/// PHNMR, ANNMR and DGNMR.
fn counts(reader: &mut Reader<'_>) -> Result<[usize; 3], ConfigError> {
    Ok([reader.word("PHNMR")?.into(), reader.word("ANNMR")?.into(), reader.word("DGNMR")?.into()])
}

/// CHNAM.
fn channel_names<'a>(
    reader: &mut Reader<'a>,
    format: NameFormat,
    [phasors, analogs, digitals]: [usize; 3],
) -> Result<[Names<'a>; 3], ConfigError> {
    Ok([
        reader.names(phasors, format, "CHNAM of the phasors (PHNMR)")?,
        reader.names(analogs, format, "CHNAM of the analogs (ANNMR)")?,
        reader.names(digitals * DIGITAL_BITS, format, "CHNAM of the digitals (DGNMR)")?,
    ])
}

/// One scaling of `N` bytes for each of `count` channels. Nothing overflows: the count is below 2^16.
fn units<'a, const N: usize>(
    reader: &mut Reader<'a>,
    count: usize,
    field: &'static str,
) -> Result<&'a [[u8; N]], ConfigError> {
    let (units, _) = reader.take(count * N, field)?.as_chunks();
    Ok(units)
}
