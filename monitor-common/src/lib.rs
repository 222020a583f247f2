//! Placeholder while the rooms are furnished.
#![no_std]
