//! The queue to the hub as the live loop sees it.

use monitor_core::event::QueueCounts;

use crate::{hub::queue::QueueSender, live::LiveOutlet};

impl LiveOutlet for QueueSender {
    fn flush(&mut self) {
        Self::flush(self);
    }

    fn counts(&self) -> [QueueCounts; 2] {
        let counts = Self::counts(self);
        [counts.data, counts.control]
    }
}
