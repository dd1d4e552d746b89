//! Conditional and repeatable writes: `If-Match` and `Idempotency-Key`.
//!
//! (`?dry_run=true` and the reason of a write are part of [`crate::plan::app::Caller`].)

use axum::body::{Body, to_bytes};
use axum::extract::{FromRequestParts, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::auth::{bearer, is_https, session_cookie};
use super::problem::{Problem, ProblemType};
use crate::plan::app::App;
use crate::plan::store::{Answer, Claim, CredentialKind, Expected, tag};

const KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// The longest key in characters.
const KEY_LENGTH: usize = 255;
/// The largest body of a request with a key, and the largest answer that is kept.
const BODY_BYTES: usize = 1 << 20;

/// The JSON of `value` with its entity tag.
pub fn tagged(status: StatusCode, value: &impl Serialize) -> Response {
    tagged_by(status, value, value)
}

/// The JSON of `value` with an entity tag that covers only `what`: the part that people can change.
pub fn tagged_by(status: StatusCode, value: &impl Serialize, what: &impl Serialize) -> Response {
    let mut response = (status, axum::Json(value)).into_response();
    if let Ok(tag) = HeaderValue::from_str(&tag(what)) {
        response.headers_mut().insert(header::ETAG, tag);
    }
    response
}

/// Marks an answer with a secret. It is never kept for an `Idempotency-Key`, because secrets are stored only as hashes.
#[derive(Clone, Copy, Debug)]
pub struct ShownOnce;

impl<S: Send + Sync> FromRequestParts<S> for Expected {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let seen = parts.headers.get(header::IF_MATCH).and_then(|v| v.to_str().ok());
        Ok(seen.map_or(Self::Unsaid, |tags| Self::Tags(tags.to_owned())))
    }
}

/// Gives a POST that is sent again with the same `Idempotency-Key` the answer of the first, for 7 days.
pub async fn idempotent(State(service): State<App>, request: Request, next: Next) -> Response {
    match once(&service, request, next).await {
        Ok(response) => response,
        Err(problem) => problem.into_response(),
    }
}

async fn once(service: &App, request: Request, next: Next) -> Result<Response, Problem> {
    let key = match request.headers().get(&KEY) {
        Some(key) if *request.method() == Method::POST => key.clone(),
        _ => return Ok(next.run(request).await),
    };
    let unusable = || {
        let detail = format!("an Idempotency-Key must have 1 to {KEY_LENGTH} visible ASCII characters");
        Problem::new(ProblemType::InvalidRequest, detail)
    };
    let key = key.to_str().map_err(|_| unusable())?;
    if key.is_empty() || key.len() > KEY_LENGTH {
        return Err(unusable());
    }
    // Only answers to callers with a token or session are kept. The handler refuses all others.
    let Some(holder) = holder(service, request.headers()).await? else { return Ok(next.run(request).await) };
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, BODY_BYTES).await.map_err(|_| {
        Problem::new(
            ProblemType::TooLarge,
            "the body of a request with an Idempotency-Key must not be larger than 1 MiB",
        )
    })?;
    let mut hasher = Sha256::new();
    for part in [parts.method.as_str().as_bytes(), parts.uri.to_string().as_bytes(), &body] {
        hasher.update((part.len() as u64).to_be_bytes());
        hasher.update(part);
    }
    let fingerprint: [u8; 32] = hasher.finalize().into();
    match service.store.claim_key(holder, key, fingerprint, service.now()).await? {
        Claim::First { dropped } => service.metrics.dropped_answers(dropped),
        Claim::Done(answer) => return Ok(replay(answer)),
        Claim::Running => {
            let detail = "the request with this key is still running; ask again in a moment";
            return Err(Problem::new(ProblemType::IdempotencyRunning, detail));
        }
        Claim::OtherRequest => {
            let detail = "the key was used for another request; choose a new key for this request";
            return Err(Problem::new(ProblemType::IdempotencyConflict, detail));
        }
    }
    let response = next.run(Request::from_parts(parts, Body::from(body))).await;
    let (parts, body) = response.into_parts();
    let body = to_bytes(body, usize::MAX).await.unwrap_or_default();
    // Failures of the service are not kept, because a retry may succeed; neither are large answers.
    let secret = parts.extensions.get::<ShownOnce>().is_some();
    let keep = !secret && !parts.status.is_server_error() && body.len() <= BODY_BYTES;
    let kind = parts.headers.get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or_default();
    let answer =
        keep.then(|| Answer { status: parts.status.as_u16(), kind: kind.to_owned(), body: body.to_vec() });
    service.store.keep_answer(holder, key, answer).await?;
    Ok(Response::from_parts(parts, Body::from(body)))
}

fn replay(answer: Answer) -> Response {
    let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = (status, answer.body).into_response();
    if let Ok(kind) = HeaderValue::from_str(&answer.kind) {
        response.headers_mut().insert(header::CONTENT_TYPE, kind);
    }
    response
        .headers_mut()
        .insert(HeaderName::from_static("idempotency-replayed"), HeaderValue::from_static("true"));
    response
}

/// A hash that identifies the sender, if the request has a token or session.
async fn holder(service: &App, headers: &HeaderMap) -> Result<Option<[u8; 32]>, Problem> {
    let (kind, secret) = match bearer(headers) {
        Some(token) => (CredentialKind::Token, token),
        None => match session_cookie(headers, is_https(service)) {
            Some(session) => (CredentialKind::Session, session),
            None => return Ok(None),
        },
    };
    let holder = service.store.holder(kind, secret, service.now()).await?;
    Ok(holder.map(|holder| Sha256::digest(holder.person.name.as_bytes()).into()))
}
