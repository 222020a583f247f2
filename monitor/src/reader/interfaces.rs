//! Which interface a record's namespace and index stand for, as both change while records are read: an interface that
//! went away and came back has another index, and events go on to name it by its number.
//!
//! Whoever watches the interfaces writes, the real-time thread reads; neither waits for the other, and nothing is
//! allocated after the table is made.

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering, fence},
};

use monitor_common::{INTERFACES_MAX, InterfaceKey};
use monitor_core::packet::InterfaceId;

/// Entries: every interface that an instance can have, and as many that have gone, whose records may still be in the
/// ring. 16 bytes each.
const PLACES: usize = 2 * INTERFACES_MAX;
/// A place without an interface: no interface has index 0.
const EMPTY: u64 = 0;

/// The table. Clones share it.
#[derive(Clone, Debug)]
pub struct Interfaces(Arc<Table>);

#[derive(Debug)]
struct Table {
    /// Places in use; they are filled in order.
    used: AtomicUsize,
    places: [Place; PLACES],
    /// Held while the table is changed: the place to be given up next where all are in use.
    writer: Mutex<usize>,
}

#[derive(Debug, Default)]
struct Place {
    key: AtomicU64,
    id: AtomicU32,
}

const fn packed(key: InterfaceKey) -> u64 {
    (key.netns as u64) << 32 | key.ifindex as u64
}

impl Interfaces {
    /// From pairs of what the kernel says and what events say.
    #[must_use]
    pub fn new(pairs: impl IntoIterator<Item = (InterfaceKey, InterfaceId)>) -> Self {
        let table = Table {
            used: AtomicUsize::new(0),
            places: std::array::from_fn(|_| Place::default()),
            writer: Mutex::new(0),
        };
        let table = Self(Arc::new(table));
        pairs.into_iter().for_each(|(key, id)| table.learn(key, id, &[]));
        table
    }

    /// From now on, records with this key are of that interface. Where the table is full the entry that was learnt
    /// first goes, unless it is `current`.
    pub fn learn(&self, key: InterfaceKey, id: InterfaceId, current: &[InterfaceKey]) {
        let Table { used, places, writer } = &*self.0;
        let mut oldest = writer.lock().unwrap_or_else(PoisonError::into_inner);
        let (key, filled) = (packed(key), used.load(Ordering::Relaxed));
        if let Some(place) = places[..filled].iter().find(|place| place.key.load(Ordering::Relaxed) == key) {
            place.id.store(id.0.into(), Ordering::Relaxed);
        } else if let Some(place) = places.get(filled) {
            place.write(key, id);
            // Release: pairs with the Acquire in `filled`: whoever counts this place sees what is in it.
            used.store(filled + 1, Ordering::Release);
        } else {
            let is_current =
                |place: &Place| current.iter().any(|&one| packed(one) == place.key.load(Ordering::Relaxed));
            let around = (*oldest..PLACES).chain(0..*oldest);
            if let Some(place) = around.into_iter().find(|&place| !is_current(&places[place])) {
                places[place].write(key, id);
                *oldest = (place + 1) % PLACES;
            }
        }
    }

    /// By both, or by the index alone where the namespace could not be read and no other interface has that index.
    pub(super) fn find(&self, netns: u32, ifindex: u32) -> Option<InterfaceId> {
        if netns != 0 {
            let key = packed(InterfaceKey { netns, ifindex });
            return self.filled().iter().find_map(|place| place.id_of(key));
        }
        let mut same = self.filled().iter().filter_map(|place| {
            let key = place.key.load(Ordering::Acquire);
            (key & u64::from(u32::MAX) == u64::from(ifindex)).then(|| place.id_of(key))?
        });
        let only = same.next()?;
        same.next().is_none().then_some(only)
    }

    fn filled(&self) -> &[Place] {
        &self.0.places[..self.0.used.load(Ordering::Acquire)]
    }
}

impl Place {
    fn write(&self, key: u64, id: InterfaceId) {
        self.key.store(EMPTY, Ordering::Relaxed);
        // Release fence: pairs with the Acquire fence in `id_of`. Whoever sees the new number sees that the old key
        // is gone.
        fence(Ordering::Release);
        self.id.store(id.0.into(), Ordering::Relaxed);
        // Release: pairs with the Acquire load in `id_of`: whoever sees the key sees the number that belongs to it.
        self.key.store(key, Ordering::Release);
    }

    /// The number that stands beside a key; none where another key stands there, or did when it was read.
    fn id_of(&self, key: u64) -> Option<InterfaceId> {
        if key == EMPTY || self.key.load(Ordering::Acquire) != key {
            return None;
        }
        let id = self.id.load(Ordering::Relaxed);
        // Acquire fence: pairs with the Release fence in `write`.
        fence(Ordering::Acquire);
        if self.key.load(Ordering::Relaxed) != key {
            return None;
        }
        u16::try_from(id).ok().map(InterfaceId)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicBool;

    use super::*;

    const KEY: InterfaceKey = InterfaceKey { netns: 7, ifindex: 3 };

    fn key(ifindex: u32) -> InterfaceKey {
        InterfaceKey { ifindex, ..KEY }
    }

    #[test]
    fn an_unread_namespace_is_no_obstacle_where_the_index_is_unique() {
        let two =
            Interfaces::new([(KEY, InterfaceId(1)), (InterfaceKey { netns: 8, ifindex: 3 }, InterfaceId(2))]);
        assert_eq!(two.find(0, 3), None);
        assert_eq!(two.find(8, 3), Some(InterfaceId(2)));
        assert_eq!(two.find(9, 3), None);
        assert_eq!(Interfaces::new([(KEY, InterfaceId(1))]).find(0, 3), Some(InterfaceId(1)));
        assert_eq!(Interfaces::new([(KEY, InterfaceId(1))]).find(0, 0), None);
    }

    #[test]
    fn what_came_back_is_known_beside_what_went() {
        let table = Interfaces::new([(KEY, InterfaceId(1))]);
        let shared = table.clone();
        shared.learn(key(9), InterfaceId(1), &[]);
        shared.learn(KEY, InterfaceId(2), &[]);
        assert_eq!((table.find(7, 3), table.find(7, 9)), (Some(InterfaceId(2)), Some(InterfaceId(1))));
    }

    #[test]
    fn a_full_table_gives_up_the_oldest_but_no_current_one() {
        let table = Interfaces::new((1..).map(|index| (key(index), InterfaceId(1))).take(PLACES));
        for index in (1_000..).take(3 * PLACES) {
            table.learn(key(index), InterfaceId(2), &[key(1)]);
            assert_eq!(table.find(7, index), Some(InterfaceId(2)));
            assert_eq!(table.find(7, 1), Some(InterfaceId(1)), "it is current");
        }
        assert_eq!(table.find(7, 2), None);
    }

    #[test]
    fn no_number_is_read_beside_another_key() {
        let table = Interfaces::new((1..).map(|index| (key(index), InterfaceId(1))).take(PLACES));
        let stop = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                for round in (0..).take_while(|_| !stop.load(Ordering::Relaxed)) {
                    // Even indices are of interface 2, odd ones of interface 1.
                    let index = 1_000 + round % 1_000;
                    table.learn(key(index), InterfaceId(u16::from(index % 2 == 0) + 1), &[]);
                }
            });
            for index in (0..200_000).map(|round| 1_000 + round % 1_000) {
                let found = table.find(7, index);
                let wanted = InterfaceId(u16::from(index % 2 == 0) + 1);
                assert!(found.is_none_or(|found| found == wanted), "{index}: {found:?}");
            }
            stop.store(true, Ordering::Relaxed);
        });
    }
}
