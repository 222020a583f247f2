//! What `run` monitors where no interface is given: twelve simulated PMUs in a private network namespace.

use std::sync::Arc;

use crate::netns::Netns;
use crate::simulate::{Demo, DemoOptions, RunningDemo};

/// What is monitored, in words.
pub(super) const DESCRIPTION: &str = "12 simulated PMUs in a private network namespace";

/// The world, silent until it is told to begin.
pub(super) struct World {
    prepared: Option<Demo>,
    running: Option<RunningDemo>,
}

impl World {
    pub(super) fn prepare() -> Result<Self, String> {
        let demo = Demo::prepare(&DemoOptions::default()).map_err(|error| {
            format!("cannot make the demonstration: {error}; or name an interface to monitor: run --iface IF")
        })?;
        Ok(Self { prepared: Some(demo), running: None })
    }

    /// The monitored end: its namespace and its interface's name.
    pub(super) fn monitored(&self) -> Option<(Arc<Netns>, String)> {
        let demo = self.prepared.as_ref()?;
        Some((demo.monitor_netns(), demo.monitor().name().to_owned()))
    }

    /// Lets the stations send. They end when this value is dropped.
    pub(super) fn begin(&mut self) -> Result<(), String> {
        if let Some(demo) = self.prepared.take() {
            let running = demo.begin().map_err(|error| format!("cannot start the demonstration: {error}"))?;
            self.running = Some(running);
        }
        Ok(())
    }
}

impl Drop for World {
    fn drop(&mut self) {
        if let Some(running) = self.running.take() {
            let _sent = running.stop();
        }
    }
}
