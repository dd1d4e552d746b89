//! Extractors whose refusals are problems.

use std::fmt;
use std::str::FromStr;

use axum::extract::rejection::{FormRejection, JsonRejection};
use axum::extract::{FromRequest, FromRequestParts, OptionalFromRequest, RawPathParams, Request};
use axum::http::request::Parts;
use axum::http::{StatusCode, header};
use serde::de::DeserializeOwned;

use super::problem::{Problem, ProblemType};

/// The largest body of anything but an upload, in bytes.
pub(super) const BODY_BYTES: usize = 64 << 10;

/// A JSON body.
#[derive(Clone, Copy, Debug)]
pub struct Json<T>(pub T);

/// A form body.
#[derive(Clone, Copy, Debug)]
pub struct Form<T>(pub T);

/// Query parameters.
#[derive(Clone, Copy, Debug)]
pub struct Parameters<T>(pub T);

/// Path parameters.
#[derive(Clone, Copy, Debug)]
pub struct Path<T>(pub T);

/// The last parameter of a path under a subscription, which [`crate::plan::app::May`] has taken care of.
#[derive(Clone, Copy, Debug)]
pub struct Segment<T>(pub T);

impl<T: FromStr<Err: fmt::Display>, S: Send + Sync> FromRequestParts<S> for Segment<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let params = RawPathParams::from_request_parts(parts, state)
            .await
            .map_err(|e| unreadable(e.status(), &e.body_text()))?;
        let (name, text) = params.iter().last().unwrap_or_default();
        text.parse()
            .map(Self)
            .map_err(|e| unreadable(StatusCode::BAD_REQUEST, &format!("invalid {name} '{text}': {e}")))
    }
}

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Json<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let refused = |e: JsonRejection| unreadable(e.status(), &e.body_text());
        let axum::Json(value) =
            <axum::Json<T> as FromRequest<S>>::from_request(request, state).await.map_err(refused)?;
        Ok(Self(value))
    }
}

/// Without a content type there is no body.
impl<T: DeserializeOwned, S: Send + Sync> OptionalFromRequest<S> for Json<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Option<Self>, Problem> {
        if !request.headers().contains_key(header::CONTENT_TYPE) {
            return Ok(None);
        }
        <Self as FromRequest<S>>::from_request(request, state).await.map(Some)
    }
}

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Form<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let refused = |e: FormRejection| unreadable(e.status(), &e.body_text());
        let axum::Form(value) = axum::Form::from_request(request, state).await.map_err(refused)?;
        Ok(Self(value))
    }
}

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Parameters<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let axum::extract::Query(value) = axum::extract::Query::from_request_parts(parts, state)
            .await
            .map_err(|e| unreadable(e.status(), &e.body_text()))?;
        Ok(Self(value))
    }
}

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Path<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let axum::extract::Path(value) = axum::extract::Path::from_request_parts(parts, state)
            .await
            .map_err(|e| unreadable(e.status(), &e.body_text()))?;
        Ok(Self(value))
    }
}

pub(super) fn unreadable(status: StatusCode, text: &str) -> Problem {
    let kind = match status {
        StatusCode::PAYLOAD_TOO_LARGE => ProblemType::TooLarge,
        _ => ProblemType::InvalidRequest,
    };
    let text: String = text.chars().filter(|c| !c.is_control()).take(300).collect();
    Problem::new(kind, text)
}
