//! A service that runs on loopback, with a clock that the test sets.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use netcensus::census::{Category, Classification, Classifier, ClassifierInput, Field, Reason, Timestamp};
use netcensus::clock::Clock;
use netcensus::plan::app::inventory::{CountAt, Patience, SharedClassifier};
use netcensus::plan::app::jobs;
use netcensus::plan::app::{AccessSettings, App, Settings};
use netcensus::plan::limits::Allowance;
use netcensus::plan::mail::Mailer;
use netcensus::plan::server;
use netcensus::plan::store::{Location, Store};
use netcensus::plan::terms::Terms;
use netcensus::wire::SubscriptionId;
use reqwest::Client;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::{Backend, databases};

/// The time at which every test starts.
pub(crate) const START: &str = "2026-11-22T09:00:00Z";

pub(crate) fn at(time: &str) -> Timestamp {
    time.parse().unwrap()
}

/// A clock that stands until a test moves it.
#[derive(Debug)]
pub(crate) struct TestClock(AtomicI64);

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.load(Ordering::SeqCst))
    }
}

/// A classifier that takes the category from the mDNS host name, so that tests of counts need no rules: a host that
/// calls itself `iot-camera` is IoT.
pub(crate) struct ByName;

impl Classifier for ByName {
    fn classify(&self, subject: &ClassifierInput<'_>) -> Classification {
        let said = subject.evidence.iter().find(|e| e.field == Field::MdnsHostname).map(|e| e.value);
        let key = said.and_then(|n| n.split('-').next()).unwrap_or_default();
        let category = Category::from_key(key).unwrap_or_default();
        let kind = category.key().into();
        // A host that calls itself `iot-axis` is a camera that says its firmware.
        let is_camera = said.is_some_and(|name| name.ends_with("-axis"));
        let text = |text: &str| is_camera.then(|| text.into());
        let reasons = subject.evidence.iter().filter(|_| is_camera).map(|e| Reason {
            field: e.field,
            value: e.value.into(),
            rule: "test.axis".into(),
            title: "A camera".into(),
            says: "vendor=Axis, model=P3245-LV, firmware=10.12.65".into(),
            weight: 95,
            proves: true,
            at: Some(e.at),
        });
        Classification {
            category,
            kind,
            vendor: text("Axis"),
            model: text("P3245-LV"),
            firmware: text("10.12.65"),
            reasons: reasons.collect(),
            name: said.map(Into::into),
            confidence: 90,
            ..Classification::default()
        }
    }
}

/// A running service with one subscription, Contoso, which `owner` owns.
pub(crate) struct Plan {
    pub(crate) url: String,
    pub(crate) client: Client,
    pub(crate) clock: Arc<TestClock>,
    pub(crate) store: Store,
    pub(crate) backend: Backend,
    pub(crate) database: Location,
    /// The subscription's id.
    pub(crate) sid: SubscriptionId,
    /// The owner's token.
    pub(crate) token: String,
    count_at: CountAt,
    access: AccessSettings,
    classifier: SharedClassifier,
    patience: Patience,
    /// The terms that people accept with a plan, from the next start on.
    pub(crate) terms: Option<Terms>,
    /// Whether components are looked for; takes effect at a restart.
    pub(crate) components: bool,
    /// What sends e-mail, from the next start on.
    pub(crate) mailer: Option<Arc<Mailer>>,
    running: Option<Running>,
    dir: tempfile::TempDir,
}

/// The server's task, and what ends it.
struct Running {
    stop: oneshot::Sender<()>,
    server: JoinHandle<std::io::Result<()>>,
}

impl Plan {
    /// Starts a service on an SQLite database.
    pub(crate) async fn start() -> Self {
        Self::start_on(Backend::Sqlite).await
    }

    /// Starts a service on a database of its own.
    pub(crate) async fn start_on(backend: Backend) -> Self {
        Self::start_counting(backend, CountAt::Now).await
    }

    pub(crate) async fn start_counting(backend: Backend, count_at: CountAt) -> Self {
        Self::start_with(backend, count_at, |_| AccessSettings::default()).await
    }

    /// Starts a service whose access settings depend on its URL.
    pub(crate) async fn start_with(
        backend: Backend,
        count_at: CountAt,
        access: impl FnOnce(&str) -> AccessSettings,
    ) -> Self {
        Self::start_as(backend, count_at, access, Arc::new(ByName), Patience::ENDLESS).await
    }

    /// Starts a service that counts with this classifier, and whose readers have this patience.
    pub(crate) async fn start_counted_by(
        backend: Backend,
        classifier: SharedClassifier,
        patience: Patience,
    ) -> Self {
        let access = |_: &str| AccessSettings::default();
        Self::start_as(backend, CountAt::Now, access, classifier, patience).await
    }

    async fn start_as(
        backend: Backend,
        count_at: CountAt,
        access: impl FnOnce(&str) -> AccessSettings,
        classifier: SharedClassifier,
        patience: Patience,
    ) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let database = databases::fresh(backend, dir.path());
        let clock = Arc::new(TestClock(AtomicI64::new(at(START).0)));
        let (listener, url) = listen().await;
        let access = access(&url);
        let client =
            netcensus::tls::client().redirect(reqwest::redirect::Policy::none()).no_proxy().build().unwrap();
        let store = Store::open(&database).await.unwrap();
        let mut plan = Self {
            url,
            client,
            clock,
            store,
            backend,
            database,
            sid: SubscriptionId::from_bits([0; 8]),
            token: String::new(),
            count_at,
            access,
            classifier,
            patience,
            terms: None,
            components: false,
            mailer: None,
            running: None,
            dir,
        };
        plan.running = Some(plan.serve(listener, plan.store.clone(), plan.url.clone()));
        plan.create_person("owner", false).await;
        plan.sid = plan.subscription("Contoso", Some("owner")).await;
        plan.token = plan.issue_token("owner").await;
        plan
    }

    /// Stops the service and starts it again on the same database.
    pub(crate) async fn restart(&mut self) {
        let running = self.running.take().unwrap();
        running.stop.send(()).unwrap();
        running.server.await.unwrap().unwrap();
        let (listener, url) = listen().await;
        self.url = url;
        self.store = Store::open(&self.database).await.unwrap();
        self.running = Some(self.serve(listener, self.store.clone(), self.url.clone()));
    }

    /// Starts a second service on the same database, and gives its URL. It runs until the test ends.
    pub(crate) async fn second(&self) -> String {
        let (listener, url) = listen().await;
        let running = self.serve(listener, Store::open(&self.database).await.unwrap(), url.clone());
        // The test's runtime ends it.
        std::mem::forget(running);
        url
    }

    fn serve(&self, listener: TcpListener, store: Store, public_url: String) -> Running {
        // Tests send as fast as the machine can. The tests of `access` are about limits for one caller.
        let per_second = NonZeroU32::new(1_000_000).unwrap();
        let allowance = Allowance { per_second, burst: per_second };
        let (count_at, access, patience) = (self.count_at, self.access.clone(), self.patience);
        let terms = self.terms.clone().map(Arc::new);
        let advisories = Some(self.advisories());
        let mailer = self.mailer.clone();
        let settings = Settings {
            public_url,
            count_at,
            access,
            allowance,
            patience,
            terms,
            advisories,
            components: self.components,
            mailer,
            ..Settings::default()
        };
        let (stop, stopped) = oneshot::channel();
        let wait = async move {
            stopped.await.ok();
        };
        let server = tokio::spawn(server::serve(listener, self.service(store, settings), wait));
        Running { stop, server }
    }

    /// The file with the set of advisories.
    pub(crate) fn advisories(&self) -> std::path::PathBuf {
        self.dir.path().join("advisories.sqlite3")
    }

    /// Another service on the same database, which takes no requests.
    pub(crate) async fn another(&self) -> App {
        self.service(Store::open(&self.database).await.unwrap(), Settings::default())
    }

    fn service(&self, store: Store, settings: Settings) -> App {
        App::new(store, Arc::<TestClock>::clone(&self.clock), Arc::clone(&self.classifier), settings)
    }

    /// Runs the service's own jobs once, such as closing statements and sealing days. None of them fails.
    pub(crate) async fn run_jobs(&self) {
        self.run_jobs_on(self.store.clone()).await;
    }

    /// Runs the jobs of another service on the same database.
    pub(crate) async fn run_jobs_on(&self, store: Store) {
        let (public_url, mailer) = (self.url.clone(), self.mailer.clone());
        let settings = Settings { public_url, mailer, ..Settings::default() };
        assert_eq!(jobs::once(&self.service(store, settings)).await, 0);
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    pub(crate) fn set_time(&self, time: &str) {
        self.move_to(at(time));
    }

    pub(crate) fn move_to(&self, now: Timestamp) {
        self.clock.0.store(now.0, Ordering::SeqCst);
    }

    /// Moves the clock on by a second.
    pub(crate) fn advance(&self) {
        self.clock.0.fetch_add(super::SECOND, Ordering::SeqCst);
    }

    pub(crate) async fn onboard_trial(&self) {
        self.post("/plan", json!({"kind": "trial", "accept_terms": true})).await.succeeds(201);
    }

    /// Onboards a monthly plan for this number of devices.
    pub(crate) async fn onboard_monthly(&self, devices: u64) {
        self.post("/plan", monthly(devices)).await.succeeds(201);
    }
}

/// The request for a monthly plan.
pub(crate) fn monthly(devices: u64) -> serde_json::Value {
    json!({"kind": "monthly", "devices": devices, "accept_terms": true})
}

async fn listen() -> (TcpListener, String) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    (listener, url)
}
