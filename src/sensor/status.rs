//! How the sensor fares: written by its threads, read by metrics, health and the service manager.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use crate::capture::live::Statistics;
use crate::census::Timestamp;
use crate::dissect::Anomaly;
use crate::sensor::pipeline::bounds::{Refused, Reporter};
use crate::sensor::pipeline::worker::Counters;
use crate::sensor::upload::delivery::FORKED;
use crate::sensor::upload::feedback::Told;
use crate::wire::{CaptureSummary, Health};

/// From how many seconds on it is told that the clocks differ.
const SKEW: u64 = 60;

/// One interface.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct InterfaceStatus {
    /// `None` while it is captured, else why not.
    pub problem: Option<String>,
    /// What its worker counted.
    pub counters: Counters,
    /// Totals of all handles that were opened on it.
    pub statistics: Statistics,
}

/// Totals since the sensor started.
#[derive(Debug, Default)]
pub struct Status {
    interfaces: Mutex<BTreeMap<String, InterfaceStatus>>,
    delivery_problem: Mutex<Option<String>>,
    reporter: Mutex<Reporter>,
    /// Rounds of all capture threads: stands still where they all hang.
    pub rounds: AtomicU64,
    /// Uploads that were acknowledged for the first time.
    pub uploads_stored: AtomicU64,
    /// Uploads that the service had already.
    pub uploads_duplicate: AtomicU64,
    /// Attempts that failed.
    pub uploads_failed: AtomicU64,
    /// Uploads that were damaged or refused for good, and put aside.
    pub uploads_put_aside: AtomicU64,
    /// Times that a change had to stay in memory because the spool could not take it.
    pub spool_refused: AtomicU64,
    /// Times that the waiting uploads were merged.
    pub spool_compacted: AtomicU64,
    /// Uploads that were dropped undelivered because they were too old.
    pub spool_dropped: AtomicU64,
    /// Whether the service saw that two appliances use the identity.
    pub forked: AtomicBool,
    last_ack: AtomicI64,
    spool_problem: Mutex<Option<String>>,
    told: Mutex<Told>,
}

impl Status {
    /// Replaces what is known of an interface.
    pub fn publish(&self, interface: &str, status: InterfaceStatus) {
        lock(&self.interfaces).insert(interface.to_owned(), status);
    }

    /// All interfaces.
    pub fn interfaces(&self) -> BTreeMap<String, InterfaceStatus> {
        lock(&self.interfaces).clone()
    }

    /// What all bounds refused, given what the table's did.
    pub fn bounds(&self, table: Refused) -> Refused {
        let dropped = self.counters().anomalies.get(&Anomaly::FragmentsDropped).copied();
        Refused { fragments: dropped.unwrap_or_default(), ..table }
    }

    /// Warns of bounds that were hit, at most once a minute.
    pub fn tell_bounds(&self, table: Refused) {
        let due = lock(&self.reporter).due(Instant::now(), self.bounds(table));
        if let Some(refused) = due {
            tracing::warn!("a bound was hit: {refused}");
        }
    }

    /// Records that the service has acknowledged an upload.
    pub fn acknowledged(&self, now: Timestamp) {
        self.last_ack.store(now.0, Ordering::Relaxed);
        *lock(&self.delivery_problem) = None;
    }

    /// When the service last acknowledged an upload.
    pub fn last_ack(&self) -> Option<Timestamp> {
        Some(self.last_ack.load(Ordering::Relaxed)).filter(|t| *t != 0).map(Timestamp)
    }

    /// Records why nothing can be delivered; returns whether it is another reason than before.
    pub fn not_delivered(&self, problem: String) -> bool {
        let problem = Some(problem);
        let mut known = lock(&self.delivery_problem);
        let new = *known != problem;
        *known = problem;
        new
    }

    /// Why nothing can be delivered, where it is so.
    pub fn delivery_problem(&self) -> Option<String> {
        lock(&self.delivery_problem).clone()
    }

    /// Records why the spool takes no changes, or that it does.
    pub fn spool_trouble(&self, problem: Option<String>) {
        *lock(&self.spool_problem) = problem;
    }

    /// Why the spool takes no changes, where it is so.
    pub fn spool_problem(&self) -> Option<String> {
        lock(&self.spool_problem).clone()
    }

    /// Records what the sending half told.
    pub fn told(&self, told: &Told) {
        lock(&self.told).clone_from(told);
    }

    /// By how many seconds the plan service's clock is ahead of this one's, where that is known.
    pub fn clock_skew(&self) -> Option<i64> {
        lock(&self.told).clock_skew
    }

    /// What a person should know of the clock.
    pub fn clock_problem(&self) -> Option<String> {
        let skew = self.clock_skew().filter(|s| s.unsigned_abs() >= SKEW)?;
        let side = if skew > 0 { "behind" } else { "ahead of" };
        Some(format!(
            "this machine's clock is {} s {side} the plan service's: first and last sightings are wrong by as much; set up time synchronisation on both",
            skew.unsigned_abs()
        ))
    }

    /// What is wrong with capturing and delivering, for a person: of interfaces first.
    pub fn problems(&self) -> Vec<String> {
        let mut all: Vec<String> = self.interfaces().into_values().filter_map(|i| i.problem).collect();
        let forked = self.forked.load(Ordering::Relaxed).then(|| FORKED.to_owned());
        let others = [self.spool_problem(), self.delivery_problem(), self.clock_problem(), forked];
        all.extend(others.into_iter().flatten());
        all
    }

    /// The counts of all interfaces.
    pub fn counters(&self) -> Counters {
        let mut sum = Counters::default();
        for i in lock(&self.interfaces).values() {
            sum.add(&i.counters);
        }
        sum
    }

    /// Frames that the kernel or the interfaces dropped.
    pub fn dropped(&self) -> u64 {
        lock(&self.interfaces)
            .values()
            .map(|i| i.statistics.dropped_ring + i.statistics.dropped_interface)
            .sum()
    }

    /// Totals as documents show them.
    pub fn capture(&self) -> CaptureSummary {
        let c = self.counters();
        CaptureSummary {
            frames: c.frames,
            bytes: c.bytes,
            malformed: c.malformed_frames,
            duplicates: c.duplicates,
            dropped: self.dropped(),
            first: c.first,
            last: c.last,
        }
    }

    /// What an upload tells the service.
    pub fn health(&self, refused: u64) -> Health {
        let (c, told) = (self.capture(), lock(&self.told).clone());
        Health {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            frames: c.frames,
            bytes: c.bytes,
            malformed: c.malformed,
            duplicates: c.duplicates,
            dropped: c.dropped,
            refused,
            spool_refused: self.spool_refused.load(Ordering::Relaxed),
            spool_dropped: self.spool_dropped.load(Ordering::Relaxed),
            put_aside: told.put_aside,
            clock_skew: told.clock_skew,
            receipt: None,
        }
    }

    /// One line for the service manager.
    pub fn line(&self, couplings: usize, waiting: u64) -> String {
        let interfaces = self.interfaces();
        let away: Vec<&str> =
            interfaces.iter().filter(|(_, i)| i.problem.is_some()).map(|(name, _)| name.as_str()).collect();
        let mut line = format!(
            "{} frames, {couplings} couplings, {} uploads stored, {waiting} waiting",
            self.counters().frames,
            self.uploads_stored.load(Ordering::Relaxed)
        );
        if !away.is_empty() {
            line.push_str(&format!("; not capturing on {}", away.join(", ")));
        }
        for problem in self.problems().into_iter().skip(away.len()) {
            line.push_str(&format!("; {problem}"));
        }
        line
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_problem_is_new_once_and_again_after_an_acknowledgement() {
        let status = Status::default();
        assert!(status.not_delivered("no plan".into()));
        assert!(!status.not_delivered("no plan".into()));
        status.acknowledged(Timestamp(5));
        assert_eq!((status.delivery_problem(), status.last_ack()), (None, Some(Timestamp(5))));
        assert!(status.not_delivered("no plan".into()));
    }

    #[test]
    fn the_line_names_what_is_not_captured() {
        let status = Status::default();
        status
            .publish("eth1", InterfaceStatus { problem: Some("gone".into()), ..InterfaceStatus::default() });
        let line = status.line(3, 0);
        assert!(line.contains("3 couplings") && line.contains("not capturing on eth1"), "{line}");
    }

    #[test]
    fn a_clock_that_is_wrong_is_told_from_a_minute_on() {
        let (status, told) = (Status::default(), |s| Told { clock_skew: Some(s), ..Told::default() });
        status.told(&told(59));
        assert_eq!((status.clock_problem(), status.health(0).clock_skew), (None, Some(59)));
        status.told(&told(3_600));
        assert!(status.line(0, 0).contains("3600 s behind"), "{}", status.line(0, 0));
        status.told(&told(-61));
        assert!(status.clock_problem().unwrap().contains("61 s ahead"));
    }
}
