//! TCP where any port may carry frames: frames begin anywhere in a connection's bytes, so once one was seen at the
//! beginning of a segment, every further segment of the connection is asked for, both ways, with payload or without.

use aya_ebpf::bindings::BPF_NOEXIST;
use monitor_common::{Connection, ConnectionKey, PacketCounters};

use crate::{
    addresses::Addresses,
    bytes::Bytes,
    counting::count,
    judged::Judged,
    maps::CONNECTIONS,
    matching::{NO_FRAME, TYPE_COMMAND, Way, ports},
};

/// `-EEXIST` (`include/uapi/asm-generic/errno-base.h`).
const EXISTS: i32 = -17;

/// A [`ConnectionKey`] as it is filled: in the widest numbers.
#[repr(C)]
struct Key {
    addresses: [u64; 4],
    ports: [u16; 2],
    filled_up: u32,
}

const _: () = assert!(size_of::<ConnectionKey>() == core::mem::offset_of!(Key, filled_up));

/// Judges a segment that begins with a frame of this type, or with none.
#[inline(always)]
pub fn judge(bytes: impl Bytes, found: Judged, frame: u8, counters: *mut PacketCounters, way: Way) -> Judged {
    let mut addresses = Addresses::NONE;
    let Some((source, destination)) = ports(bytes, found) else { return found.ignored() };
    if !addresses.read(bytes, found) {
        return found.ignored();
    }
    let (key, swapped) = key(&addresses, source, destination);
    let key: *const ConnectionKey = (&raw const key).cast();
    // SAFETY: `Key` begins as a `ConnectionKey` does.
    let key = unsafe { &*key };
    let sender = u32::from(swapped);
    // SAFETY: read at once; should its place be taken by another connection, that one is matched or not by whose end
    // the PMU is.
    let pmu = if let Some(known) = unsafe { CONNECTIONS.get(key) } {
        known.pmu
    } else {
        let begins = match way {
            Way::In => frame != NO_FRAME,
            Way::Out => frame == TYPE_COMMAND,
        };
        if !begins {
            return found.ignored();
        }
        let pmu = if frame == TYPE_COMMAND { 1 - sender } else { sender };
        take_up(key, pmu, counters);
        pmu
    };
    // Of what leaves this host, only what goes to a PMU.
    if way == Way::In || pmu != sender { found.matched() } else { found.ignored() }
}

/// Whether a segment is of a connection that carried a frame.
#[inline(always)]
pub fn is_known(bytes: impl Bytes, found: Judged) -> bool {
    let mut addresses = Addresses::NONE;
    let Some((source, destination)) = ports(bytes, found) else { return false };
    if !addresses.read(bytes, found) {
        return false;
    }
    let (key, _) = key(&addresses, source, destination);
    let key: *const ConnectionKey = (&raw const key).cast();
    // SAFETY: `Key` begins as a `ConnectionKey` does.
    let key = unsafe { &*key };
    // SAFETY: only asks whether the entry is there.
    unsafe { CONNECTIONS.get(key) }.is_some()
}

/// A connection's key, and whether the source stands behind the destination in it.
#[inline(always)]
fn key(addresses: &Addresses, source: u16, destination: u16) -> (Key, bool) {
    let swapped = stands_behind(addresses, source, destination);
    let Addresses([s0, s1, d0, d1]) = *addresses;
    let key = if swapped {
        Key { addresses: [d0, d1, s0, s1], ports: [destination, source], filled_up: 0 }
    } else {
        Key { addresses: [s0, s1, d0, d1], ports: [source, destination], filled_up: 0 }
    };
    (key, swapped)
}

/// A full map gives up the connection that was quiet for longest.
#[inline(always)]
fn take_up(key: &ConnectionKey, pmu: u32, counters: *mut PacketCounters) {
    match CONNECTIONS.insert(key, Connection { pmu }, BPF_NOEXIST.into()) {
        Ok(()) => count!(counters, connections),
        // Another CPU was first, and counted it.
        Err(EXISTS) => {}
        Err(_) => count!(counters, connections_refused),
    }
}

/// Whether the source stands behind the destination in a connection's key.
#[inline(always)]
fn stands_behind(Addresses(halves): &Addresses, source: u16, destination: u16) -> bool {
    if source != destination {
        return source > destination;
    }
    let [s0, s1, d0, d1] = *halves;
    if s0 == d0 { s1 > d1 } else { s0 > d0 }
}
