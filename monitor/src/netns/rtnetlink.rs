//! One rtnetlink socket: a request and its acknowledgement, a dump of the interfaces, messages of the link group.
//!
//! Synchronous: the kernel answers a request within the system call that sends it.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use netlink_packet_core::{
    NLM_F_ACK, NLM_F_ACK_TLVS, NLM_F_DUMP, NLM_F_DUMP_INTR, NLM_F_REQUEST, NLMSG_DONE, NLMSG_ERROR,
    NetlinkBuffer, NetlinkHeader, NetlinkMessage, NetlinkPayload, NlasIterator, parse_string,
};
use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::link::LinkMessage;
use netlink_sys::{Socket, SocketAddr, protocols::NETLINK_ROUTE};

use super::interface::{self, Interface};
use crate::losses::LinkCounts;

/// Group of link news (`RTNLGRP_LINK`).
const GROUP_LINK: u32 = 1;
/// Message types of include/uapi/linux/rtnetlink.h.
pub(super) const RTM_NEWLINK: u16 = 16;
pub(super) const RTM_DELLINK: u16 = 17;
/// A dump that the kernel marks as inconsistent, because interfaces changed meanwhile, is made again this often.
const DUMP_ATTEMPTS: usize = 8;
/// In an acknowledgement: the error number and the header of the request come before the explanation.
const EXPLANATION_AT: usize = 4 + 16;
/// `NLMSGERR_ATTR_MSG` of include/uapi/linux/netlink.h.
const EXPLANATION_TEXT: u16 = 1;

/// What the kernel refused, and its own words for it where it has any.
#[derive(Debug)]
pub(super) struct Refused {
    pub(super) error: io::Error,
    pub(super) detail: Option<String>,
}

impl From<io::Error> for Refused {
    fn from(error: io::Error) -> Self {
        Self { error, detail: None }
    }
}

/// One message of a datagram.
struct Message<'a> {
    kind: u16,
    flags: u16,
    sequence: u32,
    body: &'a [u8],
}

#[derive(Debug)]
pub(super) struct Rtnetlink {
    socket: Socket,
    sequence: u32,
}

impl Rtnetlink {
    /// A socket for requests in the current network namespace, to which it belongs from then on.
    pub(super) fn open() -> io::Result<Self> {
        let mut socket = Socket::new(NETLINK_ROUTE)?;
        socket.bind_auto()?;
        // Explanations instead of an echo of the request; without them (before 4.12) the error number remains.
        let _ = socket.set_ext_ack(true).and_then(|()| socket.set_cap_ack(true));
        Ok(Self { socket, sequence: 0 })
    }

    /// A non-blocking socket for the link group.
    pub(super) fn subscribe() -> io::Result<Self> {
        let mut socket = Socket::new(NETLINK_ROUTE)?;
        socket.bind_auto()?;
        socket.add_membership(GROUP_LINK)?;
        socket.set_non_blocking(true)?;
        Ok(Self { socket, sequence: 0 })
    }

    pub(super) fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }

    /// Sends a change and waits for the kernel's verdict. `flags` besides request and acknowledgement.
    pub(super) fn change(&mut self, request: RouteNetlinkMessage, flags: u16) -> Result<(), Refused> {
        self.send(request, NLM_F_REQUEST | NLM_F_ACK | flags)?;
        loop {
            let datagram = self.receive()?;
            let verdict = messages(&datagram)
                .find(|message| message.sequence == self.sequence && message.kind == NLMSG_ERROR);
            if let Some(verdict) = verdict {
                return judge(&verdict);
            }
        }
    }

    /// Every interface of the namespace.
    pub(super) fn interfaces(&mut self) -> io::Result<Vec<Interface>> {
        for _ in 0..DUMP_ATTEMPTS {
            if let Some(interfaces) = self.dump()? {
                return Ok(interfaces);
            }
        }
        Err(io::Error::other("interfaces come and go too fast for a consistent list"))
    }

    /// `None`: interfaces changed meanwhile, the list may be wrong.
    fn dump(&mut self) -> io::Result<Option<Vec<Interface>>> {
        let mut interfaces = Vec::new();
        let consistent =
            self.dump_of(RouteNetlinkMessage::GetLink(LinkMessage::default()), |kind, body| {
                if kind == RTM_NEWLINK {
                    interfaces.extend(interface::parse(body));
                }
            })?;
        Ok(consistent.then_some(interfaces))
    }

    /// The receive counters of every interface, by its number. Which interfaces there are may change meanwhile: each
    /// one's counters are right all the same.
    pub(super) fn receive_counts(&mut self) -> io::Result<Vec<(u32, LinkCounts)>> {
        let mut counts = Vec::new();
        self.dump_of(RouteNetlinkMessage::GetLink(LinkMessage::default()), |kind, body| {
            if kind == RTM_NEWLINK {
                counts.extend(interface::parse_counts(body));
            }
        })?;
        Ok(counts)
    }

    /// Hands every message of a list to `take`, as type and body. Gives whether nothing changed meanwhile.
    pub(super) fn dump_of(
        &mut self,
        request: RouteNetlinkMessage,
        mut take: impl FnMut(u16, &[u8]),
    ) -> io::Result<bool> {
        self.send(request, NLM_F_REQUEST | NLM_F_DUMP)?;
        let mut consistent = true;
        loop {
            let datagram = self.receive()?;
            for message in messages(&datagram).filter(|message| message.sequence == self.sequence) {
                consistent &= message.flags & NLM_F_DUMP_INTR == 0;
                match message.kind {
                    NLMSG_DONE => return Ok(consistent),
                    NLMSG_ERROR => judge(&message).map_err(|refused| refused.error)?,
                    kind => take(kind, message.body),
                }
            }
        }
    }

    /// Hands every link message that has arrived to `take`, as type and body, until none is left.
    ///
    /// `ENOBUFS` means that the kernel had to leave some out.
    pub(super) fn drain(&mut self, mut take: impl FnMut(u16, &[u8])) -> io::Result<()> {
        loop {
            match self.receive() {
                Ok(datagram) => messages(&datagram).for_each(|message| take(message.kind, message.body)),
                Err(empty) if empty.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(other) => return Err(other),
            }
        }
    }

    /// Throws away what has arrived, whether or not the kernel had to leave some out.
    pub(super) fn discard(&mut self) -> io::Result<()> {
        loop {
            match self.drain(|_, _| ()) {
                Err(overrun) if overrun.raw_os_error() == Some(libc::ENOBUFS) => {}
                other => return other,
            }
        }
    }

    fn send(&mut self, request: RouteNetlinkMessage, flags: u16) -> io::Result<()> {
        self.sequence = self.sequence.wrapping_add(1);
        let mut header = NetlinkHeader::default();
        header.flags = flags;
        header.sequence_number = self.sequence;
        let mut message = NetlinkMessage::new(header, NetlinkPayload::from(request));
        message.finalize();
        let mut bytes = vec![0; message.buffer_len()];
        message.serialize(&mut bytes);
        self.socket.send_to(&bytes, &SocketAddr::new(0, 0), 0).map(drop)
    }

    /// One datagram from the kernel, whatever its length; what another process sent is passed over.
    fn receive(&self) -> io::Result<Vec<u8>> {
        loop {
            match self.socket.recv_from_full() {
                Ok((datagram, sender)) if sender.port_number() == 0 => return Ok(datagram),
                Ok(_) => {}
                Err(signal) if signal.kind() == io::ErrorKind::Interrupted => {}
                Err(other) => return Err(other),
            }
        }
    }
}

/// The messages of a datagram; ends at the first that does not fit into it.
fn messages(datagram: &[u8]) -> impl Iterator<Item = Message<'_>> {
    let mut rest = datagram;
    std::iter::from_fn(move || {
        let buffer = NetlinkBuffer::new_checked(rest).ok()?;
        let length = usize::try_from(buffer.length()).ok()?.next_multiple_of(4);
        rest = rest.get(length..).unwrap_or_default();
        Some(Message {
            kind: buffer.message_type(),
            flags: buffer.flags(),
            sequence: buffer.sequence_number(),
            body: buffer.payload(),
        })
    })
}

/// The kernel acknowledges with error number 0 and refuses with a negative one.
fn judge(verdict: &Message<'_>) -> Result<(), Refused> {
    let errno = verdict.body.first_chunk().map(|bytes| i32::from_ne_bytes(*bytes));
    match errno {
        Some(0) => Ok(()),
        Some(errno) => Err(Refused {
            error: io::Error::from_raw_os_error(errno.wrapping_neg()),
            detail: explanation(verdict),
        }),
        None => Err(io::Error::from(io::ErrorKind::InvalidData).into()),
    }
}

fn explanation(verdict: &Message<'_>) -> Option<String> {
    if verdict.flags & NLM_F_ACK_TLVS == 0 {
        return None;
    }
    NlasIterator::new(verdict.body.get(EXPLANATION_AT..)?)
        .map_while(Result::ok)
        .find(|attribute| attribute.kind() == EXPLANATION_TEXT)
        .and_then(|attribute| parse_string(attribute.value()).ok())
}
