//! Placeholder while the rooms are furnished.
