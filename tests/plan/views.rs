//! How views are made while uploads go on: what waits for what, and what is served meanwhile.

use std::time::Duration;

use netcensus::plan::app::inventory::Patience;
use netcensus::plan::store::Scope;
use reqwest::{Method, header};
use serde_json::Value;
use tokio::task::JoinSet;

use crate::support::browser::Browser;
use crate::support::databases::on_each_database;
use crate::support::gate::{GATE, Gate};
use crate::support::seen::{ip_of, mac_of, upload_of};
use crate::support::{Answer, Backend, PATIENCE, Plan, Seen, TestSensor, send};

on_each_database! {
    bare
    an_upload_is_stored_while_a_survey_is_stopped,
    readers_share_a_survey_and_one_who_leaves_neither_stops_nor_repeats_it,
    an_older_view_is_served_with_its_mark_until_there_is_a_newer_one,
    a_first_view_that_is_not_ready_is_refused_for_some_seconds,
    the_readers_of_another_subscription_get_answers_beside_a_stopped_survey,
    uploads_beyond_the_queue_are_refused_at_once_and_the_others_are_stored,
}

/// Readers who take what there is at once.
const NONE: Patience = Patience { fresh: Duration::ZERO, first: Duration::ZERO, uploads: Duration::ZERO };

/// An answer, and its header `Age`.
struct Read {
    answer: Answer,
    age: Option<String>,
    retry_after: Option<String>,
}

async fn read(plan: &Plan, path: &str) -> Read {
    let response = plan.request(Method::GET, path).send().await.unwrap();
    let header = |name| response.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
    let (age, retry_after) = (header(header::AGE), header(header::RETRY_AFTER));
    let status = response.status();
    let body = serde_json::from_slice(&response.bytes().await.unwrap()).unwrap_or_default();
    Read { answer: Answer { status, body }, age, retry_after }
}

/// The census that counts everything, as soon as there is one.
async fn newest(plan: &Plan) -> Value {
    let ask = async {
        loop {
            let Read { answer, age, .. } = read(plan, "/census").await;
            if answer.status == 200 && age.is_none() {
                return answer.body;
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(PATIENCE, ask).await.unwrap()
}

/// Uploads one device, at which the next survey stops if the gate is closed.
async fn see(plan: &Plan, sensor: &TestSensor, number: u32) {
    see_as(GATE, plan, sensor, number).await;
}

async fn see_as(name: &str, plan: &Plan, sensor: &TestSensor, number: u32) {
    let seen = Seen::default().arp(&mac_of(number), &ip_of(number), &format!("{name}-{number}"));
    seen.send(plan, sensor, u64::from(number), "default").await;
}

/// A service whose only sensor saw one device, which is counted.
async fn counted(backend: Backend, patience: Patience) -> (Plan, Gate, TestSensor) {
    let (plan, gate) = Plan::with_gate(backend, patience).await;
    let sensor = plan.ready().await;
    see(&plan, &sensor, 1).await;
    assert_eq!(newest(&plan).await["iot"], 1);
    (plan, gate, sensor)
}

async fn an_upload_is_stored_while_a_survey_is_stopped(backend: Backend) {
    let (plan, gate, sensor) = counted(backend, NONE).await;
    gate.close();
    see(&plan, &sensor, 2).await;
    read(&plan, "/census").await;
    gate.stopped().await;
    see(&plan, &sensor, 3).await;
    see(&plan, &sensor, 4).await;
    gate.open();
    assert_eq!(newest(&plan).await["iot"], 4);
}

async fn readers_share_a_survey_and_one_who_leaves_neither_stops_nor_repeats_it(backend: Backend) {
    let (plan, gate) = Plan::with_gate(backend, Patience::ENDLESS).await;
    let sensor = plan.ready().await;
    see(&plan, &sensor, 1).await;
    gate.close();
    let leaves = tokio::spawn(send(plan.request(Method::GET, "/census")));
    gate.stopped().await;
    leaves.abort();
    assert!(leaves.await.is_err());
    let mut readers = JoinSet::new();
    for path in ["/census", "/devices", "/zones", "/inventory"] {
        readers.spawn(send(plan.request(Method::GET, path)));
    }
    gate.open();
    for answer in readers.join_all().await {
        answer.succeeds(200);
    }
    assert_eq!(gate.surveys(), 1);
}

async fn an_older_view_is_served_with_its_mark_until_there_is_a_newer_one(backend: Backend) {
    let (plan, gate, sensor) = counted(backend, NONE).await;
    let browser = Browser::sign_in(&plan).await;
    gate.close();
    see(&plan, &sensor, 2).await;
    plan.set_time("2026-11-22T09:00:30Z");
    // The pages after the first one name its instant.
    let same_instant = "/devices?as_of=2026-11-22T09:00:00Z";
    for path in ["/census", "/devices", "/devices.csv", "/inventory", same_instant] {
        let Read { answer, age, .. } = read(&plan, path).await;
        assert_eq!((answer.status.as_u16(), age.as_deref()), (200, Some("30")), "{path}");
    }
    let Read { answer, .. } = read(&plan, "/census").await;
    assert_eq!(answer.body["iot"], 1);
    browser.show("").await.assert(200, "a newer count is being made");
    gate.open();
    assert_eq!(newest(&plan).await["iot"], 2);
    let page = browser.show("").await;
    assert!(!page.html.contains("a newer count is being made"));
}

async fn a_first_view_that_is_not_ready_is_refused_for_some_seconds(backend: Backend) {
    let (plan, gate) = Plan::with_gate(backend, NONE).await;
    let sensor = plan.ready().await;
    gate.close();
    see(&plan, &sensor, 1).await;
    let Read { answer, retry_after, .. } = read(&plan, "/census").await;
    answer.fails(503, "busy");
    assert_eq!(retry_after.as_deref(), Some("5"));
    let browser = Browser::sign_in(&plan).await;
    browser.show("").await.assert(503, "still being made");
    gate.open();
    assert_eq!(newest(&plan).await["iot"], 1);
    assert_eq!(gate.surveys(), 1, "who is refused asks again, and finds the same view");
}

async fn the_readers_of_another_subscription_get_answers_beside_a_stopped_survey(backend: Backend) {
    let (mut plan, gate, sensor) = counted(backend, NONE).await;
    let other = plan.subscription("Fabrikam", Some("owner")).await;
    let large = std::mem::replace(&mut plan.sid, other);
    let others = plan.ready().await;
    see_as("iot", &plan, &others, 2).await;
    assert_eq!(newest(&plan).await["iot"], 1);

    let small = std::mem::replace(&mut plan.sid, large);
    gate.close();
    see(&plan, &sensor, 2).await;
    assert!(read(&plan, "/census").await.age.is_some());
    gate.stopped().await;

    let large = std::mem::replace(&mut plan.sid, small);
    assert_eq!(newest(&plan).await["iot"], 1, "nothing is new here");
    see_as("iot", &plan, &others, 3).await;
    let beside = read(&plan, "/census").await.answer.succeeds(200);
    assert!(
        beside["iot"] == 1 || beside["iot"] == 2,
        "an older view, or a newer one on a machine with many cores"
    );
    gate.open();
    assert_eq!(newest(&plan).await["iot"], 2);
    plan.sid = large;
    assert_eq!(newest(&plan).await["iot"], 2);
}

/// Uploads of one subscription that wait at once.
const WAITING: u64 = 256;

async fn uploads_beyond_the_queue_are_refused_at_once_and_the_others_are_stored(backend: Backend) {
    let plan = Plan::start_on(backend).await;
    let sensor = plan.ready().await;
    let writing = plan.store.write(Scope::Subscription(&plan.sid)).await.unwrap();
    let url = plan.of(&format!("/sensors/{}/uploads", sensor.id));
    let mut uploads = JoinSet::new();
    for sequence in 1..=WAITING + 1 {
        let seen = Seen::default().many("iot", u32::try_from(sequence).unwrap(), 1).0;
        let body = upload_of(sequence, "default", seen).encode().unwrap();
        uploads.spawn(send(sensor.upload(plan.client.post(&url), body)));
    }
    uploads.join_next().await.unwrap().unwrap().fails(503, "busy");
    drop(writing);
    for answer in uploads.join_all().await {
        answer.succeeds(201);
    }
    assert_eq!(plan.get("/census").await["iot"], WAITING);
}
