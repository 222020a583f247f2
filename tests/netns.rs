//! Private namespaces against the running kernel: frames cross, nothing is left behind, changes are noticed.
#![expect(clippy::unwrap_used, reason = "a panic gives a test's failure its place")]

mod support;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::{fs, iter};

use libtest_mimic::{Arguments, run};
use monitor::netns::{
    End, LinkChange, LinkEvent, LinkWatch, MacAddress, Netns, Pair, Promiscuous, interfaces, private_pair,
};
use monitor::sys::poll::{Wake, poll};
use support::{Need, trial};

/// Addresses kept for documentation (RFC 5737, RFC 3849).
const STATION_4: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
const MONITOR_4: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 9));
const STATION_6: IpAddr = IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1));
const MONITOR_6: IpAddr = IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 9));

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let veth = &[Need::Veth];
    let trials = vec![
        trial("udp_crosses_the_pair", veth, udp_crosses_the_pair),
        trial("a_jumbo_datagram_crosses_whole", veth, a_jumbo_datagram_crosses_whole),
        trial("nothing_shows_on_the_host", veth, nothing_shows_on_the_host),
        trial("the_kernel_takes_a_dropped_namespace_apart", veth, the_kernel_takes_a_dropped_namespace_apart),
        trial("the_inode_is_the_namespaces", veth, the_inode_is_the_namespaces),
        trial("the_watch_tells_every_change", veth, the_watch_tells_every_change),
        trial("the_watch_survives_lost_news", veth, the_watch_survives_lost_news),
        trial("promiscuous_mode_is_undone", veth, promiscuous_mode_is_undone),
        trial("a_static_neighbour_is_permanent", veth, a_static_neighbour_is_permanent),
        trial("refusals_name_interface_and_remedy", veth, refusals_name_interface_and_remedy),
        trial("a_vlan_carries_tagged_frames", &[Need::Veth, Need::Vlan], a_vlan_carries_tagged_frames),
    ];
    run(&arguments, trials).exit_code()
}

fn pair() -> Pair {
    private_pair("stations0", "eth1").unwrap()
}

/// Both sides with an IPv4 and an IPv6 address on the veth.
fn addressed_pair() -> Pair {
    let mut pair = pair();
    for (station, monitor, prefix) in [(STATION_4, MONITOR_4, 24), (STATION_6, MONITOR_6, 64)] {
        pair.stations.add_address(station, prefix).unwrap();
        pair.monitor.add_address(monitor, prefix).unwrap();
    }
    pair
}

fn socket(end: &End, address: IpAddr) -> UdpSocket {
    end.run(|| UdpSocket::bind((address, 0)).unwrap()).unwrap()
}

/// Sends `payload` from the station's address to the monitor's and asserts that it arrives as it was.
fn send_across(pair: &Pair, station: IpAddr, monitor: IpAddr, payload: &[u8]) {
    let (sender, receiver) = (socket(&pair.stations, station), socket(&pair.monitor, monitor));
    sender.send_to(payload, receiver.local_addr().unwrap()).unwrap();
    let mut buffer = vec![0; payload.len() + 1];
    let (length, from): (usize, SocketAddr) = receiver.recv_from(&mut buffer).unwrap();
    assert_eq!(&buffer[..length], payload);
    assert_eq!(from, sender.local_addr().unwrap());
}

fn udp_crosses_the_pair() {
    let pair = addressed_pair();
    send_across(&pair, STATION_4, MONITOR_4, b"over IPv4");
    send_across(&pair, STATION_6, MONITOR_6, b"over IPv6");
}

fn a_jumbo_datagram_crosses_whole() {
    const MTU: u32 = 9000;
    const IPV4_AND_UDP: u32 = 28;
    let mut pair = addressed_pair();
    pair.set_mtu(MTU).unwrap();
    assert_eq!(pair.monitor.interface().unwrap().mtu, MTU);
    let largest: Vec<u8> = (0..MTU - IPV4_AND_UDP).map(|place| place.to_le_bytes()[0]).collect();
    send_across(&pair, STATION_4, MONITOR_4, &largest);
    let fragments = pair.monitor.run(|| snmp("Ip", "ReasmOKs")).unwrap();
    assert_eq!(fragments, 0, "the datagram was cut although the MTU holds it");
}

/// A counter of the current namespace.
fn snmp(protocol: &str, counter: &str) -> u64 {
    let text = fs::read_to_string("/proc/thread-self/net/snmp").unwrap();
    let prefix = format!("{protocol}:");
    let mut lines = text.lines().filter_map(|line| line.strip_prefix(&prefix));
    let (names, values) = (lines.next().unwrap(), lines.next().unwrap());
    let mut columns = names.split_whitespace().zip(values.split_whitespace());
    columns.find(|&(name, _)| name == counter).unwrap().1.parse().unwrap()
}

fn host() -> Vec<(u32, String)> {
    interfaces().unwrap().into_iter().map(|one| (one.index, one.name)).collect()
}

fn nothing_shows_on_the_host() {
    let (before, own) = (host(), Netns::current().unwrap().inode());
    let pair = addressed_pair();
    assert_eq!(host(), before, "while the pair is there");
    let panicked = catch_unwind(AssertUnwindSafe(|| pair.monitor.run(|| panic!("a test gone wrong"))));
    assert_eq!(panicked.unwrap_err().downcast_ref(), Some(&"a test gone wrong"));
    assert_eq!(Netns::current().unwrap().inode(), own, "after a panic inside");
    drop(pair);
    assert_eq!(host(), before, "after the pair is gone");
}

fn the_kernel_takes_a_dropped_namespace_apart() {
    let Pair { stations, mut monitor } = pair();
    let index = monitor.interface().unwrap().index;
    let mut watch = monitor.netns().watch().unwrap();
    drop(stations);
    // Its veth goes with it, and so does the other end: only the last reference can have brought that about.
    let last = changes(&mut watch).find(|event| event.change == LinkChange::Removed).unwrap();
    assert_eq!(last.index, index);
}

fn the_inode_is_the_namespaces() {
    let pair = pair();
    let inside = || fs::metadata("/proc/thread-self/ns/net").unwrap().ino();
    assert_eq!(pair.monitor.run(inside).unwrap(), u64::from(pair.monitor.netns().inode()));
    assert_ne!(pair.monitor.netns().inode(), pair.stations.netns().inode());
    assert_ne!(u64::from(pair.monitor.netns().inode()), inside());
}

/// The watch's news, one after the other, waiting for more where there is none.
fn changes(watch: &mut LinkWatch) -> impl Iterator<Item = LinkEvent> + '_ {
    iter::repeat_with(move || {
        assert!(matches!(poll(&[watch.as_fd()], None).unwrap(), Wake::Ready(_)));
        watch.drain().unwrap()
    })
    .flatten()
}

fn the_watch_tells_every_change() {
    let mut pair = pair();
    let index = pair.monitor.interface().unwrap().index;
    let mut watch = pair.monitor.netns().watch().unwrap();
    assert_eq!(watch.drain().unwrap(), [], "what was there before is no news");
    assert!(watch.exists(index));
    pair.monitor.links().set_down("eth1").unwrap();
    pair.monitor.links().rename("eth1", "mirror0").unwrap();
    pair.monitor.links().set_up("mirror0").unwrap();
    let event = |name: &str, change| LinkEvent { index, name: name.to_owned(), change };
    let told: Vec<_> = changes(&mut watch).take(3).collect();
    let renamed = LinkChange::Renamed { from: "eth1".to_owned() };
    let wanted =
        [event("eth1", LinkChange::Down), event("mirror0", renamed), event("mirror0", LinkChange::Up)];
    assert_eq!(told, wanted);
    pair.stations.links().delete("stations0").unwrap();
    let last = changes(&mut watch).find(|event| event.change == LinkChange::Removed);
    assert_eq!(last, Some(event("mirror0", LinkChange::Removed)));
    assert!(!watch.exists(index));
}

fn the_watch_survives_lost_news() {
    const MORE_THAN_A_SOCKET_HOLDS: u32 = 1000;
    let mut pair = pair();
    let index = pair.monitor.interface().unwrap().index;
    let mut watch = pair.monitor.netns().watch().unwrap();
    for round in 0..MORE_THAN_A_SOCKET_HOLDS {
        pair.monitor.links().set_mtu("eth1", 1400 + round % 2).unwrap();
    }
    pair.stations.links().delete("stations0").unwrap();
    let told = watch.drain().unwrap();
    assert_eq!(told.last().map(|event| (event.index, &event.change)), Some((index, &LinkChange::Removed)));
}

fn promiscuous_mode_is_undone() {
    let mut pair = pair();
    let count = |pair: &mut Pair| pair.monitor.interface().unwrap().promiscuity;
    assert_eq!(count(&mut pair), 0);
    let hold = |pair: &Pair| pair.monitor.run(|| Promiscuous::enable("eth1")).unwrap().unwrap();
    let (first, second) = (hold(&pair), hold(&pair));
    assert_eq!(count(&mut pair), 2);
    drop(first);
    assert_eq!(count(&mut pair), 1, "the other holder's share is not touched");
    drop(second);
    assert_eq!(count(&mut pair), 0);
    let refused = pair.monitor.run(|| Promiscuous::enable("eth9")).unwrap().unwrap_err().to_string();
    assert!(refused.contains("eth9") && refused.contains("gone away"), "{refused}");
}

fn a_static_neighbour_is_permanent() {
    const MAC: MacAddress = MacAddress([2, 0, 0, 0, 0, 0x77]);
    /// `ATF_COM | ATF_PERM` of the table's flags column.
    const COMPLETE_AND_PERMANENT: &str = "0x6";
    let mut pair = addressed_pair();
    pair.stations.add_neighbour(MONITOR_4, MAC).unwrap();
    let table = || fs::read_to_string("/proc/thread-self/net/arp").unwrap();
    let table = pair.stations.run(table).unwrap();
    let entry = table.lines().find(|line| line.starts_with(&MONITOR_4.to_string())).unwrap();
    assert!(entry.contains(&MAC.to_string()) && entry.contains(COMPLETE_AND_PERMANENT), "{entry}");
}

fn refusals_name_interface_and_remedy() {
    let mut pair = pair();
    let taken = pair.stations.links().create_veth("stations0", "other", pair.monitor.netns());
    let taken = taken.unwrap_err().to_string();
    assert!(taken.contains("stations0") && taken.contains("create the veth pair"), "{taken}");
    assert!(taken.contains("choose another"), "{taken}");
    let absent = pair.stations.links().set_up("eth1").unwrap_err().to_string();
    assert!(absent.contains("eth1 does not exist") && absent.contains("lo, stations0"), "{absent}");
    let range = pair.stations.links().set_mtu("stations0", 67).unwrap_err().to_string();
    assert!(range.contains("stations0: cannot set its MTU") && range.contains("outside"), "{range}");
    let prefix = pair.stations.add_address(STATION_4, 33).unwrap_err().to_string();
    assert!(prefix.contains("stations0: cannot add the address"), "{prefix}");
}

fn a_vlan_carries_tagged_frames() {
    let mut pair = pair();
    for (end, address) in [(&mut pair.stations, STATION_4), (&mut pair.monitor, MONITOR_4)] {
        let parent = end.name().to_owned();
        end.links().create_vlan(&parent, "bus.7", 7).unwrap();
        end.links().set_up("bus.7").unwrap();
        end.links().add_address("bus.7", address, 24).unwrap();
    }
    send_across(&pair, STATION_4, MONITOR_4, b"tagged");
}
