//! What a person should know beside the numbers: an interface that vanished, a stage that the host does not grant.

use std::sync::{Arc, Mutex, PoisonError};

/// Sentences, kept until a window has shown them. Cloned freely; all clones share them.
#[derive(Clone, Debug, Default)]
pub struct Notices {
    new: Arc<Mutex<Vec<Arc<str>>>>,
    /// Whether sentences also go to standard error at once: not where a screen is drawn.
    to_log: bool,
}

impl Notices {
    /// With sentences also going to the log, or to the outputs alone.
    #[must_use]
    pub fn new(to_log: bool) -> Self {
        Self { new: Arc::default(), to_log }
    }

    /// Says something.
    pub fn say(&self, sentence: String) {
        if self.to_log {
            tracing::warn!("{sentence}");
        }
        self.new.lock().unwrap_or_else(PoisonError::into_inner).push(sentence.into());
    }

    /// What was said since the last call.
    #[must_use]
    pub fn take_new(&self) -> Vec<Arc<str>> {
        std::mem::take(&mut *self.new.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
