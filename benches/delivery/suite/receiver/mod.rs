//! The receivers. Each is opened before the traffic begins, gets the same CPU and the same priority, and is gone before the
//! next one comes: a packet socket taps before tc, and a program at tc costs a packet socket's packets time.

mod recvmsg;
mod ring;
mod socket;
mod tpacket;

use monitor::live::{Share, Waiting};
use monitor::probe::Transport;
use monitor::rt;
use monitor::sys::tpacket::Version;

use super::block::Taken;
use super::meter::Span;
use super::model::Model;
use super::scene::Scene;

/// The priority of every receiver's thread: the monitor's own.
const PRIORITY: u8 = 50;
/// Milliseconds after which a block of version 3 is handed over though it is not full: the least that there is.
const BLOCK_TIMEOUT_MS: u32 = 1;

/// A way to receive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Receiver {
    /// The BPF ring, waiting by `predict`
    Predict,
    /// The BPF ring, waiting by `block`
    Block,
    /// The BPF ring, waiting by `spin`
    Spin,
    /// The perf buffer in the ring's place, waiting by `predict`
    Perf,
    /// A packet socket, `recvmsg` with `SO_TIMESTAMPNS`
    Recvmsg,
    /// A packet socket's `TPACKET_V2` ring, `poll`
    V2Poll,
    /// The same with the timed wait of `predict`
    V2Predict,
    /// A packet socket's `TPACKET_V3` ring, blocks handed over after 1 ms
    V3,
}

impl Receiver {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Predict => "ring, predict",
            Self::Block => "ring, block",
            Self::Spin => "ring, spin",
            Self::Perf => "perf buffer, predict",
            Self::Recvmsg => "AF_PACKET recvmsg",
            Self::V2Poll => "TPACKET_V2, poll",
            Self::V2Predict => "TPACKET_V2, timed wait",
            Self::V3 => "TPACKET_V3, block timeout 1 ms",
        }
    }

    /// Attaches to the monitored end. Nothing is lost from here on.
    pub(crate) fn open(self, scene: &mut Scene, _model: Model) -> Box<dyn Opened> {
        let mut ring = |version, timed| tpacket::open(scene, version, timed);
        match self {
            Self::V2Poll => ring(Version::V2, false),
            Self::V2Predict => ring(Version::V2, true),
            Self::V3 => ring(Version::V3 { block_timeout_ms: BLOCK_TIMEOUT_MS }, false),
            Self::Recvmsg => recvmsg::open(scene),
            Self::Predict => ring::open(scene, Transport::Ring, Waiting::Predict),
            Self::Block => ring::open(scene, Transport::Ring, Waiting::Block),
            Self::Spin => ring::open(scene, Transport::Ring, Waiting::Spin),
            Self::Perf => ring::open(scene, Transport::Perf, Waiting::Predict),
        }
    }
}

/// What a receiver is to do.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Task {
    pub(crate) span: Span,
    /// Frames that will be sent.
    pub(crate) frames: usize,
    pub(crate) cpu: usize,
    /// What a timed wait may take of a CPU.
    pub(crate) cap: Share,
}

impl Task {
    /// What the thread asks of the kernel.
    const fn request(&self) -> rt::Request {
        rt::Request { priority: PRIORITY, cpu: Some(self.cpu), lock_memory: true }
    }
}

/// Attached, and not reading yet.
pub(crate) trait Opened {
    /// Starts the thread; it reads when this returns.
    fn start(self: Box<Self>, task: &Task) -> Box<dyn Running>;
}

/// Reading.
pub(crate) trait Running {
    /// Takes what is left, and ends.
    fn stop(self: Box<Self>) -> Taken;
}

/// A bench on a thread without its policy would tell of another program.
fn demand(granted: &rt::Outcome) {
    assert!(
        granted.is_real_time(),
        "no real-time policy: {:?}; run the bench as root",
        granted.refusals.iter().map(ToString::to_string).collect::<Vec<_>>()
    );
}
