//! Placeholder until the protocol room is merged.
