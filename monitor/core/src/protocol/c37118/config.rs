//! Configuration frames (clause 6.4): how a stream's DATA frames are to be read, and what the channels are
//! called.
//!
//! [`ConfigView::new`] walks the structure once from end to end; after that its iterators cannot fail. CFG-1 and
//! CFG-2 have one structure (Table 8). CFG-3 (Table 10) has names of any length, another scaling, and tells more
//! of each PMU; the same views read all three. A CFG-3 may come in fragments, which [`Series`](super::Series) puts
//! together before it is read here.

mod channel;
mod details;
mod error;
mod names;
mod pmu;
mod reader;
mod scaling;

pub use channel::{
    AnalogChannel, AnalogChannels, DigitalChannel, DigitalChannels, PhasorChannel, PhasorChannels,
};
pub use details::{PmuDetails, ServiceClass};
pub use error::ConfigError;
pub use pmu::PmuConfig;
pub use scaling::{
    AnalogKind, AnalogScale3, AnalogScaling, Modifications, PhasorComponent, PhasorScale3, PhasorScaling,
};

pub(super) use channel::DIGITAL_BITS;
pub(super) use scaling::{ANSCALE_SIZE, PHSCALE_SIZE, UNIT_SIZE};

use super::fragment::Continuation;
use super::frame::{FrameKind, FrameView, HEADER_SIZE, IdCode};
use super::time::{DataRate, TimeBase};
use reader::Reader;

/// The size of a station's or channel's name in CFG-1 and CFG-2.
pub(super) const NAME_SIZE: usize = names::NameFormat::FIXED_SIZE;

/// TIME_BASE 4, `NUM_PMU` 2.
pub(super) const PREFIX_SIZE: usize = 6;

/// FNOM 2, CFGCNT 2.
pub(super) const PMU_SUFFIX_SIZE: usize = 4;

/// DATA_RATE.
pub(super) const SUFFIX_SIZE: usize = 2;

/// A whole configuration frame, borrowed.
#[derive(Clone, Copy, Debug)]
pub struct ConfigView<'a> {
    frame: FrameView<'a>,
    time_base: TimeBase,
    num_pmu: u16,
    blocks: &'a [u8],
    data_rate: i16,
}

impl<'a> ConfigView<'a> {
    /// The configuration in `frame`: a CFG-1, a CFG-2, or a CFG-3 that is whole (CONT_IDX 0), as it was sent or as
    /// [`Series`](super::Series) put it together.
    ///
    /// # Errors
    /// [`ConfigError`]: another kind of frame, a fragment of a CFG-3, no TIME_BASE, no PMU, or counts and lengths
    /// that do not add up to the frame's size.
    pub fn new(frame: FrameView<'a>) -> Result<Self, ConfigError> {
        let mut reader = Reader::new(frame.body(), HEADER_SIZE);
        match frame.kind() {
            FrameKind::Config1 | FrameKind::Config2 => {}
            FrameKind::Config3 => match Continuation::from_word(reader.word("CONT_IDX")?) {
                Continuation::Only => {}
                continuation => return Err(ConfigError::Fragment { continuation }),
            },
            kind => return Err(ConfigError::NotConfiguration { kind }),
        }
        let time_base = u32::from_be_bytes(reader.array("TIME_BASE")?);
        let num_pmu = reader.word("NUM_PMU")?;
        let time_base = TimeBase::from_word(time_base).ok_or(ConfigError::TimeBase)?;
        if num_pmu == 0 {
            return Err(ConfigError::NoPmu);
        }
        let blocks = reader.rest();
        for pmu in 1..=num_pmu {
            reader.of_pmu(Some(pmu));
            read_pmu(frame.kind(), &mut reader)?;
        }
        reader.of_pmu(None);
        let data_rate = i16::from_be_bytes(reader.array("DATA_RATE")?);
        reader.end()?;
        Ok(Self { frame, time_base, num_pmu, blocks, data_rate })
    }

    /// The frame that holds it.
    #[must_use]
    pub const fn frame(&self) -> FrameView<'a> {
        self.frame
    }

    /// CFG-1 (what the sender could send), CFG-2 or CFG-3 (what it sends).
    #[must_use]
    pub const fn kind(&self) -> FrameKind {
        self.frame.kind()
    }

    /// The stream's IDCODE.
    #[must_use]
    pub const fn idcode(&self) -> IdCode {
        self.frame.idcode()
    }

    /// TIME_BASE without its flags.
    #[must_use]
    pub const fn time_base(&self) -> TimeBase {
        self.time_base
    }

    /// `NUM_PMU`, at least 1.
    #[must_use]
    pub const fn num_pmu(&self) -> u16 {
        self.num_pmu
    }

    /// DATA_RATE; `None` where it is 0 and so states no rate. The frames can be read without it.
    #[must_use]
    pub const fn data_rate(&self) -> Option<DataRate> {
        DataRate::from_word(self.data_rate)
    }

    /// The PMUs in the order of their blocks in DATA frames.
    #[must_use]
    pub const fn pmus(&self) -> PmuConfigs<'a> {
        PmuConfigs { kind: self.kind(), rest: self.blocks, left: self.num_pmu }
    }
}

fn read_pmu<'a>(kind: FrameKind, reader: &mut Reader<'a>) -> Result<PmuConfig<'a>, ConfigError> {
    if kind == FrameKind::Config3 { PmuConfig::read3(reader) } else { PmuConfig::read(reader) }
}

/// The PMUs of a configuration, in order.
#[derive(Clone, Debug)]
pub struct PmuConfigs<'a> {
    kind: FrameKind,
    rest: &'a [u8],
    left: u16,
}

impl<'a> Iterator for PmuConfigs<'a> {
    type Item = PmuConfig<'a>;

    fn next(&mut self) -> Option<Self::Item> {
        self.left = self.left.checked_sub(1)?;
        // Cannot fail: the view was made by reading these very blocks.
        let mut reader = Reader::new(self.rest, 0);
        let pmu = read_pmu(self.kind, &mut reader).ok()?;
        self.rest = reader.rest();
        Some(pmu)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left.into(), Some(self.left.into()))
    }
}

impl ExactSizeIterator for PmuConfigs<'_> {}
