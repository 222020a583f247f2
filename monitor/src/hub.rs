//! The queue's consumer: what leaves the real-time thread arrives here, gets its names, and goes on to the sinks.
//!
//! [`queue`] carries events over; [`Registry`] knows streams and configurations by the numbers in them.

pub mod queue;
