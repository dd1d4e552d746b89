//! A service that runs, and what a test says to it.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use ed25519_dalek::{Signer as _, SigningKey};
use netcensus::census::{
    Classification, Classifier, ClassifierInput, Coupling, CouplingKey, Field, Sign, Signs, Timestamp, Zone,
};
use netcensus::clock::Clock;
use netcensus::plan::app::inventory::CountAt;
use netcensus::plan::app::permission::Role;
use netcensus::plan::app::service::{AccessSettings, Service, Settings};
use netcensus::plan::http::limit::Allowance;
use netcensus::plan::store::engine::sql;
use netcensus::plan::store::{By, CredentialKind, Enrolling, Location, RoleBinding, Store, StoreError};
use netcensus::plan::{secret, server};
use netcensus::wire::signature::{self, PublicKey, Purpose, SignatureInput};
use netcensus::wire::{EnrolResponse, EnrolmentToken, Health, UPLOAD_SCHEMA, Upload};
use reqwest::{Client, RequestBuilder, StatusCode};
use serde_json::{Value, json};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::database::{self, Backend};

/// The instant at which every test starts.
pub(crate) const START: &str = "2026-11-22T09:00:00Z";

/// A clock that a test moves.
#[derive(Debug)]
pub(crate) struct TestClock(AtomicI64);

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.load(Ordering::SeqCst))
    }
}

/// Takes the mDNS host name for the category, so that tests of the count need no rules.
pub(crate) struct ByName;

impl Classifier for ByName {
    fn classify(&self, subject: &ClassifierInput<'_>) -> Classification {
        let name =
            subject.evidence.iter().find(|e| e.field == Field::MdnsHostname).map(|e| e.value.to_string());
        let key = name.as_deref().and_then(|n| n.split('-').next()).unwrap_or_default();
        let category = netcensus::census::Category::from_key(key).unwrap_or_default();
        Classification {
            category,
            kind: category.key().to_owned(),
            name,
            confidence: 90,
            ..Classification::default()
        }
    }
}

/// A running service.
pub(crate) struct Plan {
    pub(crate) url: String,
    pub(crate) client: Client,
    pub(crate) clock: Arc<TestClock>,
    pub(crate) store: Store,
    pub(crate) database: Location,
    pub(crate) sid: String,
    pub(crate) token: String,
    count_at: CountAt,
    access: AccessSettings,
    stop: Option<oneshot::Sender<()>>,
    server: Option<JoinHandle<std::io::Result<()>>>,
    _dir: tempfile::TempDir,
}

/// An enrolled sensor.
#[derive(Clone)]
pub(crate) struct TestSensor {
    pub(crate) id: String,
    pub(crate) key: String,
    pub(crate) signing: SigningKey,
}

impl TestSensor {
    /// Enrols one in the store itself.
    pub(crate) async fn enrol_in(store: &Store, secret: &str, now: Timestamp) -> Self {
        let signing = signing_key();
        let public_key = PublicKey(signing.verifying_key().to_bytes());
        let asked = Enrolling { secret, name: "edge", public_key, replaces: None };
        let enrolled = store.enrol(&asked, &By::service(), now).await.unwrap();
        Self { id: enrolled.sensor, key: enrolled.key, signing }
    }

    /// The request with the body, the key and the signature.
    pub(crate) fn upload(&self, request: RequestBuilder, body: Vec<u8>) -> RequestBuilder {
        self.sign(request.bearer_auth(&self.key), body, Purpose::Upload)
    }

    /// The request with the body and the signature.
    pub(crate) fn sign(&self, request: RequestBuilder, body: Vec<u8>, purpose: Purpose) -> RequestBuilder {
        let built = request.try_clone().unwrap().build().unwrap();
        let key = PublicKey(self.signing.verifying_key().to_bytes());
        let nonce = secret::generate_id().unwrap();
        let input = SignatureInput { created: 0, key, nonce, purpose };
        let digest = signature::content_digest(&body);
        let base = input.base(built.method().as_str(), built.url().path(), &digest);
        let signed = self.signing.sign(base.as_bytes()).to_bytes();
        request
            .header(signature::CONTENT_DIGEST, digest)
            .header(signature::SIGNATURE_INPUT, input.header())
            .header(signature::SIGNATURE, signature::signature_header(&signed))
            .body(body)
    }
}

/// A new key pair.
pub(crate) fn signing_key() -> SigningKey {
    SigningKey::from_bytes(&secret::hash(&secret::generate("").unwrap()))
}

impl Plan {
    /// Starts a service on SQLite with one subscription that `owner` owns.
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
        let dir = tempfile::tempdir().unwrap();
        let database = database::fresh(backend, dir.path());
        let clock = Arc::new(TestClock(AtomicI64::new(at(START).0)));
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let access = access(&format!("http://{}", listener.local_addr().unwrap()));
        let (url, store, stop, server) = launch(listener, &database, &clock, count_at, access.clone()).await;
        let client =
            netcensus::tls::client().redirect(reqwest::redirect::Policy::none()).no_proxy().build().unwrap();
        let mut plan = Self {
            url,
            client,
            clock,
            store,
            database,
            sid: String::new(),
            token: String::new(),
            count_at,
            access,
            stop: Some(stop),
            server: Some(server),
            _dir: dir,
        };
        let now = plan.clock.now();
        plan.store
            .create_person("owner", "a long enough password", false, &By::operator(), now)
            .await
            .unwrap();
        plan.sid =
            plan.store.create_subscription("Contoso", Some("owner"), &By::operator(), now).await.unwrap().id;
        plan.token = plan.store.issue(CredentialKind::Token, Some("owner"), now).await.unwrap().secret;
        plan
    }

    /// Stops the service and starts it again on the same database.
    pub(crate) async fn restart(&mut self) {
        self.stop.take().unwrap().send(()).unwrap();
        self.server.take().unwrap().await.unwrap().unwrap();
        let (url, store, stop, server) = self.launch().await;
        (self.url, self.store, self.stop, self.server) = (url, store, Some(stop), Some(server));
    }

    async fn launch(&self) -> (String, Store, oneshot::Sender<()>, JoinHandle<std::io::Result<()>>) {
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        launch(listener, &self.database, &self.clock, self.count_at, self.access.clone()).await
    }

    /// The URL of a second service on the same database. It runs until the test ends.
    pub(crate) async fn second(&self) -> String {
        let (url, _, stop, server) = self.launch().await;
        // Neither is awaited: the runtime of the test ends both.
        std::mem::forget(stop);
        drop(server);
        url
    }

    pub(crate) fn clock_now(&self) -> Timestamp {
        self.clock.now()
    }

    pub(crate) fn set_time(&self, text: &str) {
        self.clock.0.store(at(text).0, Ordering::SeqCst);
    }

    pub(crate) fn move_to(&self, now: Timestamp) {
        self.clock.0.store(now.0, Ordering::SeqCst);
    }

    /// Moves the clock on by a second.
    pub(crate) fn advance(&self) {
        self.clock.0.fetch_add(1_000_000_000, Ordering::SeqCst);
    }

    /// How many rows all trails have.
    pub(crate) async fn audit_rows(&self) -> i64 {
        let rows = self.store.row(sql("SELECT count(*) AS n FROM audit")).await.unwrap();
        rows.unwrap().int("n").unwrap()
    }

    /// The token of a global admin who has no role on the subscription.
    pub(crate) async fn admin(&self) -> String {
        self.person("admin", Role::GlobalAdmin).await
    }

    /// The address of something of the subscription.
    pub(crate) fn of(&self, path: &str) -> String {
        format!("{}/api/v1/subscriptions/{}{path}", self.url, self.sid)
    }

    pub(crate) async fn get(&self, path: &str) -> Value {
        let (status, body) = send(self.client.get(self.of(path)).bearer_auth(&self.token)).await;
        assert_eq!(status, StatusCode::OK, "{path}: {body}");
        body
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> (StatusCode, Value) {
        send(self.client.post(self.of(path)).bearer_auth(&self.token).json(&body)).await
    }

    pub(crate) async fn onboard_trial(&self) {
        let (status, body) = self.post("/plan", json!({"kind": "trial", "accept_terms": true})).await;
        assert_eq!(status, StatusCode::CREATED, "{body}");
    }

    /// A person with that role on the subscription, and their token.
    pub(crate) async fn person(&self, name: &str, role: Role) -> String {
        let now = self.clock.now();
        let global = role == Role::GlobalAdmin;
        self.store.create_person(name, "a long enough password", global, &By::operator(), now).await.unwrap();
        if !global {
            self.bind(name, role).await;
        }
        self.store.issue(CredentialKind::Token, Some(name), now).await.unwrap().secret
    }

    pub(crate) async fn bind(&self, name: &str, role: Role) {
        let unchecked = |_: Option<&RoleBinding>| Ok::<(), StoreError>(());
        self.store
            .bind_role(&self.sid, name, role, unchecked, &By::operator(), self.clock.now())
            .await
            .unwrap();
    }

    pub(crate) async fn unbind(&self, name: &str) {
        let unchecked = |_: &RoleBinding| Ok::<(), StoreError>(());
        self.store.unbind_role(&self.sid, name, unchecked, &By::operator(), self.clock.now()).await.unwrap();
    }

    pub(crate) async fn enrol(&self) -> TestSensor {
        let (status, body) = self.post("/sensors/tokens", json!({})).await;
        assert_eq!(status, StatusCode::CREATED, "{body}");
        let token: EnrolmentToken = body.get("token").and_then(Value::as_str).unwrap().parse().unwrap();
        assert_eq!(token.url, self.url);
        let signing = signing_key();
        let public_key = PublicKey(signing.verifying_key().to_bytes()).to_string();
        let request = json!({"secret": token.secret, "name": "edge-1", "public_key": public_key});
        let (status, body) =
            send(self.client.post(format!("{}/api/v1/enrol", self.url)).json(&request)).await;
        assert_eq!(status, StatusCode::CREATED, "{body}");
        let enrolled: EnrolResponse = serde_json::from_value(body).unwrap();
        assert_eq!(enrolled.subscription, self.sid);
        TestSensor { id: enrolled.sensor, key: enrolled.key, signing }
    }

    pub(crate) async fn upload(&self, sensor: &TestSensor, upload: &Upload) -> (StatusCode, Value) {
        self.upload_bytes(sensor, upload.encode().unwrap()).await
    }

    pub(crate) async fn upload_bytes(&self, sensor: &TestSensor, body: Vec<u8>) -> (StatusCode, Value) {
        let url = self.of(&format!("/sensors/{}/uploads", sensor.id));
        send(sensor.upload(self.client.post(url), body)).await
    }
}

/// The status and the JSON of an answer.
pub(crate) async fn send(request: RequestBuilder) -> (StatusCode, Value) {
    let response = request.send().await.unwrap();
    let status = response.status();
    let bytes = response.bytes().await.unwrap();
    (status, serde_json::from_slice(&bytes).unwrap_or(Value::Null))
}

/// The slug of a problem.
pub(crate) fn problem(answer: &(StatusCode, Value)) -> (u16, &str) {
    let kind = answer.1.get("type").and_then(Value::as_str).unwrap_or("no problem at all");
    (answer.0.as_u16(), kind.strip_prefix("/problems/").unwrap_or(kind))
}

pub(crate) fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// An upload of those couplings: (MAC, address, host name, instant).
pub(crate) fn upload(sequence: u64, zone: &str, seen: &[(&str, &str, &str, &str)]) -> Upload {
    let mut delta = Zone::default();
    for (mac, ip, name, when) in seen {
        let when = at(when);
        let mut coupling = Coupling::new(when, Signs::from(Sign::ArpAsked));
        coupling.evidence.add(Field::MdnsHostname, name, when);
        delta.segment.span(when, when);
        delta.merge_coupling(CouplingKey { mac: mac.parse().unwrap(), ip: ip.parse().unwrap() }, &coupling);
    }
    Upload {
        schema: UPLOAD_SCHEMA.to_owned(),
        epoch: "e1".to_owned(),
        sequence,
        zone: zone.to_owned(),
        delta,
        health: Health { frames: 10 * sequence, ..Health::default() },
    }
}

async fn launch(
    listener: tokio::net::TcpListener,
    database: &Location,
    clock: &Arc<TestClock>,
    count_at: CountAt,
    access: AccessSettings,
) -> (String, Store, oneshot::Sender<()>, JoinHandle<std::io::Result<()>>) {
    let store = Store::open(database).await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    // A test may ask as fast as its machine can; how much one caller may ask has tests of its own.
    let per_second = NonZeroU32::new(1_000_000).unwrap();
    let allowance = Allowance { per_second, burst: per_second };
    let settings = Settings { public_url: url.clone(), count_at, access, allowance, ..Settings::default() };
    let service = Service::new(store.clone(), Arc::<TestClock>::clone(clock), Arc::new(ByName), settings);
    let (stop, stopped) = oneshot::channel();
    let wait = async move {
        stopped.await.ok();
    };
    let server = tokio::spawn(server::serve(listener, service, wait));
    (url, store, stop, server)
}

/// A secret that nobody was given.
pub(crate) fn stranger() -> String {
    secret::generate("ncs_").unwrap()
}
