//! The eBPF object: the committed one, or another that the environment names (a debugging build).

use std::{borrow::Cow, env, fs, path::Path};

use super::ProbeError;

/// Names another object to load instead of the one built in.
const OBJECT_VARIABLE: &str = "PMU_MONITOR_OBJECT";

static COMMITTED: &[u8] = aya::include_bytes_aligned!("../../../monitor-ebpf/object/pmu-monitor.o");

/// An object and where it came from.
pub(super) struct Object {
    pub(super) bytes: Cow<'static, [u8]>,
    pub(super) origin: String,
}

impl Object {
    /// One in a file.
    pub(super) fn read(path: &Path) -> Result<Self, ProbeError> {
        let origin = path.display().to_string();
        match fs::read(path) {
            Ok(bytes) => Ok(Self { bytes: Cow::Owned(bytes), origin }),
            Err(source) => Err(ProbeError::Object { path: origin, source }),
        }
    }
}

/// The object to load.
pub(super) fn object() -> Result<Object, ProbeError> {
    match env::var(OBJECT_VARIABLE) {
        Ok(path) => Object::read(path.as_ref()),
        Err(_) => {
            Ok(Object { bytes: Cow::Borrowed(COMMITTED), origin: "built into this program".to_owned() })
        }
    }
}
