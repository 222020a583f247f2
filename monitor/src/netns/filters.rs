//! Filters and queueing disciplines of an interface: how programs are attached where the kernel has no links for them.

use netlink_packet_core::{NLM_F_CREATE, NLM_F_EXCL, NlasIterator, parse_string, parse_u32};
use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::tc::{TcAttribute, TcHandle, TcHeader, TcMessage};

use super::{Error, Links};

/// Message types of include/uapi/linux/rtnetlink.h.
const RTM_NEWQDISC: u16 = 36;
const RTM_NEWTFILTER: u16 = 44;
/// Bytes of the header before the attributes (`struct tcmsg`).
const HEADER: usize = 20;
const CLSACT: &str = "clsact";
/// The part of `tcm_info` that holds a filter's priority; the other half is its protocol.
const PRIORITY_SHIFT: u32 = 16;

/// Attribute numbers of `include/uapi/linux/rtnetlink.h` and `pkt_cls.h`.
mod tca {
    pub(super) const KIND: u16 = 1;
    pub(super) const OPTIONS: u16 = 2;
    pub(super) const BPF_NAME: u16 = 7;
    pub(super) const BPF_ID: u16 = 11;
}

/// Which packets a filter of clsact is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FilterSide {
    /// Those that come in.
    Ingress,
    /// Those that leave.
    Egress,
}

impl FilterSide {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Ingress, Self::Egress];

    /// `TC_H_MAKE(TC_H_CLSACT, TC_H_MIN_INGRESS)` and the like (`include/uapi/linux/pkt_sched.h`).
    const fn parent(self) -> u32 {
        match self {
            Self::Ingress => 0xFFFF_FFF2,
            Self::Egress => 0xFFFF_FFF3,
        }
    }
}

/// One filter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filter {
    /// Which packets it is for.
    pub side: FilterSide,
    /// Its priority; with its handle the name by which the kernel knows it.
    pub priority: u16,
    /// Its handle; 0 for the head of a list of filters.
    pub handle: u32,
    /// Number of the eBPF program that it runs; `None` for a filter of another kind.
    pub program: Option<u32>,
    /// What that program was called when it was attached.
    pub name: Option<String>,
    /// The protocol it is for, as the kernel gave it.
    protocol: u16,
}

impl Links {
    /// The filters on one side of the interface numbered `index`; none where it has no clsact. Needs no capability.
    ///
    /// # Errors
    /// [`Error::List`].
    pub fn filters(&mut self, index: u32, side: FilterSide) -> Result<Vec<Filter>, Error> {
        let mut message = TcMessage::default();
        message.header.index = index.cast_signed();
        message.header.parent = TcHandle::from(side.parent());
        let request = RouteNetlinkMessage::GetTrafficFilter(message);
        let mut filters = Vec::new();
        self.route
            .dump_of(request, |kind, body| {
                filters.extend((kind == RTM_NEWTFILTER).then(|| parse(side, body)).flatten());
            })
            .map_err(Error::List)?;
        Ok(filters)
    }

    /// Removes one.
    ///
    /// # Errors
    /// [`Error::Interface`], `ENOENT` where it is not there.
    pub fn remove_filter(&mut self, index: u32, filter: &Filter) -> Result<(), Error> {
        let mut message = TcMessage::default();
        message.header.index = index.cast_signed();
        message.header.handle = TcHandle::from(filter.handle);
        message.header.parent = TcHandle::from(filter.side.parent());
        message.header.info = u32::from(filter.priority) << PRIORITY_SHIFT | u32::from(filter.protocol);
        self.change_numbered(
            index,
            "remove a filter from it",
            RouteNetlinkMessage::DelTrafficFilter(message),
            0,
        )
    }

    /// Whether the interface numbered `index` has the clsact queueing discipline.
    ///
    /// # Errors
    /// [`Error::List`].
    pub fn has_clsact(&mut self, index: u32) -> Result<bool, Error> {
        let request = RouteNetlinkMessage::GetQueueDiscipline(TcMessage::default());
        let mut found = false;
        self.route
            .dump_of(request, |kind, body| found |= kind == RTM_NEWQDISC && is_clsact(index, body))
            .map_err(Error::List)?;
        Ok(found)
    }

    /// Adds it.
    ///
    /// # Errors
    /// [`Error::Interface`], `EEXIST` where it is there already.
    pub fn add_clsact(&mut self, index: u32) -> Result<(), Error> {
        let mut message = clsact_of(index);
        message.attributes.push(TcAttribute::Kind(CLSACT.to_owned()));
        let request = RouteNetlinkMessage::NewQueueDiscipline(message);
        self.change_numbered(index, "add clsact to it", request, NLM_F_CREATE | NLM_F_EXCL)
    }

    /// Removes it where no filter is on it, on either side. Gives whether it did.
    ///
    /// # Errors
    /// [`Error::List`]; [`Error::Interface`], `ENOENT` or `EINVAL` where there is none.
    pub fn remove_empty_clsact(&mut self, index: u32) -> Result<bool, Error> {
        for side in FilterSide::ALL {
            if !self.filters(index, side)?.is_empty() {
                return Ok(false);
            }
        }
        let request = RouteNetlinkMessage::DelQueueDiscipline(clsact_of(index));
        self.change_numbered(index, "remove clsact from it", request, 0).map(|()| true)
    }

    fn change_numbered(
        &mut self,
        index: u32,
        operation: &'static str,
        request: RouteNetlinkMessage,
        flags: u16,
    ) -> Result<(), Error> {
        self.route.change(request, flags).map_err(|refused| {
            let name = self.interfaces().ok().and_then(|all| all.into_iter().find(|one| one.index == index));
            let name = name.map_or_else(|| format!("number {index}"), |one| one.name);
            Error::refused(&name, operation, refused)
        })
    }
}

fn clsact_of(index: u32) -> TcMessage {
    let mut message = TcMessage::default();
    message.header.index = index.cast_signed();
    message.header.parent = TcHandle::CLSACT;
    message.header.handle = TcHandle { major: TcHandle::CLSACT.major, minor: 0 };
    message
}

fn attributes(body: &[u8]) -> impl Iterator<Item = (u16, Vec<u8>)> {
    /// Flag of a nested attribute (`NLA_F_NESTED`).
    const NESTED: u16 = 1 << 15;
    let attributes = NlasIterator::new(body).map_while(Result::ok);
    attributes.map(|attribute| (attribute.kind() & !NESTED, attribute.value().to_vec()))
}

fn is_clsact(index: u32, body: &[u8]) -> bool {
    let Ok(header) = TcHeader::parse(body) else { return false };
    let mut kinds = attributes(body.get(HEADER..).unwrap_or_default()).filter(|(kind, _)| *kind == tca::KIND);
    header.index == index.cast_signed()
        && kinds.next().is_some_and(|(_, value)| parse_string(&value).is_ok_and(|kind| kind == CLSACT))
}

fn parse(side: FilterSide, body: &[u8]) -> Option<Filter> {
    let header = TcHeader::parse(body).ok()?;
    let [p0, p1, i0, i1] = header.info.to_be_bytes();
    let mut filter = Filter {
        side,
        priority: u16::from_be_bytes([p0, p1]),
        handle: header.handle.into(),
        program: None,
        name: None,
        protocol: u16::from_be_bytes([i0, i1]),
    };
    let options = attributes(body.get(HEADER..)?).find(|(kind, _)| *kind == tca::OPTIONS);
    for (kind, value) in attributes(&options.map(|(_, value)| value).unwrap_or_default()) {
        match kind {
            tca::BPF_ID => filter.program = parse_u32(&value).ok(),
            tca::BPF_NAME => filter.name = parse_string(&value).ok(),
            _ => {}
        }
    }
    Some(filter)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As Linux 6.18 lists a filter: kind, chain, and of its options the program's name, its tag and its number.
    fn listed() -> Vec<u8> {
        let mut body = vec![0; 4];
        for word in [7_u32, 1, 0xFFFF_FFF2, 0xC000_0300] {
            body.extend(word.to_ne_bytes());
        }
        let attribute = |kind: u16, value: &[u8]| {
            let mut bytes = [u16::try_from(4 + value.len()).unwrap(), kind].map(u16::to_ne_bytes).concat();
            bytes.extend(value);
            bytes.resize(bytes.len().next_multiple_of(4), 0);
            bytes
        };
        body.extend(attribute(tca::KIND, b"bpf\0"));
        body.extend(attribute(11, &[0; 4]));
        let options = [
            attribute(tca::BPF_NAME, b"ingress\0"),
            attribute(10, &[7; 8]),
            attribute(tca::BPF_ID, &77_u32.to_ne_bytes()),
        ];
        body.extend(attribute(1 << 15 | tca::OPTIONS, &options.concat()));
        body
    }

    #[test]
    fn reads_what_a_filter_runs() {
        let wanted = Filter {
            side: FilterSide::Ingress,
            priority: 49_152,
            handle: 1,
            program: Some(77),
            name: Some("ingress".to_owned()),
            protocol: 0x0300,
        };
        assert_eq!(parse(FilterSide::Ingress, &listed()), Some(wanted));
    }

    #[test]
    fn no_cut_of_a_message_panics() {
        let whole = listed();
        for length in 0..whole.len() {
            assert_eq!(parse(FilterSide::Ingress, &whole[..length]).is_some(), length >= HEADER);
            assert!(!is_clsact(7, &whole[..length]));
        }
    }
}
