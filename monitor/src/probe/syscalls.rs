//! Which system calls one thread makes, counted in the kernel: for the test of the real-time thread.

use aya::{
    Ebpf, EbpfLoader,
    maps::{Array, MapData},
    programs::BtfTracePoint,
};

use super::{
    ProbeError, attach, drops,
    kernel::{map_error, missing},
    object::object,
    reads,
};

const PROGRAM: &str = "system_call";
const TRACEPOINT: &str = "sys_enter";
const MAP: &str = "SYSTEM_CALLS";

/// The program, attached. Dropping it detaches it.
pub struct SystemCalls {
    _ebpf: Ebpf,
    counts: Array<MapData, u64>,
}

impl SystemCalls {
    /// From now on, of a thread as the kernel's own PID namespace numbers it.
    ///
    /// # Errors
    /// What this host lacks, by name and with the remedy.
    pub fn of_thread(thread: u32) -> Result<Self, ProbeError> {
        super::load::check_capabilities()?;
        let object = object()?;
        let mut loader = EbpfLoader::new();
        loader.override_global("SYSTEM_CALLS_OF", &thread, true);
        drops::leave_out(&mut loader);
        reads::leave_out(&mut loader);
        let mut ebpf =
            loader.load(&object.bytes).map_err(|error| super::load::not_loaded(&object, &error))?;
        let map = ebpf.take_map(MAP).ok_or_else(|| missing(MAP))?;
        let counts = Array::try_from(map).map_err(|error| map_error(MAP, &error))?;
        let program: &mut BtfTracePoint = attach::program(&mut ebpf, PROGRAM)?;
        let btf = attach::kernel_btf()?;
        program.load(TRACEPOINT, &btf).map_err(|error| attach::refused(PROGRAM, &error))?;
        program.attach().map_err(|error| attach::attach_error(PROGRAM, TRACEPOINT, &error))?;
        Ok(Self { _ebpf: ebpf, counts })
    }

    /// How often each was begun, by its number on this architecture; those that were not are left out.
    ///
    /// # Errors
    /// Where the map cannot be read.
    pub fn counts(&self) -> Result<Vec<(u32, u64)>, ProbeError> {
        let mut counts = Vec::new();
        for number in 0..self.counts.len() {
            match self.counts.get(&number, 0).map_err(|error| map_error(MAP, &error))? {
                0 => {}
                count => counts.push((number, count)),
            }
        }
        Ok(counts)
    }
}
