//! The sensor's counters and problems: its threads write them; metrics, health and the service manager read them.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use crate::capture::live::Statistics;
use crate::census::Timestamp;
use crate::dissect::Anomaly;
use crate::sensor::indicators::IndicatorsInForce;
use crate::sensor::pipeline::bounds::{LimitHits, Reporter};
use crate::sensor::pipeline::worker::Counters;
use crate::sensor::upload::feedback::Feedback;
use crate::wire::{CaptureSummary, DropSpan, Health};

/// Clock difference, in seconds, from which on the sensor warns.
const SKEW: u64 = 60;

/// Characters of a problem that the service is told.
const PROBLEM: usize = 200;

/// Said if two appliances use one identity.
pub(crate) const FORKED: &str = "another appliance uses this sensor's identity, or this appliance was restored from a backup; if it was copied, revoke the sensor and enrol each appliance with its own token";

#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct InterfaceStatus {
    /// Why the interface is not captured; `None` while it is.
    pub problem: Option<String>,
    pub counters: Counters,
    /// Totals of all capture handles ever opened on it.
    pub statistics: Statistics,
    /// When frames were dropped.
    pub drops: Option<DropSpan>,
}

impl InterfaceStatus {
    /// Frames dropped by the kernel or by the interface.
    pub fn dropped(&self) -> u64 {
        self.statistics.dropped_ring + self.statistics.dropped_interface
    }

    /// Adds another ring of the interface, of which each counts all that the interface itself dropped.
    fn add(&mut self, ring: &Self) {
        self.problem = self.problem.take().or_else(|| ring.problem.clone());
        self.counters.add(&ring.counters);
        self.statistics.received += ring.statistics.received;
        self.statistics.dropped_ring += ring.statistics.dropped_ring;
        self.statistics.dropped_interface =
            self.statistics.dropped_interface.max(ring.statistics.dropped_interface);
        self.drops = [self.drops, ring.drops].into_iter().flatten().reduce(DropSpan::with);
    }

    /// Notes that frames were dropped since `before` was published.
    pub(crate) fn note_drops(&mut self, before: &Self) {
        self.drops = before.drops;
        if self.dropped() > before.dropped()
            && let Some((first, last)) = before.counters.last.or(self.counters.first).zip(self.counters.last)
        {
            let now = DropSpan { first: first.min(last), last };
            self.drops = Some(self.drops.map_or(now, |known| known.with(now)));
        }
    }
}

/// Totals count from the start of the sensor.
#[derive(Debug, Default)]
pub struct Status {
    /// By interface and ring.
    rings: Mutex<BTreeMap<(String, usize), InterfaceStatus>>,
    delivery_problem: Mutex<Option<String>>,
    reporter: Mutex<Reporter>,
    /// Batches of frames and waits of each capture thread, by interface and ring: it stands still if the thread hangs.
    progress: Mutex<BTreeMap<(String, usize), Arc<AtomicU64>>>,
    /// Uploads that the service acknowledged for the first time.
    pub uploads_stored: AtomicU64,
    /// Uploads that the service had already.
    pub uploads_duplicate: AtomicU64,
    /// Failed attempts to upload.
    pub uploads_failed: AtomicU64,
    /// Uploads moved to `bad/`: damaged, or finally refused by the service.
    pub uploads_put_aside: AtomicU64,
    /// How often changes had to stay in memory because the spool refused them.
    pub spool_refused: AtomicU64,
    /// How often waiting uploads were merged.
    pub spool_compacted: AtomicU64,
    /// Uploads dropped undelivered because of their age.
    pub spool_dropped: AtomicU64,
    /// Whether the service saw two appliances with this identity.
    pub forked: AtomicBool,
    last_ack: AtomicI64,
    spool_problem: Mutex<Option<String>>,
    feedback: Mutex<Feedback>,
    indicators: Mutex<IndicatorsInForce>,
}

impl Status {
    pub(crate) fn publish(&self, interface: &str, ring: usize, status: InterfaceStatus) {
        lock(&self.rings).insert((interface.to_owned(), ring), status);
    }

    /// What the thread of that ring counts up as long as it does not hang.
    pub(crate) fn progress_of(&self, interface: &str, ring: usize) -> Arc<AtomicU64> {
        lock(&self.progress).entry((interface.to_owned(), ring)).or_default().clone()
    }

    /// Whether every capture thread went on since `before`, which becomes the present state.
    pub(crate) fn goes_on(&self, before: &mut BTreeMap<(String, usize), u64>) -> bool {
        let progress = lock(&self.progress);
        let now: BTreeMap<_, u64> =
            progress.iter().map(|(ring, n)| (ring.clone(), n.load(Ordering::Relaxed))).collect();
        let all = now.iter().all(|(ring, n)| before.get(ring) != Some(n));
        *before = now;
        all
    }

    /// By interface, the rings of each together.
    pub(crate) fn interfaces(&self) -> BTreeMap<String, InterfaceStatus> {
        let mut all: BTreeMap<String, InterfaceStatus> = BTreeMap::new();
        for ((interface, _), ring) in lock(&self.rings).iter() {
            all.entry(interface.clone()).or_default().add(ring);
        }
        all
    }

    /// Hits of all limits, given those of the table.
    pub(crate) fn limit_hits(&self, table: LimitHits) -> LimitHits {
        let anomalies = self.counters().anomalies;
        let of = |what| anomalies.get(&what).copied().unwrap_or_default();
        LimitHits { fragments: of(Anomaly::FragmentsDropped), over_budget: of(Anomaly::OverBudget), ..table }
    }

    /// Warns of limits that were hit, at most once a minute.
    pub(crate) fn warn_of_limits(&self, table: LimitHits) {
        let due = lock(&self.reporter).due(Instant::now(), self.limit_hits(table));
        if let Some(hits) = due {
            tracing::warn!("limit reached: {hits}");
        }
    }

    /// Records that the service acknowledged an upload.
    pub(crate) fn acknowledged(&self, now: Timestamp) {
        self.last_ack.store(now.0, Ordering::Relaxed);
        *lock(&self.delivery_problem) = None;
    }

    /// When the service last acknowledged an upload.
    pub fn last_ack(&self) -> Option<Timestamp> {
        Some(self.last_ack.load(Ordering::Relaxed)).filter(|t| *t != 0).map(Timestamp)
    }

    /// Records why uploads fail; returns whether the reason is new.
    pub(crate) fn not_delivered(&self, problem: String) -> bool {
        let problem = Some(problem);
        let mut known = lock(&self.delivery_problem);
        let new = *known != problem;
        *known = problem;
        new
    }

    /// Why uploads fail, if they do.
    pub fn delivery_problem(&self) -> Option<String> {
        lock(&self.delivery_problem).clone()
    }

    /// Records why the spool refuses changes, or that it takes them.
    pub(crate) fn set_spool_problem(&self, problem: Option<String>) {
        *lock(&self.spool_problem) = problem;
    }

    /// Why the spool refuses changes, if it does.
    pub fn spool_problem(&self) -> Option<String> {
        lock(&self.spool_problem).clone()
    }

    /// Records the newest feedback of the upload half.
    pub(crate) fn set_feedback(&self, feedback: &Feedback) {
        lock(&self.feedback).clone_from(feedback);
    }

    /// Records which indicators are in force.
    pub(crate) fn set_indicators(&self, now: IndicatorsInForce) {
        *lock(&self.indicators) = now;
    }

    /// Which indicators are in force.
    pub fn indicators(&self) -> IndicatorsInForce {
        lock(&self.indicators).clone()
    }

    /// Why the plan service's newest set of indicators is not in force, if it is not.
    pub fn indicators_problem(&self) -> Option<String> {
        self.indicators().problem.or_else(|| lock(&self.feedback).indicators_problem.clone())
    }

    /// By how many seconds the plan service's clock is ahead of this one, if known.
    pub fn clock_skew(&self) -> Option<i64> {
        lock(&self.feedback).clock_skew
    }

    /// The warning about the clock, if it differs too much.
    pub(crate) fn clock_problem(&self) -> Option<String> {
        let skew = self.clock_skew().filter(|s| s.unsigned_abs() >= SKEW)?;
        let side = if skew > 0 { "behind" } else { "ahead of" };
        Some(format!(
            "this machine's clock is {} s {side} the plan service's, so first and last sightings are wrong by that much; set up time synchronisation on both machines",
            skew.unsigned_abs()
        ))
    }

    /// All problems of capture and upload, those of interfaces first.
    pub fn problems(&self) -> Vec<String> {
        let mut all: Vec<String> = self.interfaces().into_values().filter_map(|i| i.problem).collect();
        let forked = self.forked.load(Ordering::Relaxed).then(|| FORKED.to_owned());
        let indicators = self.indicators_problem();
        let others =
            [self.spool_problem(), self.delivery_problem(), self.clock_problem(), forked, indicators];
        all.extend(others.into_iter().flatten());
        all
    }

    /// The sum over all interfaces.
    pub(crate) fn counters(&self) -> Counters {
        let mut sum = Counters::default();
        for ring in lock(&self.rings).values() {
            sum.add(&ring.counters);
        }
        sum
    }

    /// Frames dropped by the kernel or by the interfaces.
    pub(crate) fn dropped(&self) -> u64 {
        self.interfaces().values().map(InterfaceStatus::dropped).sum()
    }

    /// When frames were dropped, over all interfaces.
    fn drops(&self) -> Option<DropSpan> {
        lock(&self.rings).values().filter_map(|ring| ring.drops).reduce(DropSpan::with)
    }

    /// Totals in the form of the inventory document.
    pub(crate) fn capture(&self) -> CaptureSummary {
        CaptureSummary {
            dropped: self.dropped(),
            drops: self.drops(),
            ..CaptureSummary::from(&self.counters())
        }
    }

    /// The part of an upload about the sensor itself. `refused`: see [`Health::refused`].
    pub fn health(&self, refused: u64) -> Health {
        let (c, feedback) = (self.capture(), lock(&self.feedback).clone());
        Health {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            frames: c.frames,
            bytes: c.bytes,
            malformed: c.malformed,
            duplicates: c.duplicates,
            dropped: c.dropped,
            drops: c.drops,
            refused,
            mostly_unread: self.counters().mostly_unread(),
            spool_refused: self.spool_refused.load(Ordering::Relaxed),
            spool_dropped: self.spool_dropped.load(Ordering::Relaxed),
            put_aside: feedback.put_aside,
            clock_skew: feedback.clock_skew,
            clock_ahead: None,
            receipt: None,
            indicators: self.indicators().digest,
            indicators_problem: self.indicators_problem().map(|text| text.chars().take(PROBLEM).collect()),
        }
    }

    /// The line that `systemctl status` shows.
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

    /// What is published of an interface with so many drops and its newest frame at that second.
    fn published(dropped: u64, last: i64) -> InterfaceStatus {
        let statistics = Statistics { dropped_ring: dropped, ..Statistics::default() };
        let at = Some(Timestamp::from_secs(last));
        InterfaceStatus {
            counters: Counters { first: Some(Timestamp::from_secs(1)), last: at, ..Counters::default() },
            statistics,
            ..InterfaceStatus::default()
        }
    }

    #[test]
    fn drops_have_the_time_from_the_frame_before_the_first_to_the_one_after_the_last() {
        let mut known = InterfaceStatus::default();
        let mut spans = Vec::new();
        for (dropped, last) in [(0, 10), (3, 20), (3, 30), (9, 40), (9, 50)] {
            let mut now = published(dropped, last);
            now.note_drops(&known);
            spans.push(now.drops.map(|d| (d.first, d.last)));
            known = now;
        }
        let span = |a, b| Some((Timestamp::from_secs(a), Timestamp::from_secs(b)));
        assert_eq!(spans, [None, span(10, 20), span(10, 20), span(10, 40), span(10, 40)]);
        let status = Status::default();
        status.publish("a", 0, known);
        status.publish("b", 0, InterfaceStatus::default());
        assert_eq!(status.health(0).drops.map(|d| (d.first, d.last)), span(10, 40));
        assert_eq!((status.capture().dropped, status.health(0).dropped), (9, 9));
    }

    #[test]
    fn the_rings_of_an_interface_are_one_interface() {
        let status = Status::default();
        let ring = |received, problem: Option<&str>| InterfaceStatus {
            problem: problem.map(str::to_owned),
            statistics: Statistics { received, dropped_ring: 1, dropped_interface: received },
            ..InterfaceStatus::default()
        };
        status.publish("a", 0, ring(5, None));
        status.publish("a", 1, ring(7, Some("gone")));
        let interfaces = status.interfaces();
        assert_eq!(interfaces.len(), 1);
        // Each ring counts all that the interface dropped.
        let expected = Statistics { received: 12, dropped_ring: 2, dropped_interface: 7 };
        assert_eq!(interfaces["a"].statistics, expected);
        assert_eq!((status.problems(), status.dropped()), (vec!["gone".to_owned()], 9));
    }

    #[test]
    fn one_thread_that_hangs_is_seen_though_the_others_go_on() {
        let (status, mut known) = (Status::default(), BTreeMap::new());
        let (a, b) = (status.progress_of("a", 0), status.progress_of("a", 1));
        assert!(status.goes_on(&mut known));
        for (of_a, of_b, expected) in [(1, 1, true), (1, 0, false), (0, 0, false), (2, 5, true)] {
            a.fetch_add(of_a, Ordering::Relaxed);
            b.fetch_add(of_b, Ordering::Relaxed);
            assert_eq!(status.goes_on(&mut known), expected);
        }
    }

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
        status.publish(
            "eth1",
            0,
            InterfaceStatus { problem: Some("gone".into()), ..InterfaceStatus::default() },
        );
        let line = status.line(3, 0);
        assert!(line.contains("3 couplings") && line.contains("not capturing on eth1"), "{line}");
    }

    #[test]
    fn a_clock_difference_is_a_problem_from_a_minute_on() {
        let (status, differing) =
            (Status::default(), |s| Feedback { clock_skew: Some(s), ..Feedback::default() });
        status.set_feedback(&differing(59));
        assert_eq!((status.clock_problem(), status.health(0).clock_skew), (None, Some(59)));
        status.set_feedback(&differing(3_600));
        assert!(status.line(0, 0).contains("3600 s behind"), "{}", status.line(0, 0));
        status.set_feedback(&differing(-61));
        assert!(status.clock_problem().unwrap().contains("61 s ahead"));
    }
}
