//! A system call for each packet: the plainest way, and the one that the limits are against.

use monitor::sys::clock::{monotonic_ns, realtime_ns};
use monitor::sys::packet_receive::PacketReceiver;

use super::Opened;
use super::socket::{LONGEST_NS, Looks, Socket, Source};
use crate::suite::scene::Scene;

/// More than a frame here takes.
const BUFFER: usize = 2048;

struct Recvmsg {
    receiver: PacketReceiver,
    buffer: [u8; BUFFER],
}

pub(super) fn open(scene: &mut Scene) -> Box<dyn Opened> {
    let timeout = u32::try_from(LONGEST_NS / 1_000_000).unwrap();
    let receiver = scene.open(|index| PacketReceiver::open(index, timeout));
    Box::new(Socket(Recvmsg { receiver, buffer: [0; BUFFER] }))
}

impl Source for Recvmsg {
    fn turn(&mut self, frames: &mut Looks) -> bool {
        let asked = realtime_ns();
        let Some(received) = self.receiver.receive(&mut self.buffer).unwrap() else {
            frames.awake_since = monotonic_ns();
            return false;
        };
        let stamp = received.stamp_ns.expect("SO_TIMESTAMPNS is on");
        if stamp >= asked {
            // It came while the call waited for it.
            frames.awake_since = monotonic_ns();
        }
        frames.look(&self.buffer[..received.length], stamp);
        true
    }

    fn lost(&self) -> u64 {
        self.receiver.dropped().unwrap()
    }
}
