//! Decoding and judging frames: pure, with time as an argument; no operating system, no clock, and no
//! allocation once the pools are made.
#![forbid(unsafe_code)]

pub mod protocol;
