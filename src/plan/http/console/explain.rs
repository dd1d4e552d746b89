//! The page that tells why an address or a MAC is a device's, or no device's.

use askama::Template;
use axum::extract::State;
use axum::response::Response;

use super::page::{Frame, PageError, Visitor, render};
use super::show;
use crate::plan::app::App;
use crate::plan::http::api::devices::Question;
use crate::plan::http::extract::{Parameters, Path};
use crate::plan::http::problem::{Problem, ProblemType};
use crate::wire::{BadSubject, Explanation, Subject};

#[derive(Template)]
#[template(path = "explain.html")]
struct ExplainPage {
    frame: Frame,
    unknown: String,
    answer: Explanation,
}

/// What is known of an address or a MAC.
pub(super) async fn show(
    State(service): State<App>,
    Path(sid): Path<String>,
    Visitor(caller): Visitor,
    Parameters(question): Parameters<Question>,
) -> Result<Response, PageError> {
    let title = format!("{} · why", question.subject.trim());
    let frame = Frame::of(&service, &caller, &sid, "devices", &title).await?;
    let wrong = |e: BadSubject| Problem::new(ProblemType::InvalidRequest, e.to_string());
    let subject: Subject = question.subject.trim().parse().map_err(wrong)?;
    let answer = service.explain(&sid, subject, None).await.map_err(Problem::from)?;
    Ok(render(&ExplainPage { frame, unknown: subject.unknown(), answer }))
}
