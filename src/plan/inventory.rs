//! Inventories in memory: per subscription the merged facts, and the newest view of them.
//!
//! Facts are loaded from the store at first use and joined with every upload after its commit. Before they are used
//! they catch up with what other services, or commands, wrote to the same database. A view is computed when somebody
//! asks, and kept until facts or the instant of the count change.
//!
//! **The instant of the count.** A live service counts at the clock's present, taken down to the whole minute
//! ([`CountAt::Now`]): a sensor that stopped sending does not keep its devices counted (X-IDLE), and a view serves
//! for a minute. A service that replays an old capture, as the demo does, counts at the newest frame it knows, or
//! at the present where that lies earlier ([`CountAt::NewestFrame`]). Whoever asks may name another instant.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use serde::Deserialize;
use tokio::sync::watch;

use super::store::{Ingested, Receipt, Replica, Store, StoreError};
use crate::census::{Category, Classifier, CouplingKey, Decisions, Inventory, Policy, Survey, Timestamp};
use crate::wire::{
    CaptureSummary, Detail, DeviceAnswer, DeviceEntry, Document, Explanation, Subject, Upload,
};

const MINUTE: i64 = 60_000_000_000;

/// A classifier that threads share.
pub type SharedClassifier = Arc<dyn Classifier + Send + Sync>;

/// The default instant of the count.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "snake_case")]
pub enum CountAt {
    /// The clock's present, down to the minute.
    #[default]
    Now,
    /// The newest frame that is known, but never later than the present.
    NewestFrame,
}

/// An inventory at an instant, with what pages and documents show of it.
#[derive(Debug)]
pub struct View {
    /// The instant of the count.
    pub as_of: Timestamp,
    /// The policy of the count.
    pub policy: Policy,
    /// The revision of the facts.
    pub revision: i64,
    /// The document; its `capture` holds times only.
    pub document: Document,
    /// What the document leaves out, device by device.
    pub details: Vec<Detail>,
    by_id: HashMap<String, usize>,
}

impl View {
    fn new(
        inventory: &Inventory,
        revision: i64,
        policy: &Policy,
        classifier: &dyn Classifier,
        as_of: Timestamp,
    ) -> Self {
        let survey = Survey::new(inventory, policy, &Decisions::default(), classifier, as_of);
        let capture = CaptureSummary {
            first: inventory.zones.values().filter_map(|z| z.segment.first_frame).min(),
            last: inventory.last_frame(),
            ..CaptureSummary::default()
        };
        let document = Document::new(&survey, capture, None);
        let by_id = document.devices.iter().enumerate().map(|(i, d)| (d.id.clone(), i)).collect();
        let details = survey.devices.iter().map(|d| Detail::new(d, None)).collect();
        Self { as_of, policy: policy.clone(), revision, document, details, by_id }
    }

    /// Why the device of that id counts, or does not.
    pub fn why(&self, id: &str) -> Option<DeviceAnswer> {
        let (device, detail) = self.device(id)?;
        Some(DeviceAnswer::new(device.clone(), detail, &self.policy, None))
    }

    /// The device of that id, with its details.
    pub fn device(&self, id: &str) -> Option<(&DeviceEntry, &Detail)> {
        let place = *self.by_id.get(id)?;
        Some((self.document.devices.get(place)?, self.details.get(place)?))
    }

    /// How many devices each tab holds, in the order of the tabs.
    pub fn tabs(&self) -> [(Category, usize); 4] {
        Category::ALL.map(|c| (c, self.document.devices.iter().filter(|d| d.category == c).count()))
    }
}

/// All inventories of a service.
pub struct Inventories {
    store: Store,
    policy: Arc<Policy>,
    classifier: SharedClassifier,
    count_at: CountAt,
    tenants: Mutex<HashMap<String, Arc<Tenant>>>,
}

struct Tenant {
    replica: Replica,
    /// Held by whoever changes the replica.
    turn: tokio::sync::Mutex<()>,
    view: tokio::sync::Mutex<Option<Arc<View>>>,
    changed: watch::Sender<i64>,
}

impl Inventories {
    /// Inventories over `store`.
    pub fn new(store: Store, policy: Policy, classifier: SharedClassifier, count_at: CountAt) -> Self {
        Self { store, policy: Arc::new(policy), classifier, count_at, tenants: Mutex::default() }
    }

    /// The view of a subscription at `as_of`, or at the default instant.
    ///
    /// # Errors
    /// The store's, when the facts are loaded.
    pub async fn view(
        &self,
        subscription: &str,
        as_of: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<Arc<View>, StoreError> {
        let tenant = self.current(subscription).await?;
        // Held while computing: whoever comes meanwhile waits for this view instead of computing it again.
        let mut kept = tenant.view.lock().await;
        let (revision, at) = self.standing(&tenant, as_of, now);
        if let Some(view) = kept.as_ref().filter(|v| v.revision == revision && v.as_of == at) {
            return Ok(Arc::clone(view));
        }
        let (policy, classifier, shared) =
            (Arc::clone(&self.policy), Arc::clone(&self.classifier), Arc::clone(&tenant));
        let view = compute(move || {
            let facts = shared.replica.facts();
            let revision = facts.revision.unwrap_or_default();
            Arc::new(View::new(&facts.inventory, revision, &policy, &*classifier, at))
        })
        .await?;
        if as_of.is_none() {
            *kept = Some(Arc::clone(&view));
        }
        Ok(view)
    }

    /// Everything that is known of an address or a MAC at `as_of`, or at the default instant: devices, and couplings
    /// that are no device's. Computed anew, as a view keeps no lines.
    ///
    /// # Errors
    /// The store's, when the facts are loaded.
    pub async fn explain(
        &self,
        subscription: &str,
        subject: Subject,
        as_of: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<Explanation, StoreError> {
        let tenant = self.current(subscription).await?;
        // One at a time for a subscription, as for views.
        let _turn = tenant.view.lock().await;
        let (_, at) = self.standing(&tenant, as_of, now);
        let (policy, classifier, shared) =
            (Arc::clone(&self.policy), Arc::clone(&self.classifier), Arc::clone(&tenant));
        compute(move || {
            let facts = shared.replica.facts();
            let survey = Survey::new(&facts.inventory, &policy, &Decisions::default(), &*classifier, at);
            Explanation::new(&survey, subject, &policy, None)
        })
        .await
    }

    /// Counts a subscription as it was at `as_of`, the start of a UTC day, and gives the survey to `read`. `known` tells
    /// of a coupling of a zone when it had been seen last, as an earlier count found it; see [`Inventory::until`].
    /// Returns the revision of the facts too.
    ///
    /// # Errors
    /// The store's, when the facts are loaded.
    pub async fn count_at<T: Send + 'static>(
        &self,
        subscription: &str,
        as_of: Timestamp,
        known: impl Fn(&str, CouplingKey) -> Option<Timestamp> + Send + 'static,
        read: impl FnOnce(&Survey<'_>) -> T + Send + 'static,
    ) -> Result<(i64, T), StoreError> {
        let tenant = self.current(subscription).await?;
        let (policy, classifier) = (Arc::clone(&self.policy), Arc::clone(&self.classifier));
        compute(move || {
            let (revision, inventory) = {
                let facts = tenant.replica.facts();
                (facts.revision.unwrap_or_default(), facts.inventory.until(as_of, known))
            };
            let survey = Survey::new(&inventory, &policy, &Decisions::default(), &*classifier, as_of);
            (revision, read(&survey))
        })
        .await
    }

    /// Stores an upload and joins its facts.
    ///
    /// # Errors
    /// Those of [`Store::ingest`].
    pub async fn ingest(
        &self,
        subscription: &str,
        sensor: &str,
        upload: &Upload,
        now: Timestamp,
    ) -> Result<Ingested, StoreError> {
        let tenant = self.tenant(subscription);
        let _turn = tenant.turn.lock().await;
        let done = self.store.ingest(subscription, sensor, upload, &tenant.replica, now).await?;
        if done.receipt == Receipt::Stored {
            tenant.changed.send_replace(tenant.replica.facts().revision.unwrap_or_default());
        }
        Ok(done)
    }

    /// Looks whether another service changed the facts; who listens to [`Inventories::changes`] is told then.
    ///
    /// # Errors
    /// The store's.
    pub async fn look(&self, subscription: &str) -> Result<(), StoreError> {
        self.current(subscription).await.map(drop)
    }

    /// Tells of changes of a subscription's facts.
    pub fn changes(&self, subscription: &str) -> watch::Receiver<i64> {
        self.tenant(subscription).changed.subscribe()
    }

    fn default_instant(&self, now: Timestamp, newest: Option<Timestamp>) -> Timestamp {
        match self.count_at {
            CountAt::Now => Timestamp(now.0 - now.0.rem_euclid(MINUTE)),
            CountAt::NewestFrame => newest.map_or(now, |frame| frame.min(now)),
        }
    }

    /// The revision of the facts, and the instant of the count.
    fn standing(&self, tenant: &Tenant, as_of: Option<Timestamp>, now: Timestamp) -> (i64, Timestamp) {
        let facts = tenant.replica.facts();
        let at = as_of.unwrap_or_else(|| self.default_instant(now, facts.inventory.last_frame()));
        (facts.revision.unwrap_or_default(), at)
    }

    fn tenant(&self, subscription: &str) -> Arc<Tenant> {
        let mut tenants = self.tenants.lock().unwrap_or_else(PoisonError::into_inner);
        let new = || {
            Arc::new(Tenant {
                replica: Replica::default(),
                turn: tokio::sync::Mutex::default(),
                view: tokio::sync::Mutex::default(),
                changed: watch::Sender::new(0),
            })
        };
        Arc::clone(tenants.entry(subscription.to_owned()).or_insert_with(new))
    }

    /// The tenant with facts that are up to date.
    async fn current(&self, subscription: &str) -> Result<Arc<Tenant>, StoreError> {
        let tenant = self.tenant(subscription);
        let turn = tenant.turn.lock().await;
        if self.store.refresh(subscription, &tenant.replica).await? {
            tenant.changed.send_replace(tenant.replica.facts().revision.unwrap_or_default());
        }
        drop(turn);
        Ok(tenant)
    }
}

/// Runs a survey where it holds up no request.
async fn compute<T: Send + 'static>(survey: impl FnOnce() -> T + Send + 'static) -> Result<T, StoreError> {
    tokio::task::spawn_blocking(survey)
        .await
        .map_err(|e| StoreError::Corrupt { table: "coupling", why: format!("the census failed: {e}") })
}
