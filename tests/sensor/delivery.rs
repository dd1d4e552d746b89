//! Delivery and enrolment against a real HTTP server.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use netcensus::census::{Coupling, CouplingKey, MacAddr, Sign, Timestamp, Zone};
use netcensus::clock::FixedClock;
use netcensus::sensor::status::Status;
use netcensus::sensor::upload::client::{MEDIA_TYPE, UploadError, enrol};
use netcensus::sensor::upload::delivery::{Delivery, Pace, Step};
use netcensus::sensor::upload::route::Route;
use netcensus::sensor::upload::spool::{SpoolBounds, SpoolReader, SpoolWriter};
use netcensus::wire::{EnrolmentToken, Health, UPLOAD_SCHEMA, Upload};

use super::service::{Answer, Service};

const PACE: Pace = Pace {
    first: Duration::from_secs(1),
    longest: Duration::from_secs(60),
    timeout: Duration::from_secs(10),
    bytes_per_second: None,
};

struct Fixture {
    dir: tempfile::TempDir,
    status: Arc<Status>,
    delivery: Delivery,
}

impl Fixture {
    /// A sensor enrolled with `service`, with `uploads` uploads in its spool.
    fn new(service: &Service, uploads: u8) -> Self {
        let dir = tempfile::tempdir().unwrap();
        service.identity("key 1").store(&identity(dir.path())).unwrap();
        let mut writer = SpoolWriter::open(&spool(dir.path()), SpoolBounds::of(1 << 20), "default").unwrap();
        for n in 0..uploads {
            let body = upload(&writer, n).encode().unwrap();
            writer.put(&body).unwrap();
        }
        let status = Arc::<Status>::default();
        let clock = Arc::new(FixedClock(Timestamp::from_secs(77)));
        let reader = SpoolReader::new(&spool(dir.path()));
        let delivery = Delivery::new(reader, identity(dir.path()), PACE, status.clone(), clock);
        Self { dir, status, delivery }
    }

    fn waiting(&self) -> u64 {
        SpoolReader::new(&spool(self.dir.path())).backlog().unwrap().0
    }

    fn aside(&self) -> usize {
        std::fs::read_dir(spool(self.dir.path()).join("bad")).unwrap().count()
    }

    /// Steps once and expects a wait.
    async fn wait(&mut self) -> Duration {
        let step = self.delivery.step().await;
        let Step::Wait(wait) = step else { unreachable!("expected to wait, not {step:?}") };
        wait
    }
}

fn spool(dir: &Path) -> PathBuf {
    dir.join("spool")
}

fn identity(dir: &Path) -> PathBuf {
    dir.join("identity.json")
}

fn upload(writer: &SpoolWriter, n: u8) -> Upload {
    let key = CouplingKey { mac: MacAddr([2, 0, 0, 0, 0, n]), ip: [10, 0, 0, n + 1].into() };
    let mut delta = Zone::default();
    delta.couplings.insert(key, Coupling::new(Timestamp(5), Sign::ArpAsked.into()));
    Upload {
        schema: UPLOAD_SCHEMA.into(),
        epoch: writer.epoch().into(),
        sequence: writer.next_sequence(),
        zone: "default".into(),
        delta,
        health: Health::default(),
    }
}

fn count(counter: &AtomicU64) -> u64 {
    counter.load(Ordering::Relaxed)
}

#[tokio::test]
async fn uploads_go_oldest_first_with_the_sensors_key_and_are_removed_once_stored() {
    let service = Service::start([]).await;
    let mut f = Fixture::new(&service, 3);
    for n in 1..=3 {
        assert_eq!(f.delivery.step().await, Step::Stored(n));
    }
    assert_eq!((f.delivery.step().await, f.waiting()), (Step::Idle, 0));
    let requests = service.requests();
    let sequences: Vec<u64> = requests.iter().map(|r| r.upload().sequence).collect();
    assert_eq!(sequences, [1, 2, 3]);
    assert_eq!(requests[0].path, "/api/v1/subscriptions/main/sensors/sensor%201/uploads");
    assert_eq!(requests[0].header("authorization"), "Bearer key 1");
    assert_eq!(requests[0].header("content-type"), MEDIA_TYPE);
    assert_eq!(requests[0].header("content-encoding"), "");
    assert_eq!(count(&f.status.uploads_stored), 3);
    assert_eq!(f.status.last_ack(), Some(Timestamp::from_secs(77)));
}

#[tokio::test]
async fn an_upload_that_the_service_had_already_is_done() {
    let service = Service::start([Answer::Duplicate]).await;
    let mut f = Fixture::new(&service, 1);
    assert_eq!((f.delivery.step().await, f.waiting()), (Step::Stored(1), 0));
    assert_eq!((count(&f.status.uploads_duplicate), count(&f.status.uploads_stored)), (1, 0));
}

#[tokio::test]
async fn a_busy_service_is_asked_again_no_sooner_than_it_says() {
    let busy = Answer::Raw(503, vec![("retry-after", "17")], String::new());
    let service = Service::start([busy]).await;
    let mut f = Fixture::new(&service, 1);
    assert!(f.wait().await >= Duration::from_secs(17));
    assert_eq!((f.waiting(), count(&f.status.uploads_failed)), (1, 1));
    assert_eq!(f.delivery.step().await, Step::Stored(1));
    assert_eq!(f.status.delivery_problem(), None);
}

#[tokio::test]
async fn waits_grow_with_jitter_up_to_a_limit_and_start_over_after_a_success() {
    let failures = std::iter::repeat_n(Answer::Raw(500, vec![], String::new()), 12);
    let service = Service::start(failures).await;
    let mut f = Fixture::new(&service, 1);
    let mut waits = Vec::new();
    for _ in 0..12 {
        waits.push(f.wait().await);
    }
    assert!((PACE.first..=PACE.first * 2).contains(&waits[0]), "{waits:?}");
    assert!(waits[3] > waits[0] && waits.iter().all(|w| *w <= PACE.longest), "{waits:?}");
    assert_eq!(waits[11], PACE.longest);
    assert_eq!(f.delivery.step().await, Step::Stored(1));
}

#[tokio::test]
async fn a_key_that_is_no_longer_good_is_tried_seldom_and_a_new_enrolment_is_noticed() {
    let service = Service::start([Answer::problem(401, "bad-sensor-key")]).await;
    let mut f = Fixture::new(&service, 1);
    assert_eq!((f.wait().await, f.waiting()), (PACE.longest, 1));
    assert!(f.status.delivery_problem().unwrap().contains("enrol"));
    service.identity("key 2").store(&identity(f.dir.path())).unwrap();
    assert_eq!(f.delivery.step().await, Step::Stored(1));
    assert_eq!(service.requests()[1].header("authorization"), "Bearer key 2");
}

#[tokio::test]
async fn a_sensor_that_is_not_enrolled_keeps_everything_and_says_so() {
    let service = Service::start([]).await;
    let mut f = Fixture::new(&service, 1);
    std::fs::remove_file(identity(f.dir.path())).unwrap();
    assert!(f.wait().await <= PACE.longest);
    assert!(f.status.delivery_problem().unwrap().contains("netcensus-sensor enrol"));
    assert_eq!((f.waiting(), service.requests().len()), (1, 0));
}

#[tokio::test]
async fn without_a_plan_everything_is_kept_and_tried_seldom() {
    let service = Service::start([Answer::problem(403, "plan-not-in-effect")]).await;
    let mut f = Fixture::new(&service, 2);
    assert_eq!((f.wait().await, f.waiting(), f.aside()), (PACE.longest, 2, 0));
    assert_eq!(f.delivery.step().await, Step::Stored(1));
}

#[tokio::test]
async fn what_is_refused_for_good_is_put_aside_and_the_next_goes_on() {
    for status in [400, 413, 422] {
        let service = Service::start([Answer::problem(status, "bad-upload")]).await;
        let mut f = Fixture::new(&service, 2);
        assert_eq!(f.delivery.step().await, Step::PutAside(1), "{status}");
        assert_eq!(f.delivery.step().await, Step::Stored(2), "{status}");
        assert_eq!((f.waiting(), f.aside(), count(&f.status.uploads_put_aside)), (0, 1, 1), "{status}");
    }
}

#[tokio::test]
async fn a_damaged_file_is_put_aside_without_asking_the_service() {
    let service = Service::start([]).await;
    let mut f = Fixture::new(&service, 2);
    let first = SpoolReader::new(&spool(f.dir.path())).oldest().unwrap().unwrap();
    std::fs::write(&first.path, b"damaged").unwrap();
    assert_eq!(f.delivery.step().await, Step::PutAside(1));
    assert_eq!(f.delivery.step().await, Step::Stored(2));
    assert_eq!((service.requests().len(), f.aside()), (1, 1));
}

#[tokio::test]
async fn a_name_that_was_used_before_is_replaced_and_the_facts_arrive() {
    let service = Service::start([Answer::problem(409, "upload-conflict")]).await;
    let mut f = Fixture::new(&service, 1);
    assert_eq!((f.delivery.step().await, f.waiting()), (Step::Stored(1), 0));
    let [first, second]: [Upload; 2] =
        service.requests().iter().map(|r| r.upload()).collect::<Vec<_>>().try_into().unwrap();
    assert_ne!(first.epoch, second.epoch);
    assert_eq!(first.delta, second.delta);
}

#[tokio::test]
async fn an_answer_that_is_no_receipt_of_this_upload_acknowledges_nothing() {
    let answers = [
        Answer::Raw(200, vec![], "<html>".into()),
        Answer::Raw(201, vec![], "{\"sequence\":9,\"duplicate\":false}".into()),
        Answer::Raw(302, vec![("location", "/elsewhere")], String::new()),
        Answer::Raw(200, vec![], " ".repeat(100_000)),
    ];
    let n = answers.len();
    let service = Service::start(answers).await;
    let mut f = Fixture::new(&service, 1);
    for i in 0..n {
        assert!(f.wait().await > Duration::ZERO, "{i}");
        assert_eq!((f.waiting(), service.requests().len()), (1, i + 1));
    }
}

#[tokio::test]
async fn a_service_that_is_down_costs_nothing_but_time() {
    let service = Service::start([]).await;
    let mut f = Fixture::new(&service, 1);
    // A port on which nothing listens: bound, and closed again.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let mut down = service.identity("key 1");
    down.url = format!("http://127.0.0.1:{port}");
    down.store(&identity(f.dir.path())).unwrap();
    assert!(f.wait().await > Duration::ZERO);
    let problem = f.status.delivery_problem().unwrap();
    assert!(
        problem.contains("cannot reach the plan service") && problem.contains(&port.to_string()),
        "{problem}"
    );
    assert_eq!(f.waiting(), 1);
}

#[tokio::test]
async fn enrolment_exchanges_a_token_for_an_identity_once() {
    let answer = "{\"sensor\":\"s1\",\"subscription\":\"main\",\"key\":\"k\"}".to_owned();
    let service =
        Service::start([Answer::Raw(201, vec![], answer), Answer::problem(403, "bad-enrolment")]).await;
    let token = EnrolmentToken { url: service.url.clone() + "/", secret: "secret".into(), fingerprint: None };
    let identity = enrol(&token, "rack 3", None, &Route::default(), Timestamp(0)).await.unwrap();
    assert_eq!((identity.sensor.as_str(), identity.key.as_str()), ("s1", "k"));
    assert_eq!(identity.url, service.url);
    let request = &service.requests()[0];
    assert_eq!(request.path, "/api/v1/enrol");
    let public_key = identity.signing_key.public();
    let body = format!("{{\"secret\":\"secret\",\"name\":\"rack 3\",\"public_key\":\"{public_key}\"}}");
    assert_eq!(request.body, body);
    assert!(matches!(
        enrol(&token, "rack 3", None, &Route::default(), Timestamp(0)).await,
        Err(UploadError::Token { .. })
    ));
}

#[tokio::test]
async fn a_token_for_plain_http_on_the_network_is_refused_before_anything_is_sent() {
    let token =
        EnrolmentToken { url: "http://plan.example".into(), secret: "secret".into(), fingerprint: None };
    assert!(matches!(
        enrol(&token, "x", None, &Route::default(), Timestamp(0)).await,
        Err(UploadError::Address { .. })
    ));
}

#[tokio::test]
async fn each_upload_carries_the_newest_receipt_and_a_fork_is_shown() {
    let receipt = |number: u64, sequence: u64, forked: bool| {
        Answer::Raw(
            201,
            vec![],
            format!(
                "{{\"sequence\":{sequence},\"duplicate\":false,\"number\":{number},\"forked\":{forked}}}"
            ),
        )
    };
    let service = Service::start([receipt(4, 1, false), receipt(7, 2, true)]).await;
    let mut f = Fixture::new(&service, 3);
    assert_eq!(f.delivery.step().await, Step::Stored(1));
    let forked = |status: &Status| status.problems().iter().any(|p| p.contains("another appliance"));
    assert!(!forked(&f.status));
    // The number outlives the process.
    let (reader, clock) =
        (SpoolReader::new(&spool(f.dir.path())), Arc::new(FixedClock(Timestamp::from_secs(77))));
    f.delivery = Delivery::new(reader, identity(f.dir.path()), PACE, f.status.clone(), clock);
    assert_eq!(f.delivery.step().await, Step::Stored(2));
    assert!(forked(&f.status), "{:?}", f.status.problems());
    // A service that gives no numbers does not get the numbers of another.
    let mut moved = service.identity("key 1");
    moved.sensor = "sensor 2".into();
    moved.store(&identity(f.dir.path())).unwrap();
    f.delivery.set_pace(PACE);
    assert_eq!(f.delivery.step().await, Step::Stored(3));
    let receipts: Vec<Option<u64>> = service.requests().iter().map(|r| r.upload().health.receipt).collect();
    assert_eq!(receipts, [None, Some(4), None]);
}

#[tokio::test]
async fn a_clock_difference_is_noticed_with_any_answer() {
    let late = |status| Answer::Raw(status, vec![("date", "Thu, 01 Jan 1970 01:01:17 GMT")], String::new());
    let service = Service::start([late(503)]).await;
    let mut f = Fixture::new(&service, 1);
    f.wait().await;
    assert_eq!(f.status.clock_skew(), Some(3_600));
    assert!(f.status.line(0, 1).contains("3600 s behind the plan service's"), "{}", f.status.line(0, 1));
    assert_eq!(f.delivery.step().await, Step::Stored(1));
}

#[tokio::test]
async fn the_pace_is_kept_on_average() {
    let service = Service::start([]).await;
    let mut f = Fixture::new(&service, 2);
    f.delivery.set_pace(Pace { bytes_per_second: std::num::NonZeroU64::new(100), ..PACE });
    assert_eq!(f.delivery.step().await, Step::Stored(1));
    let bytes = service.requests()[0].body.len() as u64;
    assert_eq!((f.delivery.rest(), f.delivery.rest()), (Duration::from_millis(bytes * 10), Duration::ZERO));
    f.delivery.set_pace(PACE);
    assert_eq!((f.delivery.step().await, f.delivery.rest()), (Step::Stored(2), Duration::ZERO));
}

#[tokio::test]
async fn a_damaged_upload_is_reported_to_the_capture_half_and_a_refused_one_is_not() {
    let service = Service::start([Answer::problem(400, "bad-upload")]).await;
    let mut f = Fixture::new(&service, 2);
    assert_eq!(f.delivery.step().await, Step::PutAside(1));
    let reader = SpoolReader::new(&spool(f.dir.path()));
    assert_eq!((reader.feedback().put_aside, reader.feedback().lost), (1, 0));
    std::fs::write(&reader.oldest().unwrap().unwrap().path, b"damaged").unwrap();
    assert_eq!(f.delivery.step().await, Step::PutAside(2));
    assert_eq!((reader.feedback().put_aside, reader.feedback().lost), (2, 1));
}

/// A proxy that answers each CONNECT with `answer` and returns the requests.
async fn proxy(answer: &'static str) -> (String, tokio::task::JoinHandle<String>) {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let asked = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut request = Vec::new();
        while !request.ends_with(b"\r\n\r\n") {
            request.push(stream.read_u8().await.unwrap());
        }
        stream.write_all(answer.as_bytes()).await.unwrap();
        String::from_utf8(request).unwrap()
    });
    (url, asked)
}

#[tokio::test]
async fn a_proxy_is_asked_with_its_credential_and_what_it_refuses_is_told() {
    let service = Service::start([]).await;
    let mut f = Fixture::new(&service, 1);
    let mut far = service.identity("key 1");
    far.url = "https://plan.example".into();
    far.store(&identity(f.dir.path())).unwrap();
    let (url, asked) = proxy("HTTP/1.1 407 Proxy Authentication Required\r\ncontent-length: 0\r\n\r\n").await;
    let credential = f.dir.path().join("proxy");
    std::fs::write(&credential, "user:secret\n").unwrap();
    f.delivery.set_route(Route { proxy: url, credential });
    f.wait().await;
    let asked = asked.await.unwrap();
    assert!(asked.starts_with("CONNECT plan.example:443 HTTP/1.1\r\n"), "{asked}");
    assert!(asked.to_lowercase().contains("proxy-authorization: basic dxnlcjpzzwnyzxq="), "{asked}");
    let problem = f.status.delivery_problem().unwrap();
    assert!(problem.contains("proxy") && !problem.contains("secret"), "{problem}");
    // Plain HTTP never leaves this machine, so it needs no proxy.
    service.identity("key 1").store(&identity(f.dir.path())).unwrap();
    f.delivery.set_route(Route { proxy: "http://127.0.0.1:1".into(), ..Route::default() });
    assert_eq!(f.delivery.step().await, Step::Stored(1));
}
