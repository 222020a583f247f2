//! Numbers as they stand in DATA frames (clause 6.3, Tables 5 and 6); absent ones are `None`.

use super::ABSENT;

/// A 16-bit integer times `per_bit`.
#[inline]
pub(super) fn integer(bytes: [u8; 2], per_bit: f64) -> Option<f64> {
    let value = i16::from_be_bytes(bytes);
    present(f64::from(value) * per_bit).filter(|_| value != ABSENT)
}

/// A float times `per_bit`. Widened first, so exact: the product of two 32-bit floats fits 64 bits.
#[inline]
pub(super) fn float(bytes: [u8; 4], per_bit: f64) -> Option<f64> {
    present(f64::from(f32::from_be_bytes(bytes)) * per_bit)
}

/// Absent where it is no number: the value was NaN, or its scale is.
#[inline]
pub(super) fn present(value: f64) -> Option<f64> {
    (!value.is_nan()).then_some(value)
}
