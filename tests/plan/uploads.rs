//! Uploads: who may send, how often, in which order, and what a crash costs.

use netcensus::wire::{COMPRESSED_BYTES, DECOMPRESSED_BYTES};
use serde_json::{Value, json};

use crate::support::databases::on_each_database;
use crate::support::sensors::new_public_key;
use crate::support::{Answer, Plan, TestSensor, stranger, upload};

on_each_database! {
    an_enrolment_token_works_once_and_for_an_hour,
}

const CAMERA: (&str, &str, &str, &str) =
    ("00:40:8c:00:00:01", "10.0.0.41", "iot-camera", "2026-11-22T08:00:00Z");
const SWITCH: (&str, &str, &str, &str) =
    ("00:1b:54:00:00:02", "10.0.0.2", "network-sw", "2026-11-22T08:01:00Z");
const LAPTOP: (&str, &str, &str, &str) =
    ("3c:22:fb:00:00:03", "10.0.0.77", "computer_mobile-x", "2026-11-22T08:02:00Z");

async fn ready() -> (Plan, TestSensor) {
    let plan = Plan::start().await;
    let sensor = plan.ready().await;
    (plan, sensor)
}

#[tokio::test]
async fn the_same_upload_twice_changes_nothing() {
    let (plan, sensor) = ready().await;
    let first = upload(1, "default", &[CAMERA, SWITCH]);
    let receipt = plan.upload(&sensor, &first).await.succeeds(201);
    assert_eq!(receipt, json!({"sequence": 1, "duplicate": false, "number": 1}));
    let before = plan.get("/inventory").await;
    let receipt = plan.upload(&sensor, &first).await.succeeds(200);
    assert_eq!(receipt, json!({"sequence": 1, "duplicate": true, "number": 1}));
    assert_eq!(plan.get("/inventory").await, before);
}

#[tokio::test]
async fn other_content_under_the_sequence_number_of_an_upload_is_refused() {
    let (plan, sensor) = ready().await;
    plan.upload(&sensor, &upload(1, "default", &[CAMERA, SWITCH])).await.succeeds(201);
    let before = plan.get("/inventory").await;
    let mut other = upload(1, "default", &[LAPTOP]);
    plan.upload(&sensor, &other).await.fails(409, "upload-conflict");
    assert_eq!(plan.get("/inventory").await, before);
    // A sensor that restarts counts from 1 again, in another epoch.
    other.epoch = "e2".into();
    plan.upload(&sensor, &other).await.succeeds(201);
    assert_eq!(plan.get("/census").await["devices"], 3);
}

/// The number in the receipt, and whether the sensor was copied or the service lost uploads.
fn flags(answer: &Answer) -> (Option<u64>, bool, bool) {
    (answer.body["number"].as_u64(), answer.body["forked"] == true, answer.body["lost"] == true)
}

#[tokio::test]
async fn two_appliances_with_one_identity_are_noticed_with_the_first_upload_of_the_second() {
    let (plan, sensor) = ready().await;
    let say = |sequence, receipt: Option<u64>, seen| {
        let mut upload = upload(sequence, "default", &[seen]);
        upload.health.receipt = receipt;
        upload
    };
    assert_eq!(flags(&plan.upload(&sensor, &say(1, None, CAMERA)).await), (Some(1), false, false));
    // The receipt was lost on the way: the sensor sends the upload again and learns its number.
    assert_eq!(flags(&plan.upload(&sensor, &say(1, Some(0), CAMERA)).await), (Some(1), false, false));
    assert_eq!(flags(&plan.upload(&sensor, &say(2, Some(1), SWITCH)).await), (Some(2), false, false));
    assert_eq!(plan.get("/sensors").await["sensors"][0]["forked_at"], Value::Null);
    // The copy knows the first receipt, and has seen something else.
    let mut copy = say(3, Some(1), LAPTOP);
    copy.epoch = "e2".into();
    assert_eq!(flags(&plan.upload(&sensor, &copy).await), (Some(3), true, false));
    assert_eq!(flags(&plan.upload(&sensor, &say(1, Some(1), CAMERA)).await), (Some(3), true, false));
    assert_eq!(plan.get("/census").await["devices"], 3, "the facts are kept");
    assert_ne!(plan.get("/sensors").await["sensors"][0]["forked_at"], Value::Null);
    assert_eq!(plan.trail_of("sensor.fork").await.len(), 1, "once an hour");
}

#[tokio::test]
async fn a_sensor_that_knows_more_receipts_than_the_service_shows_that_a_backup_was_restored() {
    let (plan, sensor) = ready().await;
    plan.upload(&sensor, &upload(1, "default", &[CAMERA])).await.succeeds(201);
    let mut ahead = upload(9, "default", &[CAMERA]);
    ahead.health.receipt = Some(77);
    assert_eq!(flags(&plan.upload(&sensor, &ahead).await), (Some(2), false, true));
}

#[tokio::test]
async fn the_order_of_uploads_does_not_matter() {
    let later = ("00:40:8c:00:00:01", "10.0.0.41", "iot-camera", "2026-11-22T08:30:00Z");
    let uploads = [upload(1, "default", &[CAMERA, SWITCH]), upload(2, "default", &[later, LAPTOP])];
    let mut inventories = Vec::new();
    for order in [[0, 1], [1, 0]] {
        let (plan, sensor) = ready().await;
        for i in order {
            plan.upload(&sensor, &uploads[i]).await.succeeds(201);
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
    plan.upload(&sensor, &upload(1, "default", &[CAMERA])).await.succeeds(201);
    plan.upload(&sensor, &upload(2, "branch", &[CAMERA, SWITCH])).await.succeeds(201);
    let before = plan.get("/inventory").await;
    plan.restart().await;
    assert_eq!(plan.get("/inventory").await, before);
    assert_eq!(plan.get("/plan").await["plan"]["kind"], "trial");
    let again = plan.upload(&sensor, &upload(2, "branch", &[CAMERA, SWITCH])).await.body;
    assert_eq!(again["duplicate"], true);
    plan.upload(&sensor, &upload(3, "branch", &[LAPTOP])).await.succeeds(201);
    assert_eq!(plan.get("/census").await["devices"], 4);
}

#[tokio::test]
async fn two_sensors_of_one_zone_see_one_device_and_of_two_zones_two() {
    let (plan, sensor) = ready().await;
    let second = plan.enrol().await;
    plan.upload(&sensor, &upload(1, "hq", &[CAMERA])).await.succeeds(201);
    plan.upload(&second, &upload(1, "hq", &[CAMERA])).await.succeeds(201);
    assert_eq!(plan.get("/census").await["iot"], 1);
    plan.upload(&second, &upload(2, "branch", &[CAMERA])).await.succeeds(201);
    assert_eq!(plan.get("/census").await["iot"], 2);
}

#[tokio::test]
async fn without_a_plan_in_effect_uploads_are_refused_and_earlier_ones_stay_readable() {
    let (plan, sensor) = ready().await;
    plan.upload(&sensor, &upload(1, "default", &[CAMERA])).await.succeeds(201);
    plan.post("/plan/cancel", Value::Null).await.succeeds(200);
    plan.set_time("2026-11-22T09:59:59Z");
    plan.upload(&sensor, &upload(2, "default", &[SWITCH])).await.succeeds(201);
    plan.set_time("2026-11-22T10:00:00Z");
    let third = upload(3, "default", &[LAPTOP]);
    plan.upload(&sensor, &third).await.fails(403, "plan-not-in-effect");
    assert_eq!(plan.get("/census").await["devices"], 2);
    // The sensor keeps what was refused, and sends it again.
    plan.onboard_trial().await;
    plan.upload(&sensor, &third).await.succeeds(201);
}

#[tokio::test]
async fn a_sensor_uploads_with_its_own_key_alone() {
    let (plan, sensor) = ready().await;
    let other = plan.enrol().await;
    let body = upload(1, "default", &[CAMERA]);
    for key in [stranger(), other.key.clone(), plan.token.clone(), String::new()] {
        let forged = TestSensor { key, ..sensor.clone() };
        plan.upload(&forged, &body).await.fails(401, "bad-sensor-key");
    }
    plan.upload(&sensor, &body).await.succeeds(201);
}

#[tokio::test]
async fn the_key_of_a_sensor_reads_nothing() {
    let (plan, sensor) = ready().await;
    let census = plan.client.get(plan.of("/census")).bearer_auth(&sensor.key).send().await.unwrap();
    assert_eq!(census.status(), 401);
}

#[tokio::test]
async fn a_revoked_sensor_uploads_no_more() {
    let (plan, sensor) = ready().await;
    let body = upload(1, "default", &[CAMERA]);
    plan.upload(&sensor, &body).await.succeeds(201);
    plan.revoke(&sensor).await.succeeds(204);
    plan.upload(&sensor, &body).await.fails(401, "bad-sensor-key");
    plan.post("/sensors/nope/revoke", Value::Null).await.fails(404, "not-found");
}

async fn an_enrolment_token_works_once_and_for_an_hour(plan: Plan) {
    let secret = plan.enrolment_secret(&plan.sid).await;
    let late = plan.enrolment_secret(&plan.sid).await;
    plan.enrol_with(&secret, &new_public_key()).await.succeeds(201);
    plan.enrol_with(&secret, &new_public_key()).await.fails(403, "bad-enrolment");
    plan.enrol_with("made.up", &new_public_key()).await.fails(403, "bad-enrolment");
    plan.set_time("2026-11-22T10:00:00Z");
    plan.enrol_with(&late, &new_public_key()).await.fails(403, "bad-enrolment");
}

#[tokio::test]
async fn bodies_that_are_not_uploads_or_are_too_large_are_refused() {
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
        plan.upload_bytes(&sensor, body).await.fails(status, slug);
    }
    let mut newer = upload(1, "default", &[CAMERA]);
    newer.schema = "netcensus.upload/9".into();
    plan.upload(&sensor, &newer).await.fails(400, "upload-schema");
    assert_eq!(plan.get("/census").await["devices"], 0);
}
