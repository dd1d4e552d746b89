//! The application: what the plan service does, a use case a function.
//!
//! A use case takes the [`App`] and the proof that its caller may do it ([`May`]), and returns an answer or a [`Refusal`].
//! API, console and command line call the same functions and only translate: requests into arguments, answers into JSON,
//! pages or tables, refusals into problems, error pages or exit codes.

pub mod account;
mod advisories;
pub mod alert_changes;
pub mod alert_record;
pub mod alert_sheet;
pub mod alerts;
pub mod attempts;
pub mod audit;
pub mod browser;
pub mod bundling;
pub mod calendar;
mod caller;
mod causes;
pub mod census;
pub mod change_jobs;
pub mod changes;
pub mod devices;
pub mod differences;
pub mod estimate_sheet;
pub mod estimates;
pub mod exports;
mod feed_spool;
pub mod feeds;
pub mod findings;
pub mod freshness;
pub mod history;
pub mod inventory;
pub mod jobs;
mod leaves;
pub mod mail;
pub mod managed;
pub mod map;
pub mod mutes;
pub mod news;
pub mod notices;
pub mod people;
pub mod plan_costs;
pub mod plans;
pub mod prices;
pub mod readiness;
mod refusal;
pub mod roles;
pub mod sealing;
pub mod sensor_state;
pub mod sensors;
mod service_clock;
pub mod shares;
pub mod sign_in;
pub mod snapshots;
mod statement_sheet;
pub mod statements;
pub mod streams;
pub mod subscriptions;
pub mod suspicion;
pub mod upload_bytes;
pub mod uploads;
pub mod views;
pub mod vulnerabilities;
mod vulnerability_advice;
mod vulnerability_answers;
mod vulnerability_tally;
pub mod zones;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use tokio::sync::{Semaphore, watch};

use self::attempts::Attempts;
pub use self::caller::{Caller, May, MayHere, Own};
use self::change_jobs::Progress;
pub use self::feed_spool::{FeedSpool, SpooledFeed};
use self::inventory::{
    Changed, Check, CountAt, Inventories, Memory, Patience, Served, SharedClassifier, View,
};
pub use self::refusal::Refusal;
use self::suspicion::Suspicions;
use crate::advisory::Components;
use crate::billing::forecast::{self, Sample};
use crate::census::{Decisions, Policy, Prefix, Timestamp};
use crate::change::ChangeRequest;
use crate::classify::{RuleError, Rules};
use crate::clock::Clock;
use crate::listing::Filter;
use crate::plan::connections::ConnectionLimits;
use crate::plan::limits::{Allowance, Limits};
use crate::plan::mail::Mailer;
use crate::plan::metrics::Metrics;
use crate::plan::oidc::Provider;
use crate::plan::store::{Arrival, By, Ingested, Store};
use crate::plan::terms::Terms;
use crate::plan::tls::Tls;
use crate::proof::{Day, Span};
use crate::security::Ruleset;
use crate::wire::SubscriptionId;
use crate::wire::{DeviceAnswer, DeviceRow, EnrolmentToken, Explanation, Subject};

/// How long a page waits for something newer than what is known, if it lacks nothing but uploads.
const BRIEF: Duration = Duration::from_millis(40);
/// Uploads that are decoded at once: each may take [`crate::wire::DECOMPRESSED_BYTES`] and its facts.
const DECODERS: usize = 2;
/// Passwords that are hashed at once: each takes 19 MiB.
const HASHERS: usize = 2;
/// Estimates that are made at once: each may take 16 MiB of lists, and a report of their rows.
const ESTIMATORS: usize = 2;
/// Feeds that are imported at once: each may take 2,000,000 indicators, and the set that is compiled of them.
const IMPORTERS: usize = 1;

/// The settings of a service.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// The URL under which browsers and sensors reach it, without a slash at the end.
    pub public_url: String,
    /// The default instant of the count.
    pub count_at: CountAt,
    /// The policy of the count.
    pub policy: Policy,
    /// How long readers wait for a count.
    pub patience: Patience,
    /// How many requests one caller may send.
    pub allowance: Allowance,
    /// How many connections may be open.
    pub connections: ConnectionLimits,
    /// How much memory views may take.
    pub memory: Memory,
    /// The certificate, if the service itself speaks TLS.
    pub tls: Option<Tls>,
    /// How people sign in.
    pub access: AccessSettings,
    /// The terms that people accept with a plan, if the operator has configured them.
    pub terms: Option<Arc<Terms>>,
    /// The file with the set of advisories, if there is a place for one.
    pub advisories: Option<PathBuf>,
    /// Whether advisories about the components that banners name are looked for.
    pub components: bool,
    /// The operator's folder of rules of alerts and recommendations; empty for none.
    pub alert_rules: PathBuf,
    /// What sends e-mail, if the operator has configured a server.
    pub mailer: Option<Arc<Mailer>>,
}

/// How people sign in.
#[derive(Clone, Debug)]
pub struct AccessSettings {
    /// Proxies whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<Prefix>,
    /// Whether people sign in by passwords that are kept here.
    pub local_passwords: bool,
    /// The identity provider, if one is configured.
    pub provider: Option<Arc<Provider>>,
    /// SHA-256 of the token that reads the metrics. Without one, clients on this machine do.
    pub metrics_token: Option<crate::plan::secret::Hash>,
}

impl Default for AccessSettings {
    fn default() -> Self {
        Self { trusted_proxies: Vec::new(), local_passwords: true, provider: None, metrics_token: None }
    }
}

/// The running service. Cheap to clone.
#[derive(Clone)]
pub struct App(Arc<Inner>);

/// What [`App`] points to.
pub struct Inner {
    /// The store.
    pub store: Store,
    counting: OnceLock<Counting>,
    /// The operator's rules, for a classifier that is loaded when it is first needed.
    rules: Option<PathBuf>,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// The metrics.
    pub metrics: Metrics,
    /// How it was made.
    pub settings: Settings,
    /// Limits the requests of one caller.
    pub limits: Limits,
    /// Limits the records of attempts to impersonate a sensor.
    pub suspicions: Suspicions,
    /// Limits attempts to sign in.
    pub attempts: Attempts,
    /// Limits the surveys for the ledger of findings.
    finding_pace: findings::Pace,
    /// Limits the derivations for the ledger of alerts.
    alert_pace: findings::Pace,
    /// Which alerts the ledger has.
    recorded_alerts: alert_record::Recorded,
    /// The set of advisories in use, and what it says.
    advisories: advisories::Advisories,
    /// The rules of alerts and recommendations, once they are needed.
    ruleset: Mutex<Option<Arc<Ruleset>>>,
    /// The counts that notices are judged by.
    pub(super) known_counts: notices::KnownCounts,
    /// What changed since sealed days.
    differences: differences::KeptDifferences,
    /// Bounds the uploads that wait to be stored.
    pub(super) uploads: uploads::Queue,
    newest_time: service_clock::NewestTime,
    /// Bounds the bytes of these uploads.
    pub upload_bytes: upload_bytes::UploadBytes,
    /// Changes that go on without their callers.
    pub(super) change_jobs: change_jobs::ChangeJobs,
    /// Whether the news of other services are heard.
    pub hearing: news::Hearing,
    /// Bounds event streams.
    pub streams: streams::Streams,
    /// The newest attempt to write to the database.
    pub(super) readiness: readiness::Readiness,
    /// Bounds decoding.
    pub decoders: Arc<Semaphore>,
    /// Bounds hashing of passwords.
    pub hashers: Semaphore,
    /// Bounds estimates.
    pub estimators: Semaphore,
    /// Bounds imports of feeds.
    pub(super) importers: Arc<Semaphore>,
    /// Bounds the files of feeds that are on their way.
    feed_spools: feed_spool::FeedSpools,
    /// Becomes true when the service stops: endless answers end then.
    pub stopping: watch::Sender<bool>,
}

/// The parts that count devices.
struct Counting {
    inventories: Inventories,
    classifier: SharedClassifier,
}

impl Counting {
    fn new(inner: &Inner, classifier: SharedClassifier) -> Self {
        let Settings { policy, count_at, .. } = &inner.settings;
        let (store, clock) = (inner.store.clone(), Arc::clone(&inner.clock));
        let mut inventories =
            Inventories::new(store, policy.clone(), Arc::clone(&classifier), *count_at, clock);
        if inner.settings.components {
            match Components::built_in() {
                Ok(components) => inventories = inventories.naming_components(components),
                Err(error) => tracing::error!(%error, "components are not looked for"),
            }
        }
        Self { inventories, classifier }
    }
}

impl std::ops::Deref for App {
    type Target = Inner;

    fn deref(&self) -> &Inner {
        &self.0
    }
}

impl App {
    /// The application over `store`.
    pub fn new(
        store: Store,
        clock: Arc<dyn Clock>,
        classifier: SharedClassifier,
        settings: Settings,
    ) -> Self {
        let app = Self::with_rules(store, clock, None, settings);
        app.counting.get_or_init(|| Counting::new(&app.0, classifier));
        app
    }

    /// Whether advisories about the components that banners name are looked for.
    pub fn names_components(&self) -> bool {
        self.settings.components
    }

    /// The application over `store`, for a command: it loads the built-in rules, and over them those of the folder, when
    /// something is first counted.
    pub fn with_rules(
        store: Store,
        clock: Arc<dyn Clock>,
        rules: Option<PathBuf>,
        settings: Settings,
    ) -> Self {
        Self(Arc::new(Inner {
            store,
            counting: OnceLock::new(),
            rules,
            attempts: Attempts::new(Arc::clone(&clock)),
            clock,
            metrics: Metrics::default(),
            limits: Limits::new(settings.allowance),
            settings,
            suspicions: Suspicions::default(),
            finding_pace: findings::Pace::default(),
            alert_pace: findings::Pace::default(),
            recorded_alerts: alert_record::Recorded::default(),
            advisories: advisories::Advisories::default(),
            ruleset: Mutex::default(),
            known_counts: notices::KnownCounts::default(),
            differences: differences::KeptDifferences::default(),
            uploads: uploads::Queue::default(),
            newest_time: service_clock::NewestTime::default(),
            upload_bytes: upload_bytes::UploadBytes::default(),
            change_jobs: change_jobs::ChangeJobs::default(),
            hearing: news::Hearing::default(),
            streams: streams::Streams::default(),
            readiness: readiness::Readiness::default(),
            decoders: Arc::new(Semaphore::new(DECODERS)),
            hashers: Semaphore::new(HASHERS),
            estimators: Semaphore::new(ESTIMATORS),
            importers: Arc::new(Semaphore::new(IMPORTERS)),
            feed_spools: feed_spool::FeedSpools::default(),
            stopping: watch::Sender::new(false),
        }))
    }

    fn counting(&self) -> Result<&Counting, RuleError> {
        if let Some(counting) = self.counting.get() {
            return Ok(counting);
        }
        let classifier = classifier(self.rules.as_deref())?;
        Ok(self.counting.get_or_init(|| Counting::new(&self.0, classifier)))
    }

    /// The inventories of all subscriptions.
    ///
    /// # Errors
    /// The classification rules cannot be loaded.
    pub fn inventories(&self) -> Result<&Inventories, RuleError> {
        Ok(&self.counting()?.inventories)
    }

    /// The classifier of all counts.
    ///
    /// # Errors
    /// The classification rules cannot be loaded.
    pub fn classifier(&self) -> Result<&SharedClassifier, RuleError> {
        Ok(&self.counting()?.classifier)
    }

    /// Whether clients reach the service over HTTPS: its own, or that of a proxy in front of it.
    pub fn is_https(&self) -> bool {
        self.settings.tls.is_some() || self.settings.public_url.starts_with("https://")
    }

    /// The present.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// The enrolment token around a one-time secret.
    pub fn enrolment_token(&self, secret: String) -> EnrolmentToken {
        let fingerprint = self.settings.tls.as_ref().and_then(Tls::pin);
        EnrolmentToken { url: self.settings.public_url.clone(), secret, fingerprint }
    }

    /// The view of a subscription; see [`Inventories::view`]. If it is an older one, notes that ([`freshness`]).
    ///
    /// # Errors
    /// [`Refusal::Busy`], or the store's.
    pub async fn view(
        &self,
        subscription: &SubscriptionId,
        as_of: Option<Timestamp>,
    ) -> Result<Arc<View>, Refusal> {
        let served = self.inventories()?.view(subscription, as_of, self.patience()).await?;
        if as_of.is_none() {
            self.metrics.census(subscription, &served.view);
        }
        Ok(self.noted(served))
    }

    /// A view that is served. If it is an older one, notes that.
    fn noted(&self, Served { view, is_older }: Served) -> Arc<View> {
        freshness::note(&view, is_older, self.now());
        view
    }

    /// The view of a list's page. In the API, a page that follows another one is made of the view of its minute if that is
    /// kept and has all that people decided, so that the list stays whole. In the console a list of the present stays in the present.
    ///
    /// # Errors
    /// As [`Self::view`]; if the filter's instant or cursor cannot be read.
    pub(crate) async fn view_of(
        &self,
        subscription: &SubscriptionId,
        filter: &Filter,
    ) -> Result<Arc<View>, Refusal> {
        let as_of = filter.instant()?;
        match as_of.filter(|_| !filter.names_instant()) {
            None => self.view(subscription, as_of).await,
            Some(_) if freshness::page_since().is_some() => self.view(subscription, None).await,
            Some(of_page) => match self.inventories()?.kept_view(subscription, of_page).await? {
                Some(served) => Ok(self.noted(served)),
                None => self.view(subscription, as_of).await,
            },
        }
    }

    /// How long a page still waits for something newer than what is known; `None` if the reader waits until it is there. A page
    /// of several parts waits once.
    fn brevity(&self) -> Option<Duration> {
        let since = freshness::page_since().filter(|_| self.settings.patience != Patience::ENDLESS)?;
        Some(BRIEF.saturating_sub(since.elapsed()))
    }

    /// How long the present reader waits for a view.
    fn patience(&self) -> Patience {
        let patience = self.settings.patience;
        Patience { uploads: self.brevity().unwrap_or(patience.uploads).min(patience.uploads), ..patience }
    }

    /// The billable counts for the forecast: of each sealed day, by its newest snapshot, and the present one.
    ///
    /// # Errors
    /// The store's.
    pub async fn samples(&self, subscription: &SubscriptionId) -> Result<Vec<Sample>, Refusal> {
        let view = self.view(subscription, None).await?;
        let today = Day::of(self.now());
        let days = Span { from: today.plus(-forecast::WINDOW), to: today };
        let sealed = self.store.daily_counts(subscription, days).await?;
        let last_of = |day: Day| day.end().plus(-1);
        let mut samples: Vec<Sample> =
            sealed.into_iter().map(|s| Sample { at: last_of(s.day), billable: s.billable }).collect();
        samples.push(Sample { at: view.as_of, billable: view.census.billable });
        Ok(samples)
    }

    /// What people decided about a subscription's devices. Does not load the rules.
    ///
    /// # Errors
    /// The store's.
    pub async fn decisions(&self, subscription: &SubscriptionId) -> Result<Arc<Decisions>, Refusal> {
        if let Some(counting) = self.counting.get() {
            return counting.inventories.decisions(subscription).await;
        }
        let found = self.store.decisions(subscription, None).await?;
        Ok(Arc::new(found.map(|(_, decisions)| decisions).unwrap_or_default()))
    }

    /// Everything that is known of an address or a MAC; see [`Inventories::explain`].
    ///
    /// # Errors
    /// The store's.
    pub async fn explain(
        &self,
        subscription: &SubscriptionId,
        subject: Subject,
        as_of: Option<Timestamp>,
    ) -> Result<Explanation, Refusal> {
        let inventories = self.inventories()?;
        let view = self.view(subscription, as_of).await?;
        if let Some(known) = inventories.known(subscription, &view, subject).await? {
            return Ok(known);
        }
        let explanation = inventories.explain(subscription, subject, as_of, self.now()).await?;
        // The devices of a past instant are those of its list, which may be sealed.
        let Some(basis) = view.basis.clone() else { return Ok(explanation) };
        aside(move || {
            let has = |row: &&DeviceRow| row.couplings.iter().any(|c| subject.is(c.key.mac, c.key.ip));
            let answer = |row| DeviceAnswer::new(row, &view.policy, None);
            let devices = view.rows().filter(has).map(answer).collect();
            Explanation { basis: Some(basis), devices, ..explanation }
        })
        .await
    }

    /// Makes a change of an inventory; see [`Inventories::change`]. Runs to its end even if the caller goes away meanwhile:
    /// the inventory in memory must not lack what is committed.
    ///
    /// # Errors
    /// Those of [`Inventories::change`].
    pub async fn change(
        &self,
        subscription: &SubscriptionId,
        ask: ChangeRequest,
        by: &By,
        check: Option<Box<Check>>,
    ) -> Result<Changed, Refusal> {
        let (service, subscription, by) = (self.clone(), subscription.to_owned(), by.clone());
        let change =
            async move { service.inventories()?.change(&subscription, ask, &by, check, service.now()).await };
        let work = tokio::spawn(Progress::current().within(change));
        work.await.unwrap_or_else(|e| Err(Refusal::Defect(format!("a change of the inventory failed: {e}"))))
    }

    /// Stores an upload and updates the inventory in memory. Runs to its end even if the sender goes away meanwhile,
    /// because the inventory in memory must not lack committed facts. `place` is held until the upload is stored.
    ///
    /// # Errors
    /// Those of [`Store::ingest_all`].
    pub async fn ingest(
        &self,
        subscription: SubscriptionId,
        arrival: Arrival,
        place: uploads::QueuePlace,
    ) -> Result<Ingested, Refusal> {
        let service = self.clone();
        let work = tokio::spawn(async move {
            let _place = place;
            service.inventories()?.ingest(&subscription, arrival).await
        });
        work.await.unwrap_or_else(|e| Err(Refusal::Defect(format!("storing an upload failed: {e}"))))
    }
}

/// Runs work that grows with a subscription on a thread for long work, so that it holds up no request.
///
/// # Errors
/// [`Refusal::Defect`] if the work panics.
pub async fn aside<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Refusal> {
    tokio::task::spawn_blocking(work).await.map_err(|e| Refusal::Defect(format!("long work failed: {e}")))
}

/// The classifier of the service: the rules that are compiled in, and over them those of a folder.
///
/// # Errors
/// With the file, line and reason of the first rule that is broken.
pub fn classifier(rules: Option<&Path>) -> Result<SharedClassifier, RuleError> {
    Ok(Arc::new(match rules {
        Some(folder) => Rules::load(folder)?,
        None => Rules::builtin()?,
    }))
}
