//! The kernel's table of streams: whichever place in it streams have, each is counted, and what has none is.

use std::collections::BTreeSet;

use libtest_mimic::Trial;
use monitor::probe::{Probe, Subject};
use monitor::reader::Ring;
use monitor_common::{STREAMS_MAX, Taken};

use crate::packets::{self, IPV4, UDP};
use crate::probed::options;
use crate::support::{Need, trial};
use crate::wire::PORT;

pub(crate) fn trials() -> Vec<Trial> {
    const NEEDS: &[Need] = &[Need::Bpf];
    vec![trial("a_full_table_of_streams_hides_none_that_is_in_it", NEEDS, a_full_table_hides_none)]
}

/// More than there is room for.
const STREAMS: u16 = 4_500;
const _: () = assert!(STREAMS as usize > STREAMS_MAX);
/// So many have room for certain, as nearly as numbers can be told: each has 16 places, of which less than a third is
/// taken.
const CERTAIN: u16 = 1_200;
const ROUNDS: u64 = 2;

fn a_full_table_hides_none() {
    let mut probe = Probe::load(&options()).unwrap();
    probe.load_subject(Subject::Ingress).unwrap();
    let kernel = probe.kernel();
    let mut ring = Ring::map(kernel.ring(), kernel.ring_bytes().unwrap(), kernel.reader_page()).unwrap();
    let mut size = 0;
    for _ in 0..ROUNDS {
        for idcode in 1..=STREAMS {
            let frame = packets::data_frame(idcode, 60);
            size = frame.len() as u64;
            let packet = packets::ethernet(IPV4, &packets::ipv4(UDP, &packets::udp(40_000, PORT, &frame)));
            probe.trial(Subject::Ingress, &packet, 1).unwrap();
            if idcode % 1_000 == 0 {
                ring.drain(usize::MAX, |_| ());
                ring.commit(&Taken::default());
            }
        }
    }
    let streams = kernel.streams().unwrap();
    let counters = kernel.counters().unwrap();
    assert!(streams.len() <= STREAMS_MAX);
    for (key, counts) in &streams {
        assert_eq!((counts.frames, counts.bytes), (ROUNDS, ROUNDS * size), "{key:?}");
        assert!(0 < counts.gap_min_ns && counts.gap_min_ns == counts.gap_max_ns, "{counts:?}");
    }
    let known: BTreeSet<_> = streams.iter().map(|(key, _)| key.idcode).collect();
    assert_eq!(known.len(), streams.len());
    let missing: Vec<_> = (1..=CERTAIN).filter(|idcode| !known.contains(idcode)).collect();
    assert!(missing.is_empty(), "{missing:?}");
    assert_eq!(streams.len() as u64 * ROUNDS + counters.streams_full, u64::from(STREAMS) * ROUNDS);
    assert_eq!(counters.seen, u64::from(STREAMS) * ROUNDS);
}
