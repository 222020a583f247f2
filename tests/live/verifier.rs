//! What the programs cost the kernel's verifier: it gives up at a million instructions looked at, and the look is a good
//! part of the time that a run takes to begin.

use aya::programs::loaded_programs;
use libtest_mimic::Trial;

use crate::endings::programs;
use crate::harness::Monitor;
use crate::support::{Need, trial};
use crate::wire::quiet_pair;

pub(crate) fn trials() -> Vec<Trial> {
    const NEEDS: &[Need] = &[Need::Bpf, Need::Veth];
    vec![trial("no_program_is_near_the_verifiers_limit", NEEDS, no_program_is_near_the_verifiers_limit)]
}

/// `BPF_COMPLEXITY_LIMIT_INSNS` of the kernel's include/linux/bpf.h.
const LIMIT: u32 = 1_000_000;
/// Kernels differ in which ways through a program they take for the same: what one looks at, another looks at in part or
/// several times.
const MOST: u32 = LIMIT * 3 / 4;

fn no_program_is_near_the_verifiers_limit() {
    for (hook, transport) in [("tc", "ring"), ("xdp", "ring"), ("tc", "perf"), ("xdp", "perf")] {
        let pair = quiet_pair();
        let arguments = ["--hook", hook, "--transport", transport];
        let running = Monitor::on(&pair).args(arguments).start().attached();
        let held = programs(&running);
        let own = loaded_programs().map_while(Result::ok).filter(|program| held.contains(&program.id()));
        let looked_at: Vec<_> = own
            .filter_map(|program| {
                let name = program.name_as_str()?.to_owned();
                // Kernels before 5.16 do not tell.
                Some((name, program.verified_instruction_count()?))
            })
            .collect();
        assert!(looked_at.iter().all(|&(_, instructions)| instructions < MOST), "{transport}: {looked_at:?}");
        running.stop().adds_up();
    }
}
