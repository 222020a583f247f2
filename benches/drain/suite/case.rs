//! One way to take what a transport has, and what it cost.

use std::hint::black_box;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use monitor::hub::queue::{self, QueueBounds, QueueReceiver, QueueSender};
use monitor::live::{Board, Loop};
use monitor::probe::{Interface, Transport};
use monitor::reader;
use monitor::sys::clock::monotonic_ns;
use monitor_common::{RecordHeader, Taken};
use monitor_core::event::{Class, Classes};
use monitor_core::protocol::c37118::crc;

use super::scene::{Scene, live_loop};
use super::traffic::HEADERS;

/// Records taken before their room is given back: as the live loop does.
const BATCH: usize = 64;
/// Where the frame's length stands in it (IEEE C37.118.2-2011, 6.2), and how long its check word is.
const FRAMESIZE: usize = 2;
const CHECK: usize = 2;
/// The thread is awake for so long before a block: what waking up costs is the business of the bench of delivery.
const AWAKE_NS: u64 = 300_000;
/// How often the live loop shows what it has counted, and a little more.
const SHOWN_EVERY: Duration = Duration::from_millis(120);

/// What is done with a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// Nothing but that it is handed out.
    Drained,
    /// The clock is read, and the frame's CRC checked.
    Stamped,
    /// All that the live loop does where only the table is looked at: decoded, judged, counted.
    Decoded,
    /// The same, and every event with its bytes goes into the queue to the outputs.
    Told,
}

impl Way {
    pub(crate) const ALL: [Self; 4] = [Self::Drained, Self::Stamped, Self::Decoded, Self::Told];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Drained => "drained",
            Self::Stamped => "clock and CRC",
            Self::Decoded => "live loop",
            Self::Told => "live loop, each frame to outputs",
        }
    }

    /// What the outputs want, as those of `run` do.
    fn wants(self) -> Classes {
        let table = Classes::NONE.with(Class::Config).with(Class::Candidate).with(Class::StreamState);
        let told = table.with(Class::Frame).with(Class::Overrun);
        if self == Self::Told { told } else { table }
    }
}

/// Takes what a transport has.
trait Takes {
    /// Takes so many records; how long it took, nanoseconds.
    fn take(&mut self, records: u64) -> u64;

    /// Frames that were found right.
    fn right(&mut self) -> u64;
}

pub(crate) struct Case {
    pub(crate) transport: Transport,
    pub(crate) way: Way,
    takes: Box<dyn Takes>,
    /// Of each block, nanoseconds a frame.
    costs: Vec<f64>,
    frames: u64,
}

impl Case {
    pub(crate) fn new<T: reader::Transport + 'static>(reader: T, scene: &Scene, way: Way) -> Self {
        let takes: Box<dyn Takes> = match way {
            Way::Drained => Box::new(Bare { reader, check: false, right: 0 }),
            Way::Stamped => Box::new(Bare { reader, check: true, right: 0 }),
            Way::Decoded | Way::Told => Box::new(Live::new(reader, &scene.interface, way)),
        };
        Self { transport: scene.transport, way, takes, costs: Vec::new(), frames: 0 }
    }

    /// Sends a block and takes it.
    pub(crate) fn block(&mut self, scene: &mut Scene, packets: &[Vec<u8>]) {
        scene.fill(packets);
        let awake = monotonic_ns() + AWAKE_NS;
        while monotonic_ns() < awake {}
        let took = self.takes.take(packets.len() as u64);
        self.frames += packets.len() as u64;
        #[expect(clippy::cast_precision_loss, reason = "a cost for a person to read")]
        self.costs.push(took as f64 / packets.len() as f64);
    }

    /// Leaves out what was measured so far.
    pub(crate) fn forget(&mut self) {
        self.costs.clear();
    }

    /// Nanoseconds a frame of the fastest block, and of the median one: what else the machine does makes a block slower,
    /// never faster.
    pub(crate) fn cost(&self) -> [f64; 2] {
        let mut costs = self.costs.clone();
        costs.sort_by(f64::total_cmp);
        [costs[0], costs[costs.len() / 2]]
    }

    /// Frames in all, those that were not measured included.
    pub(crate) const fn frames(&self) -> u64 {
        self.frames
    }

    /// That what was measured is what it says.
    pub(crate) fn assert_whole(&mut self) {
        assert_eq!(self.takes.right(), self.frames, "{:?} {:?}", self.transport, self.way);
    }
}

/// A drain without a pipeline.
struct Bare<T> {
    reader: T,
    check: bool,
    right: u64,
}

impl<T: reader::Transport> Takes for Bare<T> {
    fn take(&mut self, records: u64) -> u64 {
        let Self { reader, check, right } = self;
        let (begun, mut taken) = (monotonic_ns(), 0);
        while taken < records {
            let drained = reader.drain_while(BATCH, |record, _| {
                if *check {
                    black_box(monotonic_ns());
                    *right += u64::from(is_right(record));
                } else {
                    black_box(record);
                    *right += 1;
                }
                true
            });
            reader.commit(&Taken::default());
            taken += drained.delivered;
        }
        monotonic_ns() - begun
    }

    fn right(&mut self) -> u64 {
        self.right
    }
}

/// Whether a record's frame has the check word that its bytes have.
fn is_right(record: &[u8]) -> bool {
    let Some(frame) = record.get(size_of::<RecordHeader>() + HEADERS..) else { return false };
    let Some(&[high, low]) = frame.get(FRAMESIZE..FRAMESIZE + 2) else { return false };
    let size = usize::from(u16::from_be_bytes([high, low]));
    let Some((checked, word)) =
        size.checked_sub(CHECK).and_then(|end| frame.get(..size)?.split_at_checked(end))
    else {
        return false;
    };
    crc::checksum(checked).to_be_bytes() == word
}

/// The live loop, turn by turn, and the other end of its queue.
struct Live<T> {
    work: Loop<QueueSender, T>,
    board: Arc<Board>,
    receiver: QueueReceiver,
}

impl<T: reader::Transport> Live<T> {
    fn new(reader: T, interface: &Interface, way: Way) -> Self {
        let (outlet, receiver) = queue::channel(&QueueBounds::default(), way.wants()).unwrap();
        let board = Arc::new(Board::default());
        let work = live_loop(reader, interface, outlet, &board);
        Self { work, board, receiver }
    }
}

impl<T: reader::Transport> Takes for Live<T> {
    fn take(&mut self, records: u64) -> u64 {
        let begun = monotonic_ns();
        let mut taken = 0;
        while taken < records {
            taken += self.work.turn();
        }
        let took = monotonic_ns() - begun;
        while self.receiver.receive(|event, bytes| {
            black_box((event.arrival, bytes.len()));
        }) > 0
        {}
        took
    }

    fn right(&mut self) -> u64 {
        // The counts are shown by a turn, at most so often.
        thread::sleep(SHOWN_EVERY);
        self.work.turn();
        self.board.read().counts.frames.decoded
    }
}
