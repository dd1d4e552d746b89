//! Inventories in memory: per subscription the merged facts, what people decided, and the newest view of both.
//!
//! At first use, the facts are loaded from the store. Each upload is joined with them after its commit. Before each use,
//! facts and decisions catch up with what other services, or commands, wrote to the same database. A view is computed when
//! somebody asks for it, and kept until the facts, the decisions or the instant of the count change. One view at another
//! instant is kept, too: a person who pages through a list asks for the same instant again.
//!
//! A view uses the decisions in force now, at any instant of the count: a correction also holds for the past. Snapshots,
//! from which the plan bills, never change.
//!
//! **The instant of the count.** A live service counts at the present, rounded down to the minute ([`CountAt::Now`]). So
//! devices of a sensor that stopped sending become idle (X-IDLE), and a view serves for a minute. A service that replays
//! an old capture, as the demo does, counts at the newest frame, but never later than the present
//! ([`CountAt::NewestFrame`]). A caller may name another instant.

mod change;

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use utoipa::ToSchema;

pub use change::{Changed, Check};

use super::Refusal;
use crate::census::{
    Classifier, CouplingKey, Decisions, Finding, Inventory, Policy, Survey, Timestamp, UnlistedFindings,
    time::rfc3339,
};
use crate::plan::store::{Ingested, Receipt, Replica, Store};
use crate::wire::SensorId;
use crate::wire::SubscriptionId;
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

/// How often the facts and the decisions of a subscription have changed.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Revision {
    pub facts: i64,
    pub decisions: i64,
}

/// An inventory at an instant, as pages and documents show it.
#[derive(Debug)]
pub struct View {
    pub as_of: Timestamp,
    pub policy: Policy,
    pub revision: Revision,
    /// The document; its `capture` holds times only.
    pub document: Document,
    /// What the document leaves out of each device, in its order.
    pub details: Vec<Detail>,
    /// The zones, by name.
    pub zones: Vec<ZoneSummary>,
    by_id: HashMap<String, usize>,
}

/// A zone and its numbers.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, ToSchema)]
pub struct ZoneSummary {
    /// Its name in the configuration of its sensors.
    pub name: String,
    pub devices: u64,
    /// Devices that count.
    pub billable: u64,
    /// Couplings that sensors reported.
    pub couplings: u64,
    /// The newest frame; null if none was seen.
    #[serde(with = "rfc3339::option")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub last_frame: Option<Timestamp>,
}

impl View {
    fn new(
        inventory: &Inventory,
        decisions: &Decisions,
        revision: Revision,
        policy: &Policy,
        classifier: &dyn Classifier,
        as_of: Timestamp,
    ) -> Self {
        let inventory = &*inventory.admitted(policy);
        // Every device is shown whole, and stays in the view.
        let survey = Survey::keeping(usize::MAX, inventory, policy, decisions, classifier, as_of);
        let capture = CaptureSummary {
            first: inventory.zones.values().filter_map(|z| z.segment.first_frame).min(),
            last: inventory.last_frame(),
            ..CaptureSummary::default()
        };
        let document = Document::new(&survey, capture, None);
        let by_id = document.devices.iter().enumerate().map(|(i, d)| (d.id.clone(), i)).collect();
        let details = survey.devices.iter().map(|d| Detail::new(d, None)).collect();
        let zones = zones(inventory, &survey);
        Self { zones, as_of, policy: policy.clone(), revision, document, details, by_id }
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
}

fn zones(inventory: &Inventory, survey: &Survey<'_>) -> Vec<ZoneSummary> {
    let mut out: BTreeMap<&str, ZoneSummary> = BTreeMap::new();
    for (name, zone) in &inventory.zones {
        let couplings = zone.couplings.len() as u64;
        let summary = ZoneSummary {
            name: name.clone(),
            devices: 0,
            billable: 0,
            couplings,
            last_frame: zone.segment.last_frame,
        };
        out.insert(name, summary);
    }
    for device in &survey.devices {
        if let Some(zone) = out.get_mut(device.zone) {
            zone.devices += 1;
            zone.billable += u64::from(device.verdict.is_counted());
        }
    }
    out.into_values().collect()
}

/// All inventories of a service.
pub struct Inventories {
    store: Store,
    policy: Arc<Policy>,
    classifier: SharedClassifier,
    count_at: CountAt,
    states: Mutex<HashMap<SubscriptionId, Arc<SubscriptionState>>>,
}

struct SubscriptionState {
    replica: Replica,
    /// What people decided, and its revision; none before it is loaded.
    decisions: RwLock<(Option<i64>, Arc<Decisions>)>,
    /// Held while the replica or the decisions are changed.
    turn: tokio::sync::Mutex<()>,
    /// Held while a change is drafted: each draft builds on the change before.
    drafting: tokio::sync::Mutex<()>,
    view: tokio::sync::Mutex<Kept>,
    changed: watch::Sender<i64>,
}

/// The newest views at the default instant and at another one.
#[derive(Default)]
struct Kept {
    default: Option<Arc<View>>,
    other: Option<Arc<View>>,
}

impl SubscriptionState {
    /// The decisions with their revision.
    fn decisions(&self) -> (i64, Arc<Decisions>) {
        let known = self.decisions.read().unwrap_or_else(PoisonError::into_inner);
        (known.0.unwrap_or_default(), Arc::clone(&known.1))
    }

    fn decide(&self, revision: i64, decisions: Decisions) {
        let mut known = self.decisions.write().unwrap_or_else(PoisonError::into_inner);
        *known = (Some(revision), Arc::new(decisions));
    }

    fn revision(&self) -> Revision {
        let facts = self.replica.facts().revision.unwrap_or_default();
        Revision { facts, decisions: self.decisions().0 }
    }

    /// Notifies the receivers of [`Inventories::changes`].
    fn tell(&self) {
        let Revision { facts, decisions } = self.revision();
        self.changed.send_replace(facts.saturating_add(decisions));
    }
}

impl Inventories {
    /// Inventories over `store`.
    pub fn new(store: Store, policy: Policy, classifier: SharedClassifier, count_at: CountAt) -> Self {
        Self { store, policy: Arc::new(policy), classifier, count_at, states: Mutex::default() }
    }

    /// The view of a subscription at `as_of`, or at the default instant.
    ///
    /// # Errors
    /// The store's, when the facts are loaded.
    pub async fn view(
        &self,
        subscription: &SubscriptionId,
        as_of: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<Arc<View>, Refusal> {
        let state = self.current(subscription).await?;
        // Held while computing: a second caller waits for this view instead of computing it again.
        let mut kept = state.view.lock().await;
        let (revision, at) = self.standing(&state, as_of, now);
        let good = |v: &&Arc<View>| v.revision == revision && v.as_of == at;
        if let Some(view) = [&kept.default, &kept.other].into_iter().flatten().find(good) {
            return Ok(Arc::clone(view));
        }
        let (policy, classifier, shared) =
            (Arc::clone(&self.policy), Arc::clone(&self.classifier), Arc::clone(&state));
        let view = compute(move || {
            let facts = shared.replica.facts();
            let (decided, decisions) = shared.decisions();
            let revision = Revision { facts: facts.revision.unwrap_or_default(), decisions: decided };
            Arc::new(View::new(&facts.inventory, &decisions, revision, &policy, &*classifier, at))
        })
        .await?;
        let place = if as_of.is_none() { &mut kept.default } else { &mut kept.other };
        *place = Some(Arc::clone(&view));
        Ok(view)
    }

    /// The findings at the default instant, with the revision of what was counted. No view is kept for them.
    ///
    /// # Errors
    /// The store's, when the facts are loaded.
    pub async fn findings(
        &self,
        subscription: &SubscriptionId,
        now: Timestamp,
    ) -> Result<(Revision, Vec<Finding>, Vec<UnlistedFindings>), Refusal> {
        let state = self.current(subscription).await?;
        // One at a time for a subscription, as for views.
        let kept = state.view.lock().await;
        let (revision, at) = self.standing(&state, None, now);
        if let Some(view) = kept.default.as_ref().filter(|v| v.revision == revision && v.as_of == at) {
            let Document { findings, unlisted_findings, .. } = &view.document;
            return Ok((revision, findings.clone(), unlisted_findings.clone()));
        }
        let (policy, classifier, shared) =
            (Arc::clone(&self.policy), Arc::clone(&self.classifier), Arc::clone(&state));
        compute(move || {
            let facts = shared.replica.facts();
            let (decided, decisions) = shared.decisions();
            let revision = Revision { facts: facts.revision.unwrap_or_default(), decisions: decided };
            let inventory = facts.inventory.admitted(&policy);
            let survey = Survey::new(&inventory, &policy, &decisions, &*classifier, at);
            (revision, survey.findings.iter().cloned().collect(), survey.findings.unlisted().collect())
        })
        .await
    }

    /// Everything that is known of an address or a MAC at `as_of`, or at the default instant: devices, and couplings that do
    /// not belong to a device. Computed each time, because a view does not keep such couplings.
    ///
    /// # Errors
    /// The store's, when the facts are loaded.
    pub async fn explain(
        &self,
        subscription: &SubscriptionId,
        subject: Subject,
        as_of: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<Explanation, Refusal> {
        let state = self.current(subscription).await?;
        // One at a time for a subscription, as for views.
        let _turn = state.view.lock().await;
        let (_, at) = self.standing(&state, as_of, now);
        let (policy, classifier, shared) =
            (Arc::clone(&self.policy), Arc::clone(&self.classifier), Arc::clone(&state));
        compute(move || {
            let facts = shared.replica.facts();
            let (_, decisions) = shared.decisions();
            let inventory = facts.inventory.admitted(&policy);
            let survey = Survey::new(&inventory, &policy, &decisions, &*classifier, at);
            Explanation::new(&survey, subject, &policy, None)
        })
        .await
    }

    /// Counts a subscription as it was at `as_of`, the start of a UTC day, and gives the survey to `read`. `known` tells
    /// of a coupling of a zone when it had been seen last, as an earlier count found it; see [`Inventory::until`].
    /// Decisions are those that stood then. Returns the revision of the facts too.
    ///
    /// # Errors
    /// The store's, when the facts are loaded.
    pub async fn count_at<T: Send + 'static>(
        &self,
        subscription: &SubscriptionId,
        as_of: Timestamp,
        known: impl Fn(&str, CouplingKey) -> Option<Timestamp> + Send + 'static,
        read: impl FnOnce(&Survey<'_>) -> T + Send + 'static,
    ) -> Result<(i64, T), Refusal> {
        let state = self.current(subscription).await?;
        let decisions = self.store.decisions_before(subscription, as_of).await?;
        let (policy, classifier) = (Arc::clone(&self.policy), Arc::clone(&self.classifier));
        compute(move || {
            let (revision, mut inventory) = {
                let facts = state.replica.facts();
                (facts.revision.unwrap_or_default(), facts.inventory.until(as_of, known))
            };
            inventory.admit(&policy);
            let survey = Survey::new(&inventory, &policy, &decisions, &*classifier, as_of);
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
        subscription: &SubscriptionId,
        sensor: &SensorId,
        upload: Upload,
        request: [u8; 32],
        now: Timestamp,
    ) -> Result<Ingested, Refusal> {
        let state = self.state(subscription);
        let _turn = state.turn.lock().await;
        let done = self.store.ingest(subscription, sensor, upload, request, &state.replica, now).await?;
        if done.receipt == Receipt::Stored {
            state.tell();
        }
        Ok(done)
    }

    /// Looks whether another service changed facts or decisions. If so, notifies the receivers of [`Inventories::changes`].
    ///
    /// # Errors
    /// The store's.
    pub async fn look(&self, subscription: &SubscriptionId) -> Result<(), Refusal> {
        self.current(subscription).await.map(drop)
    }

    /// What people decided about a subscription's devices, up to date.
    ///
    /// # Errors
    /// The store's.
    pub async fn decisions(&self, subscription: &SubscriptionId) -> Result<Arc<Decisions>, Refusal> {
        Ok(self.current(subscription).await?.decisions().1)
    }

    /// Receives a new number at each change of a subscription's facts or decisions.
    pub fn changes(&self, subscription: &SubscriptionId) -> watch::Receiver<i64> {
        self.state(subscription).changed.subscribe()
    }

    fn default_instant(&self, now: Timestamp, newest: Option<Timestamp>) -> Timestamp {
        match self.count_at {
            CountAt::Now => Timestamp(now.0 - now.0.rem_euclid(MINUTE)),
            CountAt::NewestFrame => newest.map_or(now, |frame| frame.min(now)),
        }
    }

    /// The revisions, and the instant of the count.
    fn standing(
        &self,
        state: &SubscriptionState,
        as_of: Option<Timestamp>,
        now: Timestamp,
    ) -> (Revision, Timestamp) {
        let newest = state.replica.facts().inventory.last_frame();
        (state.revision(), as_of.unwrap_or_else(|| self.default_instant(now, newest)))
    }

    fn state(&self, subscription: &SubscriptionId) -> Arc<SubscriptionState> {
        let mut states = self.states.lock().unwrap_or_else(PoisonError::into_inner);
        let new = || {
            Arc::new(SubscriptionState {
                replica: Replica::default(),
                decisions: RwLock::default(),
                drafting: tokio::sync::Mutex::default(),
                turn: tokio::sync::Mutex::default(),
                view: tokio::sync::Mutex::default(),
                changed: watch::Sender::new(0),
            })
        };
        Arc::clone(states.entry(subscription.clone()).or_insert_with(new))
    }

    /// The state with facts and decisions that are up to date.
    async fn current(&self, subscription: &SubscriptionId) -> Result<Arc<SubscriptionState>, Refusal> {
        let state = self.state(subscription);
        let turn = state.turn.lock().await;
        let mut news = self.store.refresh(subscription, &state.replica).await?;
        let known = state.decisions.read().unwrap_or_else(PoisonError::into_inner).0;
        if let Some((revision, decisions)) = self.store.decisions(subscription, known).await? {
            state.decide(revision, decisions);
            news = true;
        }
        if news {
            state.tell();
        }
        drop(turn);
        Ok(state)
    }
}

/// Runs a survey on a thread of its own, so that it holds up no request.
async fn compute<T: Send + 'static>(survey: impl FnOnce() -> T + Send + 'static) -> Result<T, Refusal> {
    tokio::task::spawn_blocking(survey).await.map_err(|e| Refusal::Defect(format!("a survey failed: {e}")))
}
