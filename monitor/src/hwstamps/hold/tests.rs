//! Cards that are not there, with drivers that do what they say and others.

use std::{cell::RefCell, collections::BTreeMap, sync::Arc};

use super::*;
use crate::netns::Netns;
use crate::sys::hwstamp::Abilities;

/// As `ptp4l` asks: `HWTSTAMP_TX_ON`, `HWTSTAMP_FILTER_PTP_V2_EVENT`.
const PTP: Setting = Setting { flags: 0, transmit: 1, receive: 12 };

/// What a driver makes of being asked.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Driver {
    Obeys,
    /// It does less than it was asked to.
    Narrows,
    Refuses(i32),
}

struct Fake {
    driver: Driver,
    /// By index.
    settings: RefCell<BTreeMap<u32, Setting>>,
    abilities: Abilities,
}

impl Cards for &Fake {
    fn abilities(&self, _card: &Card) -> io::Result<Abilities> {
        Ok(self.abilities)
    }

    fn setting(&self, card: &Card) -> io::Result<Setting> {
        let settings = self.settings.borrow();
        settings.get(&card.ifindex).copied().ok_or_else(|| io::Error::from_raw_os_error(libc::ENODEV))
    }

    fn set(&self, card: &Card, setting: Setting) -> io::Result<Setting> {
        let does = match self.driver {
            Driver::Narrows if setting.receive == RECEIVE_ALL => PTP,
            Driver::Refuses(errno) => return Err(io::Error::from_raw_os_error(errno)),
            _ => setting,
        };
        self.settings.borrow_mut().insert(card.ifindex, does);
        Ok(does)
    }

    fn find(&self, _netns: u32, ifindex: u32) -> io::Result<Option<Card>> {
        Ok(self.settings.borrow().contains_key(&ifindex).then(|| card(ifindex)))
    }
}

fn card(ifindex: u32) -> Card {
    Card { netns: Arc::new(Netns::current().unwrap()), ifindex, name: format!("eth{ifindex}") }
}

fn cards(driver: Driver, before: Setting) -> Fake {
    let abilities = Abilities { clock: Some(0), receive_filters: 1 << RECEIVE_ALL | 1 };
    Fake { driver, settings: RefCell::new(BTreeMap::from([(1, before), (2, before)])), abilities }
}

impl Fake {
    fn receives(&self, index: u32) -> i32 {
        self.settings.borrow()[&index].receive
    }

    fn holder(&self, place: &tempfile::TempDir) -> Holder<&Self> {
        Holder::new(self, Store::in_directory(&place.path().join("run")))
    }
}

/// One that was started at another time than the process of this number that there is.
fn dead() -> Owner {
    Owner::Process { pid: std::process::id(), start: 1 }
}

#[test]
fn what_was_before_is_put_back_by_the_last() {
    for before in [Setting::default(), PTP] {
        let (place, cards) = (tempfile::tempdir().unwrap(), cards(Driver::Obeys, before));
        let holder = cards.holder(&place);
        assert!(holder.store.is_empty());
        let (mine, other) = (Owner::this_process(), Owner::Process { pid: 1, start: start_of(1).unwrap() });
        holder.hold(&card(1), &mine).unwrap();
        assert_eq!(cards.settings.borrow()[&1], Setting { receive: RECEIVE_ALL, ..before });
        assert_eq!(cards.receives(2), before.receive);
        holder.hold(&card(1), &other).unwrap();
        holder.hold(&card(1), &other).unwrap();
        assert!(holder.release(&mine).unwrap().is_empty());
        assert_eq!(cards.receives(1), RECEIVE_ALL, "the other still reads them");
        assert!(holder.release(&other).unwrap().is_empty());
        assert_eq!(cards.settings.borrow()[&1], before);
        assert!(holder.store.is_empty());
    }
}

#[test]
fn what_the_dead_have_left_is_put_back_by_the_next() {
    let (place, cards) = (tempfile::tempdir().unwrap(), cards(Driver::Obeys, PTP));
    let holder = cards.holder(&place);
    holder.hold(&card(1), &dead()).unwrap();
    holder.hold(&card(2), &Owner::this_process()).unwrap();
    assert!(holder.clean_up().unwrap().is_empty());
    assert_eq!((cards.receives(1), cards.receives(2)), (PTP.receive, RECEIVE_ALL));
    // Whoever takes over a card from the dead before that puts back what was before them.
    holder.hold(&card(1), &dead()).unwrap();
    holder.hold(&card(1), &Owner::this_process()).unwrap();
    assert!(holder.clean_up().unwrap().is_empty());
    assert_eq!(cards.receives(1), RECEIVE_ALL);
    assert!(holder.release(&Owner::this_process()).unwrap().is_empty());
    assert_eq!((cards.receives(1), cards.receives(2)), (PTP.receive, PTP.receive));
}

#[test]
fn what_somebody_else_asked_for_stays() {
    let (place, cards) = (tempfile::tempdir().unwrap(), cards(Driver::Obeys, Setting::default()));
    let (holder, mine) = (cards.holder(&place), Owner::this_process());
    cards.settings.borrow_mut().insert(1, Setting { receive: RECEIVE_ALL, ..PTP });
    holder.hold(&card(1), &mine).unwrap();
    holder.hold(&card(2), &mine).unwrap();
    cards.settings.borrow_mut().insert(2, PTP);
    assert!(holder.release(&mine).unwrap().is_empty());
    assert_eq!((cards.receives(1), cards.receives(2)), (RECEIVE_ALL, PTP.receive));
}

#[test]
fn a_card_that_does_otherwise_or_refuses_is_as_it_was() {
    for (driver, words) in [
        (Driver::Narrows, ["receive filter 12", "put back"]),
        (Driver::Refuses(libc::EPERM), ["CAP_NET_ADMIN", "stamp every packet"]),
        (Driver::Refuses(libc::EBUSY), ["ptp4l", "stamp every packet"]),
        (Driver::Refuses(libc::EOPNOTSUPP), ["driver", "stamp every packet"]),
    ] {
        let (place, cards) = (tempfile::tempdir().unwrap(), cards(driver, Setting::default()));
        let holder = cards.holder(&place);
        let reason = holder.hold(&card(1), &Owner::this_process()).unwrap_err();
        let said = NoStamps { interface: "eth1".to_owned(), reason }.to_string();
        assert!(words.iter().all(|word| said.contains(word)) && said.contains("eth1"), "{said}");
        assert_eq!(cards.receives(1), 0);
        assert!(holder.store.is_empty(), "there is nothing to put back");
    }
}

#[test]
fn a_card_that_cannot_is_not_asked() {
    let place = tempfile::tempdir().unwrap();
    let mut cards = cards(Driver::Obeys, Setting::default());
    cards.abilities = Abilities { clock: None, receive_filters: 1 << RECEIVE_ALL };
    assert!(matches!(cards.holder(&place).check(&card(1)), Err(Reason::NoClock)));
    cards.abilities = Abilities { clock: Some(0), receive_filters: 1 << 12 | 1 };
    assert!(matches!(cards.holder(&place).check(&card(1)), Err(Reason::NotAll)));
    cards.abilities.receive_filters |= 1 << RECEIVE_ALL;
    assert_eq!(cards.holder(&place).check(&card(1)).unwrap(), 0);
}

#[test]
fn a_card_that_has_gone_is_forgotten_and_one_that_refuses_is_tried_again() {
    let (place, mut cards) = (tempfile::tempdir().unwrap(), cards(Driver::Obeys, Setting::default()));
    cards.holder(&place).hold(&card(1), &dead()).unwrap();
    cards.holder(&place).hold(&card(2), &dead()).unwrap();
    cards.settings.borrow_mut().remove(&1);
    cards.driver = Driver::Refuses(libc::EPERM);
    let failures = cards.holder(&place).clean_up().unwrap();
    assert!(failures.len() == 1 && failures[0].contains("eth2"), "{failures:?}");
    cards.driver = Driver::Obeys;
    assert!(cards.holder(&place).clean_up().unwrap().is_empty());
    assert_eq!(cards.receives(2), 0);
    assert!(cards.holder(&place).store.is_empty());
}

#[test]
fn a_record_that_is_none_asks_nothing_of_a_card() {
    let (place, cards) = (tempfile::tempdir().unwrap(), cards(Driver::Obeys, Setting::default()));
    let holder = cards.holder(&place);
    fs::create_dir(place.path().join("run")).unwrap();
    for wrong in ["", "{}", r#"{"version":2,"boot":"","cards":[]}"#] {
        fs::write(place.path().join("run/hw-stamps.json"), wrong).unwrap();
        let said = match holder.hold(&card(1), &Owner::this_process()) {
            Err(Reason::Record(error)) => error.to_string(),
            other => panic!("{other:?}"),
        };
        assert!(said.contains("hw-stamps.json") && said.contains("RUNTIME_DIRECTORY"), "{said}");
        assert_eq!(cards.receives(1), 0);
    }
}
