//! The page that tells why an address or a MAC belongs to a device, or does not.

use askama::Template;
use axum::extract::State;
use axum::response::Response;

use super::page::{Frame, PageError, Parameters, Visitor, render};
use super::show;
use crate::plan::app::{App, May, devices};
use crate::plan::http::api::devices::Question;
use crate::plan::permission::View;
use crate::wire::Explanation;

#[derive(Template)]
#[template(path = "explain.html")]
struct ExplainPage {
    frame: Frame,
    unknown: String,
    answer: Explanation,
}

/// What is known of an address or a MAC.
pub(super) async fn show(
    State(app): State<App>,
    Visitor(may): Visitor<May<View>>,
    Parameters(question): Parameters<Question>,
) -> Result<Response, PageError> {
    let title = format!("{} · why", question.subject.trim());
    let frame = Frame::new(&may, "devices", &title);
    let subject = question.subject()?;
    let answer = devices::look_up(&app, &may, subject, question.instant()?).await?;
    Ok(render(&ExplainPage { frame, unknown: subject.unknown(), answer }))
}
