//! What a configuration says of its stream beside how DATA are laid out.

use super::PerformanceClass;
use super::rules::{StationSet, Stations};
use crate::protocol::c37118::{ConfigView, ServiceClass};

/// Kept with each configuration.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Declared {
    /// Of the stations that rules name, those that it has.
    pub(super) stations: StationSet,
    /// The class of its PMUs; none where it does not say.
    pub(super) class: Option<PerformanceClass>,
}

impl Declared {
    /// Of a configuration.
    pub(super) fn of(config: &ConfigView<'_>, stations: &Stations) -> Self {
        Self { stations: stations.of(config), class: class(config) }
    }
}

/// The class that every PMU is of by SVC_CLASS; where some are of class M and others of P, M: what is late by it is late
/// by P as well. A CFG-2 has no SVC_CLASS, and one that is neither says nothing.
fn class(config: &ConfigView<'_>) -> Option<PerformanceClass> {
    let mut class = None;
    for pmu in config.pmus() {
        match (pmu.details()?.service_class, class) {
            (ServiceClass::Protection, Some(PerformanceClass::M)) | (ServiceClass::Measurement, _) => {
                class = Some(PerformanceClass::M);
            }
            (ServiceClass::Protection, _) => class = Some(PerformanceClass::P),
            (ServiceClass::Other(_), _) => return None,
        }
    }
    class
}
