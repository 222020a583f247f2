//! What the numbers of phasors and analogs are scaled by (clause 6.4: PHUNIT and ANUNIT of Table 9, PHSCALE and ANSCALE
//! of Table 11).

use super::super::config::{AnalogScaling, PhasorChannel, PhasorScaling};
use super::super::format::{PhasorFormat, PhasorUnit};

/// Units of PHUNIT's low 24 bits to a V or A (clause 6.4). Dividing by it rounds once; 10^-5 is no exact number.
const PHUNIT_PER_UNIT: f64 = 1e5;

/// What a phasor's numbers are scaled and turned by, and what it measures.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PhasorScale {
    /// V or A to a unit of what stands in the frame. By PHUNIT of CFG-2 for the integer formats, and 1 for the float
    /// formats, which are in V and A already; by PHSCALE's Y of CFG-3 for all of them. NaN, which makes every value
    /// absent, where PHSCALE is no number.
    pub per_bit: f64,
    /// In rad, subtracted from the angle: PHSCALE's theta of CFG-3; 0 by CFG-2.
    pub angle_rad: f32,
    /// What it measures.
    pub unit: PhasorUnit,
}

impl PhasorScale {
    pub(super) fn new(format: PhasorFormat, channel: &PhasorChannel<'_>) -> Self {
        let (per_bit, angle_rad) = match channel.scaling {
            PhasorScaling::Unit { factor } if format.is_integer() => {
                (f64::from(factor) / PHUNIT_PER_UNIT, 0.0)
            }
            PhasorScaling::Unit { .. } => (1.0, 0.0),
            PhasorScaling::Scale(scale) if scale.scale.is_finite() && scale.angle_rad.is_finite() => {
                (scale.scale.into(), scale.angle_rad)
            }
            PhasorScaling::Scale(_) => (f64::NAN, 0.0),
        };
        Self { per_bit, angle_rad, unit: channel.unit }
    }
}

/// What an analog's numbers are scaled and moved by.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AnalogScale {
    /// Units to a unit of what stands in the frame: 1 by CFG-2, whose scaling is the user's own and not applied;
    /// ANSCALE's M by CFG-3. NaN, which makes every value absent, where ANSCALE is no number.
    pub per_bit: f64,
    /// Added after that: ANSCALE's B by CFG-3; 0 by CFG-2.
    pub offset: f32,
}

impl From<AnalogScaling> for AnalogScale {
    fn from(scaling: AnalogScaling) -> Self {
        match scaling {
            AnalogScaling::Unit { .. } => Self { per_bit: 1.0, offset: 0.0 },
            AnalogScaling::Scale(scale) if scale.scale.is_finite() && scale.offset.is_finite() => {
                Self { per_bit: scale.scale.into(), offset: scale.offset }
            }
            AnalogScaling::Scale(_) => Self { per_bit: f64::NAN, offset: 0.0 },
        }
    }
}
