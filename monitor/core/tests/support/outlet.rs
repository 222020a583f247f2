//! The other end of the queue, in a vector.

use monitor_core::event::{Class, Event, EventKind, FrameEvent, Outcome, Outlet};

/// Keeps all that it is given.
#[derive(Debug, Default)]
pub(crate) struct Kept {
    /// Data events and their bytes.
    pub(crate) data: Vec<(Event, Vec<u8>)>,
    /// Announced events and their bytes.
    pub(crate) news: Vec<(Event, Vec<u8>)>,
    /// Announcements that will be refused.
    pub(crate) refuse_news: usize,
    /// Whether all that is said of what is missing will be refused.
    pub(crate) refuse_missing: bool,
    /// Whether the other end has finished with all that was taken.
    pub(crate) stalled_at: Option<u64>,
}

impl Kept {
    /// Frames with their outcome, in the order of the data lane.
    pub(crate) fn frames(&self) -> impl Iterator<Item = (&FrameEvent, Outcome)> {
        self.data.iter().filter_map(|(event, _)| match &event.kind {
            EventKind::Frame(frame, outcome) => Some((frame, *outcome)),
            _ => None,
        })
    }
}

impl Outlet for Kept {
    fn wants(&self, _class: Class) -> bool {
        true
    }

    fn offer(&mut self, event: &Event, bytes: &[u8]) -> bool {
        if self.refuse_missing && event.kind.class() == Class::Missing {
            return false;
        }
        self.data.push((*event, bytes.to_vec()));
        true
    }

    fn announce(&mut self, event: &Event, bytes: &[u8]) -> bool {
        if let Some(left) = self.refuse_news.checked_sub(1) {
            self.refuse_news = left;
            return false;
        }
        self.news.push((*event, bytes.to_vec()));
        true
    }

    fn taken(&self) -> u64 {
        self.data.len() as u64
    }

    fn passed(&self) -> u64 {
        self.stalled_at.unwrap_or(self.taken())
    }
}
