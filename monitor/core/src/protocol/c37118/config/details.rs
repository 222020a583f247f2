//! What a CFG-3 says of a PMU beyond a CFG-2 (clause 6.4, Tables 10 and 11).

/// G_PMU_ID, PMU_LAT, PMU_LON, PMU_ELEV, SVC_CLASS, WINDOW and GRP_DLY.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PmuDetails {
    /// G_PMU_ID: 128 bits that name the PMU in a system of more than 65 534; the coding is the user's.
    pub global_id: [u8; 16],
    /// PMU_LAT in degrees, -90 to 90, north positive (WGS 84); `None` where it is not specified, which the frame
    /// says with infinity.
    pub latitude_deg: Option<f32>,
    /// PMU_LON in degrees, above -180 to 180, east positive (WGS 84); `None` where it is not specified.
    pub longitude_deg: Option<f32>,
    /// PMU_ELEV in metres above mean sea level (WGS 84); `None` where it is not specified.
    pub elevation_m: Option<f32>,
    /// SVC_CLASS.
    pub service_class: ServiceClass,
    /// WINDOW: length of the measurement window with all filters, in microseconds. For information only.
    pub window_us: i32,
    /// GRP_DLY: group delay with all filters, in microseconds. For information only: the time tags are already
    /// compensated for it.
    pub group_delay_us: i32,
}

impl PmuDetails {
    /// Bytes of PMU_LAT to GRP_DLY.
    pub(in super::super) const SIZE: usize = 12 + 1 + 8;

    pub(super) fn read(global_id: [u8; 16], bytes: [u8; Self::SIZE]) -> Self {
        let [a0, a1, a2, a3, o0, o1, o2, o3, e0, e1, e2, e3, class, w0, w1, w2, w3, d0, d1, d2, d3] = bytes;
        Self {
            global_id,
            latitude_deg: specified([a0, a1, a2, a3]),
            longitude_deg: specified([o0, o1, o2, o3]),
            elevation_m: specified([e0, e1, e2, e3]),
            service_class: ServiceClass::from_byte(class),
            window_us: i32::from_be_bytes([w0, w1, w2, w3]),
            group_delay_us: i32::from_be_bytes([d0, d1, d2, d3]),
        }
    }

    pub(in super::super) fn bytes(&self) -> [u8; Self::SIZE] {
        let place = |value: Option<f32>| value.unwrap_or(f32::INFINITY).to_be_bytes();
        let [a0, a1, a2, a3] = place(self.latitude_deg);
        let [o0, o1, o2, o3] = place(self.longitude_deg);
        let [e0, e1, e2, e3] = place(self.elevation_m);
        let class = self.service_class.byte();
        let [w0, w1, w2, w3] = self.window_us.to_be_bytes();
        let [d0, d1, d2, d3] = self.group_delay_us.to_be_bytes();
        [a0, a1, a2, a3, o0, o1, o2, o3, e0, e1, e2, e3, class, w0, w1, w2, w3, d0, d1, d2, d3]
    }
}

impl Default for PmuDetails {
    /// Nothing specified; class M, which says the least of the window.
    fn default() -> Self {
        Self {
            global_id: [0; 16],
            latitude_deg: None,
            longitude_deg: None,
            elevation_m: None,
            service_class: ServiceClass::Measurement,
            window_us: 0,
            group_delay_us: 0,
        }
    }
}

/// A coordinate; infinity, and NaN for good measure, say that it is not specified.
fn specified(bytes: [u8; 4]) -> Option<f32> {
    Some(f32::from_be_bytes(bytes)).filter(|value| value.is_finite())
}

/// SVC_CLASS: the performance class of IEEE C37.118.1, one ASCII character.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ServiceClass {
    /// "P": fast response, little filtering.
    Protection,
    /// "M": filtered against aliasing, for measurement.
    Measurement,
    /// Any other byte.
    Other(u8),
}

impl ServiceClass {
    const fn from_byte(byte: u8) -> Self {
        match byte {
            b'P' => Self::Protection,
            b'M' => Self::Measurement,
            other => Self::Other(other),
        }
    }

    const fn byte(self) -> u8 {
        match self {
            Self::Protection => b'P',
            Self::Measurement => b'M',
            Self::Other(byte) => byte,
        }
    }

    /// "P" or "M"; `None` for a class that the standard does not know.
    #[must_use]
    pub const fn symbol(self) -> Option<&'static str> {
        match self {
            Self::Protection => Some("P"),
            Self::Measurement => Some("M"),
            Self::Other(_) => None,
        }
    }
}
