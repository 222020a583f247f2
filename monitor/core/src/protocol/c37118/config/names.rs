//! Names of stations and channels as a configuration holds them: 16 bytes each in CFG-1 and CFG-2 (clause 6.4,
//! Table 8), a length of one byte and as many bytes of UTF-8 in CFG-3 (Table 12).

use super::super::text::Text;

/// How a name stands in the frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NameFormat {
    /// 16 bytes, padded with spaces.
    Fixed,
    /// One byte that says how many follow.
    Prefixed,
}

impl NameFormat {
    /// Bytes of a name in CFG-1 and CFG-2.
    pub(super) const FIXED_SIZE: usize = 16;
}

/// Names one behind another, found to be whole when the configuration was walked.
#[derive(Clone, Copy, Debug)]
pub(super) struct Names<'a> {
    bytes: &'a [u8],
    format: NameFormat,
}

impl<'a> Names<'a> {
    pub(super) const fn new(bytes: &'a [u8], format: NameFormat) -> Self {
        Self { bytes, format }
    }

    /// The next name.
    pub(super) fn next(&mut self) -> Option<Text<'a>> {
        let (length, from) = match self.format {
            NameFormat::Fixed => (NameFormat::FIXED_SIZE, self.bytes),
            NameFormat::Prefixed => {
                let ([length], from) = self.bytes.split_first_chunk()?;
                (usize::from(*length), from)
            }
        };
        let (name, rest) = from.split_at_checked(length)?;
        self.bytes = rest;
        Some(Text::new(name))
    }
}
