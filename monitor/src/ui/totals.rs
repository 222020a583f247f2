//! All streams together, in one line.

use crate::hub::{StreamLatency, StreamRow, Window};
use crate::sink::words::{Micros, counted, measured};

/// Sums over the streams of a window.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Totals {
    pub(super) streams: usize,
    pub(super) rate_hz: f32,
    pub(super) frames: u64,
    pub(super) missing: u64,
    pub(super) crc_errors: u64,
    pub(super) undecoded: u64,
    /// The largest median, 99th percentile and maximum of any stream: none of all frames together is larger.
    pub(super) latency: Option<StreamLatency>,
}

impl Totals {
    pub(super) fn of(window: &Window) -> Self {
        window.streams.iter().fold(Self::default(), Self::add)
    }

    fn add(self, row: &StreamRow) -> Self {
        Self {
            streams: self.streams + 1,
            rate_hz: self.rate_hz + row.rate_hz,
            frames: self.frames + row.frames,
            missing: self.missing + u64::from(row.missing),
            crc_errors: self.crc_errors + u64::from(row.crc_errors),
            undecoded: self.undecoded + u64::from(row.undecoded),
            latency: larger(self.latency, row.latency_ns),
        }
    }

    /// `12 streams`.
    pub(super) fn streams(&self) -> String {
        counted(self.streams as u64, "stream")
    }

    /// `600.0 frames/s`.
    pub(super) fn rate(&self) -> String {
        format!("{} frames/s", measured(Some(self.rate_hz), 1))
    }

    /// `0 CRC errors`.
    pub(super) fn crc_errors(&self) -> String {
        counted(self.crc_errors, "CRC error")
    }

    /// `latency p50/p99/max at most 31.0/58.0/102 us`, where anything was measured.
    pub(super) fn latency(&self) -> Option<String> {
        let StreamLatency { p50, p99, max } = self.latency?;
        let [p50, p99, max] = [p50, p99, max].map(|ns| Micros(ns.into()));
        Some(format!("latency p50/p99/max at most {p50}/{p99}/{max} us"))
    }
}

fn larger(one: Option<StreamLatency>, other: Option<StreamLatency>) -> Option<StreamLatency> {
    let (Some(a), Some(b)) = (one, other) else { return one.or(other) };
    Some(StreamLatency { p50: a.p50.max(b.p50), p99: a.p99.max(b.p99), max: a.max.max(b.max) })
}
