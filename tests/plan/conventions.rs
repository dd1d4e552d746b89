//! What all writes of the API have in common, and the description of the API.

use netcensus::plan::http::api;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::databases::on_each_database;
use crate::support::service::monthly;
use crate::support::{Plan, send};

on_each_database! {
    a_post_that_is_sent_again_with_its_key_is_done_once,
    a_key_is_for_one_body_and_for_seven_days,
}

/// Posts a plan with an idempotency key; gives the status, the body's bytes, and whether they were kept.
async fn post(plan: &Plan, key: &str, body: &Value) -> (u16, Vec<u8>, bool) {
    let request = plan.request(Method::POST, "/plan").header("idempotency-key", key);
    let response = request.json(body).send().await.unwrap();
    let replayed = response.headers().contains_key("idempotency-replayed");
    (response.status().as_u16(), response.bytes().await.unwrap().to_vec(), replayed)
}

fn trial() -> Value {
    json!({"kind": "trial", "accept_terms": true})
}

async fn a_post_that_is_sent_again_with_its_key_is_done_once(plan: Plan) {
    let (status, first, replayed) = post(&plan, "k1", &trial()).await;
    assert_eq!((status, replayed), (201, false));
    let (status, second, replayed) = post(&plan, "k1", &trial()).await;
    assert_eq!((status, replayed), (201, true));
    assert_eq!(first, second, "the same answer, to the byte");
    assert_eq!(plan.store.plans(&plan.sid).await.unwrap().len(), 1);
}

async fn a_key_is_for_one_body_and_for_seven_days(plan: Plan) {
    assert_eq!(post(&plan, "k1", &trial()).await.0, 201);
    assert_eq!(post(&plan, "k1", &monthly(100)).await.0, 422);
    // A refusal is an answer too: it is kept under its own key.
    assert_eq!(post(&plan, "k2", &trial()).await.0, 409);
    assert_eq!(post(&plan, &"k".repeat(256), &trial()).await.0, 400);
    plan.set_time("2026-11-29T09:00:01Z");
    assert_eq!(post(&plan, "k1", &trial()).await.0, 409, "a new request, and there is a plan");
}

#[tokio::test]
async fn without_a_valid_token_an_idempotency_key_means_nothing() {
    let plan = Plan::start().await;
    let request = plan.request_as("nct_wrong", Method::POST, "/plan").header("idempotency-key", "k");
    send(request.json(&trial())).await.fails(401, "unauthenticated");
}

#[test]
fn the_committed_description_is_what_the_code_generates() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/src/plan/http/api/openapi.json");
    let generated = serde_json::to_string_pretty(&api::description()).unwrap() + "\n";
    if std::env::var_os("UPDATE_OPENAPI").is_some() {
        std::fs::write(path, &generated).unwrap();
    }
    let committed = std::fs::read_to_string(path).unwrap();
    assert!(
        committed == generated,
        "run 'make openapi', look at the difference, and commit src/plan/http/api/openapi.json"
    );
}

#[test]
fn the_description_has_each_parameter_in_the_place_where_it_is_sent() {
    let description = serde_json::to_value(api::description()).unwrap();
    for (path, item) in description["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            for parameter in operation["parameters"].as_array().into_iter().flatten() {
                let name = parameter["name"].as_str().unwrap();
                let expected = if path.contains(&format!("{{{name}}}")) { "path" } else { "query" };
                let place = parameter["in"].as_str().unwrap();
                assert!(place == expected || place == "header", "{method} {path}: {name} in {place}");
            }
        }
    }
}
