//! How the bytes of a connection are cut.

use crate::simulate::fault::Segmenting;
use crate::simulate::random::{Random, purpose};

/// The cuts of one connection.
#[derive(Debug)]
pub(super) struct Segments {
    segmenting: Option<Segmenting>,
    random: Random,
    /// Bytes of the piece that is being written.
    left: usize,
    /// Frames that are gathered.
    frames: u16,
    /// Gathered frames go.
    release: bool,
}

impl Segments {
    /// Of the connection with this number.
    pub(super) fn new(seed: u64, number: u64, segmenting: Option<Segmenting>) -> Self {
        let random = Random::of(&[seed, purpose::SEGMENT, number]);
        Self { segmenting, random, left: 0, frames: 0, release: false }
    }

    /// Cuts like this from now on; what was gathered goes.
    pub(super) fn cut(&mut self, segmenting: Option<Segmenting>) {
        self.segmenting = segmenting;
        (self.left, self.frames, self.release) = (0, 0, true);
    }

    /// A frame more waits.
    pub(super) fn frame(&mut self) {
        if let Some(Segmenting::Coalesce(count)) = self.segmenting {
            self.frames += 1;
            if self.frames >= count {
                (self.frames, self.release) = (0, true);
            }
        }
    }

    /// How many bytes to write next, of so many that wait.
    pub(super) fn next(&mut self, waiting: usize) -> usize {
        if waiting == 0 {
            self.release = false;
            return 0;
        }
        match self.segmenting {
            None => waiting,
            Some(Segmenting::Coalesce(_)) => {
                if self.release {
                    waiting
                } else {
                    0
                }
            }
            Some(Segmenting::Bytes(count)) => {
                if self.left == 0 {
                    self.left = count.into();
                }
                self.left.min(waiting)
            }
            Some(Segmenting::Random(most)) => {
                if self.left == 0 {
                    self.left = usize::try_from(self.random.whole(1, u32::from(most) + 1)).unwrap_or(1);
                }
                self.left.min(waiting)
            }
        }
    }

    /// So many were written.
    pub(super) const fn written(&mut self, bytes: usize) {
        self.left = self.left.saturating_sub(bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The pieces in which frames of 10 bytes go.
    fn pieces(segmenting: Segmenting, frames: usize) -> Vec<usize> {
        let mut segments = Segments::new(1, 0, Some(segmenting));
        let (mut waiting, mut pieces) = (0, Vec::new());
        for _ in 0..frames {
            waiting += 10;
            segments.frame();
            loop {
                let size = segments.next(waiting);
                if size == 0 {
                    break;
                }
                segments.written(size);
                waiting -= size;
                pieces.push(size);
            }
        }
        pieces
    }

    #[test]
    fn pieces_are_as_asked_for() {
        assert_eq!(pieces(Segmenting::Bytes(4), 2), [4, 4, 2, 2, 4, 4]);
        assert_eq!(pieces(Segmenting::Bytes(100), 2), [10, 10]);
        assert_eq!(pieces(Segmenting::Coalesce(3), 7), [30, 30]);
        let random = pieces(Segmenting::Random(7), 100);
        assert!(random.iter().all(|size| (1..=7).contains(size)), "{random:?}");
        assert_eq!(random.iter().sum::<usize>(), 1000);
        assert_eq!(random, pieces(Segmenting::Random(7), 100), "the same from the same seed");
    }
}
