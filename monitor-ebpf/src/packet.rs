//! A packet as a hook holds it: where its linear part is, how long it is, and how the rest is reached.

use core::ffi::{c_long, c_void};

use aya_ebpf::{
    helpers::{bpf_skb_load_bytes, bpf_xdp_get_buff_len, bpf_xdp_load_bytes},
    programs::{TcContext, XdpContext},
};

/// A packet in a hook's hands.
pub trait Packet {
    /// First byte of the linear part.
    fn start(&self) -> usize;

    /// Behind the last byte of the linear part.
    fn end(&self) -> usize;

    /// Bytes in all, fragments included.
    fn length(&self) -> u32;

    /// The kernel's own structure behind the context, for reads through BTF offsets.
    fn address(&self) -> *const u8;

    /// Copies bytes from wherever they are; 0 where all of them were there.
    ///
    /// # Safety
    /// `to` must have room for `length` bytes.
    unsafe fn load(&self, offset: u32, to: *mut c_void, length: u32) -> c_long;
}

impl Packet for TcContext {
    #[inline(always)]
    fn start(&self) -> usize {
        self.data()
    }

    #[inline(always)]
    fn end(&self) -> usize {
        self.data_end()
    }

    #[inline(always)]
    fn length(&self) -> u32 {
        self.len()
    }

    #[inline(always)]
    fn address(&self) -> *const u8 {
        self.skb.skb.cast()
    }

    #[inline(always)]
    unsafe fn load(&self, offset: u32, to: *mut c_void, length: u32) -> c_long {
        // SAFETY: the caller's promise; the helper checks the packet's side.
        unsafe { bpf_skb_load_bytes(self.skb.skb.cast(), offset, to, length) }
    }
}

impl Packet for XdpContext {
    #[inline(always)]
    fn start(&self) -> usize {
        self.data()
    }

    #[inline(always)]
    fn end(&self) -> usize {
        self.data_end()
    }

    #[inline(always)]
    fn length(&self) -> u32 {
        // SAFETY: the context is this program's.
        unsafe { bpf_xdp_get_buff_len(self.ctx) as u32 }
    }

    #[inline(always)]
    fn address(&self) -> *const u8 {
        self.ctx.cast()
    }

    #[inline(always)]
    unsafe fn load(&self, offset: u32, to: *mut c_void, length: u32) -> c_long {
        // SAFETY: the caller's promise; the helper checks the packet's side.
        unsafe { bpf_xdp_load_bytes(self.ctx, offset, to, length) }
    }
}
