//! The card behind an interface, and what it can be asked.

use std::{io, sync::Arc};

use super::Reason;
use crate::{
    netns::{self, Links, Netns},
    sys::hwstamp::{self, Abilities, Setting},
};

/// A card, by the interface that is its own.
#[derive(Clone, Debug)]
pub struct Card {
    /// The namespace of that interface.
    pub netns: Arc<Netns>,
    /// Its index there.
    pub ifindex: u32,
    /// Its name.
    pub name: String,
}

/// What can be asked of cards; tests have cards of their own.
pub trait Cards {
    /// What it can do.
    ///
    /// # Errors
    /// As [`hwstamp::abilities_of`].
    fn abilities(&self, card: &Card) -> io::Result<Abilities>;

    /// What it stamps now.
    ///
    /// # Errors
    /// As [`hwstamp::setting_of`].
    fn setting(&self, card: &Card) -> io::Result<Setting>;

    /// Asks it to stamp.
    ///
    /// # Errors
    /// As [`hwstamp::set`].
    fn set(&self, card: &Card, setting: Setting) -> io::Result<Setting>;

    /// The card of a namespace and an index, if it is still there.
    ///
    /// # Errors
    /// Where that cannot be told.
    fn find(&self, netns: u32, ifindex: u32) -> io::Result<Option<Card>>;
}

/// Those of this host.
#[derive(Clone, Copy, Debug, Default)]
pub struct HostCards;

impl Cards for HostCards {
    fn abilities(&self, card: &Card) -> io::Result<Abilities> {
        card.netns.run(|| hwstamp::abilities_of(&card.name)).map_err(io::Error::other)?
    }

    fn setting(&self, card: &Card) -> io::Result<Setting> {
        card.netns.run(|| hwstamp::setting_of(&card.name)).map_err(io::Error::other)?
    }

    fn set(&self, card: &Card, setting: Setting) -> io::Result<Setting> {
        card.netns.run(|| hwstamp::set(&card.name, setting)).map_err(io::Error::other)?
    }

    fn find(&self, netns: u32, ifindex: u32) -> io::Result<Option<Card>> {
        let here = Netns::current().map_err(io::Error::other)?;
        let there =
            if here.inode() == netns { Some(here) } else { Netns::find(netns).map_err(io::Error::other)? };
        // With a namespace go its interfaces; a card goes to the first one, and its setting with it.
        let Some(there) = there.map(Arc::new) else { return Ok(None) };
        let interfaces = there.run(netns::interfaces).and_then(|listed| listed).map_err(io::Error::other)?;
        let found = interfaces.into_iter().find(|one| one.index == ifindex);
        Ok(found.map(|found| Card { netns: there, ifindex, name: found.name }))
    }
}

impl Card {
    /// The card behind an interface: its own, or that of the interface that a VLAN lies on.
    ///
    /// # Errors
    /// [`Reason::Several`], [`Reason::Elsewhere`], or what the kernel says.
    pub fn behind(netns: &Arc<Netns>, ifindex: u32) -> Result<Self, Reason> {
        let refused = |source| Reason::Refused { what: "be looked up", source };
        let listed = netns.run(|| Links::open().and_then(|mut links| links.interfaces()));
        let listed = listed.and_then(|listed| listed).map_err(|error| refused(io::Error::other(error)))?;
        behind(netns, &listed, ifindex)
    }
}

/// VLANs on VLANs (802.1ad).
const DEPTH_MAX: usize = 4;

fn behind(netns: &Arc<Netns>, listed: &[netns::Interface], ifindex: u32) -> Result<Card, Reason> {
    const MADE_OF_OTHERS: [&str; 4] = ["bond", "team", "bridge", "hsr"];
    let gone =
        || Reason::Refused { what: "be looked up", source: io::Error::from_raw_os_error(libc::ENODEV) };
    let mut index = ifindex;
    for _ in 0..DEPTH_MAX {
        let found = listed.iter().find(|one| one.index == index).ok_or_else(gone)?;
        match found.kind.as_deref() {
            Some("vlan") => index = found.lower.ok_or(Reason::Elsewhere)?,
            Some(kind) if MADE_OF_OTHERS.contains(&kind) => {
                return Err(Reason::Several { kind: kind.to_owned() });
            }
            _ => return Ok(Card { netns: Arc::clone(netns), ifindex: index, name: found.name.clone() }),
        }
    }
    Err(gone())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn interface(index: u32, name: &str, kind: Option<&str>, lower: Option<u32>) -> netns::Interface {
        netns::Interface {
            index,
            name: name.to_owned(),
            kind: kind.map(str::to_owned),
            lower,
            up: true,
            running: true,
            loopback: false,
            mtu: 1500,
            mac: None,
            promiscuity: 0,
            xdp_program: None,
        }
    }

    #[test]
    fn a_vlan_has_the_card_that_it_lies_on_and_a_bond_has_none() {
        let netns = Arc::new(Netns::current().unwrap());
        let listed = [
            interface(2, "eth1", None, None),
            interface(3, "eth1.5", Some("vlan"), Some(2)),
            interface(4, "eth1.5.6", Some("vlan"), Some(3)),
            interface(5, "away.7", Some("vlan"), None),
            interface(6, "bond0", Some("bond"), None),
            interface(7, "bond0.8", Some("vlan"), Some(6)),
            interface(8, "round", Some("vlan"), Some(8)),
        ];
        let name = |index| behind(&netns, &listed, index).map(|card| (card.name, card.ifindex));
        for index in [2, 3, 4] {
            assert_eq!(name(index).unwrap(), ("eth1".to_owned(), 2));
        }
        assert!(matches!(name(5), Err(Reason::Elsewhere)));
        for index in [6, 7] {
            assert!(matches!(name(index), Err(Reason::Several { kind }) if kind == "bond"));
        }
        assert!(matches!(name(8), Err(Reason::Refused { .. })));
        assert!(matches!(name(99), Err(Reason::Refused { .. })));
    }
}
