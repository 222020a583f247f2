//! News of interfaces: how the live run notices that the one it watches has gone, gone down or got another name.

use std::collections::BTreeMap;
use std::os::fd::{AsFd, BorrowedFd};

use super::rtnetlink::{RTM_DELLINK, RTM_NEWLINK, Rtnetlink};
use super::{Error, Interface, interface};

/// What has become of an interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LinkChange {
    /// It has appeared, or been moved into this namespace.
    Added,
    /// It has been deleted, unplugged, or moved into another namespace.
    Removed,
    /// It has another name.
    Renamed {
        /// The name until now.
        from: String,
    },
    /// It passes frames now ([`Interface::running`]).
    Up,
    /// It no longer does: switched off, or the carrier is lost.
    Down,
}

/// One piece of news.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkEvent {
    /// The interface's number.
    pub index: u32,
    /// Its name, after the change.
    pub name: String,
    /// What changed.
    pub change: LinkChange,
}

/// A subscription to the links of one namespace. Poll its descriptor, then [`LinkWatch::drain`]. Not for the
/// real-time thread: it allocates.
#[derive(Debug)]
pub struct LinkWatch {
    news: Rtnetlink,
    /// For the list anew, where the kernel had to leave news out.
    list: Rtnetlink,
    known: Known,
}

impl LinkWatch {
    /// For the current network namespace, whichever thread uses it later. Interfaces that exist now are not news.
    ///
    /// # Errors
    /// [`Error::List`] where netlink sockets are forbidden.
    pub fn open() -> Result<Self, Error> {
        // Subscribed first: what changes while the list is made is in the news as well.
        let news = Rtnetlink::subscribe().map_err(Error::List)?;
        let mut list = Rtnetlink::open().map_err(Error::List)?;
        let known = Known::of(list.interfaces().map_err(Error::List)?);
        Ok(Self { news, list, known })
    }

    /// Everything that has changed since the last time, in order; never blocks. Where the kernel had to leave news
    /// out, the present state is compared instead: nothing that still holds is missed.
    ///
    /// # Errors
    /// [`Error::List`] where the socket fails.
    pub fn drain(&mut self) -> Result<Vec<LinkEvent>, Error> {
        let Self { news, list, known } = self;
        let mut events = Vec::new();
        loop {
            match news.drain(|kind, body| known.hear(kind, body, &mut events)) {
                Ok(()) => return Ok(events),
                Err(overrun) if overrun.raw_os_error() == Some(libc::ENOBUFS) => {
                    // What is queued is older than what was left out, and may speak of interfaces long gone.
                    news.discard().map_err(Error::List)?;
                    known.compare(list.interfaces().map_err(Error::List)?, &mut events);
                }
                Err(other) => return Err(Error::List(other)),
            }
        }
    }

    /// Whether the interface numbered `index` exists, as of the last [`LinkWatch::drain`].
    #[must_use]
    pub fn exists(&self, index: u32) -> bool {
        self.known.0.contains_key(&index)
    }
}

impl AsFd for LinkWatch {
    /// Readable while there is news.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.news.as_fd()
    }
}

/// What is worth telling a change of.
#[derive(Debug)]
struct Link {
    name: String,
    running: bool,
}

/// Every interface by its number.
#[derive(Debug)]
struct Known(BTreeMap<u32, Link>);

impl Known {
    fn of(interfaces: Vec<Interface>) -> Self {
        let link = |one: Interface| (one.index, Link { name: one.name, running: one.running });
        Self(interfaces.into_iter().map(link).collect())
    }

    fn hear(&mut self, kind: u16, body: &[u8], events: &mut Vec<LinkEvent>) {
        match (kind, interface::parse(body)) {
            (RTM_NEWLINK, Some(interface)) => self.seen(interface, events),
            (RTM_DELLINK, Some(interface)) => self.gone(interface.index, events),
            _ => {}
        }
    }

    fn seen(&mut self, now: Interface, events: &mut Vec<LinkEvent>) {
        let Interface { index, name, running, .. } = now;
        let mut tell = |change| events.push(LinkEvent { index, name: name.clone(), change });
        let before = self.0.insert(index, Link { name: name.clone(), running });
        let was_running = before.as_ref().is_some_and(|link| link.running);
        match before {
            None => tell(LinkChange::Added),
            Some(link) if link.name != name => tell(LinkChange::Renamed { from: link.name }),
            Some(_) => {}
        }
        match (was_running, running) {
            (false, true) => tell(LinkChange::Up),
            (true, false) => tell(LinkChange::Down),
            _ => {}
        }
    }

    fn gone(&mut self, index: u32, events: &mut Vec<LinkEvent>) {
        if let Some(Link { name, running: _ }) = self.0.remove(&index) {
            events.push(LinkEvent { index, name, change: LinkChange::Removed });
        }
    }

    fn compare(&mut self, present: Vec<Interface>, events: &mut Vec<LinkEvent>) {
        let absent: Vec<u32> = self
            .0
            .keys()
            .copied()
            .filter(|&index| present.iter().all(|interface| interface.index != index))
            .collect();
        for index in absent {
            self.gone(index, events);
        }
        for interface in present {
            self.seen(interface, events);
        }
    }
}

#[cfg(test)]
mod tests {
    use netlink_packet_route::AddressFamily;
    use netlink_packet_route::link::{LinkFlags, State};

    use super::super::interface::tests::{bytes, message};
    use super::*;

    const OFF: LinkFlags = LinkFlags::empty();
    const ON: LinkFlags = LinkFlags::Up.union(LinkFlags::Running);

    fn link(index: u32, name: &str, running: bool) -> Vec<u8> {
        let (flags, state) = if running { (ON, State::Up) } else { (OFF, State::Down) };
        bytes(&message(index, name, flags, state))
    }

    fn told(known: &mut Known, kind: u16, body: &[u8]) -> Vec<(String, LinkChange)> {
        let mut events = Vec::new();
        known.hear(kind, body, &mut events);
        events.into_iter().map(|event| (event.name, event.change)).collect()
    }

    #[test]
    fn each_change_is_told_once_and_no_change_is_not() {
        let mut known = Known(BTreeMap::new());
        let named = |name: &str, change| vec![(name.to_owned(), change)];
        assert_eq!(told(&mut known, RTM_NEWLINK, &link(3, "a", false)), named("a", LinkChange::Added));
        assert_eq!(told(&mut known, RTM_NEWLINK, &link(3, "a", false)), []);
        assert_eq!(told(&mut known, RTM_NEWLINK, &link(3, "a", true)), named("a", LinkChange::Up));
        let renamed = LinkChange::Renamed { from: "a".to_owned() };
        assert_eq!(told(&mut known, RTM_NEWLINK, &link(3, "b", true)), named("b", renamed));
        assert_eq!(told(&mut known, RTM_NEWLINK, &link(3, "b", false)), named("b", LinkChange::Down));
        assert_eq!(told(&mut known, RTM_DELLINK, &link(3, "b", false)), named("b", LinkChange::Removed));
        assert_eq!(told(&mut known, RTM_DELLINK, &link(3, "b", false)), []);
    }

    #[test]
    fn a_port_that_leaves_its_bridge_is_not_removed() {
        let mut known = Known(BTreeMap::new());
        told(&mut known, RTM_NEWLINK, &link(3, "a", true));
        let mut port = message(3, "a", ON, State::Up);
        port.header.interface_family = AddressFamily::Bridge;
        assert_eq!(told(&mut known, RTM_DELLINK, &bytes(&port)), []);
        assert!(known.0.contains_key(&3));
    }

    #[test]
    fn after_lost_news_the_present_is_compared() {
        let mut known = Known(BTreeMap::new());
        told(&mut known, RTM_NEWLINK, &link(3, "gone", true));
        told(&mut known, RTM_NEWLINK, &link(4, "stays", true));
        let present = [link(4, "stays", false), link(5, "new", false)];
        let mut events = Vec::new();
        known.compare(present.iter().map(|body| interface::parse(body).unwrap()).collect(), &mut events);
        let told: Vec<_> = events.iter().map(|event| (event.index, &event.change)).collect();
        let wanted = [(3, &LinkChange::Removed), (4, &LinkChange::Down), (5, &LinkChange::Added)];
        assert_eq!(told, wanted);
    }
}
