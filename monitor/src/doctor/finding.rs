//! What a check comes to.

use std::fmt;
use std::io;

use serde::Serialize;

use super::{Change, Unread};

/// How it is judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// As it should be.
    Pass,
    /// It works, at a cost in latency or with something left out.
    Warn,
    /// Something does not work, or frames are late beyond any bound.
    Fail,
    /// It could not be looked at.
    Unknown,
}

impl fmt::Display for Verdict {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.pad(match self {
            Self::Pass => "pass",
            Self::Warn => "warn",
            Self::Fail => "fail",
            Self::Unknown => "unknown",
        })
    }
}

/// What was found, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// How it is judged.
    pub verdict: Verdict,
    /// What was found, or why it could not be looked at.
    pub found: String,
    /// The commands or kernel parameters that put it right.
    pub remedy: Option<String>,
    /// The part of it that can be done at run time.
    pub changes: Vec<Change>,
}

/// A finding; as an error where it could not be looked at.
pub(super) type Looked = Result<Finding, Finding>;

/// A remedy: words, or changes that can be made at once.
pub(super) struct Remedy {
    text: String,
    changes: Vec<Change>,
}

impl From<&str> for Remedy {
    fn from(text: &str) -> Self {
        text.to_owned().into()
    }
}

impl From<String> for Remedy {
    fn from(text: String) -> Self {
        Self { text, changes: Vec::new() }
    }
}

impl From<Vec<Change>> for Remedy {
    fn from(changes: Vec<Change>) -> Self {
        let text = changes.iter().map(Change::to_string).collect::<Vec<_>>().join("; ");
        Self { text, changes }
    }
}

impl Remedy {
    /// The changes, and what makes them last, or stands in their place.
    pub(super) fn and(mut self, more: &str) -> Self {
        let between = if self.text.is_empty() { "" } else { "; " };
        self.text = format!("{}{between}{more}", self.text);
        self
    }
}

impl Finding {
    pub(super) fn pass(found: impl Into<String>) -> Self {
        Self { verdict: Verdict::Pass, found: found.into(), remedy: None, changes: Vec::new() }
    }

    pub(super) fn warn(found: impl Into<String>, remedy: impl Into<Remedy>) -> Self {
        Self::bad(Verdict::Warn, found.into(), remedy.into())
    }

    pub(super) fn fail(found: impl Into<String>, remedy: impl Into<Remedy>) -> Self {
        Self::bad(Verdict::Fail, found.into(), remedy.into())
    }

    pub(super) fn unknown(found: impl Into<String>, remedy: impl Into<Remedy>) -> Self {
        Self::bad(Verdict::Unknown, found.into(), remedy.into())
    }

    fn bad(verdict: Verdict, found: String, remedy: Remedy) -> Self {
        let Remedy { text, changes } = remedy;
        Self { verdict, found, remedy: Some(text), changes }
    }
}

impl From<Unread> for Finding {
    fn from(unread: Unread) -> Self {
        let remedy = match unread.error.kind() {
            io::ErrorKind::PermissionDenied => "run it as root",
            _ => "run it where /proc and /sys are the host's own",
        };
        Self::unknown(unread.to_string(), remedy)
    }
}
