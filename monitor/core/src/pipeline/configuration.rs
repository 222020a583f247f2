//! Which configuration lays out a DATA frame, and what is told where none does.

use super::c37118::{Judged, open};
use super::{About, Carrier, Judge};
use crate::event::{Class, ConfigNews, EventKind, Missing, Outlet, StreamId, UndecodedReason};
use crate::protocol::c37118::{ConfigError, ConfigView, DataView, FrameKind, FrameView};
use crate::stream::{Cadence, DataFrame, Learned, Reading, SourceId, Stream};

impl Judge {
    pub(super) fn judge_data<O: Outlet>(
        &mut self,
        carrier: &Carrier,
        frame: FrameView<'_>,
        out: &mut O,
    ) -> Judged {
        let framesize = frame.header().framesize;
        let Self { streams, configs, packet, .. } = self;
        let Some((id, stream)) = open(streams, configs, carrier, frame, *packet) else {
            return Judged::undecoded(UndecodedReason::TooManyStreams, None);
        };
        let source = stream.source();
        if !configs.is_settled(source, framesize) {
            self.unsettled(carrier, id, source, framesize, out);
        }
        let Self { streams, configs, alignment, host_bound_ns, .. } = self;
        let mut data = DataFrame {
            seen: &carrier.seen,
            time: frame.time(),
            continuity: carrier.continuity,
            cadence: None,
            reading: None,
            host_bound_ns: *host_bound_ns,
        };
        let mut outcome = Err(UndecodedReason::NoConfiguration);
        if let Some((config, layout)) = configs.current(source) {
            data.cadence = layout.stream().and_then(Cadence::of);
            outcome = DataView::of(frame, layout)
                .map(|view| (config, view))
                .map_err(|_| UndecodedReason::SizeMismatch);
            data.reading = outcome.as_ref().ok().map(|(_, view)| Reading::take(view));
        }
        let laid_out_by =
            outcome.as_ref().ok().and_then(|(config, _)| Some((*config, configs.content(*config)?)));
        let stream = match laid_out_by {
            Some((config, content)) => streams.lay_out(id, content, || configs.declared(config)),
            None => streams.get_mut(id).map(|(_, stream)| stream),
        };
        let Some(stream) = stream else {
            return Judged::undecoded(UndecodedReason::TooManyStreams, None);
        };
        let (placed, missing) = stream.take_data(&data);
        if let Some(missing) = missing {
            tell_missing(carrier, id, stream, missing, out);
        }
        let (config, view) = match outcome {
            Ok(decoded) => decoded,
            Err(reason) => {
                stream.counts.undecoded = stream.counts.undecoded.saturating_add(1);
                return Judged::undecoded(reason, Some(id));
            }
        };
        if let Some(alignment) = alignment {
            alignment.take(id, carrier.seen.arrival, placed.zip(data.cadence), &view);
        }
        Judged { config: Some(config), ..Judged::decoded(Some(id)) }
    }

    pub(super) fn judge_config<O: Outlet>(
        &mut self,
        carrier: &Carrier,
        frame: FrameView<'_>,
        out: &O,
    ) -> Judged {
        let Self { streams, configs, packet, .. } = self;
        let Some((id, stream)) = open(streams, configs, carrier, frame, *packet) else {
            return Judged::undecoded(UndecodedReason::TooManyStreams, None);
        };
        stream.counts.configs = stream.counts.configs.saturating_add(1);
        let view = match ConfigView::new(frame) {
            Ok(view) => view,
            Err(ConfigError::Fragment { .. }) => {
                return Judged::undecoded(UndecodedReason::ConfigFragment, Some(id));
            }
            Err(_) => return Judged::undecoded(UndecodedReason::BadConfiguration, Some(id)),
        };
        self.counts.configs_without_rate += u64::from(view.data_rate().is_none());
        if frame.kind() == FrameKind::Config1 {
            return Judged::decoded(Some(id));
        }
        let config = match configs.learn(stream.source(), &view, out.taken(), out.passed()) {
            Learned::New(config) | Learned::Known(config) => config,
            Learned::Refused => return Judged::undecoded(UndecodedReason::BadConfiguration, Some(id)),
        };
        let announce = !configs.is_announced(config);
        Judged { config: Some(config), announce, ..Judged::decoded(Some(id)) }
    }

    /// Another configuration may have to be taken up, or one to be told of.
    #[cold]
    fn unsettled<O: Outlet>(
        &mut self,
        carrier: &Carrier,
        id: StreamId,
        source: SourceId,
        framesize: u16,
        out: &mut O,
    ) {
        if !self.configs.fits(source, framesize) {
            self.look_further(carrier, id, source, framesize, out);
        }
        self.tell_adopted(carrier, id, source, out);
    }

    /// The configuration in use, if any, does not fit: takes up another, or tells why there is none.
    fn look_further<O: Outlet>(
        &mut self,
        carrier: &Carrier,
        id: StreamId,
        source: SourceId,
        framesize: u16,
        out: &mut O,
    ) {
        let outgrown = self.configs.outgrown(source, framesize, out.taken());
        let adopted = self.configs.adopt(source, framesize, out.taken(), out.passed()).is_some();
        let waiting = if adopted { None } else { self.configs.misfit(source, framesize) };
        let misfits = [outgrown, waiting].into_iter().flatten();
        for misfit in misfits.clone() {
            self.tell_news(carrier, id, ConfigNews::Misfit(misfit), out);
        }
        if misfits.count() == 0 && self.configs.current_id(source).is_none() {
            let arrival = carrier.seen.arrival;
            let overdue =
                self.streams.get_mut(id).is_some_and(|(_, stream)| stream.lacks_config_since(arrival));
            if overdue {
                self.tell_news(carrier, id, ConfigNews::Missing, out);
            }
        }
    }

    /// Tells of the configuration in use where it did not come over the wire and nobody could be told before.
    fn tell_adopted<O: Outlet>(&mut self, carrier: &Carrier, id: StreamId, source: SourceId, out: &mut O) {
        let Some(config) = self.configs.current_id(source) else { return };
        if self.configs.is_announced(config) {
            return;
        }
        let Some(from) = self.configs.source_of(config) else { return };
        // Its stream's number means nothing to whoever has not heard of the stream.
        self.tell_opened(carrier, id, out);
        let Some(bytes) = self.configs.preloaded_bytes(config) else { return };
        let about = About { stream: Some(id), config: Some(config), ..About::default() };
        let event = about.event(&carrier.seen, EventKind::Config(ConfigNews::Adopted(from)));
        let announced = out.announce(&event, bytes);
        self.configs.set_announced(config, announced);
    }

    fn tell_news<O: Outlet>(&mut self, carrier: &Carrier, id: StreamId, news: ConfigNews, out: &mut O) {
        self.tell_opened(carrier, id, out);
        let about = About { stream: Some(id), ..About::default() };
        out.announce(&about.event(&carrier.seen, EventKind::Config(news)), &[]);
    }
}

/// Tells of frames that are missing, or of one that no longer is.
#[cold]
fn tell_missing<O: Outlet>(
    carrier: &Carrier,
    id: StreamId,
    stream: &mut Stream,
    missing: Missing,
    out: &mut O,
) {
    let about = About { stream: Some(id), ..About::default() };
    let event = about.event(&carrier.seen, EventKind::Missing(missing));
    if !(out.wants(Class::Missing) && out.offer(&event, &[])) {
        stream.leave_untold(&missing);
    }
}
