//! The numbers of the frames of a replayed capture.

use crate::census::Timestamp;

/// Numbers the frames of a capture, from 1. The number of a frame is the rank of its instant among the distinct (time,
/// digest) pairs of the capture, so shuffling or duplicating the frames does not change it. If the frames of a file are
/// in order of time and all different, it is the frame's number in the file.
#[derive(Clone, Debug, Default)]
pub struct FrameNumbers {
    frames: Vec<Numbered>,
    overflow: bool,
}

/// A frame's instant and digest in 12 bytes. Orders like (instant, digest).
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
struct Numbered([u32; 3]);

impl Numbered {
    #[expect(clippy::cast_possible_truncation, reason = "the two halves of a word")]
    fn new(at: Timestamp, digest: u32) -> Self {
        let ordered = at.0.cast_unsigned() ^ (1 << 63);
        Self([(ordered >> 32) as u32, ordered as u32, digest])
    }

    fn instant(&self) -> [u32; 2] {
        let [high, low, _] = self.0;
        [high, low]
    }
}

/// The most frames that are numbered. A longer capture has no frame numbers.
const NUMBERED: usize = 1 << 25;

impl FrameNumbers {
    pub fn record(&mut self, at: Timestamp, digest: u32) {
        if self.frames.len() < NUMBERED {
            self.frames.push(Numbered::new(at, digest));
        } else {
            self.overflow = true;
        }
    }

    /// Ends recording. Must be called before [`FrameNumbers::number`].
    pub fn seal(&mut self) {
        if !self.frames.is_sorted() {
            self.frames.sort_unstable();
        }
        self.frames.dedup();
    }

    /// The number of the first frame at `at`; `None` if there is none, or if the capture was too long.
    pub fn number(&self, at: Timestamp) -> Option<u64> {
        let wanted = Numbered::new(at, 0).instant();
        let rank = self.frames.partition_point(|f| f.instant() < wanted);
        (!self.overflow && self.frames.get(rank).is_some_and(|f| f.instant() == wanted))
            .then_some(rank as u64 + 1)
    }
}
