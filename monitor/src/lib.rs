//! Library of `pmu-monitor`: everything around the pure decoding of `monitor-core` that needs an operating system.

pub mod clock;
pub mod netns;
pub mod rt;
pub mod sys;
