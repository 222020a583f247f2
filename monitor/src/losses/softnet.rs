//! What the receive softirqs of each CPU count: `/proc/net/softnet_stat`.
//!
//! They belong to the CPU, not to an interface or a network namespace.

use std::fs;
use std::io;
use std::path::Path;

use serde::Serialize;

use super::growth::Growth;

const PLACE: &str = "proc/net/softnet_stat";
/// Columns, in hexadecimal (`softnet_seq_show`, net/core/net-procfs.c).
const PROCESSED: usize = 0;
const DROPPED: usize = 1;
const TIME_SQUEEZE: usize = 2;
/// From 5.10 on; before, a line is of the CPU of its number, as far as all are online.
const CPU: usize = 12;

/// One CPU's counters since the host started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SoftnetCounts {
    /// The CPU.
    pub cpu: u32,
    /// Packets that its softirqs handled.
    pub processed: u64,
    /// Packets that its backlog (`net.core.netdev_max_backlog`) had no room for.
    pub dropped: u64,
    /// Times that a softirq ended with packets left, for lack of budget or time: they wait for the next.
    pub time_squeeze: u64,
}

impl SoftnetCounts {
    /// Those of every CPU that is online, below a root (`/`, or a test's).
    ///
    /// # Errors
    /// Where the file cannot be read, or is not as the kernel writes it.
    pub fn read(root: &Path) -> io::Result<Vec<Self>> {
        let place = root.join(PLACE);
        let text = fs::read_to_string(&place)?;
        let wrong = || io::Error::other(format!("{} is not as expected", place.display()));
        (0..).zip(text.lines()).map(|(line, row)| Self::parse(line, row).ok_or_else(wrong)).collect()
    }

    fn parse(line: u32, row: &str) -> Option<Self> {
        let columns: Vec<_> = row.split_whitespace().map(|text| u32::from_str_radix(text, 16).ok()).collect();
        let column = |place: usize| columns.get(place).copied().flatten();
        Some(Self {
            cpu: if columns.len() > CPU { column(CPU)? } else { line },
            processed: column(PROCESSED)?.into(),
            dropped: column(DROPPED)?.into(),
            time_squeeze: column(TIME_SQUEEZE)?.into(),
        })
    }
}

/// How much one CPU's counters have grown since the run began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct CpuGrowth {
    /// The CPU.
    pub cpu: u32,
    /// As [`SoftnetCounts::processed`].
    pub processed: u64,
    /// As [`SoftnetCounts::dropped`].
    pub dropped: u64,
    /// As [`SoftnetCounts::time_squeeze`].
    pub time_squeeze: u64,
}

/// One CPU that is read again and again.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cpu {
    pub(super) cpu: u32,
    growth: Growth<3>,
}

/// The kernel keeps numbers of 32 bits, which begin again at 0: what is read less than before has gone round.
const ROUND: u64 = 1 << 32;

impl Cpu {
    pub(super) const fn new(first: SoftnetCounts) -> Self {
        let SoftnetCounts { cpu, processed, dropped, time_squeeze } = first;
        Self { cpu, growth: Growth::new([processed, dropped, time_squeeze]) }
    }

    pub(super) fn take(&mut self, now: SoftnetCounts) {
        let SoftnetCounts { cpu: _, processed, dropped, time_squeeze } = now;
        self.growth.take_round([processed, dropped, time_squeeze], ROUND);
    }

    pub(super) const fn grown(&self) -> CpuGrowth {
        let [processed, dropped, time_squeeze] = self.growth.grown();
        CpuGrowth { cpu: self.cpu, processed, dropped, time_squeeze }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two CPUs of a host with four, as 6.1 and later write them.
    const TWO: &str = "\
00000a10 00000003 00000001 00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000001 00000000 00000000
ffffffff 00000000 00000002 00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000003 00000000 00000000
";

    fn host(text: &str) -> tempfile::TempDir {
        let root = tempfile::tempdir().expect("a directory");
        fs::create_dir_all(root.path().join("proc/net")).expect("made");
        fs::write(root.path().join(PLACE), text).expect("written");
        root
    }

    #[test]
    fn a_line_says_which_cpu_it_is_of() {
        let read = SoftnetCounts::read(host(TWO).path()).expect("as the kernel writes it");
        assert_eq!(
            read,
            [
                SoftnetCounts { cpu: 1, processed: 0xa10, dropped: 3, time_squeeze: 1 },
                SoftnetCounts { cpu: 3, processed: 0xFFFF_FFFF, dropped: 0, time_squeeze: 2 },
            ]
        );
        let old = SoftnetCounts::read(host("00000001 00000002 00000003\n00000004 0 0\n").path());
        let cpus: Vec<_> = old.expect("an older kernel's").into_iter().map(|one| one.cpu).collect();
        assert_eq!(cpus, [0, 1]);
    }

    #[test]
    fn what_is_no_such_file_is_named() {
        let error = SoftnetCounts::read(host("00000001 dropped 0\n").path()).expect_err("no number");
        assert!(error.to_string().contains(PLACE), "{error}");
        assert!(SoftnetCounts::read(Path::new("/nowhere")).is_err());
    }

    #[test]
    fn a_counter_of_32_bits_goes_round() {
        let mut cpu = Cpu::new(SoftnetCounts { cpu: 3, processed: 0xFFFF_FFFE, ..SoftnetCounts::default() });
        cpu.take(SoftnetCounts { cpu: 3, processed: 5, dropped: 1, time_squeeze: 0 });
        assert_eq!(cpu.grown(), CpuGrowth { cpu: 3, processed: 7, dropped: 1, time_squeeze: 0 });
    }
}
