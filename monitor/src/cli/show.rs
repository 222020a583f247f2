//! How a live run is shown, whoever attached: which outputs, what they are told, and the exit status at the end.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use monitor_core::pipeline::Ports;

use super::{Outcome, exit, output};
use crate::config::RunOptions;
use crate::live::Waits;
use crate::rt;
use crate::session::{Notices, Session, SessionError};
use crate::sink::{Json, Lines, Sink, Text};
use crate::ui::{self, Plain, RunInfo, Screen, SharedRunInfo};

/// The outputs that were asked for.
pub(super) struct Show<'a> {
    options: &'a RunOptions,
    /// A table that is drawn on the terminal, rather than lines.
    screen: bool,
    info: SharedRunInfo,
}

impl<'a> Show<'a> {
    pub(super) fn of(options: &'a RunOptions) -> Self {
        let lines = options.json || options.plain || options.frames || options.quiet;
        Self { options, screen: !lines && ui::is_fit_for_a_screen(), info: SharedRunInfo::default() }
    }

    /// Where a person is told what the numbers do not say.
    pub(super) fn notices(&self) -> Notices {
        // Plain lines and the screen show them; standard error is for those who do not look there.
        Notices::new(self.options.json || self.options.quiet)
    }

    pub(super) fn sinks(&self) -> Result<Vec<Box<dyn Sink>>, String> {
        let Self { options, screen, info } = self;
        let out = || output::standard().map_err(|error| output::said(&error));
        let instants = options.align.is_some() && !options.quiet;
        if options.json {
            let (overruns, windows) = (!options.quiet, !options.quiet);
            let lines = Lines { frames: options.frames, instants, overruns, windows, summary: true };
            return Ok(vec![Box::new(Json::new(out()?, lines))]);
        }
        let info = Arc::clone(info);
        if *screen {
            return Ok(vec![Box::new(Screen::new(info).map_err(|error| output::said(&error))?)]);
        }
        let mut sinks: Vec<Box<dyn Sink>> = Vec::new();
        if options.frames {
            sinks.push(Box::new(Text::new(out()?).with_instants(instants)));
        }
        let plain = if options.quiet { Plain::summary_only(out()?, info) } else { Plain::new(out()?, info) };
        sinks.push(Box::new(plain));
        Ok(sinks)
    }

    /// Runs a session to its end. `begin` is called once the reader reads.
    pub(super) fn drive(
        &self,
        session: Result<Session, SessionError>,
        what: &str,
        stop: &AtomicBool,
        begin: impl FnOnce() -> Result<(), String>,
    ) -> Outcome {
        let session = session.map_err(|error| error.to_string())?;
        let info = info(what, &session);
        let mut traffic = Ok(());
        let started = |granted: &rt::Outcome, waits: &Waits| {
            if self.options.json {
                granted.refusals.iter().for_each(|refusal| tracing::warn!("{refusal}"));
                waits.refused.iter().for_each(|refusal| tracing::warn!("{refusal}"));
            }
            let _ = self.info.set(info.with_rt(granted).with_waits(waits));
            traffic = begin();
            if traffic.is_err() {
                stop.store(true, Ordering::Relaxed);
            }
        };
        let report = session.run(stop, started).map_err(|error| error.to_string())?;
        traffic?;
        match report.failed {
            Some(reason) => Err(reason),
            None if report.summary.unaccounted > 0 => Ok(exit::UNACCOUNTED),
            None => Ok(exit::DONE),
        }
    }
}

/// What a person is told at the start.
fn info(what: &str, session: &Session) -> RunInfo {
    let expects = match session.ports() {
        Ports::Any => "C37.118 on any port".to_owned(),
        Ports::Set(ports) => {
            let numbers = ports.iter().map(u16::to_string).collect::<Vec<_>>().join(", ");
            format!("C37.118 on port{} {numbers}", if ports.len() == 1 { "" } else { "s" })
        }
    };
    RunInfo { what: what.to_owned(), expects, hook: session.hook().to_string(), ..RunInfo::default() }
}
