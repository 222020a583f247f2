//! Where configurations come from beside the wire, while a run lasts: keeps what the wire says for the next run, asks
//! PMUs that are to be asked, and says in words what is used and what is not.

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use monitor_core::event::{Class, Classes, ConfigId, ConfigSource, EventKind, Outcome};
use monitor_core::stream::{Preload, SourceKey};
use rtrb::{Consumer, Producer, RingBuffer};

use super::Notices;
use crate::hub::{Config, Item, StreamInfo, Summary, Window};
use crate::netns::Netns;
use crate::preload::{Remedy, Request, StateDirectory, ask, sentence};
use crate::sink::Sink;

/// Configurations that do not come over the wire.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    /// Those that are there at the start.
    pub preloads: Vec<Preload>,
    /// What could not be used of them.
    pub complaints: Vec<String>,
    /// Where those of the wire are kept for the next run.
    pub state: Option<StateDirectory>,
    /// Those to ask for, once the programs are attached.
    pub requests: Vec<Request>,
}

/// Requests not yet made, and the way of their answers to the real-time thread.
pub(super) struct Requests {
    requests: Vec<Request>,
    answers: Producer<Preload>,
}

impl Requests {
    /// With a place for each answer.
    pub(super) fn new(requests: Vec<Request>) -> (Self, Consumer<Preload>) {
        let (answers, taken) = RingBuffer::new(requests.len());
        (Self { requests, answers }, taken)
    }

    /// Makes all of them, each on a thread of its own inside `netns`, and says what came of it. To be called once the
    /// programs are attached, so that an answer that passes the interface is seen there.
    pub(super) fn make(self, netns: Option<&Arc<Netns>>, notices: &Notices) -> io::Result<()> {
        let answers = Arc::new(Mutex::new(self.answers));
        for request in self.requests {
            let (answers, notices, netns) = (Arc::clone(&answers), notices.clone(), netns.cloned());
            thread::Builder::new().name("request".to_owned()).spawn(move || {
                let asked = match &netns {
                    Some(netns) => netns.run(|| ask(&request)).map_err(|error| error.to_string()),
                    None => Ok(ask(&request)),
                };
                match asked.and_then(|answer| answer.map_err(|error| error.to_string())) {
                    Ok(answer) => {
                        notices.say(format!("{request} was answered, {} bytes", answer.bytes().len()));
                        // There is a place for each.
                        let _ = answers.lock().unwrap_or_else(PoisonError::into_inner).push(answer);
                    }
                    Err(error) => notices.say(format!("{request} was not got: {error}")),
                }
            })?;
        }
        Ok(())
    }
}

/// Keeps what the wire says, and says what is new. A sink, so that disks and words keep no frame waiting.
pub(super) struct Configurations {
    state: Option<StateDirectory>,
    notices: Notices,
    /// The configuration of each source that was last taken to be kept.
    seen: HashMap<SourceKey, ConfigId>,
    /// Those to be written: once a second, however often they change.
    waiting: HashMap<SourceKey, Arc<Config>>,
    /// Whether it was said that writing fails.
    failure_said: bool,
}

impl Configurations {
    pub(super) fn new(state: Option<StateDirectory>, notices: Notices) -> Self {
        Self { state, notices, seen: HashMap::new(), waiting: HashMap::new(), failure_said: false }
    }

    fn take_frame(&mut self, stream: &StreamInfo, config: &Arc<Config>) {
        if self.state.is_none() || config.source != ConfigSource::Wire {
            return;
        }
        let key = SourceKey { address: stream.key.source, idcode: stream.key.idcode };
        if self.seen.insert(key, config.id) != Some(config.id) {
            self.waiting.insert(key, Arc::clone(config));
        }
    }

    fn write(&mut self) {
        let Some(state) = &self.state else { return };
        for (key, config) in self.waiting.drain() {
            if let Err(sentence) = state.keep(&key, &config.bytes)
                && !std::mem::replace(&mut self.failure_said, true)
            {
                self.notices.say(sentence);
            }
        }
    }
}

impl Sink for Configurations {
    fn name(&self) -> &'static str {
        "configurations"
    }

    fn wants(&self) -> Classes {
        Classes::NONE.with(Class::Config)
    }

    fn take(&mut self, item: &Item<'_>) -> io::Result<()> {
        let Some(stream) = item.stream else { return Ok(()) };
        match (item.event.kind, item.config) {
            (EventKind::Frame(_, Outcome::Decoded), Some(config)) => self.take_frame(stream, config),
            (EventKind::Config(news), _) => self.notices.say(sentence(stream, news, Remedy::Live)),
            _ => {}
        }
        Ok(())
    }

    fn window(&mut self, _window: &Window) -> io::Result<()> {
        self.write();
        Ok(())
    }

    fn finish(&mut self, _summary: &Summary) -> io::Result<()> {
        self.write();
        Ok(())
    }
}
