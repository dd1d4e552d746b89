//! The memory of the sensor's facts: one budget in bytes (`limits.memory`), counted by estimate, and who may use how much
//! of it.
//!
//! The same classes share the number of couplings (`limits.couplings`). A table that strangers filled still lets devices in:
//! the last quarter of the memory, and a quarter more couplings, are open only to couplings that are confirmed.

use std::hash::BuildHasher as _;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use foldhash::fast::RandomState;

use crate::census::{CouplingKey, Sign, Signs};

/// Refused couplings whose signs are remembered, so that two frames can confirm them; a power of two.
const WAITING: usize = 16_384;

/// Who shares the room, from the smallest part to the largest.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) enum Share {
    /// Half: unproven public addresses, hosts that others described or sent packets to, what tunnels carry that nobody trusts, and what
    /// unconfirmed rows said.
    Foreign,
    /// Three quarters of the memory: what one kind of frames shows.
    Unconfirmed,
    /// All: a lease, or unicast packets of its own beside a proof or packets of others to it.
    Confirmed,
}

impl Share {
    /// The share of a coupling on the link that has these signs.
    pub(super) fn of(signs: Signs) -> Self {
        let others = signs.any(Sign::PROOFS) || signs.has(Sign::Addressed);
        let is_confirmed = signs.has(Sign::DhcpAck) || others && signs.any(Sign::UNICAST);
        if is_confirmed { Self::Confirmed } else { Self::Unconfirmed }
    }

    /// The share of what a row with this share said: the words of unconfirmed rows are given up first.
    pub(super) const fn of_words(self) -> Self {
        match self {
            Self::Confirmed => Self::Confirmed,
            Self::Unconfirmed | Self::Foreign => Self::Foreign,
        }
    }

    /// How many bytes of `limit` it may use.
    pub(super) const fn bytes(self, limit: usize) -> usize {
        match self {
            Self::Foreign => limit / 2,
            Self::Unconfirmed => limit - limit / 4,
            Self::Confirmed => limit,
        }
    }

    /// How many couplings there may be at a limit for unconfirmed ones.
    pub(super) const fn couplings(self, limit: usize) -> usize {
        match self {
            Self::Foreign => limit / 2,
            Self::Unconfirmed => limit,
            Self::Confirmed => limit.saturating_add(limit / 4),
        }
    }
}

/// Bytes in use, by estimate.
#[derive(Debug)]
pub(super) struct Budget {
    limit: usize,
    used: AtomicUsize,
    /// Of these, what workers hold couplings in before they merge them.
    lent: AtomicUsize,
    /// Refusals.
    refused: AtomicU64,
}

impl Budget {
    pub(super) const fn new(limit: usize) -> Self {
        Self { limit, used: AtomicUsize::new(0), lent: AtomicUsize::new(0), refused: AtomicU64::new(0) }
    }

    pub(super) fn used(&self) -> usize {
        self.used.load(Ordering::Relaxed)
    }

    pub(super) fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }

    /// Whether a row or value of that share may use more.
    pub(super) fn allows(&self, share: Share) -> bool {
        self.used() < share.bytes(self.limit)
    }

    pub(super) fn take(&self, bytes: usize) {
        self.used.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Takes or gives back bytes.
    pub(super) fn change(&self, bytes: isize) {
        match usize::try_from(bytes) {
            Ok(bytes) => self.take(bytes),
            Err(_) => {
                self.used.fetch_sub(bytes.unsigned_abs(), Ordering::Relaxed);
            }
        }
    }

    /// Takes memory for a worker, until the end, if all workers together have a sixteenth of the limit at most.
    pub(super) fn lend(&self, bytes: usize) -> bool {
        let lent = self.lent.load(Ordering::Relaxed).saturating_add(bytes);
        let has_room = self.allows(Share::Unconfirmed) && lent <= self.limit / 16;
        if has_room {
            self.lent.fetch_add(bytes, Ordering::Relaxed);
            self.take(bytes);
        }
        has_room
    }

    pub(super) fn refuse(&self) {
        self.refused.fetch_add(1, Ordering::Relaxed);
    }
}

/// What refused couplings showed lately, so that a device can confirm itself by several frames. A slot a coupling: another
/// one may take it, but a device speaks again.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    hasher: RandomState,
    slots: Mutex<Vec<(u64, Signs)>>,
}

impl Waiting {
    /// Adds to the signs of a refused coupling; returns all of them.
    pub(super) fn note(&self, key: CouplingKey, signs: Signs) -> Signs {
        let hash = self.hasher.hash_one(key);
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        if slots.is_empty() {
            slots.resize(WAITING, (0, Signs::default()));
        }
        #[expect(clippy::cast_possible_truncation, reason = "masked to the number of slots")]
        let Some(slot) = slots.get_mut(hash as usize & (WAITING - 1)) else { return signs };
        *slot = if slot.0 == hash { (hash, slot.1.union(signs)) } else { (hash, signs) };
        slot.1
    }
}

/// Estimates of what things take, with the allocator's overhead. Hash maps are two thirds full on average.
pub(super) const fn mapped(slot: usize) -> usize {
    (slot + 1) * 3 / 2
}

/// A boxed value.
pub(super) const fn boxed(size: usize) -> usize {
    (size + 8).next_multiple_of(16)
}

/// A value of evidence, by its length: two counters before it.
pub(super) const fn value(length: usize) -> usize {
    boxed(16 + length)
}
