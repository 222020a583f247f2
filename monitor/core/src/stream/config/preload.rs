//! Configurations that did not come over the wire: kept from an earlier run, named by the user, or asked for.
//!
//! They wait here, with their frames' bytes, until DATA come that they fit exactly. All of them are there before the
//! first packet, but for the answers to requests, for which places are kept.

use std::fmt;

use super::{ConfigSource, SourceKey};
use crate::protocol::c37118::{
    ConfigError, ConfigView, FrameError, FrameKind, FrameView, LayoutError, StreamLayout,
};

/// A configuration frame, proved, and whose DATA it may lay out.
#[derive(Clone, Debug)]
pub struct Preload {
    address: Option<[u8; 16]>,
    idcode: u16,
    from: ConfigSource,
    bytes: Box<[u8]>,
    data_framesize: u16,
    state: State,
}

/// What became of a preload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// It waits, or is in use.
    Waiting,
    /// Likewise, and it was told that it did not fit some DATA.
    Told,
    /// It is not looked at any more.
    Dropped,
}

impl Preload {
    /// From the bytes of exactly one CFG-2 or CFG-3 frame, for the DATA frames of its IDCODE from `address`, or from
    /// any where none is given.
    ///
    /// # Errors
    /// [`PreloadError`]: why the bytes are none.
    pub fn new(address: Option<[u8; 16]>, from: ConfigSource, bytes: &[u8]) -> Result<Self, PreloadError> {
        let frame = whole(bytes)?;
        let view = ConfigView::new(frame).map_err(PreloadError::Config)?;
        let layout = StreamLayout::of(&view).map_err(PreloadError::Layout)?;
        Ok(Self {
            address,
            idcode: view.idcode().0,
            from,
            bytes: bytes.into(),
            data_framesize: layout.data_framesize,
            state: State::Waiting,
        })
    }

    /// The sender that it is bound to; any where there is none.
    #[must_use]
    pub const fn address(&self) -> Option<[u8; 16]> {
        self.address
    }

    /// The stream's IDCODE.
    #[must_use]
    pub const fn idcode(&self) -> u16 {
        self.idcode
    }

    /// Where it came from.
    #[must_use]
    pub const fn from(&self) -> ConfigSource {
        self.from
    }

    /// The frame.
    #[must_use]
    pub const fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// FRAMESIZE of the DATA frames that it lays out.
    #[must_use]
    pub const fn data_framesize(&self) -> u16 {
        self.data_framesize
    }

    pub(super) fn view(&self) -> Option<ConfigView<'_>> {
        ConfigView::new(FrameView::without_check(&self.bytes).ok()?).ok()
    }

    const fn key(&self) -> (u16, Option<[u8; 16]>) {
        (self.idcode, self.address)
    }
}

/// The one frame that the bytes are, a CFG-3 put together from fragments included.
fn whole(bytes: &[u8]) -> Result<FrameView<'_>, PreloadError> {
    match (FrameView::reassembled(bytes), FrameView::split(bytes)) {
        (Ok(frame), _) => Ok(frame),
        (Err(_), Ok((frame, rest))) => {
            Err(PreloadError::Excess { size: frame.bytes().len(), left: rest.len() })
        }
        (Err(_), Err(error)) => Err(PreloadError::Frame(error)),
    }
}

/// Why bytes are no configuration that can be preloaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PreloadError {
    /// They do not begin with a sound frame.
    Frame(FrameError),
    /// Something follows the frame.
    Excess {
        /// The frame's size in bytes.
        size: usize,
        /// Bytes that follow.
        left: usize,
    },
    /// The frame is no configuration, or one that contradicts itself.
    Config(ConfigError),
    /// It lays out no possible DATA frame.
    Layout(LayoutError),
}

impl fmt::Display for PreloadError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Frame(error) => write!(out, "no sound C37.118 frame: {error}"),
            Self::Excess { size, left } => {
                write!(
                    out,
                    "{left} bytes follow the frame of {size}; one frame is expected, and nothing else"
                )
            }
            Self::Config(ConfigError::NotConfiguration { kind }) => {
                write!(out, "the frame is a {}, not a {}", kind.name(), FrameKind::Config2.name())
            }
            Self::Config(error) => write!(out, "{error}"),
            Self::Layout(error) => write!(out, "{error}"),
        }
    }
}

impl std::error::Error for PreloadError {}

/// A preload by its number, which it keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct PreloadAt(u32);

/// All preloads.
#[derive(Debug, Default)]
pub(super) struct Preloads {
    all: Vec<Preload>,
    /// Their numbers by IDCODE and sender; those without a sender before those with one.
    order: Vec<u32>,
    /// Places kept.
    kept: usize,
}

impl Preloads {
    /// Adds one. Allocates where no place is kept.
    pub(super) fn add(&mut self, preload: Preload) {
        let place = self.order.partition_point(|number| self.key_of(*number) <= Some(preload.key()));
        let Ok(number) = u32::try_from(self.all.len()) else { return };
        self.order.insert(place, number);
        self.all.push(preload);
    }

    /// Keeps places for `count` more.
    pub(super) fn reserve(&mut self, count: usize) {
        self.kept += count;
        self.all.reserve_exact(self.kept);
        self.order.reserve_exact(self.kept);
    }

    /// Adds one where a place was kept, without allocating; gives it back where none is left.
    pub(super) fn add_kept(&mut self, preload: Preload) -> Result<(), Preload> {
        let Some(left) = self.kept.checked_sub(1) else { return Err(preload) };
        self.kept = left;
        self.add(preload);
        Ok(())
    }

    pub(super) fn get(&self, at: PreloadAt) -> Option<&Preload> {
        self.all.get(at.0 as usize)
    }

    /// The best one for DATA frames of that size: an answer before a file, a file before what an earlier run saw.
    pub(super) fn fitting(
        &self,
        key: &SourceKey,
        framesize: u16,
        allowed: impl Fn(ConfigSource) -> bool,
    ) -> Option<PreloadAt> {
        let fits = |known: &Preload| known.data_framesize == framesize && allowed(known.from);
        let fitting = self.of(key).filter(|(_, known)| known.state != State::Dropped && fits(known));
        fitting.min_by_key(|(_, known)| known.from).map(|(at, _)| at)
    }

    /// One that does not fit DATA frames of that size and was not told of yet, that of an earlier run first; it counts
    /// as told from here on.
    pub(super) fn misfit(
        &mut self,
        key: &SourceKey,
        framesize: u16,
        allowed: impl Fn(ConfigSource) -> bool,
    ) -> Option<(ConfigSource, u16)> {
        let misfits = |known: &Preload| {
            known.state == State::Waiting && known.data_framesize != framesize && allowed(known.from)
        };
        let misfits = self.of(key).filter(|(_, known)| misfits(known));
        let (at, from, predicted) = misfits
            .max_by_key(|(_, known)| known.from)
            .map(|(at, known)| (at, known.from, known.data_framesize))?;
        self.tell(at);
        Some((from, predicted))
    }

    /// It was told that this one does not fit; one from an earlier run is dropped.
    pub(super) fn tell(&mut self, at: PreloadAt) {
        if let Some(known) = self.all.get_mut(at.0 as usize) {
            known.state = if known.from == ConfigSource::Cached { State::Dropped } else { State::Told };
        }
    }

    /// Drops one.
    pub(super) fn drop_at(&mut self, at: PreloadAt) {
        if let Some(known) = self.all.get_mut(at.0 as usize) {
            known.state = State::Dropped;
        }
    }

    /// Drops those bound to a source and of that origin.
    pub(super) fn drop_of(&mut self, key: &SourceKey, from: ConfigSource) {
        let Self { all, order, kept: _ } = self;
        let wanted = (key.idcode, Some(key.address));
        let key_of = |number: u32| all.get(number as usize).map(Preload::key);
        let first = order.partition_point(|number| key_of(*number) < Some(wanted));
        for number in order.get(first..).unwrap_or_default() {
            match all.get_mut(*number as usize) {
                Some(known) if known.key() == wanted => {
                    if known.from == from {
                        known.state = State::Dropped;
                    }
                }
                _ => break,
            }
        }
    }

    /// Those that may lay out a source's DATA: bound to it, or to its IDCODE alone.
    fn of(&self, key: &SourceKey) -> impl Iterator<Item = (PreloadAt, &Preload)> {
        self.with_key((key.idcode, Some(key.address))).chain(self.with_key((key.idcode, None)))
    }

    fn with_key(&self, wanted: (u16, Option<[u8; 16]>)) -> impl Iterator<Item = (PreloadAt, &Preload)> {
        let first = self.order.partition_point(|number| self.key_of(*number) < Some(wanted));
        let run = self.order.get(first..).unwrap_or_default().iter();
        run.map_while(move |number| {
            let known = self.all.get(*number as usize)?;
            (known.key() == wanted).then_some((PreloadAt(*number), known))
        })
    }

    fn key_of(&self, number: u32) -> Option<(u16, Option<[u8; 16]>)> {
        self.all.get(number as usize).map(Preload::key)
    }
}
