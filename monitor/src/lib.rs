//! The rooms of `pmu-monitor`: everything between a frame on the wire and a line on the screen.

pub mod capture;
pub mod cli;
pub mod clock;
pub mod config;
pub mod doctor;
pub mod hostbench;
pub mod hub;
pub mod hwstamps;
pub mod live;
pub mod losses;
pub mod netns;
pub mod preload;
pub mod probe;
pub mod reader;
pub mod rt;
mod runtime_file;
pub mod served;
pub mod session;
pub mod simulate;
pub mod sink;
pub mod status;
pub mod sys;
pub mod tune;
pub mod ui;
