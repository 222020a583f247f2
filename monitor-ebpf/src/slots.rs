//! The table of streams: an array, searched here. What the kernel's own hash map does for a key of this length costs more
//! than all the rest that is done with a frame.

use core::{
    intrinsics::{AtomicOrdering, atomic_cxchg, atomic_xadd},
    mem::offset_of,
    ptr,
};

use monitor_common::{
    Matching, SLOT_BEGUN, SLOT_FREE, SLOT_TAKEN, STREAM_TRIES, STREAMS_MAX, StreamCounts, StreamKey,
    StreamSlot,
};

use crate::{addresses::Addresses, maps::STREAMS, matching::settings};

/// Words of a key and the state behind it.
const WORDS: usize = 6;
/// Odd numbers without a pattern (the first digits of the golden ratio and of roots, as SHA-512 has them).
const FACTORS: [u64; WORDS] = [
    0x9E37_79B9_7F4A_7C15,
    0x6A09_E667_F3BC_C909,
    0xBB67_AE85_84CA_A73B,
    0x3C6E_F372_FE94_F82B,
    0xA54F_F53A_5F1D_36F1,
    0x510E_527F_ADE6_82D1,
];

/// A [`StreamKey`] and the state of a slot that holds it, in the widest numbers.
pub struct Key([u64; WORDS]);

const _: () = assert!(offset_of!(StreamKey, netns) == 32 && offset_of!(StreamKey, ifindex) == 36);
const _: () = assert!(offset_of!(StreamKey, idcode) == 40 && offset_of!(StreamKey, transport) == 42);
const _: () = assert!(offset_of!(StreamSlot, state) == 44 && offset_of!(StreamSlot, counts) == 8 * WORDS);

impl Key {
    #[inline(always)]
    pub fn new(
        Addresses(addresses): Addresses,
        (netns, ifindex): (u32, u32),
        idcode: u16,
        transport: u8,
    ) -> Self {
        let [s0, s1, d0, d1] = addresses;
        let interface = u64::from(netns) | u64::from(ifindex) << 32;
        let stream = u64::from(idcode) | u64::from(transport) << 16 | u64::from(SLOT_TAKEN) << 32;
        Self([s0, s1, d0, d1, interface, stream])
    }

    /// Where in the table it is looked for first.
    #[inline(always)]
    fn place(&self, seed: u32) -> u64 {
        let seed = u64::from(seed) << 32 | u64::from(seed);
        let mut sum: u64 = 0;
        let mut word = 0;
        while word < WORDS {
            sum = sum.wrapping_add((self.0[word] ^ seed).wrapping_mul(FACTORS[word]));
            word += 1;
        }
        (sum ^ sum >> 32).wrapping_mul(FACTORS[0]) >> 48
    }
}

/// What is counted of a stream: a new one's is all 0. None where the table has no room for it.
#[inline(always)]
pub fn find(key: &Key, matching: *const Matching) -> Option<*mut StreamCounts> {
    let place = key.place(settings(matching).seed);
    let first = slot(place)?;
    let found = if holds(first, key) { first } else { further(key, place) };
    // SAFETY: a field of a map value.
    (!found.is_null()).then(|| unsafe { &raw mut (*found).counts })
}

/// Looks through all places of a stream, and takes the first that is free; null where none is.
#[inline(never)]
fn further(key: &Key, mut place: u64) -> *mut StreamSlot {
    for step in 0..STREAM_TRIES {
        place += u64::from(step);
        let Some(slot) = slot(place) else { break };
        if holds(slot, key) || take(slot, key) {
            return slot;
        }
    }
    ptr::null_mut()
}

#[inline(always)]
fn slot(place: u64) -> Option<*mut StreamSlot> {
    STREAMS.get_ptr_mut(place as u32 & (STREAMS_MAX as u32 - 1))
}

/// Whether a slot is taken, and by this very stream.
#[inline(always)]
fn holds(slot: *mut StreamSlot, key: &Key) -> bool {
    let words: *const u64 = slot.cast();
    let mut difference = 0;
    let mut word = 0;
    while word < WORDS {
        // SAFETY: key and state are so many words, as asserted above. Volatile, since another CPU may be writing them.
        difference |= unsafe { ptr::read_volatile(words.add(word)) } ^ key.0[word];
        word += 1;
    }
    difference == 0
}

/// Takes a slot if it is free.
#[inline(always)]
fn take(slot: *mut StreamSlot, key: &Key) -> bool {
    // SAFETY: fields of a map value, each aligned. Who has made the state `SLOT_BEGUN` is alone in writing the key. The
    // exchange and the addition, which gives a value, are full barriers (the kernel's Documentation/bpf): the key is
    // written when the state says so. A CPU that sees them in another order takes another slot for the same stream.
    unsafe {
        let state = &raw mut (*slot).state;
        let (found, _) = atomic_cxchg::<u32, { AtomicOrdering::AcqRel }, { AtomicOrdering::Relaxed }>(
            state, SLOT_FREE, SLOT_BEGUN,
        );
        if found != SLOT_FREE {
            return false;
        }
        let words: *mut u64 = slot.cast();
        let mut word = 0;
        while word < WORDS - 1 {
            ptr::write_volatile(words.add(word), key.0[word]);
            word += 1;
        }
        // The other half is the state.
        ptr::write_volatile(words.add(WORDS - 1).cast::<u32>(), key.0[WORDS - 1] as u32);
        atomic_xadd::<u32, u32, { AtomicOrdering::AcqRel }>(state, SLOT_TAKEN - SLOT_BEGUN) == SLOT_BEGUN
    }
}
