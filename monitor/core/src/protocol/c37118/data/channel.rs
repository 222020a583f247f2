//! Analogs and digital status words.

use core::slice;

use super::super::layout::AnalogScale;
use super::DIGITAL_SIZE;
use super::number::{float, present};

/// The analogs of one PMU, in order; `None` for one that is absent (NaN).
#[derive(Clone, Debug)]
pub struct Analogs<'a> {
    pub(super) float: bool,
    pub(super) bytes: &'a [u8],
    pub(super) scales: slice::Iter<'a, AnalogScale>,
}

impl Iterator for Analogs<'_> {
    type Item = Option<f64>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        let AnalogScale { per_bit, offset } = *self.scales.next()?;
        let offset = f64::from(offset);
        if self.float {
            let (value, rest) = self.bytes.split_first_chunk()?;
            self.bytes = rest;
            return Some(float(*value, per_bit).map(|value| value + offset));
        }
        let (value, rest) = self.bytes.split_first_chunk()?;
        self.bytes = rest;
        // The standard keeps no integer for an absent analog, so all of them are values.
        Some(present(f64::from(i16::from_be_bytes(*value)) * per_bit + offset))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.scales.size_hint()
    }
}

impl ExactSizeIterator for Analogs<'_> {}

/// The digital status words of one PMU, in order.
#[derive(Clone, Debug)]
pub struct Digitals<'a>(pub(super) &'a [u8]);

impl Iterator for Digitals<'_> {
    type Item = u16;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        let (word, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(u16::from_be_bytes(*word))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = self.0.len() / DIGITAL_SIZE;
        (left, Some(left))
    }
}

impl ExactSizeIterator for Digitals<'_> {}
