//! The host's own counters of losses while a run lasts.

use std::{
    mem,
    path::PathBuf,
    time::{Duration, Instant},
};

use super::Notices;
use crate::{
    losses::{HostLosses, Sampler},
    probe::Interface,
};

/// How often they are read: often enough that an interface which is made anew takes little with it.
const READ_EVERY: Duration = Duration::from_secs(1);

/// Reads them now and then. Without them a run goes on all the same.
pub(super) struct Losses {
    sampler: Option<Sampler>,
    due: Instant,
    /// Whether it was said that they cannot be read.
    failure_said: bool,
}

impl Losses {
    /// From now on.
    pub(super) fn start(interfaces: &[Interface], notices: &Notices) -> Self {
        let mut losses = Self { sampler: None, due: Instant::now() + READ_EVERY, failure_said: false };
        match Sampler::start(PathBuf::from("/")) {
            Ok(sampler) => losses.sampler = Some(sampler),
            Err(error) => losses.say(&error.to_string(), notices),
        }
        losses.watch(interfaces, notices);
        losses
    }

    /// Reads them where it is time to.
    pub(super) fn look(&mut self, present: &[Interface], notices: &Notices) {
        if Instant::now() >= self.due {
            self.due = Instant::now() + READ_EVERY;
            self.watch(present, notices);
            self.sample(notices);
        }
    }

    /// Reads them a last time.
    pub(super) fn finish(mut self, notices: &Notices) -> Option<HostLosses> {
        self.sample(notices);
        self.sampler.map(|sampler| sampler.losses())
    }

    fn watch(&mut self, interfaces: &[Interface], notices: &Notices) {
        let Some(sampler) = &mut self.sampler else { return };
        let watched = interfaces.iter().map(|one| sampler.watch(&one.netns, one.key, &one.name));
        let failed = watched.filter_map(Result::err).last();
        if let Some(error) = failed {
            self.say(&error.to_string(), notices);
        }
    }

    fn sample(&mut self, notices: &Notices) {
        if let Some(Err(error)) = self.sampler.as_mut().map(Sampler::sample) {
            self.say(&error.to_string(), notices);
        }
    }

    fn say(&mut self, what: &str, notices: &Notices) {
        if !mem::replace(&mut self.failure_said, true) {
            notices.say(format!("the host's counters of losses are not all read: {what}"));
        }
    }
}
