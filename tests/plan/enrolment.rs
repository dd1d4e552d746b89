//! Who a sensor is: key pairs, signatures, replays, enrolling again. Everybody else gets nothing.

use std::collections::BTreeMap;

use netcensus::plan::store::audit::AuditEntry;
use netcensus::plan::store::engine::sql;
use netcensus::plan::store::{By, Enrolling};
use netcensus::wire::EnrolResponse;
use netcensus::wire::signature::{CONTENT_DIGEST, PublicKey, Purpose, SIGNATURE, SIGNATURE_INPUT};
use netcensus::wire::{SensorId, SubscriptionId};
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::support::databases::on_each_database;
use crate::support::sensors::{new_public_key, public_key};
use crate::support::{Answer, Plan, START, TestSensor, send, signing_key, stranger, upload};

on_each_database! {
    nobody_but_the_sensor_itself_uploads_and_each_attempt_is_recorded_once_a_minute,
    a_replayed_request_changes_nothing_and_is_not_taken_for_a_sensor_that_repeats_itself,
    to_enrol_again_revokes_the_old_identity_in_the_same_moment,
    a_sensor_gives_up_only_its_own_identity_and_a_failed_attempt_does_not_use_up_the_token,
    an_appliance_that_moves_to_another_subscription_leaves_no_identity_behind,
    an_appliance_whose_old_identity_is_unknown_here_enrols_as_a_new_one,
    the_database_itself_keeps_keys_and_revocations,
}

const CAMERA: (&str, &str, &str, &str) = ("00:40:8c:00:00:01", "10.0.0.41", "iot-camera", START);
const SWITCH: (&str, &str, &str, &str) = ("00:1b:54:00:00:02", "10.0.0.2", "network-sw", START);

/// Another subscription, and a sensor of it.
async fn neighbour(plan: &Plan) -> (SubscriptionId, TestSensor) {
    let sid = plan.subscription("Fabrikam", None).await;
    let secret = plan.enrolment_secret(&sid).await;
    let sensor = TestSensor::enrol_in(&plan.store, &secret, plan.now()).await;
    (sid, sensor)
}

fn target(plan: &Plan, sid: &SubscriptionId, sensor: &SensorId) -> RequestBuilder {
    plan.client.post(format!("{}/api/v1/subscriptions/{sid}/sensors/{sensor}/uploads", plan.url))
}

/// The first upload of a sensor.
fn body() -> Vec<u8> {
    upload(1, "default", &[CAMERA]).encode().unwrap()
}

/// A suspicious upload or enrolment, as the trail has it.
#[derive(Debug, PartialEq)]
struct Suspicion {
    actor: String,
    action: String,
    why: String,
    /// How many of its kind this entry counts.
    times: u64,
}

fn suspicion(actor: &str, action: &str, why: &str) -> Suspicion {
    Suspicion { actor: actor.to_owned(), action: action.to_owned(), why: why.to_owned(), times: 1 }
}

/// The suspicions in the trail of a subscription, the oldest first.
async fn suspicions(plan: &Plan, sid: &SubscriptionId) -> Vec<Suspicion> {
    let mut trail = plan.store.audit_trail(Some(sid), None, 1_000).await.unwrap();
    trail.reverse();
    let suspicious = |entry: AuditEntry| {
        let after = entry.after?;
        let times = after["times"].as_u64()?;
        assert!(entry.address.as_deref() == Some("127.0.0.1") && !entry.request.is_empty());
        let why = after["why"].as_str()?.to_owned();
        Some(Suspicion { actor: entry.actor, action: entry.action, why, times })
    };
    trail.into_iter().filter_map(suspicious).collect()
}

fn actor(sensor: &TestSensor) -> String {
    format!("sensor:{}", sensor.id)
}

async fn nobody_but_the_sensor_itself_uploads_and_each_attempt_is_recorded_once_a_minute(plan: Plan) {
    plan.onboard_trial().await;
    let (sensor, other, revoked) = (plan.enrol().await, plan.enrol().await, plan.enrol().await);
    let (theirs, foreign) = neighbour(&plan).await;
    plan.revoke(&revoked).await.succeeds(204);
    let own = || target(&plan, &plan.sid, &sensor.id);
    let bearer = |key: &str| own().bearer_auth(key);
    let without = |header: &str| {
        let mut request = sensor.upload(own(), body()).build().unwrap();
        request.headers_mut().remove(header);
        RequestBuilder::from_parts(plan.client.clone(), request)
    };
    let tampered = upload(1, "default", &[SWITCH]).encode().unwrap();
    let elsewhere = target(&plan, &plan.sid, &other.id);
    let signed_for_elsewhere = {
        let built = other.sign(elsewhere, body(), Purpose::Upload).build().unwrap();
        built.headers().iter().fold(bearer(&sensor.key), |r, (k, v)| r.header(k, v)).body(body())
    };
    let as_the_other = TestSensor { signing: other.signing.clone(), ..sensor.clone() };
    let to = |sid: &SubscriptionId, id: &SensorId| target(&plan, sid, id);
    let signed = |key: &str| sensor.sign(bearer(key), body(), Purpose::Upload);
    let wrong_keys = [
        ("no key", own().body(body())),
        ("an unknown key", signed(&stranger())),
        ("another sensor's key", signed(&other.key)),
        ("a person's token", signed(&plan.token)),
        ("revoked", revoked.upload(to(&plan.sid, &revoked.id), body())),
        ("another subscription's sensor", foreign.upload(to(&plan.sid, &foreign.id), body())),
        ("to another subscription", sensor.upload(to(&theirs, &sensor.id), body())),
        ("an unknown sensor", sensor.upload(to(&plan.sid, &"nope".parse().unwrap()), body())),
        ("an unknown subscription", sensor.upload(to(&"nope".parse().unwrap(), &sensor.id), body())),
    ];
    let wrong_signatures = [
        ("unsigned", bearer(&sensor.key).body(body())),
        ("without its digest", without(CONTENT_DIGEST)),
        ("without what is signed", without(SIGNATURE_INPUT)),
        ("without its signature", without(SIGNATURE)),
        ("signed by another sensor", as_the_other.upload(own(), body())),
        ("signed for another sensor's path", signed_for_elsewhere),
        ("signed for another purpose", sensor.sign(bearer(&sensor.key), body(), Purpose::Replace)),
        ("with two digests", sensor.upload(own(), body()).header(CONTENT_DIGEST, "sha-256=:AA==:")),
        ("with another body", sensor.upload(own(), body()).body(tampered)),
    ];
    for (what, request) in wrong_keys {
        assert_eq!(send(request).await.problem(), (401, "bad-sensor-key"), "{what}");
    }
    for (what, request) in wrong_signatures {
        assert_eq!(send(request).await.problem(), (401, "bad-signature"), "{what}");
    }
    assert_eq!(plan.get("/census").await["devices"], 0);
    let refused = |actor: &str, why: &str| suspicion(actor, "upload.refused", why);
    assert_eq!(
        suspicions(&plan, &plan.sid).await,
        [
            refused("nobody", "wrong-key"),
            refused(&actor(&revoked), "revoked"),
            refused(&actor(&foreign), "foreign-subscription"),
            refused(&actor(&sensor), "bad-signature"),
            refused(&actor(&sensor), "tampered-body"),
        ]
    );
    assert_eq!(suspicions(&plan, &theirs).await, [refused(&actor(&sensor), "foreign-subscription")]);
    plan.set_time("2026-11-22T09:01:00Z");
    send(bearer(&sensor.key).body(body())).await;
    let newest = suspicions(&plan, &plan.sid).await.pop().unwrap();
    assert_eq!((newest.why.as_str(), newest.times), ("bad-signature", 8), "those in between are counted");
    // None of it disturbs the sensor itself.
    plan.upload_bytes(&sensor, body()).await.succeeds(201);
}

/// Sends a captured request again; gives the status, and whether it is a duplicate and the sensor forked.
async fn replay(plan: &Plan, captured: &reqwest::Request) -> (u16, Value, Value) {
    let again = captured.try_clone().unwrap();
    let answer = send(RequestBuilder::from_parts(plan.client.clone(), again)).await;
    (answer.status.as_u16(), answer.body["duplicate"].clone(), answer.body["forked"].clone())
}

async fn a_replayed_request_changes_nothing_and_is_not_taken_for_a_sensor_that_repeats_itself(plan: Plan) {
    let sensor = plan.ready().await;
    let captured = sensor.upload(target(&plan, &plan.sid, &sensor.id), body()).build().unwrap();
    assert_eq!(replay(&plan, &captured).await, (201, json!(false), Value::Null));
    let before = plan.get("/inventory").await;
    // The sensor did not get the answer and sends the upload again: that is another request.
    plan.upload_bytes(&sensor, body()).await.succeeds(200);
    assert_eq!(suspicions(&plan, &plan.sid).await, []);
    for _ in 0..3 {
        assert_eq!(replay(&plan, &captured).await, (200, json!(true), Value::Null), "not a fork");
    }
    assert_eq!(plan.get("/inventory").await, before);
    let other = upload(1, "default", &[SWITCH]).encode().unwrap();
    plan.upload_bytes(&sensor, other).await.fails(409, "upload-conflict");
    assert_eq!(
        suspicions(&plan, &plan.sid).await,
        [
            suspicion(&actor(&sensor), "upload.replayed", "replayed"),
            suspicion(&actor(&sensor), "upload.refused", "conflict"),
        ]
    );
    plan.revoke(&sensor).await.succeeds(204);
    assert_eq!(replay(&plan, &captured).await.0, 401);
}

/// Enrols with a key and a token, in the place of a sensor. `signer` signs the request.
async fn enrol_again(
    plan: &Plan,
    (public_key, secret): (&str, &str),
    (sid, replaced): (&SubscriptionId, &TestSensor),
    signer: &TestSensor,
) -> Answer {
    let body = json!({"secret": secret, "name": "edge", "public_key": public_key,
        "replaces": {"subscription": sid, "sensor": replaced.id}});
    let body = serde_json::to_vec(&body).unwrap();
    let request = plan.client.post(format!("{}/api/v1/enrol", plan.url));
    send(signer.sign(request, body, Purpose::Replace)).await
}

async fn to_enrol_again_revokes_the_old_identity_in_the_same_moment(plan: Plan) {
    let old = plan.ready().await;
    let signing = signing_key();
    let key = public_key(&signing).to_string();
    let secret = plan.enrolment_secret(&plan.sid).await;
    plan.upload_bytes(&old, body()).await.succeeds(201);
    let enrolled = enrol_again(&plan, (&key, &secret), (&plan.sid, &old), &old).await.succeeds(201);
    let enrolled: EnrolResponse = serde_json::from_value(enrolled).unwrap();
    assert_ne!(enrolled.sensor, old.id.as_str());
    let new = TestSensor { id: enrolled.sensor.parse().unwrap(), key: enrolled.key, signing };
    let more = upload(2, "default", &[SWITCH]).encode().unwrap();
    plan.upload_bytes(&old, more.clone()).await.fails(401, "bad-sensor-key");
    // Uploads that the old identity sent, and those that it still had to send, come from the new one and count once.
    for (sequence, sent) in [(1, body()), (2, more)] {
        assert_eq!(plan.upload_bytes(&new, sent).await.status, 201, "{sequence}");
    }
    assert_eq!(plan.get("/census").await["devices"], 2);
    let replaced = plan.trail_of("sensor.replace").await.remove(0);
    assert_eq!(replaced.object, format!("sensor/{}", old.id));
    assert_eq!(replaced.after, Some(json!({"replaced_by": new.id})));
}

async fn a_sensor_gives_up_only_its_own_identity_and_a_failed_attempt_does_not_use_up_the_token(plan: Plan) {
    plan.onboard_trial().await;
    let (old, bystander) = (plan.enrol().await, plan.enrol().await);
    let (_, foreign) = neighbour(&plan).await;
    let secret = plan.enrolment_secret(&plan.sid).await;
    let key = new_public_key();
    for (victim, thief) in [(&bystander, &old), (&old, &foreign)] {
        let answer = enrol_again(&plan, (&key, &secret), (&plan.sid, victim), thief).await;
        answer.fails(401, "bad-signature");
    }
    plan.upload_bytes(&old, body()).await.succeeds(201);
    enrol_again(&plan, (&key, &secret), (&plan.sid, &old), &old).await.succeeds(201);
    plan.upload_bytes(&bystander, body()).await.succeeds(201);
}

async fn an_appliance_that_moves_to_another_subscription_leaves_no_identity_behind(plan: Plan) {
    let (theirs, foreign) = neighbour(&plan).await;
    let secret = plan.enrolment_secret(&plan.sid).await;
    let key = new_public_key();
    enrol_again(&plan, (&key, &secret), (&theirs, &foreign), &foreign).await.succeeds(201);
    assert!(plan.store.sensors(&theirs).await.unwrap()[0].revoked_at.is_some());
}

async fn an_appliance_whose_old_identity_is_unknown_here_enrols_as_a_new_one(plan: Plan) {
    let unknown = TestSensor { id: "nope".parse().unwrap(), ..plan.enrol().await };
    let secret = plan.enrolment_secret(&plan.sid).await;
    let key = new_public_key();
    enrol_again(&plan, (&key, &secret), (&plan.sid, &unknown), &unknown).await.succeeds(201);
}

async fn the_database_itself_keeps_keys_and_revocations(plan: Plan) {
    let secret = plan.enrolment_secret(&plan.sid).await;
    let sensor = TestSensor::enrol_in(&plan.store, &secret, plan.now()).await;
    plan.store.revoke_sensor(&plan.sid, &sensor.id, &By::operator(), plan.now()).await.unwrap();
    for change in [
        "UPDATE sensor SET public_key = $1",
        "UPDATE sensor SET public_key = NULL WHERE $1 = $1",
        "UPDATE sensor SET key_hash = $1",
        "UPDATE sensor SET revoked_at = NULL WHERE $1 = $1",
    ] {
        assert!(!plan.execute(sql(change).bind([7; 32])).await, "{change}");
    }
}

#[tokio::test]
async fn a_sensor_of_a_version_without_key_pairs_must_enrol_again() {
    let plan = Plan::start().await;
    let sensor = plan.ready().await;
    let old = "INSERT INTO sensor (subscription, id, name, key_hash, enrolled_at)
               SELECT subscription, 'old', 'old', key_hash, enrolled_at FROM sensor WHERE id = $1";
    assert!(plan.execute(sql(old).bind(&sensor.id)).await);
    let old = TestSensor { id: "old".parse().unwrap(), ..sensor };
    plan.upload_bytes(&old, body()).await.fails(401, "bad-sensor-key");
    assert_eq!(suspicions(&plan, &plan.sid).await[0].why, "no-key-pair");
}

#[tokio::test]
async fn enrolment_takes_only_a_public_key_that_can_verify_signatures() {
    let plan = Plan::start().await;
    let (good, secret) = (new_public_key(), plan.enrolment_secret(&plan.sid).await);
    // Zeroes are a point of small order: every signature would fit it.
    for bad in ["", "AAAA", &PublicKey([0; 32]).to_string(), &format!("{good}A")] {
        let answer = plan.enrol_with(&secret, bad).await;
        assert_eq!(answer.problem(), (400, "invalid-request"), "{bad}");
    }
    plan.enrol_with(&secret, &good).await.succeeds(201);
}

#[tokio::test]
async fn bad_enrolment_tokens_are_refused_and_recorded() {
    let plan = Plan::start().await;
    let (good, used) = (new_public_key(), plan.enrolment_secret(&plan.sid).await);
    plan.enrol_with(&used, &good).await.succeeds(201);
    for bad in [&used, &format!("{}.x", plan.sid), "nope.x", "x"] {
        let answer = plan.enrol_with(bad, &good).await;
        assert_eq!(answer.problem(), (403, "bad-enrolment"), "{bad}");
    }
    let refused = suspicion("nobody", "enrol.refused", "bad-token");
    assert_eq!(suspicions(&plan, &plan.sid).await, [refused]);
}

#[tokio::test]
async fn an_unknown_sender_is_refused_before_it_sends_a_byte_of_the_body() {
    let plan = Plan::start().await;
    let sensor = plan.enrol().await;
    let path = format!("/api/v1/subscriptions/{}/sensors/{}/uploads", plan.sid, sensor.id);
    for key in [stranger(), sensor.key.clone()] {
        let address = plan.url.strip_prefix("http://").unwrap();
        let mut connection = tokio::net::TcpStream::connect(address).await.unwrap();
        let head = format!(
            "POST {path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {key}\r\ncontent-length: 4000000\r\n\r\n"
        );
        connection.write_all(head.as_bytes()).await.unwrap();
        let mut status = [0; 12];
        connection.read_exact(&mut status).await.unwrap();
        assert_eq!(&status, b"HTTP/1.1 401");
    }
}

/// Every operation of the API, with the parameters of its path filled in.
fn operations(sid: &SubscriptionId, sensor: &SensorId) -> Vec<(Method, String)> {
    let description = serde_json::to_value(netcensus::plan::http::api::description()).unwrap();
    let paths: BTreeMap<String, BTreeMap<String, Value>> =
        serde_json::from_value(description["paths"].clone()).unwrap();
    let mut all = Vec::new();
    for (path, methods) in paths {
        let mut filled = path.replace("{sid}", sid.as_str()).replace("{sensor}", sensor.as_str());
        while let (Some(begin), Some(end)) = (filled.find('{'), filled.find('}')) {
            filled.replace_range(begin..=end, "1");
        }
        for method in methods.keys() {
            if let Ok(method) = Method::from_bytes(method.to_uppercase().as_bytes()) {
                all.push((method, filled.clone()));
            }
        }
    }
    all
}

#[tokio::test]
async fn no_operation_answers_a_stranger_or_a_sensor_that_it_is_not_for() {
    let plan = Plan::start().await;
    plan.onboard_trial().await;
    let (sensor, revoked) = (plan.enrol().await, plan.enrol().await);
    plan.revoke(&revoked).await.succeeds(204);
    let (theirs, foreign) = neighbour(&plan).await;
    let expired = plan.enrolment_secret(&plan.sid).await;
    plan.set_time("2026-11-22T10:30:00Z");
    let before = plan.get("/inventory").await;
    let enrol = json!({"secret": expired, "name": "edge", "public_key": new_public_key()});
    let mut asked = 0;
    let mine = operations(&plan.sid, &sensor.id).into_iter().chain(operations(&plan.sid, &revoked.id));
    let operations: Vec<_> = mine.chain(operations(&theirs, &foreign.id)).collect();
    assert!(operations.len() >= 3 * 15, "the description lists the API");
    for (method, path) in operations {
        let ask = || {
            let request = plan.client.request(method.clone(), format!("{}{path}", plan.url));
            if path == "/api/v1/enrol" { request.json(&enrol) } else { request }
        };
        let mut requests = vec![
            ("nobody", ask()),
            ("an expired enrolment token", ask().bearer_auth(&expired)),
            ("a made-up key", ask().bearer_auth(stranger())),
            ("a revoked sensor", revoked.upload(ask(), body())),
        ];
        // A sensor's key is for its own uploads alone.
        if !path.ends_with(&format!("/sensors/{}/uploads", sensor.id)) {
            requests.push(("a sensor", sensor.upload(ask(), body())));
        }
        if !path.ends_with(&format!("/sensors/{}/uploads", foreign.id)) {
            requests.push(("a sensor of another subscription", foreign.upload(ask(), body())));
        }
        for (who, request) in requests {
            let request = if path == "/api/v1/enrol" { request.json(&enrol) } else { request };
            let answer = send(request).await;
            let refused = matches!(answer.status.as_u16(), 401 | 403 | 404);
            assert!(refused, "{who}: {method} {path}: {answer:?}");
            asked += 1;
        }
    }
    assert_eq!(plan.get("/inventory").await, before, "after {asked} requests");
}

#[tokio::test]
async fn the_store_replaces_a_sensor_only_for_a_valid_token() {
    let plan = Plan::start().await;
    let now = plan.now();
    let old = TestSensor::enrol_in(&plan.store, &plan.enrolment_secret(&plan.sid).await, now).await;
    let secret = plan.enrolment_secret(&plan.sid).await;
    let public_key = public_key(&signing_key());
    let asked = Enrolling {
        secret: &secret,
        name: "edge",
        public_key,
        replaces: Some((plan.sid.clone(), old.id.clone())),
    };
    let invalid = Enrolling { secret: "made.up", ..asked.clone() };
    assert!(plan.store.enrol(&invalid, &By::service(), now).await.is_err());
    assert!(plan.store.public_key(&plan.sid, &old.id).await.unwrap().is_some());
    plan.store.enrol(&asked, &By::service(), now).await.unwrap();
    assert_eq!(plan.store.public_key(&plan.sid, &old.id).await.unwrap(), None);
}
