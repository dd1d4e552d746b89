//! Inventories in memory: per subscription the merged facts, what people decided, and the newest view of both.
//!
//! At first use, the facts are loaded from the store. Each upload is joined with them after its commit. Before each use,
//! facts and decisions catch up with what other services, or commands, wrote to the same database. A survey works on a
//! snapshot of both, so uploads never wait for it; surveys wait in a line (`surveys`). A view is made when somebody asks
//! for it, once for all who ask (`views`), and kept until there is a newer one. One view at another instant is kept, too:
//! a person who pages through a list asks for the same instant again.
//!
//! A view of the present, or of a later instant, uses all facts, and the decisions in force now. A view of a past instant
//! uses what was known and decided then (`past`).
//!
//! **The instant of the count.** A live service counts at the present, rounded down to the minute ([`CountAt::Now`]). So
//! devices of a sensor that stopped sending become idle (X-IDLE), and a view serves for a minute. A service that replays
//! an old capture, as the demo does, counts at the newest frame, but never later than the present
//! ([`CountAt::NewestFrame`]). A caller may name another instant.

mod change;
mod components;
mod holders;
#[cfg(test)]
mod laws;
mod memory;
mod past;
mod secured;
mod surveys;
mod view;
mod views;
mod waiting;
mod zone_view;

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use serde::Deserialize;
use tokio::sync::oneshot::error::TryRecvError;
use tokio::sync::watch;

pub use change::{Changed, Check};
pub use components::SaidComponent;
pub use holders::Holders;
pub use memory::{Kept, Memory};
pub use secured::Secured;
pub use view::{View, ZoneLabel, ZoneSummary};
pub use views::{Patience, Served};

use self::memory::Use;
use self::past::Tense;
use self::surveys::{Line, Surveys};
use self::view::Ground;
use self::views::{Views, Wanted};
use self::waiting::{Told, Waiting};
use self::zone_view::Questions;
use super::{Refusal, aside};
use crate::advisory::Components;
use crate::census::time::MINUTE;
use crate::census::{
    Classifier, CouplingKey, Decisions, Finding, Inventory, Policy, Survey, Timestamp, Undated,
    UnlistedFindings,
};
use crate::clock::Clock;
use crate::plan::store::{Arrival, Facts, JoinedZones, Receipt, Replica, Store};
use crate::wire::SubscriptionId;
use crate::wire::{Explanation, Subject};

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

impl Revision {
    /// Whether everything of `other` is in this revision.
    const fn covers(self, other: Self) -> bool {
        self.facts >= other.facts && self.decisions >= other.decisions
    }
}

/// The labels of zones, by the names of the zones; a label that is its zone's name comes first.
pub type ZoneLabels = BTreeMap<String, Vec<String>>;

/// All inventories of a service. Clones share them.
#[derive(Clone)]
pub struct Inventories {
    store: Store,
    policy: Arc<Policy>,
    classifier: SharedClassifier,
    count_at: CountAt,
    clock: Arc<dyn Clock>,
    surveys: Surveys,
    questions: Arc<Questions>,
    /// The table of components, if they are asked for.
    components: Option<Arc<Components>>,
    states: Arc<Mutex<HashMap<SubscriptionId, Arc<SubscriptionState>>>>,
}

struct SubscriptionState {
    replica: Replica,
    /// The facts of zones that have several labels.
    joined: JoinedZones,
    /// What people decided, and its revision; none before it is loaded.
    decisions: RwLock<(Option<i64>, Arc<Decisions>)>,
    /// Uploads that wait for the turn.
    waiting: Waiting,
    /// Held while the replica or the decisions are changed.
    turn: tokio::sync::Mutex<()>,
    /// Held while a change is drafted: each draft builds on the change before.
    drafting: tokio::sync::Mutex<()>,
    views: Views,
    line: Line,
    usage: Use,
    changed: watch::Sender<i64>,
    /// The newest alerts and recommendations, and what they were derived of.
    security: Mutex<Option<Secured>>,
    /// Held while they are derived for pages, which do not wait.
    deriving: Arc<tokio::sync::Mutex<()>>,
}

impl SubscriptionState {
    fn new() -> Self {
        Self {
            replica: Replica::default(),
            joined: JoinedZones::default(),
            decisions: RwLock::default(),
            waiting: Waiting::default(),
            turn: tokio::sync::Mutex::default(),
            drafting: tokio::sync::Mutex::default(),
            views: Views::default(),
            line: Line::default(),
            usage: Use::default(),
            changed: watch::Sender::new(0),
            security: Mutex::default(),
            deriving: Arc::default(),
        }
    }

    /// The decisions with their revision.
    fn decisions(&self) -> (i64, Arc<Decisions>) {
        let known = self.decisions.read().unwrap_or_else(PoisonError::into_inner);
        (known.0.unwrap_or_default(), Arc::clone(&known.1))
    }

    fn decide(&self, revision: i64, decisions: Arc<Decisions>) {
        let mut known = self.decisions.write().unwrap_or_else(PoisonError::into_inner);
        *known = (Some(revision), decisions);
    }

    /// Facts by the names of their zones, under the decisions of the present. May have to join those of several labels.
    fn named(&self, facts: &Arc<Facts>, decisions: &Decisions) -> Arc<Facts> {
        facts.named(decisions.names(), &self.joined)
    }

    /// The facts, by labels, and the decisions as they are now. Whoever works on them holds up nobody.
    fn snapshot(&self) -> (Arc<Facts>, Revision, Arc<Decisions>) {
        let (facts, (decided, decisions)) = (self.replica.facts(), self.decisions());
        let revision = Revision { facts: facts.revision.unwrap_or_default(), decisions: decided };
        (facts, revision, decisions)
    }

    fn revision(&self) -> Revision {
        let facts = self.replica.revision().unwrap_or_default();
        Revision { facts, decisions: self.decisions().0 }
    }

    /// The revisions of the facts and the decisions; `None` before they are loaded.
    fn loaded(&self) -> (Option<i64>, Option<i64>) {
        let decisions = self.decisions.read().unwrap_or_else(PoisonError::into_inner).0;
        (self.replica.revision(), decisions)
    }

    /// Notifies the receivers of [`Inventories::changes`].
    fn tell(&self) {
        let Revision { facts, decisions } = self.revision();
        self.changed.send_replace(facts.saturating_add(decisions));
    }
}

impl Inventories {
    /// Inventories over `store`.
    pub fn new(
        store: Store,
        policy: Policy,
        classifier: SharedClassifier,
        count_at: CountAt,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let policy = Arc::new(policy);
        Self {
            store,
            policy,
            classifier,
            count_at,
            clock,
            surveys: Surveys::default(),
            questions: Arc::default(),
            components: None,
            states: Arc::default(),
        }
    }

    /// As it is, and views name the components of devices.
    pub fn naming_components(self, components: Components) -> Self {
        Self { components: Some(Arc::new(components)), ..self }
    }

    /// The view of a subscription at `as_of`, or at the default instant: the newest, or an older one if the newest is not
    /// there in time.
    ///
    /// # Errors
    /// [`Refusal::Busy`] if there is none in time, or if too many are waited for; [`Refusal::TooEarly`] before the
    /// subscription existed; the store's.
    pub async fn view(
        &self,
        subscription: &SubscriptionId,
        as_of: Option<Timestamp>,
        patience: Patience,
    ) -> Result<Served, Refusal> {
        let (state, wanted) = self.wanted(subscription, as_of).await?;
        self.await_view(subscription, &state, wanted, patience).await
    }

    /// The kept view at `as_of`, if there is one that has all that people decided. Makes none.
    ///
    /// # Errors
    /// As [`Self::view`].
    pub async fn kept_view(
        &self,
        subscription: &SubscriptionId,
        as_of: Timestamp,
    ) -> Result<Option<Served>, Refusal> {
        let (state, wanted) = self.wanted(subscription, Some(as_of)).await?;
        Ok(state.views.of_instant(&wanted))
    }

    /// What a reader asks for.
    async fn wanted(
        &self,
        subscription: &SubscriptionId,
        as_of: Option<Timestamp>,
    ) -> Result<(Arc<SubscriptionState>, Wanted), Refusal> {
        let state = self.current(subscription).await?;
        state.usage.note_reader(self.clock.now());
        let tense = self.tense(subscription, &state, as_of).await?;
        let revision = state.revision();
        let at = state.replica.read(|facts| self.instant(facts, as_of, self.clock.now()));
        Ok((state, Wanted { as_of, at, tense, revision }))
    }

    /// The findings at the default instant, with the revision of what was counted.
    ///
    /// # Errors
    /// The store's, when the facts are loaded.
    pub async fn findings(
        &self,
        subscription: &SubscriptionId,
    ) -> Result<(Revision, Vec<Finding>, Vec<UnlistedFindings>), Refusal> {
        let Served { view, .. } = self.view(subscription, None, Patience::ENDLESS).await?;
        aside(move || {
            let (findings, unlisted) = view.findings();
            (view.revision, findings, unlisted)
        })
        .await
    }

    /// The view of a snapshot. Only the zones that changed since the kept views are surveyed.
    fn count(
        &self,
        state: &SubscriptionState,
        facts: &Facts,
        decisions: &Arc<Decisions>,
        revision: Revision,
        as_of: Timestamp,
    ) -> View {
        let ground = Ground {
            facts,
            decisions,
            revision,
            policy: &self.policy,
            classifier: &*self.classifier,
            questions: &self.questions,
            components: self.components.as_deref(),
            as_of,
        };
        View::new(&ground, &state.views.of_the_present(), self.clock.now())
    }

    /// The view of the same facts at the same instant under other decisions.
    fn count_under(&self, view: &Arc<View>, facts: &Facts, decisions: &Arc<Decisions>) -> View {
        let ground = Ground {
            facts,
            decisions,
            revision: view.revision,
            policy: &self.policy,
            classifier: &*self.classifier,
            questions: &self.questions,
            components: self.components.as_deref(),
            as_of: view.as_of,
        };
        View::new(&ground, std::slice::from_ref(view), self.clock.now())
    }

    /// Everything that is known of an address or a MAC if a view shows it all, because each of its couplings belongs to a device.
    /// `None` for a view of a past instant, too.
    ///
    /// # Errors
    /// The store's.
    pub async fn known(
        &self,
        subscription: &SubscriptionId,
        view: &Arc<View>,
        subject: Subject,
    ) -> Result<Option<Explanation>, Refusal> {
        if view.basis.is_some() {
            return Ok(None);
        }
        let (state, view) = (self.current(subscription).await?, Arc::clone(view));
        aside(move || {
            let facts = state.named(&state.replica.facts(), view.decisions());
            view.explain(&facts.inventory, subject)
        })
        .await
    }

    /// Everything that is known of an address or a MAC at `as_of`, or at the default instant: devices, and couplings that do
    /// not belong to a device. Computed each time, because a view does not keep such couplings.
    ///
    /// # Errors
    /// [`Refusal::Busy`] if too many surveys are waited for; [`Refusal::TooEarly`] before the subscription existed; the
    /// store's.
    pub async fn explain(
        &self,
        subscription: &SubscriptionId,
        subject: Subject,
        as_of: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<Explanation, Refusal> {
        let state = self.current(subscription).await?;
        let past = match (self.tense(subscription, &state, as_of).await?, as_of) {
            (Tense::Past { .. }, Some(as_of)) => Some(self.past(subscription, &state, as_of).await?),
            _ => None,
        };
        let place = state.line.place()?;
        let (inventories, counted) = (self.clone(), Arc::clone(&state));
        let survey = move || {
            let _place = place;
            let (facts, _, decisions) = counted.snapshot();
            let (facts, decisions) = match &past {
                Some(past) => (past.named(&facts), Arc::clone(&past.decisions)),
                None => (counted.named(&facts, &decisions), decisions),
            };
            let at = inventories.instant(&facts, as_of, now);
            let policy = &*inventories.policy;
            // Zones have nothing in common, so the others need no survey.
            let known = facts.inventory.zones.iter().filter(|(_, zone)| subject.is_in(zone));
            let zones = known.map(|(name, zone)| (name.clone(), Arc::clone(zone))).collect();
            let inventory = Inventory { zones };
            let inventory = match &past {
                Some(past) => past.until(&inventory, Undated::KEPT),
                None => inventory,
            };
            let inventory = inventory.admitted(policy);
            let survey = Survey::new(&inventory, policy, &decisions, &*inventories.classifier, at);
            Explanation::new(&survey, subject, policy, None)
        };
        self.surveys.run(&state.line, survey).await
    }

    /// Counts a subscription as it was at `as_of`, the start of a UTC day, and gives the survey to `read`. `known` tells
    /// of a coupling of a zone when it had been seen last, as an earlier count found it; see [`Inventory::until`](crate::census::Inventory::until).
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
        let (inventories, counted) = (self.clone(), Arc::clone(&state));
        let survey = move || {
            let facts = counted.replica.facts().named(decisions.names(), &JoinedZones::default());
            // The count before may have been made under other names.
            let known = |zone: &str, key| decisions.names().labels(zone).find_map(|label| known(label, key));
            let mut inventory = facts.inventory.until(as_of, Undated::KEPT, known);
            let revision = facts.revision.unwrap_or_default();
            drop(facts);
            inventory.admit(&inventories.policy);
            let survey =
                Survey::new(&inventory, &inventories.policy, &decisions, &*inventories.classifier, as_of);
            (revision, read(&survey))
        };
        self.surveys.run(&state.line, survey).await
    }

    /// Stores an upload and joins its facts, together with others that wait. Must run to its end, because others rely on it.
    ///
    /// # Errors
    /// Those of [`Store::ingest_all`].
    pub async fn ingest(&self, subscription: &SubscriptionId, arrival: Arrival) -> Told {
        let gone = || Err(Refusal::Defect("storing uploads failed".to_owned()));
        let state = self.state(subscription);
        let mut told = state.waiting.put(arrival);
        let _turn = tokio::select! {
            biased;
            done = &mut told => return done.unwrap_or_else(|_| gone()),
            turn = state.turn.lock() => turn,
        };
        // Those that came before are stored first.
        loop {
            match told.try_recv() {
                Ok(done) => return done,
                Err(TryRecvError::Closed) => return gone(),
                Err(TryRecvError::Empty) => self.ingest_waiting(subscription, &state).await,
            }
        }
    }

    /// Stores uploads that wait, and tells their senders.
    async fn ingest_waiting(&self, subscription: &SubscriptionId, state: &SubscriptionState) {
        let (arrivals, senders) = state.waiting.take();
        let done = self.store.ingest_all(subscription, arrivals, &state.replica).await;
        if done.iter().flatten().any(|done| done.receipt == Receipt::Stored) {
            state.tell();
        }
        for (sender, done) in senders.into_iter().zip(done) {
            // A sender that went away is told by its next attempt.
            drop(sender.send(done.map_err(Refusal::from)));
        }
    }

    /// Looks whether another service changed facts or decisions. If so, notifies the receivers of [`Inventories::changes`].
    ///
    /// # Errors
    /// The store's.
    pub async fn look(&self, subscription: &SubscriptionId) -> Result<(), Refusal> {
        self.current(subscription).await.map(drop)
    }

    /// Takes what another service wrote, if the facts of the subscription are loaded. It does not count as a use of them.
    ///
    /// # Errors
    /// The store's.
    pub async fn hear(&self, subscription: &SubscriptionId) -> Result<(), Refusal> {
        let known = {
            let states = self.states.lock().unwrap_or_else(PoisonError::into_inner);
            states.get(subscription).map(Arc::clone)
        };
        match known.filter(|state| state.replica.revision().is_some()) {
            Some(state) => self.update(subscription, &state).await,
            None => Ok(()),
        }
    }

    /// The subscriptions whose facts are loaded, or were.
    pub fn loaded(&self) -> Vec<SubscriptionId> {
        self.states.lock().unwrap_or_else(PoisonError::into_inner).keys().cloned().collect()
    }

    /// The names of the zones, each with the labels under which sensors upload to it.
    ///
    /// # Errors
    /// The store's.
    pub async fn labels(&self, subscription: &SubscriptionId) -> Result<ZoneLabels, Refusal> {
        let state = self.current(subscription).await?;
        let decisions = state.decisions().1;
        Ok(state.replica.read(|facts| zone_labels(&facts.inventory, &decisions)))
    }

    /// What people decided about a subscription's devices, up to date.
    ///
    /// # Errors
    /// The store's.
    pub async fn decisions(&self, subscription: &SubscriptionId) -> Result<Arc<Decisions>, Refusal> {
        Ok(self.current(subscription).await?.decisions().1)
    }

    /// Lets the receivers of [`Inventories::changes`] look again, although no fact changed.
    pub fn nudge(&self, subscription: &SubscriptionId) {
        self.state(subscription).tell();
    }

    /// Receives a new number at each change of a subscription's facts or decisions.
    pub fn changes(&self, subscription: &SubscriptionId) -> watch::Receiver<i64> {
        self.state(subscription).changed.subscribe()
    }

    /// The instant of the count: `as_of`, or the default one.
    fn instant(&self, facts: &Facts, as_of: Option<Timestamp>, now: Timestamp) -> Timestamp {
        as_of.unwrap_or_else(|| match self.count_at {
            CountAt::Now => Timestamp(now.0 - now.0.rem_euclid(MINUTE)),
            CountAt::NewestFrame => facts.inventory.last_frame().map_or(now, |frame| frame.min(now)),
        })
    }

    fn state(&self, subscription: &SubscriptionId) -> Arc<SubscriptionState> {
        let mut states = self.states.lock().unwrap_or_else(PoisonError::into_inner);
        let new = || Arc::new(SubscriptionState::new());
        let state = states.entry(subscription.clone()).or_insert_with(new);
        state.usage.note(self.clock.now());
        Arc::clone(state)
    }

    /// The state with facts and decisions that are up to date.
    async fn current(&self, subscription: &SubscriptionId) -> Result<Arc<SubscriptionState>, Refusal> {
        let state = self.state(subscription);
        self.update(subscription, &state).await?;
        Ok(state)
    }

    /// Brings facts and decisions up to date.
    async fn update(&self, subscription: &SubscriptionId, state: &SubscriptionState) -> Result<(), Refusal> {
        // If nothing is new, a reader does not queue behind the uploads that wait for their turn.
        let (facts, decisions) = self.store.revisions(subscription).await?;
        if state.loaded() == (Some(facts), Some(decisions)) {
            return Ok(());
        }
        let turn = state.turn.lock().await;
        let mut news = self.store.refresh(subscription, &state.replica).await?;
        let known = state.loaded().1;
        if let Some((revision, decisions)) = self.store.decisions(subscription, known).await? {
            // Another service decided something. The zones that it left alone need no survey.
            let decisions = decisions.sharing(&state.decisions().1);
            state.decide(revision, Arc::new(decisions));
            news = true;
        }
        if news {
            state.tell();
        }
        drop(turn);
        Ok(())
    }
}

fn zone_labels(facts: &Inventory, decisions: &Decisions) -> ZoneLabels {
    let owned = |labels: Vec<&str>| labels.into_iter().map(str::to_owned).collect();
    let labels = facts.labels(decisions.names()).into_iter();
    labels.map(|(name, labels)| (name.to_owned(), owned(labels))).collect()
}
