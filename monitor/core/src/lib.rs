//! Decoding and judging frames: what a packet says, which stream it belongs to, what is missing.
//!
//! Pure: no clock (time is an argument), no operating system, and no allocation once the pools are made. A module
//! knows only those to its left in: time, packet, protocol, flow, stream, detect, event, pipeline.
#![forbid(unsafe_code)]

pub mod event;
pub mod flow;
mod fold;
pub mod packet;
pub mod pipeline;
pub mod protocol;
pub mod stream;
pub mod time;
