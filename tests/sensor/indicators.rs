//! The command about feeds of indicators as a process, and the set of the plan service: fetched, checked, in force.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use ed25519_dalek::{Signer as _, SigningKey};
use netcensus::census::{Timestamp, Zone};
use netcensus::clock::Clock;
use netcensus::security::{COMPILED_BYTES, compile};
use netcensus::sensor::indicators::{IndicatorLoader, Place};
use netcensus::sensor::pipeline::table::Table;
use netcensus::sensor::status::Status;
use netcensus::sensor::upload::delivery::{Delivery, Pace, Step};
use netcensus::sensor::upload::feedback::Feedback;
use netcensus::sensor::upload::spool::{SpoolBounds, SpoolReader, SpoolWriter};
use netcensus::wire::{Health, SET_SCHEMA, SetHead, UPLOAD_SCHEMA, Upload};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::commands::SENSOR;
use super::service::{Answer, Service};

#[test]
fn indicators_tells_what_feeds_hold_and_what_a_value_hits() {
    let dir = tempfile::tempdir().unwrap();
    let (list, misp) = (dir.path().join("list.txt"), dir.path().join("misp.json"));
    fs::write(&list, "203.0.113.7\n8.8.8.8\nhttp://evil.example/\n").unwrap();
    fs::write(
        &misp,
        r#"{"Event":{"Attribute":[{"type":"domain","value":"evil.example"},{"type":"md5","value":"0"}]}}"#,
    )
    .unwrap();
    let sensor = |arguments: &[&str]| {
        let mut command = Command::new(SENSOR);
        command.arg("indicators").args(arguments).arg(&list).arg(&misp).output().unwrap()
    };
    let output = sensor(&["--test", "c2.evil.example", "--test", "203.0.113.8"]);
    let text = String::from_utf8(output.stdout).unwrap();
    for part in [
        "guarded 1, URL 1",
        "MISP md5 1",
        "c2.evil.example hits name:evil.example",
        "203.0.113.8 hits no indicator",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let document: Value = serde_json::from_slice(&sensor(&["--json"]).stdout).unwrap();
    assert_eq!((&document["indicators"], &document["feeds"][1]["form"]), (&2.into(), &"MISP JSON".into()));
    fs::write(&misp, "{").unwrap();
    let output = sensor(&[]);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("misp.json: the JSON has a fault"));
}

/// A set that a service signed.
fn signed(key: &SigningKey, change: impl FnOnce(&mut SetHead), compiled: &[u8], indicators: u64) -> Vec<u8> {
    let mut head = SetHead {
        schema: SET_SCHEMA.to_owned(),
        subscription: "main".to_owned(),
        digest: digest(compiled),
        bytes: compiled.len() as u64,
        indicators,
        key: hex::encode(key.verifying_key().to_bytes()),
        signature: String::new(),
    };
    change(&mut head);
    head.signature = hex::encode(key.sign(head.message().as_bytes()).to_bytes());
    [&serde_json::to_vec(&head).unwrap(), &b"\n"[..], compiled].concat()
}

fn digest(compiled: &[u8]) -> String {
    hex::encode(Sha256::digest(compiled))
}

fn compiled(labels: &[&str]) -> Vec<u8> {
    compile(labels.iter().copied()).unwrap().bytes
}

/// A clock that goes on by two minutes whenever somebody looks.
#[derive(Debug, Default)]
struct Passing(std::sync::atomic::AtomicI64);

impl Clock for Passing {
    fn now(&self) -> Timestamp {
        Timestamp::from_secs(120 * self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed))
    }
}

/// A sensor that is enrolled with a service.
struct Edge {
    service: Service,
    dir: tempfile::TempDir,
    status: Arc<Status>,
    delivery: Delivery,
    writer: SpoolWriter,
    table: Table,
    loader: IndicatorLoader,
}

impl Edge {
    async fn new() -> Self {
        let service = Service::start([]).await;
        let dir = tempfile::tempdir().unwrap();
        let (spool, identity) = (dir.path().join("spool"), dir.path().join("identity.json"));
        service.identity("key 1").store(&identity).unwrap();
        let writer = SpoolWriter::open(&spool, SpoolBounds::of(1 << 20), "default").unwrap();
        let status = Arc::<Status>::default();
        let pace = Pace {
            first: Duration::from_secs(1),
            longest: Duration::from_secs(60),
            timeout: Duration::from_secs(10),
            bytes_per_second: None,
        };
        let reader = SpoolReader::new(&spool);
        let delivery = Delivery::new(reader, identity, pace, status.clone(), Arc::<Passing>::default());
        let (table, loader) = (Table::new(100), IndicatorLoader::default());
        Self { service, dir, status, delivery, writer, table, loader }
    }

    fn spool(&self) -> PathBuf {
        self.dir.path().join("spool")
    }

    fn saved(&self) -> Option<String> {
        Feedback::load(&self.spool()).indicators.map(|saved| saved.digest)
    }

    /// Delivers an upload whose receipt names a set, and waits for how its fetching ends.
    async fn offered(&mut self, digest: &str, answer: Answer) {
        self.service.say([Answer::Names(digest.to_owned()), answer]);
        let upload = Upload {
            schema: UPLOAD_SCHEMA.into(),
            epoch: self.writer.epoch().into(),
            sequence: self.writer.next_sequence(),
            zone: "default".into(),
            delta: Zone::default(),
            health: Health::default(),
        };
        self.writer.put(&upload.encode().unwrap()).unwrap();
        assert!(matches!(self.delivery.step().await, Step::Stored(_)));
        // It is written again when the fetch has ended, maybe with the same words.
        let told = self.spool().join("told.json");
        let written = || fs::metadata(&told).unwrap().modified().unwrap();
        let before = written();
        while written() == before {
            tokio::time::sleep(Duration::from_millis(10)).await;
            assert_eq!(self.delivery.step().await, Step::Idle);
        }
    }

    fn load(&self) {
        let (table, status, spool) = (&self.table, &*self.status, self.spool());
        self.loader.load(&Place { files: &[], spool: &spool, table, status, now: Timestamp::from_secs(9) });
    }
}

#[tokio::test]
async fn a_set_that_the_receipt_names_is_fetched_saved_and_in_force_after_a_restart() {
    let mut edge = Edge::new().await;
    let key = SigningKey::from_bytes(&[7; 32]);
    let first = compiled(&["ip:203.0.113.7", "name:evil.example"]);
    edge.offered(&digest(&first), Answer::Bytes(signed(&key, |_| (), &first, 2))).await;
    assert_eq!(edge.saved(), Some(digest(&first)));
    let requests = edge.service.requests();
    let fetch = requests.last().unwrap();
    assert_eq!(
        fetch.path,
        format!("/api/v1/subscriptions/main/sensors/sensor%201/indicators/{}", digest(&first))
    );
    assert_eq!(fetch.header("authorization"), "Bearer key 1");
    assert!(fetch.header("signature-input").contains("netcensus-fetch"), "{fetch:?}");
    edge.load();
    let in_force = edge.status.indicators();
    assert_eq!((in_force.total, in_force.listed, in_force.digest), (2, 2, Some(digest(&first))));
    assert_eq!(edge.status.health(0).indicators, Some(digest(&first)));
    let second = compiled(&["name:bad.example"]);
    edge.offered(&digest(&second), Answer::Bytes(signed(&key, |_| (), &second, 1))).await;
    // As after a start.
    edge.loader = IndicatorLoader::default();
    edge.load();
    assert_eq!(edge.status.indicators().digest, Some(digest(&second)));
    // A set that does not change is not fetched again.
    let before = edge.service.requests().len();
    edge.service.say([Answer::Names(digest(&second))]);
    let upload = edge.service.requests()[0].upload();
    let upload =
        Upload { sequence: edge.writer.next_sequence(), epoch: edge.writer.epoch().into(), ..upload };
    edge.writer.put(&upload.encode().unwrap()).unwrap();
    edge.delivery.step().await;
    edge.delivery.step().await;
    assert_eq!(edge.service.requests().len(), before + 1);
}

#[tokio::test]
async fn a_set_that_is_not_the_named_signed_whole_one_is_refused_and_the_last_good_one_stays() {
    let mut edge = Edge::new().await;
    let key = SigningKey::from_bytes(&[7; 32]);
    let good = compiled(&["ip:203.0.113.7"]);
    edge.offered(&digest(&good), Answer::Bytes(signed(&key, |_| (), &good, 1))).await;
    edge.load();
    let next = compiled(&["ip:198.51.100.7", "name:bad.example"]);
    let whole = signed(&key, |_| (), &next, 2);
    let mut flipped = whole.clone();
    *flipped.last_mut().unwrap() ^= 1;
    let mut forged = signed(&key, |_| (), &next, 2);
    let at = forged.windows(13).position(|part| part == b"\"signature\":\"").unwrap() + 14;
    forged[at] = if forged[at] == b'0' { b'1' } else { b'0' };
    let bomb = zstd::bulk::compress(&vec![b'a'; 50 << 20], 3).unwrap();
    let unsorted = zstd::bulk::compress(b"name:b.example\nname:a.example\n", 3).unwrap();
    let other = SigningKey::from_bytes(&[8; 32]);
    for (what, of, bytes, problem) in [
        ("a byte is wrong", &next, flipped, "its digest is wrong"),
        ("it breaks off", &next, whole[..whole.len() - 3].to_vec(), "truncated"),
        ("it goes on", &next, [&whole[..], b"more"].concat(), "its digest is wrong"),
        ("it is empty", &next, Vec::new(), "does not begin with its head"),
        ("it is the set before", &next, signed(&key, |_| (), &good, 1), "another one than the service named"),
        ("its signature is wrong", &next, forged, "signature of the set of indicators is wrong"),
        ("another key signed it", &next, signed(&other, |_| (), &next, 2), "another key signed"),
        (
            "it is another subscription's",
            &next,
            signed(&key, |head| head.subscription = "other".into(), &next, 2),
            "for another subscription",
        ),
        (
            "it is too large",
            &next,
            signed(&key, |head| head.bytes = COMPILED_BYTES + 1, &next, 2),
            "larger than it may be",
        ),
        ("its number is wrong", &next, signed(&key, |_| (), &next, 3), "the number of indicators"),
        ("it is one endless line", &bomb, signed(&key, |_| (), &bomb, 1), "line 1"),
        ("it is not sorted", &unsorted, signed(&key, |_| (), &unsorted, 2), "not in its order"),
    ] {
        edge.offered(&digest(of), Answer::Bytes(bytes)).await;
        let told = edge.status.indicators_problem().unwrap_or_default();
        assert!(told.contains(problem), "{what}: {told}");
        assert_eq!(edge.saved(), Some(digest(&good)), "{what}");
        edge.load();
        assert_eq!(edge.status.indicators().digest, Some(digest(&good)), "{what}");
        assert!(edge.status.health(0).indicators_problem.is_some(), "{what}");
        assert!(!edge.spool().join("tmp/indicators.set").exists(), "{what}");
    }
    edge.offered(&digest(&next), Answer::problem(404, "not-found")).await;
    assert!(edge.status.indicators_problem().unwrap().contains("because of not-found"));
    // At a later receipt, it is fetched again.
    edge.offered(&digest(&next), Answer::Bytes(whole)).await;
    assert_eq!((edge.saved(), edge.status.indicators_problem()), (Some(digest(&next)), None));
}

#[tokio::test]
async fn a_saved_set_that_was_changed_on_disk_does_not_replace_what_is_in_force() {
    let mut edge = Edge::new().await;
    let key = SigningKey::from_bytes(&[7; 32]);
    let good = compiled(&["ip:203.0.113.7"]);
    edge.offered(&digest(&good), Answer::Bytes(signed(&key, |_| (), &good, 1))).await;
    edge.load();
    let file = edge.spool().join("indicators.set");
    fs::write(&file, signed(&SigningKey::from_bytes(&[9; 32]), |_| (), &good, 1)).unwrap();
    edge.load();
    let in_force = edge.status.indicators();
    assert_eq!((in_force.listed, in_force.digest), (1, Some(digest(&good))), "it stays as it was");
    assert!(in_force.problem.unwrap().contains("another key signed"));
    fs::remove_file(&file).unwrap();
    edge.load();
    assert_eq!(edge.status.indicators().listed, 1);
}
