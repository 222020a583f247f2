//! What is written down of each frame that leaves, or does not.

use std::net::IpAddr;

use monitor_core::protocol::c37118::FrameKind;

use super::report::{Counts, ReceiverReport, Transport};
use crate::simulate::instant::ReportingRate;
use crate::simulate::ledger::Ledger;
use crate::simulate::script::{Note, Outgoing};

/// One stream's counts, and for each receiver what that must find.
#[derive(Debug)]
pub(super) struct Books {
    pub(super) counts: Counts,
    rate: ReportingRate,
    receivers: Vec<Receiver>,
}

#[derive(Debug)]
struct Receiver {
    address: IpAddr,
    transport: Transport,
    ledger: Ledger,
}

/// A frame as the sockets take it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Letter<'a> {
    pub(super) kind: FrameKind,
    pub(super) bytes: &'a [u8],
    pub(super) note: Note,
    /// When it leaves, simulated.
    pub(super) at_ns: i64,
}

impl<'a> Letter<'a> {
    pub(super) const fn of(frame: &Outgoing, bytes: &'a [u8]) -> Self {
        Self { kind: frame.kind, bytes, note: frame.note, at_ns: frame.at_ns }
    }

    pub(super) fn is_data(&self) -> bool {
        self.kind == FrameKind::Data
    }

    /// It leaves in IP fragments.
    pub(super) const fn is_cut(&self) -> bool {
        matches!(self.note, Note::Data { cut: Some(_), .. })
    }
}

impl Books {
    pub(super) fn new(rate: ReportingRate) -> Self {
        Self { counts: Counts::default(), rate, receivers: Vec::new() }
    }

    /// The kernel, or a client's buffer, has taken it.
    pub(super) fn sent(&mut self, letter: &Letter<'_>, address: IpAddr, transport: Transport) {
        self.counts.sent(letter.kind);
        let same = |one: &Receiver| one.address == address && one.transport == transport;
        let place = self.receivers.iter().position(same).unwrap_or_else(|| {
            let ledger = Ledger::new(self.rate);
            self.receivers.push(Receiver { address, transport, ledger });
            self.receivers.len() - 1
        });
        let Some(receiver) = self.receivers.get_mut(place) else { return };
        match letter.note {
            Note::Other => receiver.ledger.other(),
            Note::Data { index, damage, cut } => {
                let whole = cut.is_none_or(|cut| cut.dropped.is_none());
                if whole {
                    receiver.ledger.data(index, letter.at_ns, damage);
                } else {
                    receiver.ledger.unfinished();
                }
            }
        }
    }

    pub(super) fn failed(&mut self, kind: FrameKind) {
        self.counts.failed(kind);
    }

    pub(super) fn receivers(&self) -> Vec<ReceiverReport> {
        let report = |receiver: &Receiver| {
            let Receiver { address, transport, ledger } = receiver;
            ReceiverReport { address: *address, transport: *transport, expected: ledger.expected() }
        };
        self.receivers.iter().map(report).collect()
    }
}
