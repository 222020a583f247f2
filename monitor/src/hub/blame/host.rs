//! What the host's own counters say of who lost how much.

use std::sync::Arc;

use super::evidence::Loss;
use super::tally::Blame;
use crate::losses::{HostLosses, InterfaceGrowth, LinkCounts, LostBy, lost_by};

/// What has grown between two readings, made at `from` and at `to`.
///
/// A counter that says two things is blamed on nobody: `rx_dropped` counts packets that no program takes too, which the
/// hook has seen, and `rx_errors` what a driver counts nowhere else. A counter of the driver's own is heeded where no
/// counter of the kernel's blames the same one: both count the same packets.
#[must_use]
pub fn losses_between(before: &HostLosses, now: &HostLosses, from: i64, to: i64) -> Vec<Loss> {
    let loss = |interface, blame, reason: &str, packets| Loss {
        from,
        to,
        interface,
        blame,
        reason: Arc::from(reason),
        packets,
    };
    let mut losses = Vec::new();
    for (place, interface) in now.interfaces.iter().enumerate() {
        let known = before.interfaces.get(place);
        let InterfaceGrowth { id, grown, driver, .. } = interface;
        let told = grown_since(grown, &known.map(|one| one.grown).unwrap_or_default());
        let is_told = |blame| told.iter().any(|(of, _, packets)| *of == blame && *packets > 0);
        for (name, now) in driver {
            let blame = match lost_by(name) {
                Some(LostBy::Card) => Blame::Nic,
                Some(LostBy::Wire) => Blame::Wire,
                Some(LostBy::Program) => Blame::Kernel,
                None => continue,
            };
            let then = known.and_then(|one| one.driver.get(name)).copied().unwrap_or(0);
            if !is_told(blame) {
                losses.push(loss(Some(*id), blame, name, now.saturating_sub(then)));
            }
        }
        losses.extend(told.map(|(blame, reason, packets)| loss(Some(*id), blame, reason, packets)));
    }
    for cpu in &now.softnet {
        let known = before.softnet.iter().find(|one| one.cpu == cpu.cpu).map_or(0, |one| one.dropped);
        losses.push(loss(None, Blame::Kernel, "softnet_dropped", cpu.dropped - known.min(cpu.dropped)));
    }
    losses.retain(|loss| loss.packets > 0);
    losses
}

/// `struct rtnl_link_stats64` (`include/uapi/linux/if_link.h`) says what each is.
fn grown_since(now: &LinkCounts, before: &LinkCounts) -> [(Blame, &'static str, u64); 8] {
    let of = |pick: fn(&LinkCounts) -> u64| pick(now).saturating_sub(pick(before));
    let [missed, fifo, over] = [of(|one| one.missed), of(|one| one.fifo), of(|one| one.over)];
    let [crc, frame, length] = [of(|one| one.crc), of(|one| one.frame), of(|one| one.length)];
    let others = of(|one| one.errors).saturating_sub(fifo + over + crc + frame + length);
    [
        (Blame::Nic, "rx_missed_errors", missed),
        (Blame::Nic, "rx_fifo_errors", fifo),
        (Blame::Nic, "rx_over_errors", over),
        (Blame::Wire, "rx_crc_errors", crc),
        (Blame::Wire, "rx_frame_errors", frame),
        (Blame::Wire, "rx_length_errors", length),
        (Blame::Unknown, "rx_errors", others),
        (Blame::Unknown, "rx_dropped", of(|one| one.dropped)),
    ]
}

#[cfg(test)]
mod tests {
    use monitor_core::packet::InterfaceId;

    use super::*;
    use crate::losses::CpuGrowth;

    fn read(grown: LinkCounts, dropped: u64) -> HostLosses {
        let interface = InterfaceGrowth { id: InterfaceId(3), grown, ..InterfaceGrowth::default() };
        let cpu = CpuGrowth { cpu: 1, dropped, ..CpuGrowth::default() };
        HostLosses { interfaces: vec![interface], softnet: vec![cpu] }
    }

    #[test]
    fn what_has_grown_is_blamed_on_whom_it_names_and_once() {
        let before = read(LinkCounts { missed: 5, crc: 1, errors: 1, ..LinkCounts::default() }, 7);
        let grown = LinkCounts { missed: 8, crc: 2, errors: 4, dropped: 1, ..LinkCounts::default() };
        let told: Vec<_> = losses_between(&before, &read(grown, 9), 10, 20)
            .into_iter()
            .map(|loss| (loss.blame, loss.reason.to_string(), loss.packets, loss.interface.map(|id| id.0)))
            .collect();
        let expected = [
            (Blame::Nic, "rx_missed_errors", 3, Some(3)),
            (Blame::Wire, "rx_crc_errors", 1, Some(3)),
            (Blame::Unknown, "rx_errors", 2, Some(3)),
            (Blame::Unknown, "rx_dropped", 1, Some(3)),
            (Blame::Kernel, "softnet_dropped", 2, None),
        ];
        assert_eq!(told, expected.map(|(blame, name, packets, at)| (blame, name.to_owned(), packets, at)));
        assert_eq!(losses_between(&before, &before, 10, 20), []);
    }

    #[test]
    fn what_card_and_kernel_both_count_is_told_once() {
        let of = |missed, drops, crc| {
            let mut host = read(LinkCounts { missed, ..LinkCounts::default() }, 0);
            let driver = [("rx_queue_0_drops", drops), ("rx_crc_errors_phy", crc)];
            host.interfaces[0].driver = driver.map(|(name, count)| (Arc::from(name), count)).into();
            host
        };
        let told = |before, now| {
            let losses: Vec<_> = losses_between(&before, &now, 10, 20)
                .into_iter()
                .map(|loss| (loss.blame, loss.reason.to_string(), loss.packets))
                .collect();
            losses
        };
        let crc = (Blame::Wire, "rx_crc_errors_phy".to_owned(), 1);
        let missed = (Blame::Nic, "rx_missed_errors".to_owned(), 2);
        assert_eq!(told(of(0, 5, 0), of(2, 7, 1)), [crc, missed]);
        assert_eq!(told(of(2, 5, 1), of(2, 7, 1)), [(Blame::Nic, "rx_queue_0_drops".to_owned(), 2)]);
    }
}
