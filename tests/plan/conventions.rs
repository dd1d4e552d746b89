//! What every write of the API has in common.

use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::database::on_both_stores;
use crate::harness::{Plan, problem, send};

on_both_stores! {
    async fn a_post_that_is_sent_again_with_its_key_is_done_once(plan: Plan) {
        let post = async |key: &str, body: &Value| {
            let request = plan.client.post(plan.of("/plan")).bearer_auth(&plan.token);
            let response = request.header("idempotency-key", key).json(body).send().await.unwrap();
            let again = response.headers().get("idempotency-replayed").is_some();
            (response.status(), response.bytes().await.unwrap(), again)
        };
        let trial = json!({"kind": "trial", "accept_terms": true});
        let first = post("k1", &trial).await;
        assert_eq!((first.0, first.2), (StatusCode::CREATED, false));
        let second = post("k1", &trial).await;
        assert_eq!((second.0, second.2), (StatusCode::CREATED, true));
        assert_eq!(first.1, second.1, "the same answer, to the byte");
        assert_eq!(plan.store.plans(&plan.sid).await.unwrap().len(), 1);
        let other = post("k1", &json!({"kind": "monthly", "devices": 100, "accept_terms": true})).await;
        assert_eq!(other.0, StatusCode::UNPROCESSABLE_ENTITY);
        // A refusal is an answer too: it is kept until the key is forgotten, and other keys are not affected.
        assert_eq!(post("k2", &trial).await.0, StatusCode::CONFLICT);
        let key = "k".repeat(256);
        assert_eq!(post(&key, &trial).await.0, StatusCode::BAD_REQUEST);
        plan.set_time("2026-11-29T09:00:01Z");
        assert_eq!(post("k1", &trial).await.0, StatusCode::CONFLICT, "7 days later it is a new request");
    }
}

#[tokio::test]
async fn nobody_has_answers_kept_or_learns_of_keys_without_a_valid_token() {
    let plan = Plan::start().await;
    let request = plan.client.post(plan.of("/plan")).bearer_auth("nct_wrong").header("idempotency-key", "k");
    let answer = send(request.json(&json!({"kind": "trial", "accept_terms": true}))).await;
    assert_eq!(problem(&answer), (401, "unauthenticated"));
}

#[test]
fn the_committed_description_is_what_the_code_generates() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/src/plan/http/api/openapi.json");
    let generated = serde_json::to_string_pretty(&netcensus::plan::http::api::description()).unwrap() + "\n";
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
fn every_parameter_of_the_description_is_where_it_is_sent() {
    let description = serde_json::to_value(netcensus::plan::http::api::description()).unwrap();
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
