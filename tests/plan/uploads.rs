//! Uploads: whoever may send, how often, in which order, and what a crash costs.

use netcensus::plan::store::By;
use netcensus::wire::signature::PublicKey;
use netcensus::wire::{COMPRESSED_BYTES, DECOMPRESSED_BYTES};
use reqwest::StatusCode;
use serde_json::Value;

use crate::database::on_both_stores;
use crate::harness::{Plan, TestSensor, problem, signing_key, stranger, upload};

const CAMERA: (&str, &str, &str, &str) =
    ("00:40:8c:00:00:01", "10.0.0.41", "iot-camera", "2026-11-22T08:00:00Z");
const SWITCH: (&str, &str, &str, &str) =
    ("00:1b:54:00:00:02", "10.0.0.2", "network-sw", "2026-11-22T08:01:00Z");
const LAPTOP: (&str, &str, &str, &str) =
    ("3c:22:fb:00:00:03", "10.0.0.77", "computer_mobile-x", "2026-11-22T08:02:00Z");

async fn ready() -> (Plan, TestSensor) {
    let plan = Plan::start().await;
    plan.onboard_trial().await;
    let sensor = plan.enrol().await;
    (plan, sensor)
}

#[tokio::test]
async fn the_same_upload_twice_changes_nothing_and_other_content_under_its_name_is_refused() {
    let (plan, sensor) = ready().await;
    let first = upload(1, "default", &[CAMERA, SWITCH]);
    assert_eq!(
        plan.upload(&sensor, &first).await,
        (StatusCode::CREATED, serde_json::json!({"sequence": 1, "duplicate": false, "number": 1}))
    );
    let before = plan.get("/inventory").await;
    assert_eq!(
        plan.upload(&sensor, &first).await,
        (StatusCode::OK, serde_json::json!({"sequence": 1, "duplicate": true, "number": 1}))
    );
    assert_eq!(plan.get("/inventory").await, before);
    let other = upload(1, "default", &[LAPTOP]);
    assert_eq!(problem(&plan.upload(&sensor, &other).await), (409, "upload-conflict"));
    assert_eq!(plan.get("/inventory").await, before);
    let mut restarted = other;
    restarted.epoch = "e2".into();
    assert_eq!(plan.upload(&sensor, &restarted).await.0, 201);
    assert_eq!(plan.get("/census").await["devices"], 3);
}

#[tokio::test]
async fn two_appliances_with_one_identity_are_noticed_with_the_first_upload_of_the_second() {
    let (plan, sensor) = ready().await;
    let say = |sequence, receipt: Option<u64>, seen| {
        let mut upload = upload(sequence, "default", &[seen]);
        upload.health.receipt = receipt;
        upload
    };
    let flags = |answer: &(StatusCode, Value)| {
        (answer.1["number"].as_u64(), answer.1["forked"] == true, answer.1["lost"] == true)
    };
    assert_eq!(flags(&plan.upload(&sensor, &say(1, None, CAMERA)).await), (Some(1), false, false));
    // A receipt that was lost on the way: the upload comes again, and its number is learned.
    assert_eq!(flags(&plan.upload(&sensor, &say(1, Some(0), CAMERA)).await), (Some(1), false, false));
    assert_eq!(flags(&plan.upload(&sensor, &say(2, Some(1), SWITCH)).await), (Some(2), false, false));
    let sensors = plan.get("/sensors").await;
    assert_eq!(sensors["sensors"][0]["forked_at"], Value::Null);
    // The copy had the first receipt, and has seen something else.
    let mut copy = say(3, Some(1), LAPTOP);
    copy.epoch = "e2".into();
    assert_eq!(flags(&plan.upload(&sensor, &copy).await), (Some(3), true, false));
    assert_eq!(flags(&plan.upload(&sensor, &say(1, Some(1), CAMERA)).await), (Some(3), true, false));
    assert_eq!(plan.get("/census").await["devices"], 3, "the facts are kept");
    let sensors = plan.get("/sensors").await;
    assert_ne!(sensors["sensors"][0]["forked_at"], Value::Null);
    let trail = plan.store.audit_trail(Some(&plan.sid), None, 100).await.unwrap();
    assert_eq!(trail.iter().filter(|e| e.action == "sensor.fork").count(), 1, "told once an hour");
    // A sensor that knows more than the service: the service came back from a backup.
    assert_eq!(flags(&plan.upload(&sensor, &say(9, Some(77), CAMERA)).await), (Some(4), false, true));
}

#[tokio::test]
async fn the_order_of_uploads_does_not_matter() {
    let later = ("00:40:8c:00:00:01", "10.0.0.41", "iot-camera", "2026-11-22T08:30:00Z");
    let uploads = [upload(1, "default", &[CAMERA, SWITCH]), upload(2, "default", &[later, LAPTOP])];
    let mut inventories = Vec::new();
    for order in [[0, 1], [1, 0]] {
        let (plan, sensor) = ready().await;
        for i in order {
            assert_eq!(plan.upload(&sensor, &uploads[i]).await.0, 201);
        }
        let mut inventory = plan.get("/inventory").await;
        inventory["capture"] = Value::Null;
        inventories.push(inventory);
    }
    assert_eq!(inventories[0], inventories[1]);
    assert_eq!(inventories[0]["devices"].as_array().unwrap().len(), 3);
}

#[tokio::test]
async fn a_restart_loses_nothing_that_was_acknowledged() {
    let (mut plan, sensor) = ready().await;
    plan.upload(&sensor, &upload(1, "default", &[CAMERA])).await;
    plan.upload(&sensor, &upload(2, "branch", &[CAMERA, SWITCH])).await;
    let before = plan.get("/inventory").await;
    plan.restart().await;
    assert_eq!(plan.get("/inventory").await, before);
    assert_eq!(plan.get("/plan").await["plan"]["kind"], "trial");
    let answer = plan.upload(&sensor, &upload(2, "branch", &[CAMERA, SWITCH])).await;
    assert_eq!(answer.1["duplicate"], true);
    plan.upload(&sensor, &upload(3, "branch", &[LAPTOP])).await;
    assert_eq!(plan.get("/census").await["devices"], 4);
}

#[tokio::test]
async fn two_sensors_of_one_zone_see_one_device_and_of_two_zones_two() {
    let (plan, sensor) = ready().await;
    let second = plan.enrol().await;
    plan.upload(&sensor, &upload(1, "hq", &[CAMERA])).await;
    plan.upload(&second, &upload(1, "hq", &[CAMERA])).await;
    assert_eq!(plan.get("/census").await["iot"], 1);
    plan.upload(&second, &upload(2, "branch", &[CAMERA])).await;
    assert_eq!(plan.get("/census").await["iot"], 2);
}

#[tokio::test]
async fn uploads_are_refused_while_no_plan_is_in_effect_and_what_was_collected_stays_readable() {
    let (plan, sensor) = ready().await;
    plan.upload(&sensor, &upload(1, "default", &[CAMERA])).await;
    plan.post("/plan/cancel", Value::Null).await;
    plan.set_time("2026-11-22T09:59:59Z");
    assert_eq!(plan.upload(&sensor, &upload(2, "default", &[SWITCH])).await.0, 201);
    plan.set_time("2026-11-22T10:00:00Z");
    let answer = plan.upload(&sensor, &upload(3, "default", &[LAPTOP])).await;
    assert_eq!(problem(&answer), (403, "plan-not-in-effect"));
    assert_eq!(plan.get("/census").await["devices"], 2);
    plan.onboard_trial().await;
    assert_eq!(
        plan.upload(&sensor, &upload(3, "default", &[LAPTOP])).await.0,
        201,
        "the sensor sends it again"
    );
}

#[tokio::test]
async fn only_the_sensors_own_key_uploads_and_a_revoked_one_no_more() {
    let (plan, sensor) = ready().await;
    let other = plan.enrol().await;
    let body = upload(1, "default", &[CAMERA]);
    for key in [stranger(), other.key.clone(), plan.token.clone(), String::new()] {
        let forged = TestSensor { key, ..sensor.clone() };
        assert_eq!(problem(&plan.upload(&forged, &body).await), (401, "bad-sensor-key"));
    }
    assert_eq!(plan.upload(&sensor, &body).await.0, 201);
    let census = plan.client.get(plan.of("/census")).bearer_auth(&sensor.key).send().await.unwrap();
    assert_eq!(census.status(), 401, "a sensor's key reads nothing");
    assert_eq!(plan.post(&format!("/sensors/{}/revoke", sensor.id), Value::Null).await.0, 204);
    assert_eq!(problem(&plan.upload(&sensor, &body).await), (401, "bad-sensor-key"));
    assert_eq!(problem(&plan.post("/sensors/nope/revoke", Value::Null).await), (404, "not-found"));
}

on_both_stores! {
    async fn an_enrolment_token_works_once_and_for_an_hour(plan: Plan) {
        let now = plan.clock_now();
        let (secret, _) = plan.store.create_enrolment(&plan.sid, &By::operator(), now).await.unwrap();
        let enrol = |secret: String| {
            let public_key = PublicKey(signing_key().verifying_key().to_bytes()).to_string();
            let body = serde_json::json!({"secret": secret, "name": "edge", "public_key": public_key});
            crate::harness::send(plan.client.post(format!("{}/api/v1/enrol", plan.url)).json(&body))
        };
        assert_eq!(enrol(secret.clone()).await.0, 201);
        assert_eq!(problem(&enrol(secret).await), (403, "bad-enrolment"));
        assert_eq!(problem(&enrol("made.up".into()).await), (403, "bad-enrolment"));
        let (late, _) = plan.store.create_enrolment(&plan.sid, &By::operator(), now).await.unwrap();
        plan.set_time("2026-11-22T10:00:00Z");
        assert_eq!(problem(&enrol(late).await), (403, "bad-enrolment"));
    }
}

#[tokio::test]
async fn bodies_that_are_no_upload_or_too_large_are_refused() {
    let (plan, sensor) = ready().await;
    let bomb = zstd::bulk::compress(&vec![b' '; DECOMPRESSED_BYTES + 1], 1).unwrap();
    assert!(bomb.len() < COMPRESSED_BYTES);
    let cases: [(Vec<u8>, u16, &str); 4] = [
        (b"not zstd".to_vec(), 400, "bad-upload"),
        (zstd::bulk::compress(b"{}", 1).unwrap(), 400, "bad-upload"),
        (bomb, 413, "too-large"),
        (Vec::new(), 400, "bad-upload"),
    ];
    for (body, status, slug) in cases {
        assert_eq!(problem(&plan.upload_bytes(&sensor, body).await), (status, slug));
    }
    let mut newer = upload(1, "default", &[CAMERA]);
    newer.schema = "netcensus.upload/9".into();
    assert_eq!(problem(&plan.upload(&sensor, &newer).await), (400, "upload-schema"));
    assert_eq!(plan.get("/census").await["devices"], 0);
}
