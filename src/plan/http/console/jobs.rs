//! The page of a long change: how far it is, and what it did.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use serde_json::Value;

use super::page::{Frame, PageError, Visitor, render};
use super::show;
use crate::plan::app::change_jobs::{self, JobEntry, JobState};
use crate::plan::app::{App, May};
use crate::plan::http::extract::Segment;
use crate::plan::permission::View;

#[derive(Template)]
#[template(path = "job.html")]
struct Page {
    frame: Frame,
    job: JobEntry,
}

impl Page {
    fn runs(&self) -> bool {
        self.job.state == JobState::Running
    }

    fn is_of_feeds(&self) -> bool {
        self.job.what.starts_with("feed_")
    }

    fn failed(&self) -> bool {
        self.job.state == JobState::Failed
    }

    /// A member of the answer or the problem, as text.
    fn text(&self, pointer: &str) -> String {
        let told = self.job.answer.as_ref().or(self.job.problem.as_ref());
        match told.and_then(|told| told.pointer(pointer)) {
            Some(Value::String(text)) => text.clone(),
            Some(Value::Number(number)) => number.as_u64().map_or_else(|| number.to_string(), show::number),
            _ => String::new(),
        }
    }
}

/// The page.
pub(super) async fn show(
    State(app): State<App>,
    Visitor(may): Visitor<May<View>>,
    Segment(id): Segment<String>,
) -> Result<Response, PageError> {
    let job = change_jobs::show(&app, &may, &id)?;
    Ok(render(&Page { frame: Frame::new(&may, "managed", "Long change"), job }))
}
