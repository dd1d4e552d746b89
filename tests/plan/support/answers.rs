//! Requests as people and programs send them, and the answers as tests read them.

use reqwest::{Method, RequestBuilder, StatusCode, header};
use serde_json::Value;

use super::Plan;

/// The status of an answer, and its body if that is JSON.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) body: Value,
}

impl Answer {
    /// The body of an answer that has this status.
    #[track_caller]
    pub(crate) fn succeeds(self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", self.body);
        self.body
    }

    /// The body of a refusal that has this status and this problem.
    #[track_caller]
    pub(crate) fn fails(self, status: u16, slug: &str) -> Value {
        assert_eq!(self.problem(), (status, slug), "{}", self.body);
        self.body
    }

    /// The status and the slug of the problem.
    pub(crate) fn problem(&self) -> (u16, &str) {
        let kind = self.body["type"].as_str().unwrap_or("not a problem");
        (self.status.as_u16(), kind.strip_prefix("/problems/").unwrap_or(kind))
    }
}

/// Sends the request.
pub(crate) async fn send(request: RequestBuilder) -> Answer {
    let response = request.send().await.unwrap();
    let status = response.status();
    let bytes = response.bytes().await.unwrap();
    Answer { status, body: serde_json::from_slice(&bytes).unwrap_or(Value::Null) }
}

/// Asserts that `found` has these members with these values. It may have others; arrays must be equal.
#[track_caller]
pub(crate) fn assert_has(found: &Value, expected: Value) {
    assert!(has(found, &expected), "expected {expected:#}\nin {found:#}");
}

fn has(found: &Value, expected: &Value) -> bool {
    match (found, expected) {
        (Value::Object(found), Value::Object(expected)) => {
            expected.iter().all(|(name, value)| found.get(name).is_some_and(|found| has(found, value)))
        }
        _ => found == expected,
    }
}

/// The strings or numbers under `name` of the objects in an array.
pub(crate) fn each(array: &Value, name: &str) -> Vec<String> {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    array.as_array().unwrap().iter().map(|object| text(&object[name])).collect()
}

/// A value as a snapshot has it: members of these names are masked, as they differ in each run.
pub(crate) fn masked(mut value: Value, names: &[&str]) -> Value {
    mask(&mut value, names);
    value
}

fn mask(value: &mut Value, names: &[&str]) {
    match value {
        Value::Object(members) => members.iter_mut().for_each(|(name, value)| {
            if names.contains(&name.as_str()) && !value.is_null() {
                *value = Value::String(format!("[{name}]"));
            } else {
                mask(value, names);
            }
        }),
        Value::Array(values) => values.iter_mut().for_each(|value| mask(value, names)),
        _ => {}
    }
}

impl Plan {
    /// The URL of a path below the subscription.
    pub(crate) fn of(&self, path: &str) -> String {
        format!("{}/api/v1/subscriptions/{}{path}", self.url, self.sid)
    }

    /// A request to a path below the subscription, by the owner.
    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.request_as(&self.token, method, path)
    }

    /// A request to a path below the subscription, by the person whose token it is.
    pub(crate) fn request_as(&self, token: &str, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, self.of(path)).bearer_auth(token)
    }

    /// A request to a path below `/api/v1`, by the person whose token it is.
    pub(crate) fn api_as(&self, token: &str, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("{}/api/v1{path}", self.url)).bearer_auth(token)
    }

    /// What the owner sees at a path below the subscription.
    pub(crate) async fn get(&self, path: &str) -> Value {
        let answer = self.try_get(path).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.body);
        answer.body
    }

    /// The answer to the owner, which may be a refusal.
    pub(crate) async fn try_get(&self, path: &str) -> Answer {
        send(self.request(Method::GET, path)).await
    }

    /// A document that is not JSON, or of which the test reads the bytes.
    pub(crate) async fn text(&self, path: &str) -> String {
        let response = self.request(Method::GET, path).send().await.unwrap();
        assert_eq!(response.status(), 200, "{path}");
        response.text().await.unwrap()
    }

    /// The `ETag` of what is at a path below the subscription.
    pub(crate) async fn tag(&self, path: &str) -> String {
        let response = self.request(Method::GET, path).send().await.unwrap();
        assert_eq!(response.status(), 200, "{path}");
        response.headers()[header::ETAG].to_str().unwrap().to_owned()
    }

    /// What the owner posts to a path below the subscription.
    pub(crate) async fn post(&self, path: &str, body: Value) -> Answer {
        self.post_as(&self.token, path, body).await
    }

    /// What the person posts whose token it is.
    pub(crate) async fn post_as(&self, token: &str, path: &str, body: Value) -> Answer {
        send(self.request_as(token, Method::POST, path).json(&body)).await
    }

    /// What the person whose token it is sends to a path below `/api/v1`.
    pub(crate) async fn api(&self, token: &str, method: Method, path: &str, body: Value) -> Answer {
        send(self.api_as(token, method, path).json(&body)).await
    }
}
