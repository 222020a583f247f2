//! What is read at a wrong place of the kernel's structures is never believed: the verifier refuses what is no
//! member, the self-test what is another.

use libtest_mimic::Trial;
use monitor::probe::{Probe, ProbeError, SelfTest, offsets};

use crate::probed::options;
use crate::support::{Need, trial};

pub(crate) fn trials() -> Vec<Trial> {
    const NEEDS: &[Need] = &[Need::Bpf, Need::Veth];
    vec![
        trial("the_kernels_offsets_pass_the_self_test", NEEDS, the_kernels_offsets_pass_the_self_test),
        trial("an_offset_inside_a_member_is_refused", NEEDS, an_offset_inside_a_member_is_refused),
        trial("another_members_offset_is_found_out", NEEDS, another_members_offset_is_found_out),
        trial("no_wrong_offset_is_believed", NEEDS, no_wrong_offset_is_believed),
    ]
}

/// Loads with the running kernel's offsets but for one, which is `by` bytes off, and tests what is read.
fn with_offset(symbol: &str, by: i32) -> Result<SelfTest, ProbeError> {
    let mut offsets = offsets::of_running_kernel().unwrap();
    let (_, offset) = offsets.iter_mut().find(|(known, _)| *known == symbol).unwrap();
    *offset = offset.checked_add_signed(by).unwrap();
    Probe::load_with_offsets(&options(), &offsets)?.self_test()
}

fn the_kernels_offsets_pass_the_self_test() {
    assert_eq!(with_offset("OFFSET_SKB_LEN", 0).unwrap(), SelfTest::Passed);
}

fn an_offset_inside_a_member_is_refused() {
    for (symbol, by) in
        [("OFFSET_SKB_LEN", 1), ("OFFSET_SKB_LEN", 2), ("OFFSET_SKB_DEV", 4), ("OFFSET_DEV_IFINDEX", 2)]
    {
        let refused = with_offset(symbol, by).unwrap_err();
        assert!(matches!(&refused, ProbeError::Program { program, .. } if program == "receive"), "{refused}");
    }
}

fn another_members_offset_is_found_out() {
    // `data_len` stands behind `len` in every kernel: another 32-bit number, 0 for a packet that lies in one piece.
    let found_out = with_offset("OFFSET_SKB_LEN", 4).unwrap_err();
    assert!(matches!(found_out, ProbeError::SelfTest { .. }), "{found_out}");
    let text = found_out.to_string();
    assert!(text.contains("length 0") && text.contains("length 365") && text.contains("vmlinux"), "{text}");
}

fn no_wrong_offset_is_believed() {
    for symbol in ["OFFSET_SKB_LEN", "OFFSET_DEV_IFINDEX", "OFFSET_NET_INUM", "OFFSET_DEV_NET"] {
        for by in [-16, -12, -8, -4, 4, 8, 12, 16] {
            match with_offset(symbol, by) {
                Err(ProbeError::Program { .. } | ProbeError::SelfTest { .. }) => {}
                other => panic!("{symbol} {by:+}: {other:?}"),
            }
        }
    }
}
