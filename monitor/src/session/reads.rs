//! How late other processes read what is watched: told by the kernel in a ring of its own, read by a thread of its own,
//! so that it costs the real-time thread nothing.

mod datagrams;
mod join;
mod segments;
mod sockets;

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use super::SessionError;
use crate::{
    hub::{ReadBasis, Summary},
    probe::{DatagramReads, Reads},
};
use join::Join;

/// How often the ring is emptied: nobody is woken for it, since that would cost each packet more than all the rest.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// The thread.
pub(super) struct ReadWatch {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<(Reads, Join)>,
}

impl ReadWatch {
    /// From now on.
    pub(super) fn start(reads: Reads) -> io::Result<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        let over = Arc::clone(&stop);
        let thread = thread::Builder::new().name("reads".to_owned()).spawn(move || run(reads, &over))?;
        Ok(Self { stop, thread })
    }

    /// Takes what is left, after the programs were detached, and fills in what came of it all.
    pub(super) fn finish(self, filled: &mut Summary) -> Result<(), SessionError> {
        // Relaxed: the thread looks at nothing else that this one has written; the join is what orders the counts.
        self.stop.store(true, Ordering::Relaxed);
        let (reads, join) = self.thread.join().map_err(|_| SessionError::System {
            what: "ending the reader of reads",
            source: io::Error::other("it panicked: please report this as a bug"),
        })?;
        let counters = reads.counters()?;
        let tcp = reads.shows_tcp().then_some(ReadBasis::Packet);
        let udp = reads.shows_udp().map(|by| match by {
            DatagramReads::ByPacket => ReadBasis::Packet,
            DatagramReads::BySocket => ReadBasis::Inferred,
        });
        filled.reads = Some(join.finish(&counters, (tcp, udp)));
        Ok(())
    }
}

fn run(mut reads: Reads, over: &AtomicBool) -> (Reads, Join) {
    let mut join = Join::default();
    loop {
        // Before the last look: what was written by then is taken.
        let is_last = over.load(Ordering::Relaxed);
        while let Some(record) = reads.next_record() {
            join.take(&record);
        }
        if is_last {
            return (reads, join);
        }
        thread::sleep(LOOK_EVERY);
    }
}
