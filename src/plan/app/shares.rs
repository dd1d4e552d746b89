//! Shares of something bounded: how much each holder has now. None of them takes all of it.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};

/// The most that all holders have together, and the most of one.
#[derive(Clone, Copy, Debug)]
pub struct Most {
    pub all: usize,
    pub of_one: usize,
}

/// What the holders have.
#[derive(Debug)]
pub struct Shares<K> {
    most: Most,
    held: Arc<Mutex<Held<K>>>,
}

#[derive(Debug)]
struct Held<K> {
    all: usize,
    of: HashMap<K, usize>,
}

/// What a holder has taken, until this is dropped.
#[derive(Debug)]
pub struct Share<K: Eq + Hash> {
    held: Arc<Mutex<Held<K>>>,
    holder: K,
    amount: usize,
}

impl<K: Clone + Eq + Hash> Shares<K> {
    pub fn new(most: Most) -> Self {
        Self { most, held: Arc::new(Mutex::new(Held { all: 0, of: HashMap::new() })) }
    }

    /// `amount` for a holder; `None` if that is too much.
    pub fn take(&self, holder: &K, amount: usize) -> Option<Share<K>> {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let all = held.all.saturating_add(amount);
        let own = held.of.get(holder).copied().unwrap_or_default().saturating_add(amount);
        if all > self.most.all || own > self.most.of_one {
            return None;
        }
        held.all = all;
        held.of.insert(holder.clone(), own);
        Some(Share { held: Arc::clone(&self.held), holder: holder.clone(), amount })
    }
}

impl<K: Eq + Hash> Drop for Share<K> {
    fn drop(&mut self) {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        held.all = held.all.saturating_sub(self.amount);
        if let Some(own) = held.of.get_mut(&self.holder) {
            *own = own.saturating_sub(self.amount);
            if *own == 0 {
                held.of.remove(&self.holder);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_holder_takes_what_is_left_for_the_others_and_what_is_dropped_is_free_again() {
        let shares = Shares::new(Most { all: 10, of_one: 6 });
        let take = |holder| -> Vec<_> { std::iter::from_fn(|| shares.take(&holder, 2)).collect() };
        let (first, second) = (take(1), take(2));
        assert_eq!((first.len(), second.len()), (3, 2));
        assert!(shares.take(&3, 1).is_none());
        drop(first);
        assert!(shares.take(&2, 3).is_none() && shares.take(&2, 2).is_some());
        drop(second);
        let held = shares.held.lock().unwrap();
        assert!(held.all == 0 && held.of.is_empty());
    }
}
