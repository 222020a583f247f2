//! Fragments of a CFG-3: kept until the configuration is whole, which is then judged as one frame.
//!
//! # How they are counted
//! Each fragment is a frame that was found. One that is kept, or repeated, is decoded: what it says is taken. The last
//! one stands for the whole, and its event's bytes are the whole configuration. One that cannot be used is undecoded
//! ([`UndecodedReason::ConfigFragment`]). A series that does not become whole counts once more
//! (`config_series_lost`), because the fragments of it that came before were counted already. How many there are is
//! said nowhere: where one before the last is missing and each has its own CHK, what is put together contradicts
//! itself, and is a bad configuration.
//!
//! A fragment without a CHK of its own is not proved before the last one is: it makes no stream, and is believed only
//! as the first one of a stream that is not known to check its fragments, or where one was begun.

use super::c37118::Judged;
use super::{Carrier, Judge};
use crate::event::{Outlet, UndecodedReason};
use crate::protocol::c37118::{Continuation, Fragment, FrameView};
use crate::stream::Gathered;
use crate::time::Clock;

impl Judge {
    /// Takes bytes that may be a fragment of a CFG-3. False where they are none, and where they have no CHK of their
    /// own and belong to nothing: then they are what the check says, a broken frame.
    pub(super) fn take_fragment<C: Clock, O: Outlet>(
        &mut self,
        carrier: &Carrier,
        bytes: &[u8],
        clock: &mut C,
        out: &mut O,
    ) -> bool {
        let (Ok(fragment), Ok(frame)) = (Fragment::new(bytes), FrameView::without_check(bytes)) else {
            return false;
        };
        let key = carrier.key(frame.idcode().0);
        let stream = self.streams.find(&key);
        if let Some((_, stream)) = stream.and_then(|id| self.streams.get_mut(id)) {
            stream.checks_fragments |= fragment.is_checked();
        }
        if !fragment.is_checked() {
            let checks =
                stream.and_then(|id| self.streams.get(id)).is_some_and(|(_, stream)| stream.checks_fragments);
            let first = fragment.continuation() == Continuation::First;
            if checks || !first && !self.assemblies.expects(&key) {
                return false;
            }
        }
        match self.assemblies.take(&key, &fragment, carrier.seen.arrival) {
            Gathered::Kept | Gathered::Repeated => {
                self.conclude(carrier, frame, &Judged::decoded(stream), clock, out);
            }
            Gathered::Whole(number) => {
                self.take_whole(carrier, number, clock, out);
                // The stream may be known by this alone.
                let stream = self.streams.find(&key);
                if let Some((_, stream)) = stream.and_then(|id| self.streams.get_mut(id)) {
                    stream.checks_fragments |= fragment.is_checked();
                }
            }
            Gathered::Lost if fragment.is_checked() => {
                let reason = UndecodedReason::ConfigFragment;
                self.conclude(carrier, frame, &Judged::undecoded(reason, stream), clock, out);
            }
            Gathered::Lost => return false,
        }
        true
    }

    fn take_whole<C: Clock, O: Outlet>(
        &mut self,
        carrier: &Carrier,
        number: usize,
        clock: &mut C,
        out: &mut O,
    ) {
        let Some((buffer, length, first_arrival)) = self.assemblies.lend(number) else { return };
        let mut carrier = *carrier;
        carrier.seen.first_arrival = first_arrival;
        if let Some(Ok(frame)) = buffer.get(..length).map(FrameView::without_check) {
            let judged = self.judge_config(&carrier, frame, out);
            self.conclude(&carrier, frame, &judged, clock, out);
        }
        self.assemblies.give_back(number, buffer);
    }
}
