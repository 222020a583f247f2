//! What goes on beside the frames while a run lasts: interfaces come and go, and so do the CPUs that serve them; the kernel
//! is asked what is on the wire where nothing matches.

use std::{
    os::fd::AsFd as _,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use super::{
    Discovery, Losses, Notices,
    hardware::Hardware,
    links::Watching,
    placement::{OwnThread, Placement},
};
use crate::{
    hub::queue::QueueSender,
    live::{Board, Live},
    netns::{LinkWatch, Netns},
    probe::Kernel,
    sys::poll,
};

/// How often the caretaker looks around.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// The thread that calls [`super::Session::run`].
pub(super) struct Caretaker<'a> {
    pub(super) watching: Watching<'a>,
    pub(super) watches: Vec<(Arc<Netns>, LinkWatch)>,
    pub(super) kernel: &'a Kernel,
    pub(super) board: &'a Board,
    pub(super) notices: &'a Notices,
    pub(super) discovery: Discovery,
    pub(super) live: &'a Live<QueueSender>,
    pub(super) losses: Losses,
    pub(super) placement: Placement<OwnThread>,
    pub(super) hardware: Option<Hardware>,
}

impl Caretaker<'_> {
    /// Until it is over. Gives the reason where it ended against the user's will.
    pub(super) fn look_after(
        &mut self,
        over: impl Fn() -> bool,
        deadline: Option<Instant>,
    ) -> Option<String> {
        self.watching.begin();
        while !over() {
            if self.live.is_finished() {
                return Some("the real-time thread ended by itself".to_owned());
            }
            if let Some(reason) = self.watch_links() {
                return Some(reason);
            }
            let frames = self.board.read().counts.frames;
            if self.watching.has_interfaces() {
                self.discovery.look(self.kernel, frames.found + frames.invalid, self.notices);
            } else {
                self.discovery.rest();
            }
            self.watching.source.flush_log();
            self.losses.look(&self.watching.present, self.kernel, self.board, self.notices);
            self.placement.look(&self.watching.present);
            if let Some(hardware) = &mut self.hardware {
                hardware.look(&self.watching.present);
            }
            self.rest(deadline);
        }
        None
    }

    /// Sleeps until there is news of an interface, a signal, the end, or the next look.
    fn rest(&self, deadline: Option<Instant>) {
        let left = deadline.map_or(LOOK_EVERY, |deadline| deadline.saturating_duration_since(Instant::now()));
        let time = u64::try_from(left.min(LOOK_EVERY).as_nanos()).unwrap_or(0);
        let fds = self.watches.iter().take(poll::MAX_FDS).map(|(_, watch)| watch.as_fd()).collect::<Vec<_>>();
        if poll::poll(&fds, Some(time)).is_err() {
            thread::sleep(LOOK_EVERY);
        }
    }

    /// Says and does what follows from the news of interfaces. Gives a reason to end where there is one.
    fn watch_links(&mut self) -> Option<String> {
        for (netns, watch) in &mut self.watches {
            for event in watch.drain().unwrap_or_default() {
                self.watching.hear(netns, &event);
                // It may have other interrupts than before.
                self.placement.hasten();
            }
        }
        self.watching.settle()
    }
}
