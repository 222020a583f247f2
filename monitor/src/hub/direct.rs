//! The outlet of `decode`: the pipeline's events go straight to one sink, on the same thread.

use std::io;

use monitor_core::event::{Class, Classes, Event, EventKind, Outlet};

use super::blame::Ledger;
use super::registry::Registry;
use crate::config::StreamName;
use crate::sink::Sink;

/// A registry and a sink. Nothing is ever dropped; where the sink's output fails, the error waits to be taken and
/// events are refused.
pub struct Direct<S> {
    registry: Registry,
    ledger: Ledger,
    sink: S,
    sink_wants: Classes,
    wants: Classes,
    offered: u64,
    error: Option<io::Error>,
}

impl<S: Sink> Direct<S> {
    /// To that sink.
    pub fn new(sink: S) -> Self {
        let sink_wants = sink.wants();
        let wants = sink_wants.with(Class::Opened).with(Class::Config).with(Class::Missing);
        Self {
            registry: Registry::default(),
            ledger: Ledger::default(),
            sink,
            sink_wants,
            wants,
            offered: 0,
            error: None,
        }
    }

    /// With the names that a configuration file gives to streams.
    #[must_use]
    pub fn naming(mut self, names: Vec<StreamName>) -> Self {
        self.registry = self.registry.naming(names);
        self
    }

    /// Whether the sink's output failed: whoever pushes records should stop.
    #[must_use]
    pub const fn has_failed(&self) -> bool {
        self.error.is_some()
    }

    /// The names learnt so far.
    #[must_use]
    pub const fn registry(&self) -> &Registry {
        &self.registry
    }

    /// What is missing, blamed as far as a capture tells.
    #[must_use]
    pub fn ledger(&mut self) -> &Ledger {
        self.ledger.finish();
        &self.ledger
    }

    /// The sink, for its last call.
    ///
    /// # Errors
    /// The sink's own, where its output has failed.
    pub fn into_sink(self) -> io::Result<S> {
        match self.error {
            Some(error) => Err(error),
            None => Ok(self.sink),
        }
    }

    fn hand_on(&mut self, event: &Event, bytes: &[u8]) -> bool {
        let item = self.registry.resolve(event, bytes);
        if let (EventKind::Missing(missing), Some(id)) = (event.kind, event.stream) {
            self.ledger.note(id, item.stream.map(|stream| &stream.key), event.interface, missing);
        }
        if self.error.is_none()
            && self.sink_wants.has(event.kind.class())
            && let Err(error) = self.sink.take(&item)
        {
            self.error = Some(error);
        }
        self.error.is_none()
    }
}

impl<S: Sink> Outlet for Direct<S> {
    fn wants(&self, class: Class) -> bool {
        self.wants.has(class)
    }

    fn offer(&mut self, event: &Event, bytes: &[u8]) -> bool {
        self.offered += 1;
        self.hand_on(event, bytes)
    }

    fn announce(&mut self, event: &Event, bytes: &[u8]) -> bool {
        self.hand_on(event, bytes)
    }

    fn taken(&self) -> u64 {
        self.offered
    }

    fn passed(&self) -> u64 {
        self.offered
    }
}
