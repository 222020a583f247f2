//! Writes the inputs that fuzzing begins with below the directory given: sound traffic in each target's own terms, so that
//! mutation begins behind the first checks. The same in every run.

use std::path::Path;
use std::{env, fs, io};

use monitor_fuzz::frames::sound;
use monitor_fuzz::wire::{ipv4, udp};

/// Kinds of frame and of format that are worth a seed each.
const KINDS: std::ops::Range<u8> = 0..128;

fn main() -> io::Result<()> {
    let Some(place) = env::args_os().nth(1) else {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "say below which directory the seeds go"));
    };
    let place = Path::new(&place);
    write(place, "datagrams", datagrams())?;
    write(place, "segments", segments())?;
    write(place, "configurations", configurations())?;
    write(place, "captures", captures())
}

fn write(place: &Path, target: &str, seeds: impl Iterator<Item = Vec<u8>>) -> io::Result<()> {
    let directory = place.join(target);
    fs::create_dir_all(&directory)?;
    for (number, seed) in seeds.enumerate() {
        fs::write(directory.join(format!("seed-{number:03}")), seed)?;
    }
    Ok(())
}

/// A configuration and DATA by it, as instructions; then the same as raw payloads, and in fragments.
fn datagrams() -> impl Iterator<Item = Vec<u8>> {
    let told = KINDS.step_by(8).map(|format| {
        (0..6).fold(vec![0, 2, format | 2, 0, 0], |mut seed, at| {
            seed.extend([2, format, at, 0]);
            seed
        })
    });
    let raw = KINDS.map(|kind| {
        let frame = sound(kind, 1);
        let mut seed = vec![1, 0, u8::try_from(frame.len()).unwrap_or(u8::MAX)];
        seed.extend(frame);
        seed
    });
    let cut = KINDS.step_by(5).map(|kind| vec![0, 5 | (kind & 1) << 3, kind, 3, 9, 5, kind, 4, 2]);
    told.chain(raw).chain(cut)
}

fn segments() -> impl Iterator<Item = Vec<u8>> {
    KINDS.step_by(4).flat_map(|kind| {
        let in_order = vec![
            0,
            0xC0,
            2,
            0,
            0x40,
            kind & 0x78 | 2,
            0,
            0,
            20,
            0x40,
            kind & 0x78,
            1,
            0,
            9,
            0x40,
            kind & 0x78,
            2,
            0,
            50,
        ];
        let reordered = vec![1, 0x41, kind, 0, 1, 20, 0x41, kind, 1, 2, 7, 0xF1, kind, 9, 0xE1, 1, 0];
        [in_order, reordered]
    })
}

/// The content of every configuration, with its length before it.
fn configurations() -> impl Iterator<Item = Vec<u8>> {
    let kinds = KINDS.filter(|kind| matches!(kind & 7, 2 | 3 | 6));
    kinds.map(|kind| {
        let frame = sound(kind, 0);
        let content = frame.get(14..frame.len().saturating_sub(2)).unwrap_or_default();
        let mut seed = vec![match kind & 7 {
            2 => 0,
            3 => 2,
            _ => 3,
        }];
        seed.extend(u16::try_from(content.len()).unwrap_or(0).to_be_bytes());
        seed.extend(content);
        seed.extend([0x5A; 60]);
        seed
    })
}

/// pcap in both byte orders and both resolutions, and pcapng, with a few packets.
fn captures() -> impl Iterator<Item = Vec<u8>> {
    let packets: Vec<Vec<u8>> =
        [2, 0, 4, 5].map(|kind| ipv4(0, 17, 0, 0, &udp([4713, 40_000], &sound(kind, 1)))).to_vec();
    let pcaps = [0xA1B2_C3D4_u32, 0xA1B2_3C4D].into_iter().flat_map({
        let packets = packets.clone();
        move |magic| [pcap(magic, &packets, u32::to_le_bytes), pcap(magic, &packets, u32::to_be_bytes)]
    });
    pcaps.chain([pcapng(&packets)])
}

fn pcap(magic: u32, packets: &[Vec<u8>], word: fn(u32) -> [u8; 4]) -> Vec<u8> {
    let version = if word(1)[0] == 1 { 0x0004_0002 } else { 0x0002_0004 };
    let mut file: Vec<u8> = [magic, version, 0, 0, 65_535, 1].into_iter().flat_map(word).collect();
    for packet in packets {
        let length = u32::try_from(packet.len()).unwrap_or(0);
        file.extend([1_700_000_000, 1, length, length].into_iter().flat_map(word));
        file.extend(packet);
    }
    file
}

fn pcapng(packets: &[Vec<u8>]) -> Vec<u8> {
    let words = |words: &[u32]| words.iter().flat_map(|word| word.to_le_bytes()).collect::<Vec<u8>>();
    let mut file = words(&[0x0A0D_0D0A, 28, 0x1A2B_3C4D, 0x0000_0001, u32::MAX, u32::MAX, 28]);
    file.extend(words(&[1, 20, 1, 65_535, 20]));
    for packet in packets {
        let length = u32::try_from(packet.len()).unwrap_or(0);
        let padded = length.next_multiple_of(4);
        file.extend(words(&[6, 32 + padded, 0, 0x0006_0A24, 0, length, length]));
        file.extend(packet);
        file.resize(file.len() + usize::try_from(padded - length).unwrap_or(0), 0);
        file.extend(words(&[32 + padded]));
    }
    file
}
