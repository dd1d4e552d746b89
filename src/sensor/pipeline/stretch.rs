//! The stretches of time in which a worker has frames (I11, I16), gathered without a lock.

use super::rows::Recorder;
use crate::census::time::HOUR;
use crate::census::{Stretches, Timestamp};

/// When there were frames since the last flush.
#[derive(Clone, Debug, Default)]
pub(super) struct Recent {
    /// The stretch of the last frame.
    current: Option<(Timestamp, Timestamp)>,
    earlier: Stretches,
}

impl Recent {
    #[inline]
    pub(super) fn add(&mut self, at: Timestamp) {
        match &mut self.current {
            Some((first, last)) if at >= *first && at.since(*last) < HOUR => *last = at.max(*last),
            Some((first, _)) if at < *first && first.since(at) < HOUR => *first = at,
            current => {
                if let Some((first, last)) = current.replace((at, at)) {
                    self.earlier.add(first, last);
                }
            }
        }
    }

    pub(super) fn merge_into(&mut self, into: Recorder<'_>) {
        let earlier = std::mem::take(&mut self.earlier);
        if let Some((first, last)) = self.current {
            into.learn(|segment| {
                let changed = earlier.iter().fold(false, |changed, (a, b)| segment.span(a, b) || changed);
                segment.span(first, last) || changed
            });
        }
    }
}
