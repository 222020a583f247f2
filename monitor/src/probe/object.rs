//! The eBPF object: the committed one, or another that the environment names (a debugging build).

use std::{borrow::Cow, env, fs};

use super::ProbeError;

/// Names another object to load instead of the one built in.
const OBJECT_VARIABLE: &str = "PMU_MONITOR_OBJECT";

static COMMITTED: &[u8] = aya::include_bytes_aligned!("../../../monitor-ebpf/object/pmu-monitor.o");

/// An object and where it came from.
pub(super) struct Object {
    pub(super) bytes: Cow<'static, [u8]>,
    pub(super) origin: String,
}

/// The object to load.
pub(super) fn object() -> Result<Object, ProbeError> {
    match env::var(OBJECT_VARIABLE) {
        Ok(path) => match fs::read(&path) {
            Ok(bytes) => Ok(Object { bytes: Cow::Owned(bytes), origin: path }),
            Err(source) => Err(ProbeError::Object { path, source }),
        },
        Err(_) => {
            Ok(Object { bytes: Cow::Borrowed(COMMITTED), origin: "built into this program".to_owned() })
        }
    }
}
