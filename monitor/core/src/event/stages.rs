//! How long each stage of a frame's way took.

use crate::{packet::Stamps, time::Mono};

/// A stage, named as in the JSON that other programs read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Stage {
    /// From the network card's stamp to `netif_receive_skb`.
    HardwareToReceive,
    /// From the interrupt handler's entry to the softirq's.
    IrqToSoftirq,
    /// From the softirq's entry to `netif_receive_skb`.
    SoftirqToReceive,
    /// From `netif_receive_skb`, or the XDP program's entry, to just before the record entered the ring. Left out at XDP
    /// for a packet of up to 512 bytes, of which one reading of the clock is both its receive stamp and its record's.
    ReceiveToRing,
    /// From there to the reader's first look.
    RingToReader,
    /// From there until the frame was decoded.
    ReaderToDecoded,
    /// The whole way from `netif_receive_skb`.
    ReceiveToDecoded,
}

impl Stage {
    /// All of them, in the order of the way.
    pub const ALL: [Self; 7] = [
        Self::HardwareToReceive,
        Self::IrqToSoftirq,
        Self::SoftirqToReceive,
        Self::ReceiveToRing,
        Self::RingToReader,
        Self::ReaderToDecoded,
        Self::ReceiveToDecoded,
    ];

    /// Its name in JSON.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::HardwareToReceive => "hardware_to_receive",
            Self::IrqToSoftirq => "irq_to_softirq",
            Self::SoftirqToReceive => "softirq_to_receive",
            Self::ReceiveToRing => "receive_to_ring",
            Self::RingToReader => "ring_to_reader",
            Self::ReaderToDecoded => "reader_to_decoded",
            Self::ReceiveToDecoded => "receive_to_decoded",
        }
    }
}

/// Nanoseconds of each stage; a stage that did not happen is absent, and one above 4.29 s is held at that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stages([u32; Stage::ALL.len()]);

const ABSENT: u32 = u32::MAX;

impl Stages {
    /// No stage happened: a capture.
    pub const NONE: Self = Self([ABSENT; Stage::ALL.len()]);

    /// From a packet's stamps and the time at which its frame was decoded.
    #[must_use]
    #[inline]
    pub fn new(stamps: &Stamps, decoded: Option<Mono>) -> Self {
        // Each stage begins or ends at one of these.
        if stamps.receive.is_none() && stamps.reader.is_none() && stamps.irq.is_none() {
            return Self::NONE;
        }
        Self::of_stamps(stamps, decoded)
    }

    fn of_stamps(stamps: &Stamps, decoded: Option<Mono>) -> Self {
        let mut stages = Self::NONE;
        stages.set(Stage::HardwareToReceive, stamps.hardware, stamps.receive);
        stages.set(Stage::IrqToSoftirq, stamps.irq, stamps.softirq);
        stages.set(Stage::SoftirqToReceive, stamps.softirq, stamps.receive);
        if stamps.receive != stamps.ring {
            stages.set(Stage::ReceiveToRing, stamps.receive, stamps.ring);
        }
        stages.set(Stage::RingToReader, stamps.ring, stamps.reader);
        stages.set(Stage::ReaderToDecoded, stamps.reader, decoded);
        stages.set(Stage::ReceiveToDecoded, stamps.receive, decoded);
        stages
    }

    /// Nanoseconds of a stage, where it happened.
    #[must_use]
    pub const fn get(&self, stage: Stage) -> Option<u32> {
        match self.0[stage as usize] {
            ABSENT => None,
            ns => Some(ns),
        }
    }

    /// The stages that happened.
    pub fn iter(&self) -> impl Iterator<Item = (Stage, u32)> + '_ {
        Stage::ALL.into_iter().filter_map(|stage| Some((stage, self.get(stage)?)))
    }

    fn set(&mut self, stage: Stage, from: Option<Mono>, to: Option<Mono>) {
        if let (Some(from), Some(to)) = (from, to) {
            // A stage that ends before it begins belongs to two packets or two clocks: it cannot be attributed.
            if let Some(ns) = to.ns().checked_sub(from.ns()) {
                self.0[stage as usize] = u32::try_from(ns).unwrap_or(ABSENT - 1).min(ABSENT - 1);
            }
        }
    }
}

impl Default for Stages {
    fn default() -> Self {
        Self::NONE
    }
}
