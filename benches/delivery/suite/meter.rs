//! What a receiver's thread notes of each frame. Nothing is allocated while it does.

use monitor::sys::clock::monotonic_ns;
use monitor::sys::cputime;

/// The part of a block that is measured, nanoseconds of the monotonic clock.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Span {
    pub(crate) from: u64,
    pub(crate) until: u64,
}

/// Latencies and CPU time within the span; frames in all.
pub(crate) struct Meter {
    span: Span,
    /// Frames at any time, configurations included.
    pub(crate) received: u64,
    /// From the receive stamp to the first look, nanoseconds.
    pub(crate) looked: Vec<u64>,
    /// From the receive stamp until decoded, nanoseconds.
    pub(crate) decoded: Vec<u64>,
    /// Of the frames looked at within the span, those that met an awake reader.
    pub(crate) met: u64,
    /// Clock and CPU time of the thread when the span began, and when it was over.
    begun: Option<(u64, u64)>,
    ended: Option<(u64, u64)>,
}

impl Meter {
    /// With room for so many frames.
    pub(crate) fn new(span: Span, frames: usize) -> Self {
        let room = || Vec::with_capacity(frames);
        Self { span, received: 0, looked: room(), decoded: room(), met: 0, begun: None, ended: None }
    }

    /// A frame that was received at `at` was looked at after `looked` and decoded after `decoded` nanoseconds.
    pub(crate) fn saw(&mut self, at: u64, looked: u64, decoded: Option<u64>, met: bool) {
        self.received += 1;
        if at < self.span.from {
            return;
        }
        if at >= self.span.until {
            self.end();
            return;
        }
        if self.begun.is_none() {
            self.begun = Some(now());
        }
        // There is room for every frame that is sent; more than that would be told by the counts.
        if self.looked.len() < self.looked.capacity() {
            self.looked.push(looked);
            self.decoded.extend(decoded);
        }
        self.met += u64::from(met);
    }

    /// The span is over.
    pub(crate) fn end(&mut self) {
        if self.ended.is_none() {
            self.ended = Some(now());
        }
    }

    /// CPU time and time that passed within the span, nanoseconds.
    pub(crate) fn used(&self) -> (u64, u64) {
        let (Some(begun), Some(ended)) = (self.begun, self.ended) else { return (0, 0) };
        (ended.1 - begun.1, ended.0 - begun.0)
    }
}

/// The clock, and the CPU time of the calling thread.
fn now() -> (u64, u64) {
    (monotonic_ns(), cputime::thread_ns().unwrap())
}
