//! The receive rings of packet sockets (`TPACKET_V2`, `TPACKET_V3`), mapped: what `cargo xtask bench delivery` measures
//! the BPF ring beside. The monitor itself never receives this way.
//!
//! The layout is that of the kernel's `include/uapi/linux/if_packet.h`. Of version 2 every frame has a slot with a status
//! of its own, which the kernel sets to "user" when the frame is there; of version 3 a block of frames is handed over
//! when it is full or its timeout is over, so that frames wait for the block.
#![expect(unsafe_code, reason = "reads what the kernel writes, through raw pointers into a shared mapping")]

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::slice;
use std::sync::atomic::{AtomicU32, Ordering};

use super::clock::NANOS_PER_SECOND;
use super::mapping::{Mapping, Protection};
use super::packet_receive::{bind_to, dropped, set_option, stamped_socket};

/// Bytes of a block, and how many there are: 4 MiB in all.
const BLOCK_BYTES: u32 = 64 << 10;
const BLOCKS: u32 = 64;
/// Bytes of a slot of version 2: a frame of the usual MTU and its header.
const SLOT_BYTES: u32 = 2 << 10;
/// Where the status stands in a block of version 3: behind the version and the offset to the private data.
const BLOCK_STATUS: usize = std::mem::offset_of!(libc::tpacket_block_desc, hdr);

/// How frames are handed over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// One by one.
    V2,
    /// In blocks; one that is not full is handed over after so many milliseconds.
    V3 {
        /// At least 1: the kernel takes 0 for a timeout of its own choice.
        block_timeout_ms: u32,
    },
}

/// One frame in the ring, valid until the next is looked at.
#[derive(Clone, Copy, Debug)]
pub struct RingFrame<'a> {
    /// From its Ethernet header on.
    pub bytes: &'a [u8],
    /// When the kernel received it, nanoseconds of `CLOCK_REALTIME`.
    pub stamp_ns: i64,
}

/// The only reader of a packet socket's receive ring.
#[derive(Debug)]
pub struct PacketRing {
    socket: OwnedFd,
    mapping: Mapping,
    version: Version,
    /// Slot (version 2) or block (version 3) that is handed over next.
    next: usize,
}

impl PacketRing {
    /// On the interface `index` of the current network namespace.
    ///
    /// # Errors
    /// `EPERM` without `CAP_NET_RAW`; `ENODEV` where there is no such interface; `ENOMEM`.
    pub fn open(index: u32, version: Version) -> io::Result<Self> {
        let socket = stamped_socket()?;
        let set = |name, value: &libc::c_int| set_option(socket.as_fd(), libc::SOL_PACKET, name, value);
        match version {
            Version::V2 => {
                set(libc::PACKET_VERSION, &(libc::tpacket_versions::TPACKET_V2 as libc::c_int))?;
                let request = libc::tpacket_req {
                    tp_block_size: BLOCK_BYTES,
                    tp_block_nr: BLOCKS,
                    tp_frame_size: SLOT_BYTES,
                    tp_frame_nr: BLOCK_BYTES / SLOT_BYTES * BLOCKS,
                };
                set_option(socket.as_fd(), libc::SOL_PACKET, libc::PACKET_RX_RING, &request)?;
            }
            Version::V3 { block_timeout_ms } => {
                set(libc::PACKET_VERSION, &(libc::tpacket_versions::TPACKET_V3 as libc::c_int))?;
                let request = libc::tpacket_req3 {
                    tp_block_size: BLOCK_BYTES,
                    tp_block_nr: BLOCKS,
                    tp_frame_size: SLOT_BYTES,
                    tp_frame_nr: BLOCK_BYTES / SLOT_BYTES * BLOCKS,
                    tp_retire_blk_tov: block_timeout_ms,
                    tp_sizeof_priv: 0,
                    tp_feature_req_word: 0,
                };
                set_option(socket.as_fd(), libc::SOL_PACKET, libc::PACKET_RX_RING, &request)?;
            }
        }
        let length = BLOCK_BYTES as usize * BLOCKS as usize;
        let mapping = Mapping::new(socket.as_fd(), 0, length, Protection::ReadWrite)?;
        bind_to(socket.as_fd(), index)?;
        Ok(Self { socket, mapping, version, next: 0 })
    }

    /// Whether a frame (or a block of them) was handed over and not looked at yet. No system call.
    #[must_use]
    pub fn has_frames(&self) -> bool {
        // Acquire: pairs with the kernel's barrier before it sets the status (`smp_mb` in `tpacket_rcv`, `smp_wmb` in
        // `prb_close_block`): whoever sees "user" sees the frame.
        self.status().load(Ordering::Acquire) & libc::TP_STATUS_USER != 0
    }

    /// Looks at everything that was handed over, in order. `look` gets each frame once.
    pub fn drain(&mut self, mut look: impl FnMut(RingFrame<'_>)) -> u64 {
        let mut frames = 0;
        while self.has_frames() {
            frames += match self.version {
                Version::V2 => self.look_at_slot(&mut look),
                Version::V3 { .. } => self.look_at_block(&mut look),
            };
            // Release: pairs with the barrier behind the kernel's load of the status (`smp_rmb` in
            // `__packet_get_status`, `packet_current_rx_frame`): the kernel writes again only what was read.
            self.status().store(libc::TP_STATUS_KERNEL, Ordering::Release);
            self.next = (self.next + 1) % self.places();
        }
        frames
    }

    /// Packets that the ring had no room for since this was last asked.
    ///
    /// # Errors
    /// Only where a sandbox forbids the call.
    pub fn dropped(&self) -> io::Result<u64> {
        dropped(self.socket.as_fd())
    }

    fn look_at_slot(&self, look: &mut impl FnMut(RingFrame<'_>)) -> u64 {
        let place = self.place();
        // SAFETY: the slot was handed over: it holds a header, which the kernel does not touch until it is given back.
        let header = unsafe { self.at(place).cast::<libc::tpacket2_hdr>().read_unaligned() };
        look(RingFrame {
            bytes: self.bytes(place + usize::from(header.tp_mac), header.tp_snaplen),
            stamp_ns: i64::from(header.tp_sec) * NANOS_PER_SECOND + i64::from(header.tp_nsec),
        });
        1
    }

    fn look_at_block(&self, look: &mut impl FnMut(RingFrame<'_>)) -> u64 {
        let block = self.place();
        // SAFETY: the block was handed over: it holds its header, which the kernel does not touch until it is given
        // back; of the union there is this one member.
        let header = unsafe { self.at(block + BLOCK_STATUS).cast::<libc::tpacket_hdr_v1>().read_unaligned() };
        let mut place = block + header.offset_to_first_pkt as usize;
        for _ in 0..header.num_pkts {
            // SAFETY: the kernel says that so many frames are in the block, one behind the other.
            let frame = unsafe { self.at(place).cast::<libc::tpacket3_hdr>().read_unaligned() };
            look(RingFrame {
                bytes: self.bytes(place + usize::from(frame.tp_mac), frame.tp_snaplen),
                stamp_ns: i64::from(frame.tp_sec) * NANOS_PER_SECOND + i64::from(frame.tp_nsec),
            });
            place += frame.tp_next_offset as usize;
        }
        header.num_pkts.into()
    }

    /// Status word of the place that comes next.
    fn status(&self) -> &AtomicU32 {
        let offset = match self.version {
            Version::V2 => self.place(),
            Version::V3 { .. } => self.place() + BLOCK_STATUS,
        };
        // SAFETY: slots and blocks begin at multiples of a power of two, so that the word is aligned, and the mapping
        // is writable. Version 2's status is a `u32` at the beginning of the slot's header, version 3's is one at the
        // beginning of the block's. The kernel accesses it as one word too.
        unsafe { AtomicU32::from_ptr(self.at(offset).cast_mut().cast()) }
    }

    /// Where the next slot or block begins.
    const fn place(&self) -> usize {
        match self.version {
            Version::V2 => self.next * SLOT_BYTES as usize,
            Version::V3 { .. } => self.next * BLOCK_BYTES as usize,
        }
    }

    const fn places(&self) -> usize {
        match self.version {
            Version::V2 => (BLOCK_BYTES / SLOT_BYTES * BLOCKS) as usize,
            Version::V3 { .. } => BLOCKS as usize,
        }
    }

    fn bytes(&self, at: usize, length: u32) -> &[u8] {
        let length = (length as usize).min(self.mapping.len().saturating_sub(at));
        // SAFETY: inside the mapping, in a place that was handed over and that is given back only after the look.
        unsafe { slice::from_raw_parts(self.at(at), length) }
    }

    fn at(&self, offset: usize) -> *const u8 {
        assert!(offset < self.mapping.len(), "a place outside of the ring: {offset}");
        // SAFETY: inside the mapping, which lives as long as `self`.
        unsafe { self.mapping.as_ptr().add(offset) }
    }
}

impl AsFd for PacketRing {
    /// Readable while something was handed over.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}
