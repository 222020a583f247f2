//! Takes a configuration apart, field after field.

use super::ConfigError;
use super::names::{NameFormat, Names};

/// Takes field after field, and knows where it stands.
pub(super) struct Reader<'a> {
    rest: &'a [u8],
    at: usize,
    pmu: Option<u16>,
}

impl<'a> Reader<'a> {
    /// Over `rest`, whose first byte stands `at` bytes from SYNC.
    pub(super) const fn new(rest: &'a [u8], at: usize) -> Self {
        Self { rest, at, pmu: None }
    }

    /// Whose fields come next, for the errors.
    pub(super) const fn of_pmu(&mut self, pmu: Option<u16>) {
        self.pmu = pmu;
    }

    /// What was not taken yet.
    pub(super) const fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// All has been taken.
    pub(super) const fn end(&self) -> Result<(), ConfigError> {
        if self.rest.is_empty() {
            return Ok(());
        }
        Err(ConfigError::Excess { at: self.at, left: self.rest.len() })
    }

    pub(super) fn take(&mut self, needed: usize, field: &'static str) -> Result<&'a [u8], ConfigError> {
        let Some((taken, rest)) = self.rest.split_at_checked(needed) else {
            return Err(ConfigError::Short {
                field,
                pmu: self.pmu,
                at: self.at,
                needed,
                present: self.rest.len(),
            });
        };
        (self.rest, self.at) = (rest, self.at + needed);
        Ok(taken)
    }

    pub(super) fn array<const N: usize>(&mut self, field: &'static str) -> Result<[u8; N], ConfigError> {
        let mut array = [0; N];
        array.copy_from_slice(self.take(N, field)?);
        Ok(array)
    }

    pub(super) fn word(&mut self, field: &'static str) -> Result<u16, ConfigError> {
        self.array(field).map(u16::from_be_bytes)
    }

    /// `count` names. Never more steps than there are bytes.
    pub(super) fn names(
        &mut self,
        count: usize,
        format: NameFormat,
        field: &'static str,
    ) -> Result<Names<'a>, ConfigError> {
        let taken = match format {
            // Nothing overflows: the count is below 2^20.
            NameFormat::Fixed => self.take(count * NameFormat::FIXED_SIZE, field)?,
            NameFormat::Prefixed => {
                let before = self.rest;
                for _ in 0..count {
                    let [length] = self.array(field)?;
                    self.take(length.into(), field)?;
                }
                before.get(..before.len() - self.rest.len()).unwrap_or_default()
            }
        };
        Ok(Names::new(taken, format))
    }
}
