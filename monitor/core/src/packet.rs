//! What a reader or a capture hands to the pipeline, and the headers in it.

mod record;

pub use record::{Direction, InterfaceId, LinkType, Record, RecordKind, Stamps, VlanTag};
