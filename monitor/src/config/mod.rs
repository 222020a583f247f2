//! What a user sets: how options are written, wherever they stand.

pub mod duration;
