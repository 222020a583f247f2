use super::*;
use crate::hub::blame::{DroppedPacket, Loss, News};
use monitor_core::event::Transport;

const SECOND: i64 = 1_000_000_000;
const KEY: StreamKey =
    StreamKey { source: [1; 16], destination: [2; 16], transport: Transport::Udp, idcode: 7 };
const ETH: InterfaceId = InterfaceId(1);

fn id(number: u32) -> StreamId {
    StreamId(number.try_into().unwrap())
}

fn gap(first: u64, frames: u32, since: i64, until: i64) -> Gap {
    Gap { first, frames, since: Some(since), until, ..Gap::default() }
}

fn loss(blame: Blame, reason: &str, packets: u64, from: i64, to: i64) -> News {
    let interface = (blame == Blame::Nic).then_some(ETH);
    News::Lost(Loss { from, to, interface, blame, reason: reason.into(), packets })
}

struct Scene {
    inbox: Inbox,
    ledger: Ledger,
    missing: u32,
}

impl Scene {
    /// Everything but drops is watched from 0 on.
    fn new() -> Self {
        let inbox = Inbox::default();
        let ledger = Ledger::new(inbox.clone());
        let scene = Self { inbox, ledger, missing: 0 };
        scene.read(0);
        scene
    }

    fn read(&self, until: i64) {
        for what in [Watched::Ring, Watched::Host] {
            self.inbox.leave(News::Read { what, until });
        }
    }

    fn open(&mut self, gap: Gap) {
        self.missing += gap.frames;
        self.ledger.note(id(1), Some(&KEY), ETH, Missing::Opened(gap));
    }

    fn fill(&mut self, index: u64) {
        self.missing -= 1;
        self.ledger.note(id(1), Some(&KEY), ETH, Missing::Filled { index });
    }

    /// By whom, after asserting that the sum comes out.
    fn blamed(&self) -> Vec<(&'static str, u64)> {
        let view = self.ledger.view(id(1), self.missing, 0);
        assert_eq!(view.counters().unaccounted, 0, "{view:?}");
        view.named().0
    }

    fn rows(&self) -> Vec<(Blame, String, Certainty, u64)> {
        let rows = self.ledger.view(id(1), self.missing, 0).rows().into_iter();
        rows.map(|row| (row.blame, row.reason.to_string(), row.evidence, row.frames)).collect()
    }
}

#[test]
fn a_frame_is_pending_until_all_counters_were_read_behind_it() {
    let mut scene = Scene::new();
    scene.open(gap(5, 3, SECOND, 2 * SECOND));
    scene.read(3 * SECOND);
    scene.ledger.settle();
    assert_eq!(scene.blamed(), [("pending", 3)], "a card's counters may be two seconds late");
    scene.read(4 * SECOND);
    scene.ledger.settle();
    assert_eq!(scene.rows(), [(Blame::Pmu, "no_loss_seen".to_owned(), Certainty::None, 3)]);
    assert_eq!(scene.blamed(), [("pmu", 3)]);
}

#[test]
fn where_drops_are_watched_too_it_is_surer_that_there_was_no_loss() {
    let mut scene = Scene::new();
    scene.inbox.leave(News::Read { what: Watched::Drops, until: 0 });
    scene.open(gap(5, 1, SECOND, 2 * SECOND));
    scene.ledger.finish();
    assert_eq!(scene.rows(), [(Blame::Pmu, "no_loss_seen".to_owned(), Certainty::Window, 1)]);
}

#[test]
fn what_was_counted_once_excuses_one_frame_once() {
    let mut scene = Scene::new();
    scene.inbox.leave(loss(Blame::Ring, "ring_full", 4, 0, SECOND));
    scene.open(gap(5, 3, 1, 2));
    scene.open(gap(9, 3, 4, 5));
    scene.ledger.finish();
    assert_eq!(scene.blamed(), [("pmu", 2), ("ring", 4)]);
}

#[test]
fn only_what_was_lost_within_the_gap_explains_it() {
    let mut scene = Scene::new();
    scene.inbox.leave(loss(Blame::Ring, "ring_full", 9, 0, SECOND));
    scene.inbox.leave(loss(Blame::Nic, "rx_missed_errors", 9, 8 * SECOND, 9 * SECOND));
    scene.open(gap(5, 1, 2 * SECOND, 3 * SECOND));
    scene.ledger.finish();
    assert_eq!(scene.blamed(), [("pmu", 1)]);
}

/// A reading of counters begins before what is lost next: each gap touches the next one's losses as well as its own.
#[test]
fn a_gap_leaves_the_next_one_what_that_needs() {
    let mut scene = Scene::new();
    for round in 0..3 {
        let at = round * SECOND;
        scene.inbox.leave(loss(Blame::Ring, "ring_full", 3, at, at + SECOND));
        scene.open(gap(10 * u64::try_from(round).unwrap(), 3, at + SECOND / 2, at + SECOND + 1));
    }
    scene.ledger.finish();
    assert_eq!(scene.blamed(), [("ring", 9)]);
}

#[test]
fn a_card_on_another_interface_is_not_blamed() {
    let mut scene = Scene::new();
    scene.inbox.leave(loss(Blame::Nic, "rx_missed_errors", 1, SECOND, 2 * SECOND));
    scene.ledger.note(id(2), None, InterfaceId(9), Missing::Opened(gap(5, 1, SECOND, SECOND + 1)));
    scene.ledger.finish();
    assert_eq!(scene.ledger.view(id(2), 1, 0).named().0, [("pmu", 1)]);
}

#[test]
fn what_was_not_read_is_not_known() {
    let mut scene = Scene::new();
    scene.inbox.leave(News::Unread { what: Watched::Host, from: SECOND, to: 2 * SECOND });
    scene.open(gap(5, 1, 2 * SECOND, 3 * SECOND));
    scene.open(gap(7, 1, 4 * SECOND, 5 * SECOND));
    scene.open(Gap { since: None, ..gap(1, 1, 0, 6 * SECOND) });
    scene.ledger.finish();
    assert_eq!(scene.blamed(), [("pmu", 1), ("unknown", 2)]);
    let mut nothing = Scene { ledger: Ledger::default(), ..Scene::new() };
    nothing.open(gap(5, 1, 2 * SECOND, 3 * SECOND));
    nothing.ledger.finish();
    assert_eq!(nothing.rows(), [(Blame::Unknown, "not_read".to_owned(), Certainty::None, 1)]);
}

#[test]
fn a_packet_that_the_kernel_dropped_is_blamed_on_its_reason_and_only_for_its_flow() {
    let packet = |source, at, evidence| {
        let (destination, transport) = ([2; 16], Transport::Udp);
        News::Dropped(DroppedPacket {
            at,
            source,
            destination,
            transport,
            reason: "TC_INGRESS".into(),
            evidence,
        })
    };
    let mut scene = Scene::new();
    scene.inbox.leave(packet([1; 16], 5, Certainty::Exact));
    scene.inbox.leave(packet([9; 16], 6, Certainty::Exact));
    scene.inbox.leave(packet([1; 16], 30, Certainty::Exact));
    scene.inbox.leave(packet([1; 16], 7, Certainty::Window));
    scene.open(gap(5, 3, 1, 20));
    scene.ledger.finish();
    let kernel = |evidence| (Blame::Kernel, "TC_INGRESS".to_owned(), evidence, 1);
    assert_eq!(
        scene.rows(),
        [
            (Blame::Pmu, "no_loss_seen".to_owned(), Certainty::None, 1),
            kernel(Certainty::Exact),
            kernel(Certainty::Window),
        ]
    );
}

#[test]
fn what_the_frames_tell_goes_before_what_was_counted() {
    let mut scene = Scene::new();
    scene.inbox.leave(loss(Blame::Ring, "ring_full", 9, 0, SECOND));
    scene.open(Gap { damaged: 1, unplaced: 1, ..gap(5, 3, 1, 2) });
    scene.open(Gap { carriage: Carriage::Whole, ..gap(15, 2, 3, 4) });
    scene.open(Gap { carriage: Carriage::GivenUp, ..gap(25, 1, 5, 6) });
    scene.open(Gap { carriage: Carriage::Torn, ..gap(35, 9, 7, 8) });
    scene.ledger.finish();
    assert_eq!(scene.blamed(), [("pmu", 2), ("wire", 2), ("ring", 9), ("reader", 2)]);
}

#[test]
fn a_frame_that_comes_late_takes_its_blame_back() {
    let mut scene = Scene::new();
    scene.inbox.leave(loss(Blame::Ring, "ring_full", 2, 0, SECOND));
    scene.open(gap(5, 2, 1, 2));
    scene.open(gap(9, 2, 3, 4));
    scene.fill(10);
    assert_eq!(scene.blamed(), [("pending", 3)]);
    scene.ledger.finish();
    assert_eq!(scene.blamed(), [("pmu", 1), ("ring", 2)]);
    // Of the other gap, though its frame is the less sure one.
    let ring = scene.rows().into_iter().find(|row| row.0 == Blame::Ring).unwrap();
    assert_eq!(ring.3, 2);
    scene.fill(5);
    scene.fill(6);
    scene.fill(9);
    assert_eq!(scene.blamed(), []);
}

#[test]
fn what_was_not_told_of_is_unknown_and_what_is_too_much_is_taken_back() {
    let mut scene = Scene::new();
    scene.open(gap(5, 2, 1, 2));
    let view = |scene: &Scene, missing, untold| {
        let view = scene.ledger.view(id(1), missing, untold);
        (view.named().0, view.counters().unaccounted)
    };
    assert_eq!(view(&scene, 5, 3), (vec![("unknown", 3), ("pending", 2)], 0));
    assert_eq!(view(&scene, 1, -1), (vec![("pending", 1)], 0));
    scene.ledger.finish();
    assert_eq!(view(&scene, 1, -1), (vec![("pmu", 1)], 0));
    assert_eq!(view(&scene, 4, 1).1, 1, "one that nothing accounts for");
    // Told as late, and never as missing.
    let mut scene = Scene::new();
    scene.ledger.note(id(1), None, ETH, Missing::Filled { index: 5 });
    assert_eq!(view(&scene, 3, 4), (vec![("unknown", 3)], 0));
}

#[test]
fn more_gaps_than_are_held_are_taken_together_and_add_up() {
    let mut scene = Scene::new();
    for number in 0..3_000 {
        let index = 10 * number;
        let at = i64::try_from(index).unwrap();
        scene.open(gap(index, 2, at, at + 5));
    }
    assert_eq!(scene.blamed(), [("pending", 6_000)]);
    scene.inbox.leave(loss(Blame::Ring, "ring_full", 1_000, 0, 40_000));
    scene.ledger.finish();
    assert_eq!(scene.blamed(), [("pmu", 5_000), ("ring", 1_000)]);
    (0..3_000).for_each(|number| scene.fill(10 * number));
    assert_eq!(scene.blamed(), [("pmu", 2_000), ("ring", 1_000)], "the least sure first");
}
