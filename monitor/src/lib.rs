//! pmu-monitor's library: what the verbs of the command line call.

pub mod capture;
