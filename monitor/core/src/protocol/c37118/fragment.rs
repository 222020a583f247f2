//! CFG-3 in fragments (clause 6.4, Table 10): what does not fit into one frame is sent in several, each with the
//! common header and CONT_IDX before its share of the content.
//!
//! Sources disagree on CHK. Either each fragment ends with its own, over itself; or only the last one ends with a
//! CHK, which runs over the first one's header and CONT_IDX and then over the content of all, the headers of the
//! later ones left out. Both are accepted: [`Fragment::new`] looks whether a fragment's own CHK fits, and a
//! [`Series`] holds the others to what the first one began. A series of the second kind is proved by its last
//! fragment alone.

mod continuation;
mod series;

use core::fmt;

pub use continuation::Continuation;
pub use series::{Series, SeriesError};

use super::frame::{CHECK_SIZE, FrameError, FrameHeader, FrameKind, FrameView, HEADER_SIZE};

/// The size of CONT_IDX.
pub(super) const CONTINUATION_SIZE: usize = 2;

/// Where a fragment's content begins.
pub(super) const CONTENT_AT: usize = HEADER_SIZE + CONTINUATION_SIZE;

/// Where FRAMESIZE stands.
pub(super) const FRAMESIZE: core::ops::Range<usize> = 2..4;

/// Which fragments of a CFG-3 end with a CHK.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FragmentChecks {
    /// Each, over itself.
    Each,
    /// The last alone, over the first one's header and CONT_IDX and the content of all.
    Last,
}

/// One fragment of a CFG-3, borrowed.
#[derive(Clone, Copy, Debug)]
pub struct Fragment<'a> {
    header: FrameHeader,
    continuation: Continuation,
    bytes: &'a [u8],
    checked: bool,
}

impl<'a> Fragment<'a> {
    /// The fragment that `bytes` are, as long as its FRAMESIZE says and no longer. Whether its last two bytes are
    /// its CHK is found out here ([`Fragment::is_checked`]); that they are not is no error.
    ///
    /// # Errors
    /// [`FragmentError`]: no frame, another kind of frame, another length than FRAMESIZE, or a whole CFG-3.
    pub fn new(bytes: &'a [u8]) -> Result<Self, FragmentError> {
        let frame = FrameView::without_check(bytes).map_err(FragmentError::Frame)?;
        let continuation = match Continuation::of(&frame) {
            None => return Err(FragmentError::NotConfig3 { kind: frame.kind() }),
            Some(Continuation::Only) => return Err(FragmentError::Whole),
            Some(continuation) => continuation,
        };
        let checked = FrameView::new(bytes).is_ok();
        Ok(Self { header: *frame.header(), continuation, bytes: frame.bytes(), checked })
    }

    /// The common header.
    #[must_use]
    pub const fn header(&self) -> &FrameHeader {
        &self.header
    }

    /// CONT_IDX; never [`Continuation::Only`].
    #[must_use]
    pub const fn continuation(&self) -> Continuation {
        self.continuation
    }

    /// Whether its last two bytes are the CHK over what is before them.
    #[must_use]
    pub const fn is_checked(&self) -> bool {
        self.checked
    }

    /// The whole fragment, FRAMESIZE bytes from SYNC.
    #[must_use]
    pub const fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// Its share of the configuration, where it belongs to a series with these checks.
    #[must_use]
    pub fn content(&self, checks: FragmentChecks) -> &'a [u8] {
        let ends_with_check = checks == FragmentChecks::Each || self.continuation == Continuation::Last;
        let end = self.bytes.len() - if ends_with_check { CHECK_SIZE } else { 0 };
        self.bytes.get(CONTENT_AT..end).unwrap_or_default()
    }
}

/// Why bytes are not a fragment of a CFG-3.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FragmentError {
    /// Not a frame, or not as long as its FRAMESIZE.
    Frame(FrameError),
    /// A frame of another kind.
    NotConfig3 {
        /// What it is.
        kind: FrameKind,
    },
    /// CONT_IDX is 0: a whole CFG-3.
    Whole,
}

impl fmt::Display for FragmentError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Frame(error) => error.fmt(f),
            Self::NotConfig3 { kind } => write!(f, "a {kind} frame is not sent in fragments"),
            Self::Whole => f.write_str("CONT_IDX is 0: the CFG-3 is whole"),
        }
    }
}

impl core::error::Error for FragmentError {}
