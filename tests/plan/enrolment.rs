//! Who a sensor is: key pairs, signatures, replays, enrolling again. Nobody else gets anything.

use std::collections::BTreeMap;

use netcensus::plan::store::audit::AuditEntry;
use netcensus::plan::store::engine::sql;
use netcensus::plan::store::{By, Enrolling, Scope};
use netcensus::wire::signature::{CONTENT_DIGEST, PublicKey, Purpose, SIGNATURE, SIGNATURE_INPUT};
use netcensus::wire::{EnrolResponse, Replaced};
use reqwest::{Method, RequestBuilder, StatusCode};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::database::on_both_stores;
use crate::harness::{Plan, START, TestSensor, problem, send, signing_key, stranger, upload};

const CAMERA: (&str, &str, &str, &str) = ("00:40:8c:00:00:01", "10.0.0.41", "iot-camera", START);
const SWITCH: (&str, &str, &str, &str) = ("00:1b:54:00:00:02", "10.0.0.2", "network-sw", START);

async fn secret(plan: &Plan, sid: &str) -> String {
    plan.store.create_enrolment(sid, &By::operator(), plan.clock_now()).await.unwrap().0
}

/// Another subscription on a trial, and a sensor of it.
async fn neighbour(plan: &Plan) -> (String, TestSensor) {
    let now = plan.clock_now();
    let sid = plan.store.create_subscription("Fabrikam", None, &By::operator(), now).await.unwrap().id;
    let secret = secret(plan, &sid).await;
    let sensor = TestSensor::enrol_in(&plan.store, &secret, now).await;
    (sid, sensor)
}

fn target(plan: &Plan, sid: &str, sensor: &str) -> RequestBuilder {
    plan.client.post(format!("{}/api/v1/subscriptions/{sid}/sensors/{sensor}/uploads", plan.url))
}

fn body() -> Vec<u8> {
    upload(1, "default", &[CAMERA]).encode().unwrap()
}

/// The rows of the trail about uploads and enrolments that were suspicious, oldest first: (actor, action, why, times).
async fn suspicions(plan: &Plan, sid: &str) -> Vec<(String, String, String, u64)> {
    let mut trail = plan.store.audit_trail(Some(sid), None, 1_000).await.unwrap();
    trail.reverse();
    let told = |e: AuditEntry| {
        let after = e.after?;
        let times = after["times"].as_u64()?;
        assert!(e.address.as_deref() == Some("127.0.0.1") && !e.request.is_empty());
        Some((e.actor, e.action, after["why"].as_str()?.to_owned(), times))
    };
    trail.into_iter().filter_map(told).collect()
}

on_both_stores! {
    async fn whoever_is_not_the_sensor_is_refused_and_written_down_once_a_minute(plan: Plan) {
        plan.onboard_trial().await;
        let (sensor, other, revoked) = (plan.enrol().await, plan.enrol().await, plan.enrol().await);
        let (theirs, foreign) = neighbour(&plan).await;
        assert_eq!(plan.post(&format!("/sensors/{}/revoke", revoked.id), Value::Null).await.0, 204);
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
        let in_their_name = target(&plan, &theirs, &sensor.id);
        let cases: Vec<(&str, RequestBuilder, &str)> = vec![
            ("no key", own().body(body()), "bad-sensor-key"),
            ("a key nobody has", sensor.sign(bearer(&stranger()), body(), Purpose::Upload), "bad-sensor-key"),
            ("another sensor's key", sensor.sign(bearer(&other.key), body(), Purpose::Upload), "bad-sensor-key"),
            ("a person's token", sensor.sign(bearer(&plan.token), body(), Purpose::Upload), "bad-sensor-key"),
            ("revoked", revoked.upload(target(&plan, &plan.sid, &revoked.id), body()), "bad-sensor-key"),
            ("another subscription's sensor", foreign.upload(target(&plan, &plan.sid, &foreign.id), body()), "bad-sensor-key"),
            ("to another subscription", sensor.upload(in_their_name, body()), "bad-sensor-key"),
            ("a sensor that is not there", sensor.upload(target(&plan, &plan.sid, "nope"), body()), "bad-sensor-key"),
            ("a subscription that is not there", sensor.upload(target(&plan, "nope", &sensor.id), body()), "bad-sensor-key"),
            ("unsigned", bearer(&sensor.key).body(body()), "bad-signature"),
            ("without its digest", without(CONTENT_DIGEST), "bad-signature"),
            ("without what is signed", without(SIGNATURE_INPUT), "bad-signature"),
            ("without its signature", without(SIGNATURE), "bad-signature"),
            ("signed by another sensor", as_the_other.upload(own(), body()), "bad-signature"),
            ("signed for another sensor's path", signed_for_elsewhere, "bad-signature"),
            ("signed for another purpose", sensor.sign(bearer(&sensor.key), body(), Purpose::Replace), "bad-signature"),
            ("with two digests", sensor.upload(own(), body()).header(CONTENT_DIGEST, "sha-256=:AA==:"), "bad-signature"),
            ("with another body", sensor.upload(own(), body()).body(tampered), "bad-signature"),
        ];
        for (what, request, slug) in cases {
            assert_eq!(problem(&send(request).await), (401, slug), "{what}");
        }
        assert_eq!(plan.get("/census").await["devices"], 0);
        let row = |actor: &str, why: &str| (actor.to_owned(), "upload.refused".to_owned(), why.to_owned(), 1);
        let by = |sensor: &TestSensor| format!("sensor:{}", sensor.id);
        assert_eq!(suspicions(&plan, &plan.sid).await, [
            row("nobody", "wrong-key"),
            row(&by(&revoked), "revoked"),
            row(&by(&foreign), "foreign-subscription"),
            row(&by(&sensor), "bad-signature"),
            row(&by(&sensor), "tampered-body"),
        ]);
        assert_eq!(suspicions(&plan, &theirs).await, [row(&by(&sensor), "foreign-subscription")]);
        plan.set_time("2026-11-22T09:01:00Z");
        send(bearer(&sensor.key).body(body())).await;
        let newest = suspicions(&plan, &plan.sid).await.pop().unwrap();
        assert_eq!((newest.2.as_str(), newest.3), ("bad-signature", 8), "those in between are counted");
        assert_eq!(plan.upload_bytes(&sensor, body()).await.0, StatusCode::CREATED, "the sensor itself goes on");
    }

    async fn a_captured_request_changes_nothing_and_is_told_from_a_sensor_that_repeats_itself(plan: Plan) {
        plan.onboard_trial().await;
        let sensor = plan.enrol().await;
        let captured = sensor.upload(target(&plan, &plan.sid, &sensor.id), body()).build().unwrap();
        let replay = async || {
            let again = captured.try_clone().unwrap();
            let answer = send(RequestBuilder::from_parts(plan.client.clone(), again)).await;
            (answer.0.as_u16(), answer.1["duplicate"].clone(), answer.1["forked"].clone())
        };
        assert_eq!(replay().await, (201, json!(false), Value::Null));
        let before = plan.get("/inventory").await;
        // The sensor did not get the answer and sends the upload again: another request.
        assert_eq!(plan.upload_bytes(&sensor, body()).await.0, StatusCode::OK);
        assert_eq!(suspicions(&plan, &plan.sid).await, []);
        for _ in 0..3 {
            assert_eq!(replay().await, (200, json!(true), Value::Null), "and no fork is seen in it");
        }
        assert_eq!(plan.get("/inventory").await, before);
        let other = upload(1, "default", &[SWITCH]).encode().unwrap();
        assert_eq!(problem(&plan.upload_bytes(&sensor, other).await), (409, "upload-conflict"));
        let by = format!("sensor:{}", sensor.id);
        assert_eq!(suspicions(&plan, &plan.sid).await, [
            (by.clone(), "upload.replayed".to_owned(), "replayed".to_owned(), 1),
            (by, "upload.refused".to_owned(), "conflict".to_owned(), 1),
        ]);
        assert_eq!(plan.post(&format!("/sensors/{}/revoke", sensor.id), Value::Null).await.0, 204);
        assert_eq!(replay().await.0, 401);
    }

    async fn to_enrol_again_revokes_the_old_identity_in_the_same_moment(plan: Plan) {
        plan.onboard_trial().await;
        let (old, bystander) = (plan.enrol().await, plan.enrol().await);
        let (theirs, foreign) = neighbour(&plan).await;
        let signing = signing_key();
        let public_key = PublicKey(signing.verifying_key().to_bytes()).to_string();
        let ask = async |secret: &str, gone: (&str, &TestSensor), by: &TestSensor| {
            let (subscription, sensor) = gone;
            let body = json!({"secret": secret, "name": "edge", "public_key": public_key,
                "replaces": {"subscription": subscription, "sensor": sensor.id}});
            let body = serde_json::to_vec(&body).unwrap();
            send(by.sign(plan.client.post(format!("{}/api/v1/enrol", plan.url)), body, Purpose::Replace)).await
        };
        let token = secret(&plan, &plan.sid).await;
        // Nobody gives up what is another's, and the token is not used up by the attempt.
        for (victim, thief) in [(&bystander, &old), (&old, &foreign)] {
            let answer = ask(&token, (&plan.sid, victim), thief).await;
            assert_eq!(problem(&answer), (401, "bad-signature"));
        }
        assert_eq!(plan.upload_bytes(&old, body()).await.0, StatusCode::CREATED);
        let (status, enrolled) = ask(&token, (&plan.sid, &old), &old).await;
        assert_eq!(status, StatusCode::CREATED, "{enrolled}");
        let enrolled: EnrolResponse = serde_json::from_value(enrolled).unwrap();
        assert_ne!(enrolled.sensor, old.id);
        let new = TestSensor { id: enrolled.sensor, key: enrolled.key, signing: signing.clone() };
        let more = upload(2, "default", &[SWITCH]).encode().unwrap();
        assert_eq!(problem(&plan.upload_bytes(&old, more.clone()).await), (401, "bad-sensor-key"));
        // What the old one had sent, and what it had not, comes under the new name and is counted once.
        for (sequence, sent) in [(1, body()), (2, more.clone())] {
            assert_eq!(plan.upload_bytes(&new, sent).await.0, StatusCode::CREATED, "{sequence}");
        }
        assert_eq!(plan.get("/census").await["devices"], 2);
        assert_eq!(plan.upload_bytes(&bystander, more).await.0, StatusCode::CREATED);
        let trail = plan.store.audit_trail(Some(&plan.sid), None, 10).await.unwrap();
        let replaced = trail.iter().find(|e| e.action == "sensor.replace").unwrap();
        assert_eq!(replaced.object, format!("sensor/{}", old.id));
        assert_eq!(replaced.after, Some(json!({"replaced_by": new.id})));
        // An appliance that moves to another subscription leaves nothing behind either.
        let token = secret(&plan, &plan.sid).await;
        let moved = ask(&token, (&theirs, &foreign), &foreign).await;
        assert_eq!(moved.0, StatusCode::CREATED);
        assert!(plan.store.sensors(&theirs).await.unwrap()[0].revoked_at.is_some());
        // Whom the service does not know there is nothing to prove for.
        let token = secret(&plan, &plan.sid).await;
        let unknown = TestSensor { id: "nope".into(), ..old.clone() };
        assert_eq!(ask(&token, (&plan.sid, &unknown), &unknown).await.0, StatusCode::CREATED);
    }

    async fn the_database_itself_keeps_keys_and_revocations(plan: Plan) {
        let now = plan.clock_now();
        let token = secret(&plan, &plan.sid).await;
        let sensor = TestSensor::enrol_in(&plan.store, &token, now).await;
        plan.store.revoke_sensor(&plan.sid, &sensor.id, &By::operator(), now).await.unwrap();
        for change in [
            "UPDATE sensor SET public_key = $1",
            "UPDATE sensor SET public_key = NULL WHERE $1 = $1",
            "UPDATE sensor SET key_hash = $1",
            "UPDATE sensor SET revoked_at = NULL WHERE $1 = $1",
        ] {
            let mut work = plan.store.write(Scope::Subscription(&plan.sid)).await.unwrap();
            assert!(work.execute(sql(change).bind([7; 32])).await.is_err(), "{change}");
        }
    }
}

#[tokio::test]
async fn a_sensor_of_a_version_without_key_pairs_must_enrol_again() {
    let plan = Plan::start().await;
    plan.onboard_trial().await;
    let sensor = plan.enrol().await;
    let mut work = plan.store.write(Scope::Subscription(&plan.sid)).await.unwrap();
    let old = "INSERT INTO sensor (subscription, id, name, key_hash, enrolled_at)
               SELECT subscription, 'old', 'old', key_hash, enrolled_at FROM sensor WHERE id = $1";
    work.execute(sql(old).bind(&sensor.id)).await.unwrap();
    work.commit().await.unwrap();
    let old = TestSensor { id: "old".into(), ..sensor };
    assert_eq!(problem(&plan.upload_bytes(&old, body()).await), (401, "bad-sensor-key"));
    assert_eq!(suspicions(&plan, &plan.sid).await[0].2, "no-key-pair");
}

#[tokio::test]
async fn enrolment_takes_a_key_that_can_sign_and_writes_bad_tokens_down() {
    let plan = Plan::start().await;
    let ask = async |secret: &str, public_key: &str| {
        let body = json!({"secret": secret, "name": "edge", "public_key": public_key});
        send(plan.client.post(format!("{}/api/v1/enrol", plan.url)).json(&body)).await
    };
    let good = PublicKey(signing_key().verifying_key().to_bytes()).to_string();
    let token = secret(&plan, &plan.sid).await;
    // Zeroes are a point of small order: every signature would fit it.
    for bad in ["", "AAAA", &PublicKey([0; 32]).to_string(), &format!("{good}A")] {
        assert_eq!(problem(&ask(&token, bad).await), (400, "invalid-request"), "{bad}");
    }
    assert_eq!(ask(&token, &good).await.0, StatusCode::CREATED);
    for bad in [&token, &format!("{}.x", plan.sid), "nope.x", "x"] {
        assert_eq!(problem(&ask(bad, &good).await), (403, "bad-enrolment"), "{bad}");
    }
    let row = ("nobody".to_owned(), "enrol.refused".to_owned(), "bad-token".to_owned(), 1);
    assert_eq!(suspicions(&plan, &plan.sid).await, [row]);
}

#[tokio::test]
async fn an_unknown_sender_is_refused_before_a_byte_of_the_body_comes() {
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

/// Every operation of the API, with the names in its path filled in.
fn operations(sid: &str, sensor: &str) -> Vec<(Method, String)> {
    let description = serde_json::to_value(netcensus::plan::http::api::description()).unwrap();
    let paths: BTreeMap<String, BTreeMap<String, Value>> =
        serde_json::from_value(description["paths"].clone()).unwrap();
    let mut all = Vec::new();
    for (path, methods) in paths {
        let mut filled = path.replace("{sid}", sid).replace("{sensor}", sensor);
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
async fn no_operation_gives_anything_to_nobody_or_to_a_sensor_that_it_is_not_for() {
    let plan = Plan::start().await;
    plan.onboard_trial().await;
    let (sensor, revoked) = (plan.enrol().await, plan.enrol().await);
    assert_eq!(plan.post(&format!("/sensors/{}/revoke", revoked.id), Value::Null).await.0, 204);
    let (theirs, foreign) = neighbour(&plan).await;
    let expired = secret(&plan, &plan.sid).await;
    plan.set_time("2026-11-22T10:30:00Z");
    let before = plan.get("/inventory").await;
    let public_key = PublicKey(signing_key().verifying_key().to_bytes()).to_string();
    let enrol = json!({"secret": expired, "name": "edge", "public_key": public_key});
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
        // The sensor's own address is the one thing that its key is for.
        if !path.ends_with(&format!("/sensors/{}/uploads", sensor.id)) {
            requests.push(("a sensor", sensor.upload(ask(), body())));
        }
        if !path.ends_with(&format!("/sensors/{}/uploads", foreign.id)) {
            requests.push(("a sensor of another subscription", foreign.upload(ask(), body())));
        }
        for (who, request) in requests {
            // To enrol takes a body of its own.
            let request = if path == "/api/v1/enrol" { request.json(&enrol) } else { request };
            let (status, answer) = send(request).await;
            assert!(matches!(status.as_u16(), 401 | 403 | 404), "{who}: {method} {path}: {status} {answer}");
            asked += 1;
        }
    }
    assert_eq!(plan.get("/inventory").await, before, "after {asked} requests");
}

#[tokio::test]
async fn a_replaced_sensor_is_one_of_the_store_too() {
    let plan = Plan::start().await;
    let now = plan.clock_now();
    let old = TestSensor::enrol_in(&plan.store, &secret(&plan, &plan.sid).await, now).await;
    let replaced = Replaced { subscription: plan.sid.clone(), sensor: old.id.clone() };
    let token = secret(&plan, &plan.sid).await;
    let public_key = PublicKey(signing_key().verifying_key().to_bytes());
    let asked = Enrolling { secret: &token, name: "edge", public_key, replaces: Some(&replaced) };
    // A token that is not good replaces nobody.
    let used = Enrolling { secret: "made.up", ..asked };
    assert!(plan.store.enrol(&used, &By::service(), now).await.is_err());
    assert!(plan.store.public_key(&plan.sid, &old.id).await.unwrap().is_some());
    plan.store.enrol(&asked, &By::service(), now).await.unwrap();
    assert_eq!(plan.store.public_key(&plan.sid, &old.id).await.unwrap(), None);
}
