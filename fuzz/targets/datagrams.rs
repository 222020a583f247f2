//! Datagrams and packets: UDP payloads, IP fragments, and whole packets of any kind, on any ports.
#![no_main]

use libfuzzer_sys::fuzz_target;
use monitor_fuzz::input::Input;
use monitor_fuzz::judge::Judged;
use monitor_fuzz::wire::{ipv4, ipv6_fragment, record, udp};
use monitor_fuzz::{batch, frames};

/// Protocol number of UDP.
const UDP: u8 = 17;
/// Ports of a datagram: the conventional one, and another.
const PORTS: [[u16; 2]; 2] = [[4713, 40_000], [102, 40_000]];

fuzz_target!(init: batch::prepare(run), |bytes: &[u8]| run(bytes));

fn run(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let Some(first) = input.byte() else { return };
    batch::judged(bytes, first & 1 == 1, |judged, _| play(input, judged));
}

fn play(mut input: Input<'_>, judged: &mut Judged) {
    while let Some(operation) = input.byte() {
        let from = usize::from(operation >> 7);
        let interface = u16::from(operation >> 6 & 1);
        let ports = PORTS[usize::from(operation >> 5 & 1)];
        let packet = match operation & 7 {
            // A payload as it is, and sound frames of every type, alone or with bytes behind them.
            0 | 1 => ipv4(from, UDP, 0, 0, &udp(ports, input.stretch().unwrap_or_default())),
            2 => {
                let mut payload = frames::sound(input.byte().unwrap_or(0), input.byte().unwrap_or(0));
                payload.extend(input.stretch().unwrap_or_default());
                ipv4(from, UDP, 0, 0, &udp(ports, &payload))
            }
            // A fragment: which datagram, whether there are more, and its offset.
            3 => {
                let (id, word) = (input.byte().unwrap_or(0), input.byte().unwrap_or(0));
                let offset = u16::from(word & 0x7F) | u16::from(word >> 7) << 13;
                ipv4(from, UDP, u16::from(id & 3) + 1, offset, input.stretch().unwrap_or_default())
            }
            4 => {
                let (id, word) = (input.byte().unwrap_or(0), input.byte().unwrap_or(0));
                let offset = u16::from(word & 0x7F) << 3 | u16::from(word >> 7);
                ipv6_fragment(from, UDP, u32::from(id & 3), offset, input.stretch().unwrap_or_default())
            }
            // A sound frame, cut into two fragments, in either order.
            5 => {
                let datagram =
                    udp(ports, &frames::sound(input.byte().unwrap_or(0), input.byte().unwrap_or(0)));
                let cut = (usize::from(input.byte().unwrap_or(1)) * 8).clamp(8, datagram.len());
                let (head, tail) = datagram.split_at(cut - cut % 8);
                let offset = u16::try_from(head.len() / 8).unwrap_or(0);
                let parts = [ipv4(from, UDP, 9, 0x2000, head), ipv4(from, UDP, 9, offset, tail)];
                judged.push(record(&parts[usize::from(operation >> 3 & 1)], interface));
                parts.into_iter().nth(1 - usize::from(operation >> 3 & 1)).unwrap_or_default()
            }
            6 => {
                judged.pass(i64::from(input.word().unwrap_or(0)) * 1_000_000);
                continue;
            }
            // Any packet from its link header on.
            _ => input.stretch().unwrap_or_default().to_vec(),
        };
        judged.push(record(&packet, interface));
    }
}
