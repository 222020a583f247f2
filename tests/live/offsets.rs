//! What is read at a wrong place of the kernel's structures is never believed: the verifier refuses what is no
//! member, the self-test what is another.

use libtest_mimic::Trial;
use monitor::probe::offsets::{self, Offsets};
use monitor::probe::{Attachment, Probe, ProbeError, SelfTest};
use monitor_common::RecordHeader;

use crate::harness::until;
use crate::probed::{Probed, options};
use crate::support::{Need, trial};
use crate::wire::{Pmu, datagram, quiet_pair, sender};

pub(crate) fn trials() -> Vec<Trial> {
    const NEEDS: &[Need] = &[Need::Bpf, Need::Veth];
    vec![
        trial("the_kernels_offsets_pass_the_self_test", NEEDS, the_kernels_offsets_pass_the_self_test),
        trial("an_offset_inside_a_member_is_refused", NEEDS, an_offset_inside_a_member_is_refused),
        trial("another_members_offset_is_found_out", NEEDS, another_members_offset_is_found_out),
        trial("a_wrong_index_gives_no_stamp", NEEDS, a_wrong_index_gives_no_stamp),
        trial("no_wrong_offset_passes_the_self_test", NEEDS, no_wrong_offset_passes_the_self_test),
    ]
}

/// Loads with the running kernel's offsets but for one, which is `by` bytes off, and tests what is read.
fn with_offset(symbol: &str, by: i32) -> Result<SelfTest, ProbeError> {
    let mut offsets = offsets::of_running_kernel().unwrap();
    shift(&mut offsets, symbol, by);
    Probe::load_with_offsets(&options(), &offsets)?.self_test()
}

fn shift(offsets: &mut Offsets, symbol: &str, by: i32) {
    let (_, offset) = offsets.iter_mut().find(|(known, _)| *known == symbol).unwrap();
    *offset = offset.checked_add_signed(by).unwrap();
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

fn no_wrong_offset_passes_the_self_test() {
    for symbol in ["OFFSET_SKB_LEN", "OFFSET_NET_INUM", "OFFSET_DEV_NET", "OFFSET_DEV_IFINDEX"] {
        for by in [-4, 4] {
            match with_offset(symbol, by) {
                Err(ProbeError::Program { .. } | ProbeError::SelfTest { .. }) => {}
                other => panic!("{symbol} {by:+}: {other:?}"),
            }
        }
    }
}

/// What is read as the index is compared with the hook's own for each packet.
fn a_wrong_index_gives_no_stamp() {
    const PACKETS: u64 = 100;
    for by in [-4, 4] {
        let mut offsets = offsets::of_running_kernel().unwrap();
        shift(&mut offsets, "OFFSET_DEV_IFINDEX", by);
        let Ok(probe) = Probe::load_with_offsets(&options(), &offsets) else { continue };
        let mut pair = quiet_pair();
        let probed = Probed::with(probe, Attachment::Best, &pair);
        let (wire, mut ring) = (sender(&mut pair.stations), probed.ring());
        (0..PACKETS).for_each(|_| wire.send(&datagram(&Pmu::new(7).data())).unwrap());
        let mut read = 0;
        until("all is read", || {
            let drained = ring.drain(usize::MAX, |record| {
                let header: RecordHeader = bytemuck::pod_read_unaligned(&record[..size_of::<RecordHeader>()]);
                assert_eq!((header.receive_ns, header.softirq_ns, header.irq_ns), (0, 0, 0));
                assert_ne!(header.record_ns, 0);
            });
            read += drained.delivered;
            read == PACKETS
        });
        let counters = probed.counters();
        assert_eq!(counters.unattributed + counters.offset_mismatch, PACKETS, "{counters:?}");
    }
}
