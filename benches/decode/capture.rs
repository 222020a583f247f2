//! The capture: twelve PMUs at 50 frames/s over UDP, a CFG-2 of each every minute, made by the encoders.

use std::fs::{self, File};
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};

use monitor_core::protocol::c37118::encode;

#[path = "../../monitor/core/tests/support/frames.rs"]
#[expect(dead_code, reason = "tests need more of it")]
mod frames;
#[path = "../../monitor/core/tests/support/packets.rs"]
#[expect(dead_code, reason = "tests need more of it")]
mod packets;

use frames::Pmu;
use packets::{PDC, PORT, udp};

const PMUS: u16 = 12;
const RATE: u32 = 50;
/// When it begins, in Unix seconds.
const BEGIN: u32 = 1_700_000_000;
/// Where the frame begins in its packet: Ethernet, IPv4, UDP.
const FRAME: usize = 42;

/// A capture file.
pub(crate) struct Capture {
    pub(crate) file: PathBuf,
    pub(crate) bytes: u64,
    pub(crate) frames: u32,
}

impl Capture {
    /// Writes one of so many bytes; reading it afterwards is from memory.
    pub(crate) fn of(bytes: u64) -> Self {
        let place = Path::new(env!("CARGO_TARGET_TMPDIR"));
        fs::create_dir_all(place).unwrap();
        let file = place.join(format!("decode-{bytes}.pcap"));
        let mut capture = Self { file, bytes: 0, frames: 0 };
        let mut out = BufWriter::new(File::create(&capture.file).unwrap());
        capture.write(&mut out, bytes);
        out.flush().unwrap();
        assert_eq!(fs::read(&capture.file).unwrap().len() as u64, capture.bytes);
        capture
    }

    fn write(&mut self, out: &mut impl std::io::Write, most: u64) {
        let header: [u32; 6] = [0xA1B2_C3D4, 4 << 16 | 2, 0, 0, 262_144, 1];
        for word in header {
            out.write_all(&word.to_le_bytes()).unwrap();
        }
        self.bytes = 24;
        let pmus: Vec<_> = (1..=PMUS).map(|idcode| Pmu::new(idcode, 50, 3)).collect();
        let mut data: Vec<_> = pmus.iter().map(|pmu| pmu.data(0)).collect();
        for instant in 0.. {
            let (soc, part) = (BEGIN + instant / RATE, instant % RATE);
            let arrival = part * 20_000 + 4_000;
            for (pmu, frame) in pmus.iter().zip(&mut data) {
                if instant.is_multiple_of(60 * RATE) {
                    self.packet(out, pmu, [soc, arrival], &pmu.config(soc));
                }
                frame[6..10].copy_from_slice(&soc.to_be_bytes());
                frame[10..14].copy_from_slice(&(part * 20_000).to_be_bytes());
                encode::reseal(frame);
                self.packet(out, pmu, [soc, arrival + u32::from(pmu.idcode) * 100], frame);
            }
            if self.bytes >= most {
                return;
            }
        }
    }

    fn packet(&mut self, out: &mut impl std::io::Write, pmu: &Pmu, [second, micro]: [u32; 2], frame: &[u8]) {
        let source = [192, 0, 2, 10 + pmu.idcode.to_be_bytes()[1]];
        let mut packet = udp(source, PDC, [PORT, PORT], frame);
        packet.truncate(FRAME + frame.len());
        let length = u32::try_from(packet.len()).unwrap();
        for word in [second, micro, length, length] {
            out.write_all(&word.to_le_bytes()).unwrap();
        }
        out.write_all(&packet).unwrap();
        self.bytes += 16 + packet.len() as u64;
        self.frames += 1;
    }
}
