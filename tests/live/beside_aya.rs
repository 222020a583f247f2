//! The ring read by ours and by aya's `RingBuf`, in turns: the same records, byte for byte, of several size classes, with
//! marks that only wake in between, and around the ring's end many times.

use std::os::fd::{AsFd as _, BorrowedFd};

use aya::maps::{Array, Map, MapData, RingBuf};
use libtest_mimic::Trial;
use monitor::probe::{Kernel, Options, Probe, Sizes, Subject};
use monitor::reader::{Ring, RingView};
use monitor_common::{ReaderPage, Taken};

use crate::packets;
use crate::probed::options;
use crate::support::{Need, trial};
use crate::wire::PORT;

pub(crate) fn trials() -> Vec<Trial> {
    const NEEDS: &[Need] = &[Need::Bpf];
    vec![trial("both_readers_take_the_same_records", NEEDS, both_readers_take_the_same_records)]
}

const RING_BYTES: u32 = 256 << 10;
/// Several times around the ring.
const ROUNDS: u64 = 200;

/// The bytes of each record, in order.
type Records = Vec<Vec<u8>>;

fn both_readers_take_the_same_records() {
    let probe = Probe::load(&Options { sizes: Sizes::of_ring(RING_BYTES), ..options() }).unwrap();
    let kernel = probe.kernel();
    let mut ours = Ring::map(kernel.ring(), kernel.ring_bytes().unwrap(), kernel.reader_page()).unwrap();
    let mut theirs = RingBuf::try_from(map(kernel.ring())).unwrap();
    let view = RingView::map(kernel.ring(), kernel.reader_page()).unwrap();
    let [mut records, mut marks] = [0, 0];
    for round in 0..ROUNDS {
        // As a reader that sleeps: the first record of a round is followed by a mark that would wake it.
        pretend_to_sleep(kernel, round + 1);
        let sent = send(&probe, round);
        let (read, marked) = read(&mut ours, usize::try_from(round % 7).unwrap() + 1);
        assert_eq!(read, read_by_aya(&mut theirs), "round {round}");
        assert_eq!(read.len() as u64, sent);
        (records, marks) = (records + sent, marks + marked);
        assert_eq!(view.state().used_bytes, 0, "theirs has given back the room that ours has read");
        ours.commit(&Taken::default());
        assert_eq!(view.state().used_bytes, 0);
    }
    let counters = kernel.counters().unwrap();
    assert_eq!((counters.records, counters.ring_full, counters.read_failed), (records, 0, 0));
    assert_eq!((counters.wakeups, marks), (ROUNDS, ROUNDS));
    assert!(ours.produced() > 4 * u64::from(RING_BYTES), "{} bytes are not around it", ours.produced());
}

fn map(fd: BorrowedFd<'_>) -> Map {
    Map::from_map_data(MapData::from_fd(fd.as_fd().try_clone_to_owned().unwrap()).unwrap()).unwrap()
}

fn pretend_to_sleep(kernel: &Kernel, number: u64) {
    let mut page = Array::<_, [u8; size_of::<ReaderPage>()]>::try_from(map(kernel.reader_page())).unwrap();
    let mut words: ReaderPage = bytemuck::cast(page.get(&0, 0).unwrap());
    words.sleeping = number;
    let bytes: [u8; size_of::<ReaderPage>()] = bytemuck::cast(words);
    page.set(0, bytes, 0).unwrap();
}

/// Packets of some size classes, of each a few. Gives how many records they make.
fn send(probe: &Probe, round: u64) -> u64 {
    // As long as a packet may be that is handed to a program.
    let sizes = [18, 19, 120, 500, 1_400, 2_800, 3_400];
    (0..4)
        .map(|packet| {
            let place = usize::try_from(round * 3 + packet * 5).unwrap() % sizes.len();
            let runs = 1 + u32::try_from(round % 3).unwrap();
            probe.trial(Subject::Ingress, &packets::datagram(PORT, sizes[place]), runs).unwrap();
            u64::from(runs)
        })
        .sum()
}

/// All there is, so many at a time, and how many marks stood in between.
fn read(ring: &mut Ring, batch: usize) -> (Records, u64) {
    let (mut records, mut marks) = (Records::new(), 0);
    loop {
        let drained = ring.drain(batch, |record| records.push(record.to_vec()));
        assert_eq!(drained.discarded, 0);
        marks += drained.marks;
        if drained.delivered + drained.marks == 0 {
            return (records, marks);
        }
    }
}

fn read_by_aya(ring: &mut RingBuf<MapData>) -> Records {
    let mut records = Records::new();
    while let Some(record) = ring.next() {
        records.push(record.to_vec());
    }
    records
}
