//! What is new of a stream's configuration, in words.

use monitor_core::event::{ConfigNews, ConfigSource, Endpoint, Misfit};

use crate::hub::StreamInfo;

/// Which remedies there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Remedy {
    /// The PMU can be waited for and asked.
    Live,
    /// A capture is read: only a file can help.
    Capture,
}

/// A sentence for a person: what it is about, and what can be done.
#[must_use]
pub fn sentence(stream: &StreamInfo, news: ConfigNews, remedy: Remedy) -> String {
    let StreamInfo { label, key, .. } = stream;
    let remedy = match remedy {
        Remedy::Live => format!(
            "until the PMU sends one; to have them now, ask it (--request-config {}/{}) or give --config-frame FILE",
            Endpoint { address: key.source, port: 0 }.ip(),
            key.idcode
        ),
        Remedy::Capture => "until one follows; --config-frame FILE gives one from elsewhere".to_owned(),
    };
    match news {
        ConfigNews::Adopted(from) => {
            format!("{label}: DATA are read by {}, until one is seen on the wire", origin(from))
        }
        ConfigNews::Misfit(Misfit { from: ConfigSource::Wire, predicted, framesize }) => format!(
            "{label}: DATA have {framesize} bytes, and the configuration seen last says {predicted}: it has changed, \
             and they stay undecoded {remedy}"
        ),
        ConfigNews::Misfit(Misfit { from, predicted, framesize }) => format!(
            "{label}: {} is not used: it says {predicted} bytes, and DATA have {framesize}",
            origin(from)
        ),
        ConfigNews::Missing => {
            format!("{label}: the configuration of its DATA is not known, and they stay undecoded {remedy}")
        }
    }
}

const fn origin(from: ConfigSource) -> &'static str {
    match from {
        ConfigSource::Wire => "a configuration of the wire",
        ConfigSource::Requested => "the configuration that was asked for",
        ConfigSource::File => "the configuration of --config-frame",
        ConfigSource::Cached => "the configuration of an earlier run",
    }
}
