//! Keeping the CPUs out of idle states that take long to leave: a request to the kernel that holds for as long as a file
//! is open (`Documentation/power/pm_qos_interface.rst`).

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::path::Path;

/// Where the kernel takes the request.
pub(super) const DEVICE: &str = "/dev/cpu_dma_latency";
/// How long leaving an idle state may take, microseconds: no time at all.
const LATENCY_US: i32 = 0;

/// The request. Dropping it takes it back, and so does any end of the process.
#[derive(Debug)]
pub struct CpusAwake {
    _open: File,
}

impl CpusAwake {
    /// Makes the request for every CPU of the host. It costs power, and heat.
    ///
    /// # Errors
    /// `NotFound` where the kernel takes none (a container without the device, `CONFIG_CPU_IDLE` off);
    /// `PermissionDenied` where the device is for root alone, as it is by default.
    pub fn hold() -> io::Result<Self> {
        Self::hold_at(Path::new(DEVICE))
    }

    fn hold_at(device: &Path) -> io::Result<Self> {
        let mut open = OpenOptions::new().write(true).open(device)?;
        // A number of 32 bits in the machine's order.
        open.write_all(&LATENCY_US.to_ne_bytes())?;
        Ok(Self { _open: open })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_for_is_no_latency_in_four_bytes() {
        let device = tempfile::NamedTempFile::new().unwrap();
        let held = CpusAwake::hold_at(device.path()).unwrap();
        assert_eq!(std::fs::read(device.path()).unwrap(), [0; 4]);
        drop(held);
    }

    #[test]
    fn a_device_that_is_not_there_is_an_error() {
        let missing = tempfile::tempdir().unwrap().path().join("none");
        assert_eq!(CpusAwake::hold_at(&missing).unwrap_err().kind(), io::ErrorKind::NotFound);
    }
}
