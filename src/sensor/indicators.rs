//! The indicators that a sensor watches for: those of the feeds that its configuration names, and the set of its plan service.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, TryLockError};

use serde::{Deserialize, Serialize};

use super::indicator_set::{self, SavedSet};
use super::pipeline::table::Table;
use super::status::Status;
use super::upload::feedback::Feedback;
use crate::census::Timestamp;
use crate::security::{BadFeed, Indicators};

/// The indicators of all feeds. A feed that cannot be read is left out, with a warning: the sensor counts without it. `now`
/// tells which indicators have expired.
pub fn read(files: &[PathBuf], now: Timestamp) -> Indicators {
    let mut all = Indicators::default();
    for file in files {
        let name = file.display();
        let report = File::open(file).map_err(BadFeed::from).and_then(|file| all.read_feed(file, now));
        match report {
            Ok(report) => {
                let (added, form, known) = (report.added, report.form, report.known);
                let left_out = report.leavings();
                tracing::info!(form, added, known, left_out, "read the indicators of {name}");
            }
            Err(error) => tracing::warn!("{name}: {error}; this feed of indicators is left out"),
        }
    }
    all
}

/// Which indicators are in force.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(default)]
pub struct IndicatorsInForce {
    /// How many there are.
    pub total: u64,
    /// How many of them only the plan service named.
    pub listed: u64,
    /// The digest of the service's set, in hex; `None` without one.
    pub digest: Option<String>,
    /// Why the newest set that was saved is not in force, if it is not.
    pub problem: Option<String>,
}

/// Loads the indicators into the table: at the start, at a reload, and when the upload half saved another set.
#[derive(Clone, Debug, Default)]
pub struct IndicatorLoader(Arc<Mutex<Loaded>>);

#[derive(Debug, Default)]
struct Loaded {
    /// The saved set that was looked at last, in force or not.
    seen: Option<SavedSet>,
    in_force: IndicatorsInForce,
}

impl IndicatorLoader {
    /// Reads all feeds and the saved set again. If the set cannot be read, the one that was in force stays.
    pub fn load(&self, place: &Place<'_>) {
        let mut loaded = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        loaded.load(place, Feedback::load(place.spool).indicators);
    }

    /// Loads the set that the upload half saved, if it is another one than the last. Does nothing while another thread loads.
    pub(crate) fn look(&self, place: &Place<'_>) {
        let mut loaded = match self.0.try_lock() {
            Ok(loaded) => loaded,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => return,
        };
        let saved = Feedback::load(place.spool).indicators;
        if saved != loaded.seen {
            loaded.load(place, saved);
        }
    }

    /// Whether the upload half saved another set than the last that was looked at. Does not wait.
    pub(crate) fn is_due(&self, spool: &Path) -> bool {
        let Ok(loaded) = self.0.try_lock() else { return false };
        Feedback::load(spool).indicators != loaded.seen
    }
}

/// Where indicators come from, and where they go.
#[derive(Clone, Copy, Debug)]
pub struct Place<'p> {
    /// The sensor's own feeds.
    pub files: &'p [PathBuf],
    pub spool: &'p Path,
    pub table: &'p Table,
    pub status: &'p Status,
    pub now: Timestamp,
}

impl Loaded {
    fn load(&mut self, place: &Place<'_>, saved: Option<SavedSet>) {
        let mut all = read(place.files, place.now);
        let own = all.len();
        let added = saved.as_ref().map(|saved| indicator_set::add(place.spool, saved, &mut all));
        let problem = match added {
            None => {
                self.in_force.digest = None;
                None
            }
            Some(Ok(added)) => {
                let digest = saved.as_ref().map(|saved| saved.digest.clone());
                let (own, left_out) = (own as u64, added.left_out as u64);
                tracing::info!(
                    own,
                    added = added.added,
                    left_out,
                    "the plan service's set of indicators {} is in force",
                    digest.as_deref().unwrap_or_default()
                );
                self.in_force.digest = digest;
                None
            }
            Some(Err(error)) => {
                tracing::warn!("{error}; the indicators that were in force stay");
                all.keep_listed(&place.table.indicators());
                Some(error.to_string())
            }
        };
        self.seen = saved;
        let total = all.len() as u64;
        self.in_force =
            IndicatorsInForce { total, listed: all.listed() as u64, problem, ..self.in_force.clone() };
        place.table.watch_for(all);
        place.status.set_indicators(self.in_force.clone());
    }
}
