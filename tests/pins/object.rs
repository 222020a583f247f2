//! Objects whose programs do the same as the committed one's by other instructions: what the next version of this
//! program would bring, and a mark by which a test knows its own programs among others'.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::{fs, process};

use object::{Object as _, ObjectSection as _, ObjectSymbol as _, SymbolKind};

const COMMITTED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../monitor-ebpf/object/pmu-monitor.o");
const NAME: &str = "variant.o";
/// Bytes of an instruction (include/uapi/linux/bpf.h, `struct bpf_insn`).
const INSTRUCTION: usize = 8;
/// `BPF_ALU64 | BPF_MOV | BPF_K`: a register becomes a constant.
const MOVE: u8 = 0xB7;
/// `BPF_ALU | BPF_MOV | BPF_K`: its lower half does, and the upper half becomes 0, which is the same for a constant
/// that is not negative.
const MOVE_LOWER: u8 = 0xB4;

pub(crate) fn committed() -> &'static Path {
    Path::new(COMMITTED)
}

/// How many instructions of each program may be exchanged; `variant` has a bit for each.
const BITS: usize = 32;

/// An object in which, of the first instructions of each program that set a register to a constant, those are other
/// instructions of the same effect whose bit in `variant` is set.
pub(crate) struct Variant {
    directory: tempfile::TempDir,
}

impl Variant {
    pub(crate) fn new(variant: u32) -> Self {
        let mut bytes = fs::read(COMMITTED).unwrap();
        for places in exchangeable(&bytes) {
            for (bit, at) in places.into_iter().enumerate().take(BITS) {
                if variant & (1 << bit) != 0 {
                    bytes[at] = MOVE_LOWER;
                }
            }
        }
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join(NAME), bytes).unwrap();
        Self { directory }
    }

    /// One that no other test makes, in this process or another.
    pub(crate) fn own() -> Self {
        /// Process numbers have 22 bits (`PID_MAX_LIMIT`).
        const PROCESS_BITS: u32 = 22;
        static MADE: AtomicU32 = AtomicU32::new(1);
        Self::new(process::id() | MADE.fetch_add(1, Ordering::Relaxed) << PROCESS_BITS)
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.directory.path().join(NAME)
    }
}

/// For each program, where in the file its instructions are that can be exchanged.
fn exchangeable(bytes: &[u8]) -> Vec<Vec<usize>> {
    let file = object::File::parse(bytes).unwrap();
    let programs = file.symbols().filter(|symbol| symbol.kind() == SymbolKind::Text && symbol.size() > 0);
    let places = programs.map(|program| {
        let section = file.section_by_index(program.section_index().unwrap()).unwrap();
        let start = section.file_range().unwrap().0 + program.address();
        let instructions = (start..start + program.size()).step_by(INSTRUCTION);
        let instructions = instructions.map(|at| usize::try_from(at).unwrap());
        instructions.filter(|&at| is_exchangeable(&bytes[at..at + INSTRUCTION])).collect()
    });
    places.collect()
}

fn is_exchangeable(instruction: &[u8]) -> bool {
    instruction[0] == MOVE && i32::from_le_bytes(instruction[4..8].try_into().unwrap()) >= 0
}
