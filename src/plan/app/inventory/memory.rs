//! What is let go of: nothing that a database holds needs to stay in memory.
//!
//! Views go when nobody read the subscription for [`REST`], and its facts when nobody used it at all. The job that records
//! findings reads those with news. The next reader waits until facts are loaded and counted again.

use std::cmp::Reverse;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, PoisonError};

use super::{Inventories, MINUTE, SubscriptionState};
use crate::census::Timestamp;

/// For how long views and facts stay that nobody uses.
const REST: i64 = 5 * MINUTE;

/// About how many bytes the views of all subscriptions may take; the default is 2 GiB.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Memory(pub usize);

impl Default for Memory {
    fn default() -> Self {
        Self(2 << 30)
    }
}

/// When a subscription was used.
#[derive(Debug, Default)]
pub(super) struct Use {
    read: AtomicI64,
    used: AtomicI64,
}

impl Use {
    /// Notes that somebody uses the facts.
    pub(super) fn note(&self, now: Timestamp) {
        self.used.store(now.0, Ordering::Relaxed);
    }

    /// Notes that somebody reads views.
    pub(super) fn note_reader(&self, now: Timestamp) {
        self.note(now);
        self.read.store(now.0, Ordering::Relaxed);
    }
}

fn rests(since: &AtomicI64, now: Timestamp) -> bool {
    now.since(Timestamp(since.load(Ordering::Relaxed))) >= REST
}

impl Inventories {
    /// Lets go of what nobody used for five minutes; then of the views that were read longest ago, until the others take no
    /// more than `limit`. Of a subscription's views, those of other instants go first.
    pub fn rest(&self, limit: Memory) -> Kept {
        let now = self.clock.now();
        let mut states = self.states.lock().unwrap_or_else(PoisonError::into_inner);
        // Nobody else can come to hold a state meanwhile.
        let is_free = |state: &Arc<SubscriptionState>| {
            let is_alone = Arc::strong_count(state) == 1 && state.changed.receiver_count() == 0;
            is_alone && rests(&state.usage.used, now)
        };
        let gone: Vec<_> = states.extract_if(|_, state| is_free(state)).collect();
        let mut rest: Vec<_> = states.values().cloned().collect();
        drop(states);
        // Freeing them takes long: not under the lock.
        drop(gone);
        rest.sort_by_key(|state| Reverse(state.usage.read.load(Ordering::Relaxed)));
        let mut kept = Kept { subscriptions: rest.len(), bytes: 0 };
        for state in rest {
            let fits = |bytes: usize| kept.bytes.saturating_add(bytes) <= limit.0;
            if !fits(state.views.bytes()) {
                state.views.let_others_go();
            }
            let bytes = state.views.bytes();
            if rests(&state.usage.read, now) || !fits(bytes) {
                state.views.let_go();
            } else {
                kept.bytes += bytes;
            }
        }
        kept
    }
}

/// What stays in memory.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Kept {
    /// Subscriptions whose facts are loaded.
    pub subscriptions: usize,
    /// About how much memory their views take.
    pub bytes: usize,
}
