//! Jobs: changes that go on after their request was answered.

use axum::Json as Body;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use serde::Serialize;
use serde_json::{Value, json};
use std::time::Duration;
use utoipa_axum::router::OpenApiRouter;

use crate::operation;
use crate::plan::app::change_jobs::{self, JobEntry, JobList, WAIT, Waited};
use crate::plan::app::{App, May, Refusal};
use crate::plan::http::extract::Segment;
use crate::plan::http::problem::Problem;
use crate::plan::permission::{Permission, View};

/// The routes.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(operation!(list)).routes(operation!(show, 404))
}

/// Long changes that go on or ended a while ago, the newest first.
#[utoipa::path(get, path = "/api/v1/subscriptions/{sid}/jobs", tag = "inventory",
    responses((status = 200, body = JobList)))]
async fn list(State(app): State<App>, may: May<View>) -> Body<JobList> {
    Body(change_jobs::list(&app, &may))
}

/// One of them, with how far it is, and its answer or problem once it ended.
#[utoipa::path(get, path = "/api/v1/subscriptions/{sid}/jobs/{job}", tag = "inventory",
    params(("job" = String, Path, description = "job")), responses((status = 200, body = JobEntry)))]
async fn show(
    State(app): State<App>,
    may: May<View>,
    Segment(job): Segment<String>,
) -> Result<Body<JobEntry>, Problem> {
    Ok(Body(change_jobs::show(&app, &may, &job)?))
}

/// How long a client waits for an answer: `Prefer: respond-async`, `Prefer: wait=SECONDS` (RFC 7240), at most 10 seconds.
pub(super) fn patience(headers: &HeaderMap) -> Duration {
    let values = headers.get_all("prefer").iter().filter_map(|value| value.to_str().ok());
    let mut wait = WAIT;
    for preference in values.flat_map(|value| value.split([',', ';'])) {
        let (name, value) = preference.split_once('=').unwrap_or((preference, ""));
        match name.trim().to_ascii_lowercase().as_str() {
            "respond-async" => wait = Duration::ZERO,
            "wait" => {
                let seconds = value.trim().trim_matches('"').parse().unwrap_or(WAIT.as_secs());
                wait = wait.min(Duration::from_secs(seconds));
            }
            _ => {}
        }
    }
    wait
}

/// Answers with what a change did, or with 202 and its job if it takes longer than the client waits.
pub(super) async fn answer<T: Serialize + Send + 'static, A: Permission>(
    app: &App,
    may: &May<A>,
    headers: &HeaderMap,
    what: &'static str,
    change: impl Future<Output = Result<T, Refusal>> + Send + 'static,
) -> Result<Response, Problem> {
    match change_jobs::run(app, may, what, patience(headers), problem, change).await? {
        Waited::Done(answer) => Ok(Body(answer).into_response()),
        Waited::Job(job) => {
            let place = format!("/api/v1/subscriptions/{}/jobs/{}", may.id(), job.id);
            let mut response = (StatusCode::ACCEPTED, Body(job)).into_response();
            if let Ok(place) = HeaderValue::try_from(place) {
                response.headers_mut().insert(header::LOCATION, place);
            }
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
            Ok(response)
        }
    }
}

/// A refusal as the members of its problem.
pub(in crate::plan::http) fn problem(refusal: Refusal) -> Value {
    let problem = Problem::from(refusal);
    json!({
        "type": format!("/problems/{}", problem.kind.slug()),
        "title": problem.kind.title(),
        "status": problem.kind.status(),
        "detail": problem.detail,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_says_how_long_it_waits() {
        let of = |values: &[&str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append("prefer", HeaderValue::from_str(value).unwrap());
            }
            patience(&headers).as_secs()
        };
        assert_eq!(of(&[]), 10);
        assert_eq!(of(&["return=minimal"]), 10);
        assert_eq!(of(&["respond-async"]), 0);
        assert_eq!(of(&["Respond-Async, wait=5"]), 0);
        assert_eq!(of(&["wait=3"]), 3);
        assert_eq!(of(&["wait=100"]), 10);
        assert_eq!(of(&["wait=nonsense"]), 10);
    }
}
