//! The perf buffer as a transport: which is chosen, and what a record of it holds.

/// The BPF ring carries the records.
pub const TRANSPORT_RING: u32 = 0;
/// Perf buffers do, one for each CPU.
pub const TRANSPORT_PERF: u32 = 1;

/// Bytes of a packet that the first record of it holds at most. A perf record says its length in 16 bits: its own header
/// (8 bytes), the length of what follows (4), a [`crate::RecordHeader`], the bytes, filled up to a multiple of 8.
pub const PERF_FIRST_MAX: u32 = 65_408;
/// Bytes of a packet that each further record holds at most.
pub const PERF_PART_BYTES: usize = 8 << 10;

const _: () = assert!(
    (8 + 4 + size_of::<crate::RecordHeader>() + PERF_FIRST_MAX as usize).next_multiple_of(8)
        <= u16::MAX as usize
);
