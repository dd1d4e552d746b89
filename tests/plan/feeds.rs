//! Feeds of indicators: importing, looking up, the signed set that sensors fetch, and alerts that come and go with feeds.

use netcensus::census::conduct::DeedKind;
use netcensus::plan::feed::FEEDS;
use netcensus::plan::permission::Role;
use netcensus::security::Labels;
use netcensus::wire::SetHead;
use netcensus::wire::signature::Purpose;
use reqwest::{Method, RequestBuilder, header};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::support::answers::each;
use crate::support::browser::{Browser, Page};
use crate::support::databases::on_each_database;
use crate::support::service::monthly;
use crate::support::{Answer, Plan, Seen, TestSensor, send};

const CAMERA: &str = "00:40:8c:05:00:01";

on_each_database! {
    a_feed_is_previewed_imported_replaced_and_deleted,
    a_file_that_cannot_be_read_changes_nothing,
    a_value_is_looked_up_in_all_feeds,
    a_subscription_has_at_most_64_feeds,
    a_receipt_names_the_set_and_the_sensors_key_fetches_it,
    an_alert_names_the_feeds_of_its_indicator_and_goes_with_the_last,
    what_a_sensors_own_files_name_stands_whatever_the_feeds_say,
    a_page_previews_an_import_and_a_deletion,
    clients_that_send_slowly_keep_no_other_subscription_waiting,
}

fn import(plan: &Plan, name: &str, file: &str, dry_run: bool) -> RequestBuilder {
    plan.request(Method::POST, &format!("/feeds/{name}?dry_run={dry_run}")).body(file.to_owned())
}

async fn imported(plan: &Plan, name: &str, file: &str) -> Value {
    send(import(plan, name, file, false)).await.succeeds(200)
}

async fn delete(plan: &Plan, name: &str) -> Answer {
    send(plan.request(Method::DELETE, &format!("/feeds/{name}"))).await
}

async fn onboarded(plan: &Plan) {
    plan.post("/plan", monthly(100)).await.succeeds(201);
}

async fn a_feed_is_previewed_imported_replaced_and_deleted(plan: Plan) {
    onboarded(&plan).await;
    let drop = "203.0.113.7\n198.51.100.0/24 ; SBL1\n8.8.8.8\nhttp://evil.example/\n203.0.113.7\n";
    let tried = send(import(&plan, "drop", drop, true)).await.succeeds(200);
    assert_eq!((&tried["dry_run"], &tried["added"], &tried["removed"]), (&json!(true), &json!(2), &json!(0)));
    let none = plan.get("/feeds").await;
    assert_eq!((&none["feeds"], &none["set"]), (&json!([]), &Value::Null), "a dry run stores nothing");
    let feed = &imported(&plan, "drop", drop).await["feed"];
    assert_eq!((&feed["indicators"], &feed["guarded"], &feed["repeated"]), (&json!(2), &json!(1), &json!(1)));
    assert_eq!((&feed["guarded_some"], &feed["not_understood"]), (&json!(["8.8.8.8"]), &json!({"URL": 1})));
    assert_eq!(feed["digest"], hex::encode(Sha256::digest(drop)));
    assert_eq!((&feed["bytes"], &feed["by"]), (&json!(drop.len()), &json!("person:owner")));
    imported(
        &plan,
        "misp",
        r#"{"Event":{"Attribute":[{"type":"ip-dst","value":"203.0.113.7"},
        {"type":"domain","value":"evil.example"}]}}"#,
    )
    .await;
    let list = plan.get("/feeds").await;
    assert_eq!(each(&list["feeds"], "name"), ["drop", "misp"]);
    assert_eq!(each(&list["feeds"], "overlapping"), ["1", "1"]);
    assert_eq!(each(&list["feeds"], "form"), ["list of lines", "MISP JSON"]);
    assert_eq!(list["set"]["indicators"], 3);
    let before = list["set"]["digest"].clone();
    let replaced = imported(&plan, "misp", "evil.example\nbad.example\n").await;
    assert_eq!((&replaced["added"], &replaced["removed"]), (&json!(1), &json!(1)), "it is replaced whole");
    let list = plan.get("/feeds").await;
    assert_eq!(each(&list["feeds"], "overlapping"), ["0", "0"]);
    assert_ne!(list["set"]["digest"], before);
    imported(&plan, "misp", "203.0.113.7\nevil.example\n").await;
    assert_eq!(plan.get("/feeds").await["set"]["digest"], before, "the same indicators are the same set");
    let gone = delete(&plan, "misp").await.succeeds(200);
    assert_eq!(
        (&gone["feed"], &gone["removed"], &gone["set"]["indicators"]),
        (&Value::Null, &json!(2), &json!(2))
    );
    delete(&plan, "misp").await.fails(404, "not-found");
    delete(&plan, "no..name").await.fails(404, "not-found");
    delete(&plan, "drop").await.succeeds(200);
    let list = plan.get("/feeds").await;
    assert_eq!((&list["feeds"], &list["set"]["indicators"]), (&json!([]), &json!(0)));
    let reader = plan.person("rita", Role::Reader).await;
    let denied = plan.request_as(&reader, Method::POST, "/feeds/drop").body(drop);
    send(denied).await.fails(403, "not-permitted");
    let actions = plan.get("/audit?limit=500").await;
    let feeds = each(&actions["entries"], "action").into_iter().filter(|action| action.starts_with("feed."));
    assert_eq!(feeds.count(), 6);
}

async fn a_file_that_cannot_be_read_changes_nothing(plan: Plan) {
    onboarded(&plan).await;
    imported(&plan, "misp", "evil.example\n").await;
    let before = plan.get("/feeds").await;
    for fault in ["{", r#"{"objects":[{"type":"indicator""#, "<html>\n", "", "10.0.0.1\n"] {
        send(import(&plan, "misp", fault, false)).await.fails(422, "unreadable-feed");
    }
    for name in ["-x", "a%20b", "%C3%BC", &"x".repeat(61)] {
        send(import(&plan, name, "evil.example\n", false)).await.fails(400, "invalid-request");
    }
    assert_eq!(plan.get("/feeds").await, before);
}

async fn a_value_is_looked_up_in_all_feeds(plan: Plan) {
    onboarded(&plan).await;
    imported(&plan, "drop", "198.51.100.0/24\nevil.example\n").await;
    imported(&plan, "misp", "198.51.100.9\n2001:db8:1::/48\nevil.example\nc2.evil.example\n").await;
    let hits = async |value: &str| {
        let answer = plan.get(&format!("/indicators?value={value}")).await;
        let hits = answer["hits"].as_array().unwrap().clone();
        hits.iter()
            .map(|hit| format!("{} {}", hit["indicator"], hit["feeds"]).replace('"', ""))
            .collect::<Vec<_>>()
    };
    assert_eq!(hits("198.51.100.9").await, ["ip:198.51.100.9 [misp]", "net:198.51.100.0/24 [drop]"]);
    assert_eq!(hits("198.51.100.10").await, ["net:198.51.100.0/24 [drop]"]);
    assert_eq!(hits("2001:db8:1::7").await, ["net:2001:db8:1::/48 [misp]"]);
    assert_eq!(
        hits("a.C2.evil.example.").await,
        ["name:c2.evil.example [misp]", "name:evil.example [drop,misp]"]
    );
    assert_eq!(hits("203.0.113.1").await, Vec::<String>::new());
    plan.try_get("/indicators?value=nothing!").await.fails(400, "invalid-request");
}

async fn a_subscription_has_at_most_64_feeds(plan: Plan) {
    onboarded(&plan).await;
    for n in 0..FEEDS {
        imported(&plan, &format!("f{n}"), &format!("80.0.0.{n}\n")).await;
    }
    send(import(&plan, "one-more", "80.0.1.1\n", true)).await.fails(409, "too-many-feeds");
    imported(&plan, "f0", "80.0.1.1\n").await;
    assert_eq!(plan.get("/feeds").await["set"]["indicators"], FEEDS);
}

/// The answer to a sensor that asks for a set.
async fn fetch(plan: &Plan, sensor: &TestSensor, digest: &str, purpose: Purpose) -> reqwest::Response {
    let url = plan.of(&format!("/sensors/{}/indicators/{digest}", sensor.id));
    let request = plan.client.get(url).bearer_auth(&sensor.key);
    sensor.sign(request, Vec::new(), purpose).send().await.unwrap()
}

async fn a_receipt_names_the_set_and_the_sensors_key_fetches_it(plan: Plan) {
    let sensor = plan.ready().await;
    let upload = async |sequence: u64| {
        let seen = Seen::default().arp(CAMERA, "10.5.0.1", "iot-camera").0;
        plan.upload(&sensor, &crate::support::seen::upload_of(sequence, "hq", seen)).await.body
    };
    assert!(upload(1).await.get("indicators").is_none(), "there never was a feed");
    imported(&plan, "drop", "203.0.113.7\nevil.example\n").await;
    let digest = plan.get("/feeds").await["set"]["digest"].as_str().unwrap().to_owned();
    assert_eq!(upload(2).await["indicators"], json!(digest));
    let answer = fetch(&plan, &sensor, &digest, Purpose::Fetch).await;
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.headers()[header::ETAG], format!("\"{digest}\""));
    assert!(answer.headers()[header::CACHE_CONTROL].to_str().unwrap().contains("immutable"));
    let body = answer.bytes().await.unwrap();
    let end = body.iter().position(|b| *b == b'\n').unwrap();
    let (head, compiled) = (SetHead::read(&body[..end]).unwrap(), &body[end + 1..]);
    assert_eq!((&*head.subscription, &*head.digest), (plan.sid.as_str(), &*digest));
    assert_eq!(hex::encode(Sha256::digest(compiled)), digest);
    let key: netcensus::proof::PublicKey = head.key.parse().unwrap();
    assert!(key.signed(head.message().as_bytes(), &head.signature.parse().unwrap()));
    let labels: Vec<String> = Labels::of(compiled).unwrap().map(Result::unwrap).collect();
    assert_eq!(labels, ["ip:203.0.113.7", "name:evil.example"]);
    assert_eq!(fetch(&plan, &sensor, &"0".repeat(64), Purpose::Fetch).await.status(), 404);
    assert_eq!(fetch(&plan, &sensor, &digest, Purpose::Upload).await.status(), 401);
    let stranger = TestSensor { key: crate::support::sensors::stranger(), ..sensor.clone() };
    assert_eq!(fetch(&plan, &stranger, &digest, Purpose::Fetch).await.status(), 401);
    let path = format!("/sensors/{}/indicators/{digest}", sensor.id);
    assert_eq!(
        plan.request(Method::GET, &path).send().await.unwrap().status(),
        401,
        "people are not sensors"
    );
}

async fn an_alert_names_the_feeds_of_its_indicator_and_goes_with_the_last(plan: Plan) {
    let sensor = plan.ready().await;
    imported(&plan, "drop", "203.0.113.0/24\n").await;
    imported(&plan, "misp", "203.0.113.7\n").await;
    let hit = Seen::default().arp(CAMERA, "10.5.0.1", "iot-camera");
    let hit = hit.did(CAMERA, "10.5.0.1", DeedKind::Contacts, None, "feed:ip:203.0.113.7");
    hit.send(&plan, &sensor, 1, "hq").await;
    let alert = plan.get("/alerts").await["alerts"][0].clone();
    assert_eq!((&alert["rule"], &alert["object"]), (&json!("A-IP"), &json!("ip:203.0.113.7")));
    assert_eq!(alert["feeds"], json!(["drop", "misp"]), "a network that holds it counts, too");
    let browser = Browser::sign_in(&plan).await;
    browser.show("/alerts").await.assert(200, "drop, misp");
    delete(&plan, "misp").await.succeeds(200);
    let alerts = plan.get("/alerts").await;
    assert_eq!((&alerts["total"], &alerts["alerts"][0]["feeds"]), (&json!(1), &json!(["drop"])));
    delete(&plan, "drop").await.succeeds(200);
    assert_eq!(plan.get("/alerts").await["total"], 0);
    let gone = plan.get("/alerts/withdrawn").await;
    assert_eq!(
        (&gone["alerts"][0]["id"], &gone["alerts"][0]["withdrawn"]["why"]),
        (&alert["id"], &json!("feed"))
    );
    // What comes late leads to the same: no feed holds it.
    let late = Seen::default().did(CAMERA, "10.5.0.1", DeedKind::Asks, None, "feed:name:evil.example");
    late.send(&plan, &sensor, 2, "hq").await;
    plan.set_time("2026-11-22T09:02:00Z");
    assert_eq!(plan.get("/alerts").await["total"], 0);
    imported(&plan, "names", "evil.example\n").await;
    let alerts = plan.get("/alerts").await;
    assert_eq!((&alerts["total"], &alerts["alerts"][0]["rule"]), (&json!(1), &json!("A-DOM")));
    imported(&plan, "misp", "203.0.113.7\n").await;
    assert_eq!(plan.get("/alerts").await["total"], 2);
    let history = plan.get(&format!("/alerts/{}/history", alert["id"].as_str().unwrap())).await;
    let sentences = each(&history["events"], "sentence");
    assert!(
        sentences.contains(&"withdrawn: no feed holds its indicator any more".to_owned()),
        "{sentences:?}"
    );
    assert_eq!(sentences.last().map(String::as_str), Some("shown again"));
}

async fn what_a_sensors_own_files_name_stands_whatever_the_feeds_say(plan: Plan) {
    let sensor = plan.ready().await;
    let hit = Seen::default().arp(CAMERA, "10.5.0.1", "iot-camera");
    let hit = hit.did(CAMERA, "10.5.0.1", DeedKind::Contacts, None, "ip:203.0.113.7");
    hit.send(&plan, &sensor, 1, "hq").await;
    assert!(plan.get("/alerts").await["alerts"][0].get("feeds").is_none());
    imported(&plan, "misp", "203.0.113.7\n").await;
    assert_eq!(plan.get("/alerts").await["alerts"][0]["feeds"], json!(["misp"]));
    delete(&plan, "misp").await.succeeds(200);
    assert_eq!(plan.get("/alerts").await["total"], 1);
    assert_eq!(plan.get("/alerts/withdrawn").await["total"], 0);
}

async fn a_page_previews_an_import_and_a_deletion(plan: Plan) {
    onboarded(&plan).await;
    let browser = Browser::sign_in(&plan).await;
    browser.show("/feeds").await.assert(200, "No feed was imported yet");
    let post = async |button: &str, name: &str, file: &str| {
        let field = |head: &str, text: &str| {
            format!("--sep\r\ncontent-disposition: form-data; {head}\r\n\r\n{text}\r\n")
        };
        let form = field("name=\"name\"", name)
            + &field("name=\"file\"; filename=\"drop.txt\"", file)
            + &field(&format!("name=\"{button}\""), "yes")
            + "--sep--\r\n";
        let request = plan.client.post(browser.page("/feeds")).header(header::COOKIE, &browser.cookie);
        let request = request.header(header::ORIGIN, &plan.url).body(form);
        Page::read(request.header(header::CONTENT_TYPE, "multipart/form-data; boundary=sep")).await
    };
    let file = "203.0.113.7\n10.0.0.1\n";
    let preview = post("preview", "drop", file).await;
    preview.assert(200, "Preview: nothing was stored");
    preview.assert(200, "1 added, 0 removed");
    preview.assert(200, "guarded 1");
    assert_eq!(plan.get("/feeds").await["feeds"], json!([]));
    post("import", "drop", "nothing here\n").await.assert(422, "The feed cannot be read");
    post("import", "a b", file).await.assert(400, "the name of a feed");
    assert!(post("import", "drop", file).await.status.is_redirection());
    let page = browser.show("/feeds").await;
    page.assert(200, "0 of 0 sensors have it in force");
    page.assert(200, "<th scope=\"row\">drop</th>");
    browser.show("/feeds?value=203.0.113.7").await.assert(200, "ip:203.0.113.7</span> in drop");
    browser.show("/feeds?value=203.0.113.8").await.assert(200, "No feed holds");
    browser.show("/feeds?value=!").await.assert(400, "write an address");
    browser
        .post("/feeds/delete", "name=drop&step=preview")
        .await
        .assert(200, "Without <strong>drop</strong>, 1");
    assert_eq!(each(&plan.get("/feeds").await["feeds"], "name"), ["drop"]);
    assert!(browser.post("/feeds/delete", "name=drop&step=confirm").await.status.is_redirection());
    assert_eq!(plan.get("/feeds").await["feeds"], json!([]));
}

/// A client that sent the head of an import and a part of its file.
struct SlowClient(TcpStream);

impl SlowClient {
    const START: &str = "203.0.113.7\n";
    const REST: &str = "203.0.113.8\n";

    async fn start(plan: &Plan, name: &str) -> Self {
        let mut stream = TcpStream::connect(plan.url.trim_start_matches("http://")).await.unwrap();
        let path = plan.of(&format!("/feeds/{name}")).replace(&plan.url, "");
        let (token, length) = (&plan.token, Self::START.len() + Self::REST.len());
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\nContent-Length: {length}\r\n\
             Connection: close\r\nExpect: 100-continue\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        // The service asks for the file once it has a place for it.
        let mut asked = [0; 25];
        stream.read_exact(&mut asked).await.unwrap();
        assert_eq!(asked, *b"HTTP/1.1 100 Continue\r\n\r\n");
        stream.write_all(Self::START.as_bytes()).await.unwrap();
        Self(stream)
    }

    /// Sends the rest, and returns the first line of the answer.
    async fn finish(mut self) -> String {
        self.0.write_all(Self::REST.as_bytes()).await.unwrap();
        let mut answer = String::new();
        self.0.read_to_string(&mut answer).await.unwrap();
        answer.lines().next().unwrap_or_default().to_owned()
    }
}

async fn clients_that_send_slowly_keep_no_other_subscription_waiting(mut plan: Plan) {
    onboarded(&plan).await;
    let slow = [SlowClient::start(&plan, "a").await, SlowClient::start(&plan, "b").await];
    // A third of the same subscription finds no place.
    send(import(&plan, "c", "203.0.113.9\n", true)).await.fails(503, "busy");
    let other = plan.subscription("Fabrikam", Some("owner")).await;
    let own = std::mem::replace(&mut plan.sid, other);
    onboarded(&plan).await;
    assert_eq!(imported(&plan, "drop", "203.0.113.7\n").await["added"], 1, "it does not wait for them");
    plan.sid = own;
    for client in slow {
        assert_eq!(client.finish().await, "HTTP/1.1 200 OK");
    }
    assert_eq!(each(&plan.get("/feeds").await["feeds"], "indicators"), ["2", "2"]);
    imported(&plan, "c", "203.0.113.9\n").await;
}

#[cfg(feature = "sensor")]
mod on_a_sensor {
    use std::io::Read as _;
    use std::path::Path;
    use std::sync::Arc;
    use std::time::Duration;

    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    use netcensus::census::Zone;
    use netcensus::clock::FixedClock;
    use netcensus::dissect::{Frame, LinkType};
    use netcensus::sensor::indicators::{IndicatorLoader, Place};
    use netcensus::sensor::pipeline::table::Table;
    use netcensus::sensor::pipeline::worker::Worker;
    use netcensus::sensor::status::Status;
    use netcensus::sensor::upload::delivery::{Delivery, Pace, Step};
    use netcensus::sensor::upload::feedback::Feedback;
    use netcensus::sensor::upload::identity::Identity;
    use netcensus::sensor::upload::signing::SigningKey;
    use netcensus::sensor::upload::spool::{SpoolBounds, SpoolReader, SpoolWriter};
    use netcensus::wire::{UPLOAD_SCHEMA, Upload};

    use super::*;

    const CARD: [u8; 6] = [0, 0x40, 0x8c, 5, 0, 1];

    /// A sensor's upload half at the service.
    struct Edge {
        dir: tempfile::TempDir,
        status: Arc<Status>,
        delivery: Delivery,
        writer: SpoolWriter,
        table: Table,
        loader: IndicatorLoader,
    }

    impl Edge {
        fn new(plan: &Plan, sensor: &TestSensor) -> Self {
            let dir = tempfile::tempdir().unwrap();
            let seed = URL_SAFE_NO_PAD.encode(sensor.signing.to_bytes());
            let identity = Identity {
                url: plan.url.clone(),
                sensor: sensor.id.to_string(),
                subscription: plan.sid.to_string(),
                key: sensor.key.clone(),
                signing_key: SigningKey::try_from(seed).unwrap(),
                fingerprint: None,
            };
            let file = dir.path().join("identity.json");
            identity.store(&file).unwrap();
            let spool = dir.path().join("spool");
            let writer = SpoolWriter::open(&spool, SpoolBounds::of(1 << 20), "hq").unwrap();
            let status = Arc::<Status>::default();
            let pace = Pace {
                first: Duration::from_secs(1),
                longest: Duration::from_secs(1),
                timeout: Duration::from_secs(30),
                bytes_per_second: None,
            };
            let clock = Arc::new(FixedClock(plan.now()));
            let delivery = Delivery::new(SpoolReader::new(&spool), file, pace, status.clone(), clock);
            Self { dir, status, delivery, writer, table: Table::new(100), loader: IndicatorLoader::default() }
        }

        fn spool(&self) -> std::path::PathBuf {
            self.dir.path().join("spool")
        }

        async fn deliver(&mut self, delta: Zone) {
            let upload = Upload {
                schema: UPLOAD_SCHEMA.to_owned(),
                epoch: self.writer.epoch().to_owned(),
                sequence: self.writer.next_sequence(),
                zone: "hq".to_owned(),
                delta,
                health: self.status.health(0),
            };
            self.writer.put(&upload.encode().unwrap()).unwrap();
            let step = self.delivery.step().await;
            assert!(matches!(step, Step::Stored(_)), "{step:?}");
        }

        /// Steps until the set with a digest is saved, and loads it.
        async fn follow(&mut self, plan: &Plan, digest: &str) {
            while Feedback::load(&self.spool()).indicators.is_none_or(|saved| saved.digest != digest) {
                assert_eq!(self.delivery.step().await, Step::Idle, "{:?}", self.status.problems());
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            self.load(plan, &self.spool());
            assert_eq!(self.status.indicators().digest.as_deref(), Some(digest));
        }

        fn load(&self, plan: &Plan, spool: &Path) {
            let (table, status, now) = (&self.table, &*self.status, plan.now());
            self.loader.load(&Place { files: &[], spool, table, status, now });
        }

        /// What is new after these frames.
        fn sees(&self, plan: &Plan, frames: &[Vec<u8>]) -> Zone {
            let mut worker = Worker::new(&self.table);
            for data in frames {
                let length = u32::try_from(data.len()).unwrap();
                worker.frame(&Frame { at: plan.now(), link: LinkType::Ethernet, data, length });
            }
            worker.finish();
            self.table.snapshot()
        }
    }

    fn arp() -> Vec<u8> {
        let head = [&[0xff; 6][..], &CARD, &[8, 6, 0, 1, 8, 0, 6, 4, 0, 1]].concat();
        [&head[..], &CARD, &[10, 5, 0, 1], &[0; 6], &[10, 5, 0, 254]].concat()
    }

    fn datagram(to: [u8; 4]) -> Vec<u8> {
        let router = [0, 0x40, 0x8c, 5, 0, 0xfe];
        let mut ip = [&[0x45, 0, 0, 32, 0, 7, 0, 0, 64, 17, 0, 0, 10, 5, 0, 1][..], &to].concat();
        let sum: u32 = ip.chunks(2).map(|pair| u32::from(u16::from_be_bytes([pair[0], pair[1]]))).sum();
        let sum = !u16::try_from((sum & 0xffff) + (sum >> 16)).unwrap();
        ip[10..12].copy_from_slice(&sum.to_be_bytes());
        let udp = [0x9c, 0x40, 0x27, 0x0f, 0, 12, 0, 0, 1, 2, 3, 4];
        [&router[..], &CARD, &[8, 0], &ip, &udp].concat()
    }

    #[tokio::test]
    async fn a_feed_that_is_imported_raises_an_alert_on_a_sensor_until_it_is_deleted() {
        let plan = Plan::start().await;
        let sensor = plan.ready().await;
        let mut edge = Edge::new(&plan, &sensor);
        edge.deliver(edge.sees(&plan, &[arp(), datagram([203, 0, 113, 7])])).await;
        assert_eq!(plan.get("/alerts").await["total"], 0, "nobody knows the address yet");
        imported(&plan, "drop", "203.0.113.7\n").await;
        let digest = plan.get("/feeds").await["set"]["digest"].as_str().unwrap().to_owned();
        edge.deliver(Zone::default()).await;
        edge.follow(&plan, &digest).await;
        edge.deliver(edge.sees(&plan, &[datagram([203, 0, 113, 7])])).await;
        let list = plan.get("/feeds").await;
        assert_eq!((&list["sensors"]["current"], &list["sensors"]["others"]), (&json!(1), &json!(0)));
        plan.set_time("2026-11-22T09:02:00Z");
        let alert = plan.get("/alerts").await["alerts"][0].clone();
        assert_eq!((&alert["rule"], &alert["feeds"]), (&json!("A-IP"), &json!(["drop"])), "{alert}");
        delete(&plan, "drop").await.succeeds(200);
        assert_eq!(plan.get("/alerts").await["total"], 0);
        assert_eq!(plan.get("/alerts/withdrawn").await["alerts"][0]["withdrawn"]["why"], "feed");
        let digest = plan.get("/feeds").await["set"]["digest"].as_str().unwrap().to_owned();
        edge.deliver(Zone::default()).await;
        edge.follow(&plan, &digest).await;
        assert_eq!(edge.status.indicators().total, 0, "the sensor stops watching for it");
        let mut file = std::fs::File::open(edge.spool().join("indicators.set")).unwrap();
        let mut head = String::new();
        file.by_ref().take(30).read_to_string(&mut head).unwrap();
        assert!(head.starts_with("{\"schema\":\"netcensus.indicato"), "{head}");
    }
}
