//! Takes a configuration out of what a PMU answers, which may come in pieces, in fragments, and among other frames.

use monitor_core::protocol::c37118::{
    ConfigError, ConfigView, Fragment, FrameError, FrameHeader, FrameKind, FrameView, Series,
};

/// The most of an answer that is kept.
pub(super) const ANSWER_MAX: usize = 1 << 20;

/// Bytes of an answer on their way to become a configuration.
#[derive(Debug)]
pub(super) struct Answer {
    idcode: u16,
    bytes: Vec<u8>,
    series: Option<Series>,
    whole: Vec<u8>,
}

/// Why an answer gives no configuration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AnswerError {
    /// It is no C37.118 frame.
    #[error("the answer is no sound C37.118 frame: {0}")]
    Frame(FrameError),
    /// A configuration of another stream.
    #[error("the answer is of IDCODE {found}, and {asked} was asked for: give that one")]
    IdCode {
        /// Asked for.
        asked: u16,
        /// Answered.
        found: u16,
    },
    /// A configuration that contradicts itself.
    #[error("the configuration in the answer cannot be used: {0}")]
    Config(ConfigError),
    /// Fragments that do not belong together.
    #[error("the fragments of the CFG-3 cannot be put together: {0}")]
    Fragments(monitor_core::protocol::c37118::SeriesError),
    /// Too much without a configuration in it.
    #[error("no configuration within {ANSWER_MAX} bytes of answer")]
    TooLarge,
}

impl Answer {
    /// Of a stream.
    pub(super) const fn new(idcode: u16) -> Self {
        Self { idcode, bytes: Vec::new(), series: None, whole: Vec::new() }
    }

    /// Takes what came; gives the frame of the configuration once it is there.
    pub(super) fn take(&mut self, more: &[u8]) -> Result<Option<Vec<u8>>, AnswerError> {
        self.bytes.extend_from_slice(more);
        loop {
            let header = match FrameHeader::peek(&self.bytes) {
                Ok(header) => header,
                Err(FrameError::Truncated { .. }) => return self.wait(),
                Err(error) => return Err(AnswerError::Frame(error)),
            };
            if self.bytes.len() < header.size() {
                return self.wait();
            }
            let frame: Vec<u8> = self.bytes.drain(..header.size()).collect();
            if let Some(config) = self.judge(&frame)? {
                return Ok(Some(config));
            }
        }
    }

    fn wait(&self) -> Result<Option<Vec<u8>>, AnswerError> {
        if self.bytes.len() > ANSWER_MAX { Err(AnswerError::TooLarge) } else { Ok(None) }
    }

    /// One whole frame: the configuration, a fragment of it, or something else, which is passed over.
    fn judge(&mut self, bytes: &[u8]) -> Result<Option<Vec<u8>>, AnswerError> {
        if let Ok(fragment) = Fragment::new(bytes) {
            return self.continue_with(&fragment);
        }
        let frame = FrameView::new(bytes).map_err(AnswerError::Frame)?;
        if !matches!(frame.kind(), FrameKind::Config2 | FrameKind::Config3) {
            return Ok(None);
        }
        self.is_of_the_stream(frame.idcode().0)?;
        ConfigView::new(frame).map_err(AnswerError::Config)?;
        Ok(Some(bytes.to_vec()))
    }

    fn continue_with(&mut self, fragment: &Fragment<'_>) -> Result<Option<Vec<u8>>, AnswerError> {
        self.is_of_the_stream(fragment.header().idcode.0)?;
        self.whole.resize(ANSWER_MAX, 0);
        let Some(series) = &mut self.series else {
            self.series = Some(Series::begin(fragment, &mut self.whole).map_err(AnswerError::Fragments)?);
            return Ok(None);
        };
        let length = series.push(fragment, &mut self.whole).map_err(AnswerError::Fragments)?;
        let Some(length) = length else { return Ok(None) };
        self.whole.truncate(length);
        let frame = FrameView::reassembled(&self.whole).map_err(AnswerError::Frame)?;
        ConfigView::new(frame).map_err(AnswerError::Config)?;
        Ok(Some(std::mem::take(&mut self.whole)))
    }

    fn is_of_the_stream(&self, found: u16) -> Result<(), AnswerError> {
        if found == self.idcode { Ok(()) } else { Err(AnswerError::IdCode { asked: self.idcode, found }) }
    }
}
