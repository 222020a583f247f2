//! Library of `pmu-monitor`: everything around the pure decoding of `monitor-core` that needs an operating system.

pub mod capture;
pub mod cli;
pub mod clock;
pub mod hub;
pub mod netns;
pub mod rt;
pub mod sink;
pub mod sys;
