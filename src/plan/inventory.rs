//! Inventories in memory: per subscription the merged facts, and the newest view of them.
//!
//! Facts are loaded from the store at first use and joined with every upload after its commit; as merging is a join,
//! an upload that is both loaded and joined changes nothing twice. A view is computed when somebody asks, and kept
//! until facts or the instant of the count change.
//!
//! **The instant of the count.** A live service counts at the clock's present, taken down to the whole minute
//! ([`CountAt::Now`]): a sensor that stopped sending does not keep its devices counted (X-IDLE), and a view serves
//! for a minute. A service that replays an old capture, as the demo does, counts at the newest frame it knows, or
//! at the present where that lies earlier ([`CountAt::NewestFrame`]). Whoever asks may name another instant.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use serde::Deserialize;
use tokio::sync::{OnceCell, watch};

use super::store::{Store, StoreError};
use crate::census::{Category, Classifier, Decisions, Inventory, Policy, Survey, Timestamp, Zone};
use crate::wire::{CaptureSummary, Detail, DeviceAnswer, DeviceEntry, Document, Explanation, Subject};

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
    /// Counts the changes of the facts since the service started.
    pub generation: u64,
    /// The document; its `capture` holds times only.
    pub document: Document,
    /// What the document leaves out, device by device.
    pub details: Vec<Detail>,
    by_id: HashMap<String, usize>,
}

impl View {
    fn new(facts: &Facts, policy: &Policy, classifier: &dyn Classifier, as_of: Timestamp) -> Self {
        let survey = Survey::new(&facts.inventory, policy, &Decisions::default(), classifier, as_of);
        let capture = CaptureSummary {
            first: facts.inventory.zones.values().filter_map(|z| z.segment.first_frame).min(),
            last: facts.inventory.last_frame(),
            ..CaptureSummary::default()
        };
        let document = Document::new(&survey, capture, None);
        let by_id = document.devices.iter().enumerate().map(|(i, d)| (d.id.clone(), i)).collect();
        let details = survey.devices.iter().map(|d| Detail::new(d, None)).collect();
        Self { as_of, policy: policy.clone(), generation: facts.generation, document, details, by_id }
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
    facts: OnceCell<Arc<RwLock<Facts>>>,
    view: tokio::sync::Mutex<Option<Arc<View>>>,
    changed: watch::Sender<u64>,
}

#[derive(Default)]
struct Facts {
    inventory: Inventory,
    generation: u64,
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
        let tenant = self.tenant(subscription);
        let facts = self.facts(&tenant, subscription).await?;
        // Held while computing: whoever comes meanwhile waits for this view instead of computing it again.
        let mut kept = tenant.view.lock().await;
        let (generation, newest) = {
            let facts = facts.read().unwrap_or_else(PoisonError::into_inner);
            (facts.generation, facts.inventory.last_frame())
        };
        let at = as_of.unwrap_or_else(|| self.default_instant(now, newest));
        if let Some(view) = kept.as_ref().filter(|v| v.generation == generation && v.as_of == at) {
            return Ok(Arc::clone(view));
        }
        let (policy, classifier) = (Arc::clone(&self.policy), Arc::clone(&self.classifier));
        let view = compute(move || {
            let facts = facts.read().unwrap_or_else(PoisonError::into_inner);
            Arc::new(View::new(&facts, &policy, &*classifier, at))
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
        let tenant = self.tenant(subscription);
        let facts = self.facts(&tenant, subscription).await?;
        // One at a time for a subscription, as for views.
        let _turn = tenant.view.lock().await;
        let newest = facts.read().unwrap_or_else(PoisonError::into_inner).inventory.last_frame();
        let at = as_of.unwrap_or_else(|| self.default_instant(now, newest));
        let (policy, classifier) = (Arc::clone(&self.policy), Arc::clone(&self.classifier));
        compute(move || {
            let facts = facts.read().unwrap_or_else(PoisonError::into_inner);
            let survey = Survey::new(&facts.inventory, &policy, &Decisions::default(), &*classifier, at);
            Explanation::new(&survey, subject, &policy, None)
        })
        .await
    }

    /// Joins the facts of an upload that the store has committed.
    ///
    /// # Errors
    /// The store's, when the facts are loaded.
    pub async fn join(&self, subscription: &str, zone: &str, delta: &Zone) -> Result<(), StoreError> {
        let tenant = self.tenant(subscription);
        let facts = self.facts(&tenant, subscription).await?;
        let generation = {
            let mut facts = facts.write().unwrap_or_else(PoisonError::into_inner);
            facts.inventory.merge_zone(zone, delta);
            facts.generation += 1;
            facts.generation
        };
        tenant.changed.send_replace(generation);
        Ok(())
    }

    /// Tells of changes of a subscription's facts.
    pub fn changes(&self, subscription: &str) -> watch::Receiver<u64> {
        self.tenant(subscription).changed.subscribe()
    }

    fn default_instant(&self, now: Timestamp, newest: Option<Timestamp>) -> Timestamp {
        match self.count_at {
            CountAt::Now => Timestamp(now.0 - now.0.rem_euclid(MINUTE)),
            CountAt::NewestFrame => newest.map_or(now, |frame| frame.min(now)),
        }
    }

    fn tenant(&self, subscription: &str) -> Arc<Tenant> {
        let mut tenants = self.tenants.lock().unwrap_or_else(PoisonError::into_inner);
        let new = || {
            let changed = watch::Sender::new(0);
            Arc::new(Tenant { facts: OnceCell::new(), view: tokio::sync::Mutex::new(None), changed })
        };
        Arc::clone(tenants.entry(subscription.to_owned()).or_insert_with(new))
    }

    async fn facts(&self, tenant: &Tenant, subscription: &str) -> Result<Arc<RwLock<Facts>>, StoreError> {
        let load = || async {
            let inventory = self.store.inventory(subscription).await?;
            Ok::<_, StoreError>(Arc::new(RwLock::new(Facts { inventory, generation: 0 })))
        };
        tenant.facts.get_or_try_init(load).await.map(Arc::clone)
    }
}

/// Runs a survey where it holds up no request.
async fn compute<T: Send + 'static>(survey: impl FnOnce() -> T + Send + 'static) -> Result<T, StoreError> {
    tokio::task::spawn_blocking(survey)
        .await
        .map_err(|e| StoreError::Corrupt { table: "coupling", why: format!("the census failed: {e}") })
}
