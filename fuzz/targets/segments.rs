//! TCP segments of a few connections: in and out of order, lost, repeated, overlapping, cut anywhere, with any flags.
#![no_main]

use libfuzzer_sys::fuzz_target;
use monitor_fuzz::input::Input;
use monitor_fuzz::judge::Judged;
use monitor_fuzz::wire::{ipv4, record, tcp};
use monitor_fuzz::{batch, frames};

/// Protocol number of TCP.
const TCP: u8 = 6;
/// Connections, each with two directions.
const CONNECTIONS: usize = 4;
/// Sequence numbers begin just below where they wrap.
const FIRST_SEQUENCE: u32 = u32::MAX - 300;

fuzz_target!(init: batch::prepare(run), |bytes: &[u8]| run(bytes));

fn run(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let Some(first) = input.byte() else { return };
    batch::judged(bytes, first & 1 == 1, |judged, place| play(input, judged, place));
}

/// Connections are this input's own: its place in the batch is in the client's port.
fn play(mut input: Input<'_>, judged: &mut Judged, place: u16) {
    let mut next = [[FIRST_SEQUENCE; 2]; CONNECTIONS];
    while let Some(operation) = input.byte() {
        let (connection, from) = (usize::from(operation & 3), usize::from(operation >> 2 & 1));
        let interface = u16::from(operation >> 3 & 1);
        let client = 40_000 + 4 * place + u16::try_from(connection).unwrap_or(0);
        let ports = if from == 0 { [4712, client] } else { [client, 4712] };
        let sequence = &mut next[connection][from];
        match operation >> 4 {
            // Bytes where they are due.
            0..=3 => {
                let payload = input.stretch().unwrap_or_default();
                judged.push(record(&ipv4(from, TCP, 0, 0, &tcp(ports, *sequence, 0x18, payload)), interface));
                *sequence = sequence.wrapping_add(u32::try_from(payload.len()).unwrap_or(0));
            }
            // Sound frames where they are due, cut into two segments; the first may come after the second, or never.
            4..=8 => {
                let payload = frames::sound(input.byte().unwrap_or(0), input.byte().unwrap_or(0));
                let order = input.byte().unwrap_or(0);
                let cut = usize::from(input.byte().unwrap_or(0)) % payload.len();
                let (head, tail) = payload.split_at(cut);
                let behind = sequence.wrapping_add(u32::try_from(cut).unwrap_or(0));
                let parts = [
                    ipv4(from, TCP, 0, 0, &tcp(ports, *sequence, 0x10, head)),
                    ipv4(from, TCP, 0, 0, &tcp(ports, behind, 0x18, tail)),
                ];
                for place in [[0, 1], [1, 0], [1, 1], [0, 0]][usize::from(order & 3)] {
                    judged.push(record(&parts[place], interface));
                }
                *sequence = sequence.wrapping_add(u32::try_from(payload.len()).unwrap_or(0));
            }
            // Bytes somewhere near.
            9..=11 => {
                let offset = input.word().unwrap_or(0).cast_signed();
                let payload = input.stretch().unwrap_or_default();
                let at = sequence.wrapping_add_signed(offset.into());
                judged.push(record(&ipv4(from, TCP, 0, 0, &tcp(ports, at, 0x10, payload)), interface));
            }
            // Flags: SYN, FIN, RST and what else there is.
            12 | 13 => {
                let flags = input.byte().unwrap_or(0);
                let payload = input.stretch().unwrap_or_default();
                judged
                    .push(record(&ipv4(from, TCP, 0, 0, &tcp(ports, *sequence, flags, payload)), interface));
                *sequence = sequence.wrapping_add(u32::from(flags & 3 != 0));
            }
            14 => judged.pass(i64::from(input.word().unwrap_or(0)) * 10_000_000),
            // A segment merged by the kernel: many sound frames in one.
            _ => {
                let kind = input.byte().unwrap_or(0);
                let payload: Vec<u8> =
                    (0..input.byte().unwrap_or(0) & 0x1F).flat_map(|at| frames::sound(kind, at)).collect();
                let packet = ipv4(from, TCP, 0, 0, &tcp(ports, *sequence, 0x18, &payload));
                let mut merged = record(&packet, interface);
                (merged.segments, merged.segment_size) = (7, 60);
                judged.push(merged);
                *sequence = sequence.wrapping_add(u32::try_from(payload.len()).unwrap_or(0));
            }
        }
    }
}
