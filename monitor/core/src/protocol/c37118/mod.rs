//! IEEE C37.118.2-2011 (and 2005) frames: views for decoding, encoders for the simulator and the tests.
//!
//! The way of a frame through this room:
//!
//! 1. [`FrameHeader::peek`] tells cheaply whether a frame could begin here (discovery, resynchronisation).
//! 2. [`FrameView::new`] proves it: size and check word. This is the only place where the CRC is computed.
//! 3. By its [`FrameKind`] the frame becomes a [`ConfigView`], [`HeaderView`], [`CommandView`] or [`DataView`].
//! 4. A [`ConfigView`] fills a [`Layout`], the numbers that a [`DataView`] needs; names stay in the frame.
//!
//! A CFG-3 that comes in fragments goes through [`Fragment`] and [`Series`] first, which make one frame of them.
//! Integers are big-endian throughout (clause 6.2).

mod arena;
mod command;
mod config;
pub mod crc;
mod data;
pub mod encode;
mod format;
mod fragment;
mod frame;
mod header;
mod layout;
mod stat;
mod text;
mod time;

pub use arena::{ArenaBounds, LayoutArena};
pub use command::{Command, CommandError, CommandView};
pub use config::{
    AnalogChannel, AnalogChannels, AnalogKind, AnalogScale3, AnalogScaling, ConfigError, ConfigView,
    DigitalChannel, DigitalChannels, Modifications, PhasorChannel, PhasorChannels, PhasorComponent,
    PhasorScale3, PhasorScaling, PmuConfig, PmuConfigs, PmuDetails, ServiceClass,
};
pub use data::{
    Analogs, Coordinates, DataError, DataView, Digitals, Phasor, PhasorCoordinates, Phasors, PmuView,
    PmuViews,
};
pub use format::{Format, NominalFrequency, PhasorFormat, PhasorUnit};
pub use fragment::{Continuation, Fragment, FragmentChecks, FragmentError, Series, SeriesError};
pub use frame::{
    FrameError, FrameHeader, FrameKind, FrameView, HEADER_SIZE, IdCode, MIN_FRAME_SIZE, Version, looks_like,
};
pub use header::{HeaderError, HeaderView};
pub use layout::{
    AnalogScale, Layout, LayoutBounds, LayoutError, LayoutRef, PhasorScale, PmuLayout, StreamLayout,
};
pub use stat::{DataStatus, Stat, TriggerReason, UnlockedTime};
pub use text::Text;
pub use time::{ClockQuality, DataRate, FRACTION_MASK, NANOS_PER_SECOND, TimeBase, TimeQuality, TimeTag};
