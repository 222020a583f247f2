//! One reader for several loops in turn: a transport has one at a time.

use std::cell::RefCell;
use std::os::fd::BorrowedFd;
use std::rc::Rc;

use monitor::reader::{Drained, Perf, ReaderError, Ring, Sleep, Transport};
use monitor_common::Taken;

/// A reader that others hold too.
pub(crate) struct Shared<T>(Rc<RefCell<T>>);

impl<T> Shared<T> {
    pub(crate) fn new(reader: T) -> Self {
        Self(Rc::new(RefCell::new(reader)))
    }

    /// The reader, where nobody else holds it any longer.
    pub(crate) fn alone(self) -> Option<T> {
        Rc::into_inner(self.0).map(RefCell::into_inner)
    }
}

impl<T> Clone for Shared<T> {
    fn clone(&self) -> Self {
        Self(Rc::clone(&self.0))
    }
}

impl<T: Transport> Transport for Shared<T> {
    fn drain_while(&mut self, most: usize, look: impl FnMut(&[u8], u64) -> bool) -> Drained {
        self.0.borrow_mut().drain_while(most, look)
    }

    fn sight(&mut self) -> bool {
        self.0.borrow_mut().sight()
    }

    fn has_records(&self) -> bool {
        self.0.borrow().has_records()
    }

    fn sleep(&mut self, others: &[BorrowedFd<'_>], timeout_ns: u64) -> Result<Sleep, ReaderError> {
        self.0.borrow_mut().sleep(others, timeout_ns)
    }

    fn commit(&mut self, taken: &Taken) {
        self.0.borrow_mut().commit(taken);
    }

    fn pending(&self) -> u64 {
        self.0.borrow().pending()
    }

    fn mark_end(&mut self) {
        self.0.borrow_mut().mark_end();
    }

    fn is_past_end(&self) -> bool {
        self.0.borrow().is_past_end()
    }

    fn taken_before(&self) -> Taken {
        Taken::default()
    }

    fn sleeps(&self) -> u64 {
        self.0.borrow().sleeps()
    }

    fn busy_heads(&self) -> u64 {
        self.0.borrow().busy_heads()
    }
}

/// The reader of a probe.
#[derive(Clone)]
pub(crate) enum Reader {
    Ring(Shared<Ring>),
    Perf(Shared<Perf>),
}
