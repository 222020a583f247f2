//! The lanes' order and bounds, the wake-up under stress, and a model of its protocol.

use std::num::NonZeroU32;
use std::thread;

use monitor_core::event::{BytesAt, EventKind, Stages, StreamCounts, StreamId, StreamKey, Transport};
use monitor_core::packet::InterfaceId;
use monitor_core::time::Nanos;

use super::*;

mod model;

fn event(kind: EventKind, number: i64) -> Event {
    Event {
        arrival: Nanos(number),
        first_arrival: Nanos(number),
        bytes: BytesAt::default(),
        stages: Stages::NONE,
        stream: NonZeroU32::new(1).map(StreamId),
        config: None,
        interface: InterfaceId(0),
        kind,
    }
}

fn data(number: i64) -> Event {
    event(EventKind::Packet, number)
}

fn opened(number: i64) -> Event {
    let key = StreamKey { source: [0; 16], destination: [0; 16], transport: Transport::Udp, idcode: 1 };
    event(EventKind::StreamOpened(key, None), number)
}

fn small() -> QueueBounds {
    QueueBounds { data: LaneBounds { events: 4, bytes: 64 }, control: LaneBounds { events: 2, bytes: 16 } }
}

fn drain(receiver: &mut QueueReceiver) -> Vec<(i64, Vec<u8>)> {
    let mut seen = Vec::new();
    receiver.receive(|event, bytes| seen.push((event.arrival.0, bytes.to_vec())));
    seen
}

#[test]
fn what_does_not_fit_is_counted_by_class_and_costs_no_bytes() {
    let (mut sender, mut receiver) = channel(&small(), Classes::NONE).unwrap();
    for number in 0..6 {
        assert_eq!(sender.offer(&data(number), &[0xAB; 10]), number < 4);
    }
    assert!(!sender.offer(&event(EventKind::StreamCounts(StreamCounts::default(), 0), 9), &[]));
    // The control lane is a place of its own.
    assert!(sender.announce(&opened(100), &[1; 16]));
    assert!(!sender.announce(&opened(101), &[1]));
    assert!(sender.announce(&opened(102), &[]));
    let counts = sender.counts();
    let packet = Class::Packet as usize;
    assert_eq!(
        (counts.data.offered[packet], counts.data.taken[packet], counts.data.dropped[packet]),
        (6, 4, 2)
    );
    assert_eq!(counts.data.dropped[Class::StreamState as usize], 1);
    assert_eq!(counts.control.dropped[Class::Opened as usize], 1);
    assert_eq!(counts.total().unaccounted(), 0);
    assert_eq!((sender.taken(), sender.passed()), (4, 0));
    let seen = drain(&mut receiver);
    assert_eq!(seen.iter().map(|(number, _)| *number).collect::<Vec<_>>(), [100, 102, 0, 1, 2, 3]);
    assert_eq!((sender.taken(), sender.passed()), (4, 4));
}

#[test]
fn bytes_that_straddle_the_end_of_the_ring_come_whole() {
    let (mut sender, mut receiver) = channel(&small(), Classes::NONE).unwrap();
    for number in 0..500_u16 {
        let bytes: Vec<u8> =
            (0..number % 41).map(|at| number.to_le_bytes()[0].wrapping_add(at.to_le_bytes()[0])).collect();
        assert!(sender.offer(&data(i64::from(number)), &bytes));
        assert_eq!(drain(&mut receiver), [(i64::from(number), bytes)]);
    }
}

#[test]
fn names_are_wanted_whatever_the_sinks_want() {
    let (sender, _receiver) = channel(&small(), Classes::NONE.with(Class::Candidate)).unwrap();
    assert!(sender.wants(Class::Opened) && sender.wants(Class::Config) && sender.wants(Class::Candidate));
    assert!(!sender.wants(Class::Frame) && !sender.wants(Class::Packet));
}

#[test]
fn a_hub_that_is_awake_costs_no_system_call() {
    let (mut sender, mut receiver) = channel(&small(), Classes::NONE).unwrap();
    assert!(sender.offer(&data(1), &[]));
    assert!(!sender.flush());
    assert_eq!(receiver.wait(None).unwrap(), Woken::Ready);
    drain(&mut receiver);
    assert_eq!(receiver.wait(Some(Duration::ZERO)).unwrap(), Woken::TimedOut);
    // It no longer sleeps, and nothing was sent.
    assert!(!sender.flush());
}

#[test]
fn a_hub_that_waits_learns_that_the_sender_is_gone() {
    let (mut sender, mut receiver) = channel(&small(), Classes::NONE).unwrap();
    let hub = thread::spawn(move || {
        let mut seen = 0;
        while receiver.wait(None).unwrap() != Woken::Closed {
            seen += receiver.receive(|_, _| ());
        }
        seen
    });
    assert!(sender.offer(&data(1), &[]));
    // Never flushed: the end says it all the same.
    drop(sender);
    assert_eq!(hub.join().unwrap(), 1);
}

#[test]
fn a_waker_ends_a_wait() {
    let (_sender, mut receiver) = channel(&small(), Classes::NONE).unwrap();
    let waker = receiver.waker();
    let hub = thread::spawn(move || receiver.wait(None).unwrap());
    waker.wake();
    assert_eq!(hub.join().unwrap(), Woken::TimedOut);
}

/// Sends in small batches with pauses so short that the hub is always about to sleep. The hub waits without limit: a
/// wake-up that is lost hangs the test. Every event carries its number, so that order and bytes are checked too.
#[test]
fn no_wake_up_is_lost_and_announcements_come_first() {
    const EVENTS: i64 = 100_000;
    let bounds = QueueBounds {
        data: LaneBounds { events: 64, bytes: 1_000 },
        control: LaneBounds { events: 1_024, bytes: 64 },
    };
    let (mut sender, mut receiver) = channel(&bounds, Classes::NONE).unwrap();
    let hub = thread::spawn(move || {
        let (mut announced, mut next, mut seen) = (-1, 0, 0_u64);
        loop {
            match receiver.wait(None).unwrap() {
                Woken::Closed => return seen,
                Woken::Ready | Woken::TimedOut => {}
            }
            receiver.receive(|event, bytes| {
                let number = event.arrival.0;
                if matches!(event.kind, EventKind::StreamOpened(..)) {
                    announced = number;
                    return;
                }
                assert!(number >= next, "data out of order");
                assert!(announced >= number / 100, "data {number} before its announcement");
                assert_eq!(bytes, number.to_le_bytes());
                next = number + 1;
                seen += 1;
            });
        }
    });
    for number in 0..EVENTS {
        if number % 100 == 0 {
            while !sender.announce(&opened(number / 100), &[]) {
                sender.flush();
                thread::yield_now();
            }
        }
        while !sender.offer(&data(number), &number.to_le_bytes()) {
            sender.flush();
            thread::yield_now();
        }
        if number % 3 == 0 {
            sender.flush();
        }
    }
    sender.flush();
    let counts = sender.counts();
    while sender.passed() < sender.taken() {
        thread::yield_now();
    }
    drop(sender);
    let seen = hub.join().unwrap();
    assert_eq!(seen, EVENTS.cast_unsigned());
    assert_eq!(counts.data.taken[Class::Packet as usize], seen);
    assert_eq!(counts.total().unaccounted(), 0);
}
