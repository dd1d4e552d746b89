//! A plan service whose answers a test prescribes.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use netcensus::sensor::upload::identity::Identity;
use netcensus::sensor::upload::signing::SigningKey;
use netcensus::wire::Upload;
use tokio::net::TcpListener;

/// A received request.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) path: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Request {
    pub(crate) fn upload(&self) -> Upload {
        Upload::decode(&self.body).unwrap()
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |v| v.to_str().unwrap())
    }
}

/// A prescribed answer.
#[derive(Clone, Debug)]
pub(crate) enum Answer {
    /// 201 with a receipt for the received sequence number.
    Stored,
    /// 200 with a receipt that says duplicate.
    Duplicate,
    /// As [`Answer::Stored`], with the digest of a set of indicators.
    Names(String),
    /// 200 with these bytes.
    Bytes(Vec<u8>),
    /// Status, headers and body.
    Raw(u16, Vec<(&'static str, &'static str)>, String),
}

impl Answer {
    pub(crate) fn problem(status: u16, kind: &str) -> Self {
        let body =
            format!("{{\"type\":\"/problems/{kind}\",\"title\":\"T\",\"detail\":\"because of {kind}\"}}");
        Self::Raw(status, vec![("content-type", "application/problem+json")], body)
    }

    fn respond(self, body: &[u8]) -> Response {
        let receipt = |duplicate| {
            let sequence = Upload::decode(body).unwrap().sequence;
            format!("{{\"sequence\":{sequence},\"duplicate\":{duplicate}}}")
        };
        match self {
            Self::Stored => (StatusCode::CREATED, receipt(false)).into_response(),
            Self::Names(digest) => {
                let sequence = Upload::decode(body).unwrap().sequence;
                let receipt =
                    format!("{{\"sequence\":{sequence},\"duplicate\":false,\"indicators\":\"{digest}\"}}");
                (StatusCode::CREATED, receipt).into_response()
            }
            Self::Bytes(bytes) => (StatusCode::OK, bytes).into_response(),
            Self::Duplicate => (StatusCode::OK, receipt(true)).into_response(),
            Self::Raw(status, headers, body) => {
                let mut response = (StatusCode::from_u16(status).unwrap(), body).into_response();
                for (name, value) in headers {
                    response.headers_mut().insert(name, value.parse().unwrap());
                }
                response
            }
        }
    }
}

#[derive(Debug, Default)]
struct Script {
    answers: VecDeque<Answer>,
    requests: Vec<Request>,
}

/// The service: gives its answers in order, then [`Answer::Stored`].
pub(crate) struct Service {
    pub(crate) url: String,
    script: Arc<Mutex<Script>>,
}

impl Service {
    pub(crate) async fn start(answers: impl IntoIterator<Item = Answer>) -> Self {
        let script =
            Arc::new(Mutex::new(Script { answers: answers.into_iter().collect(), requests: Vec::new() }));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let routes = Router::new().fallback(answer).with_state(script.clone());
        tokio::spawn(axum::serve(listener, routes).into_future());
        Self { url, script }
    }

    pub(crate) fn requests(&self) -> Vec<Request> {
        self.script.lock().unwrap().requests.clone()
    }

    /// Replaces the remaining answers.
    pub(crate) fn say(&self, answers: impl IntoIterator<Item = Answer>) {
        self.script.lock().unwrap().answers = answers.into_iter().collect();
    }

    pub(crate) fn identity(&self, key: &str) -> Identity {
        Identity {
            url: self.url.clone(),
            sensor: "sensor 1".into(),
            subscription: "main".into(),
            key: key.into(),
            signing_key: SigningKey::generate().unwrap(),
            fingerprint: None,
        }
    }
}

async fn answer(
    State(script): State<Arc<Mutex<Script>>>,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let mut script = script.lock().unwrap();
    let answer = script.answers.pop_front().unwrap_or(Answer::Stored);
    script.requests.push(Request { path: uri.path().to_owned(), headers, body: body.clone() });
    drop(script);
    answer.respond(&body)
}
