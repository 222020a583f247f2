//! A packet as a hook holds it: where its linear part is, how long it is, and how the rest is reached.

use core::ffi::{c_long, c_void};

use aya_ebpf::{
    bindings::{__sk_buff, xdp_md},
    helpers::{bpf_perf_event_output, bpf_skb_load_bytes, bpf_xdp_get_buff_len, bpf_xdp_load_bytes},
};

/// A packet in a hook's hands: one pointer, which goes from function to function in a register.
pub trait Packet: Copy {
    /// First byte of the linear part.
    fn start(self) -> usize;

    /// Behind the last byte of the linear part.
    fn end(self) -> usize;

    /// Bytes in all, fragments included.
    fn length(self) -> u32;

    /// The kernel's own structure behind the context, for reads through BTF offsets.
    fn address(self) -> *const u8;

    /// Copies bytes from wherever they are; 0 where all of them were there.
    ///
    /// # Safety
    /// `to` must have room for `length` bytes.
    unsafe fn load(self, offset: u32, to: *mut c_void, length: u32) -> c_long;

    /// Writes `data` and the packet's first bytes, as many as the upper half of `flags` says, as one record of the perf
    /// event that the lower half numbers; 0 where it was written.
    ///
    /// # Safety
    /// `events` must be a map of perf events, and `data` have `size` bytes.
    unsafe fn output(self, events: *mut c_void, flags: u64, data: *const c_void, size: u64) -> c_long;
}

/// At tc.
#[derive(Clone, Copy)]
#[repr(transparent)]
pub struct Skb(pub *mut __sk_buff);

/// At XDP.
#[derive(Clone, Copy)]
#[repr(transparent)]
pub struct Buffer(pub *mut xdp_md);

impl Packet for Skb {
    #[inline(always)]
    fn start(self) -> usize {
        // SAFETY: a field of the context, which the verifier turns into a read of the packet's own structure.
        unsafe { (*self.0).data as usize }
    }

    #[inline(always)]
    fn end(self) -> usize {
        // SAFETY: as above.
        unsafe { (*self.0).data_end as usize }
    }

    #[inline(always)]
    fn length(self) -> u32 {
        // SAFETY: as above.
        unsafe { (*self.0).len }
    }

    #[inline(always)]
    fn address(self) -> *const u8 {
        self.0.cast()
    }

    #[inline(always)]
    unsafe fn load(self, offset: u32, to: *mut c_void, length: u32) -> c_long {
        // SAFETY: the caller's promise; the helper checks the packet's side.
        unsafe { bpf_skb_load_bytes(self.0.cast(), offset, to, length) }
    }

    #[inline(always)]
    unsafe fn output(self, events: *mut c_void, flags: u64, data: *const c_void, size: u64) -> c_long {
        // SAFETY: the caller's promise; the helper checks the packet's side.
        unsafe { bpf_perf_event_output(self.0.cast(), events, flags, data.cast_mut(), size) }
    }
}

impl Packet for Buffer {
    #[inline(always)]
    fn start(self) -> usize {
        // SAFETY: a field of the context, which the verifier turns into a read of the buffer's own structure.
        unsafe { (*self.0).data as usize }
    }

    #[inline(always)]
    fn end(self) -> usize {
        // SAFETY: as above.
        unsafe { (*self.0).data_end as usize }
    }

    #[inline(always)]
    fn length(self) -> u32 {
        // SAFETY: the context is this program's.
        unsafe { bpf_xdp_get_buff_len(self.0) as u32 }
    }

    #[inline(always)]
    fn address(self) -> *const u8 {
        self.0.cast()
    }

    #[inline(always)]
    unsafe fn load(self, offset: u32, to: *mut c_void, length: u32) -> c_long {
        // SAFETY: the caller's promise; the helper checks the packet's side.
        unsafe { bpf_xdp_load_bytes(self.0, offset, to, length) }
    }

    #[inline(always)]
    unsafe fn output(self, events: *mut c_void, flags: u64, data: *const c_void, size: u64) -> c_long {
        // SAFETY: the caller's promise; the helper checks the packet's side.
        unsafe { bpf_perf_event_output(self.0.cast(), events, flags, data.cast_mut(), size) }
    }
}
