//! What is let go of: nothing that a database holds needs to stay in memory.
//!
//! Views go when nobody read the subscription for [`REST`], and its facts when nobody used it at all. Whoever asks next waits
//! until they are loaded and counted again.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, PoisonError};

use super::{Inventories, MINUTE, SubscriptionState};
use crate::census::Timestamp;

/// For how long views and facts stay that nobody uses.
const REST: i64 = 5 * MINUTE;

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
    /// Lets go of what nobody used for [`REST`]. Returns how many subscriptions stay in memory.
    pub fn rest(&self) -> usize {
        let now = self.clock.now();
        let mut states = self.states.lock().unwrap_or_else(PoisonError::into_inner);
        // Nobody else can come to hold a state meanwhile.
        let is_free = |state: &Arc<SubscriptionState>| {
            rests(&state.usage.used, now)
                && Arc::strong_count(state) == 1
                && state.changed.receiver_count() == 0
        };
        let gone: Vec<_> = states.extract_if(|_, state| is_free(state)).collect();
        let unread: Vec<_> = states.values().filter(|state| rests(&state.usage.read, now)).cloned().collect();
        let kept = states.len();
        drop(states);
        // Freeing them takes long: not under the lock.
        drop(gone);
        unread.iter().for_each(|state| state.views.let_go());
        kept
    }
}
