//! The statements: a list of months, and the page of one, which prints as it is.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;

use super::page::{Frame, PageError, Parameters, Visitor, render};
use super::show;
use crate::billing::statement::{Micros, Month, StatementState, arithmetic};
use crate::plan::app::statements::{self, StatementEntry, StatementView};
use crate::plan::app::{App, May, Refusal};
use crate::plan::http::extract::Segment;
use crate::plan::permission::View;
use crate::plan::store::DayCount;

/// Statements on a page.
const PAGE: usize = 24;

#[derive(Template)]
#[template(path = "statements.html")]
struct ListPage {
    frame: Frame,
    statements: Vec<StatementEntry>,
    next: Option<Month>,
}

#[derive(Template)]
#[template(path = "statement.html")]
struct Page {
    frame: Frame,
    name: String,
    view: StatementView,
    /// The arithmetic of each line.
    steps: Vec<Vec<String>>,
    /// The sealed days of the month.
    days: Vec<DayCount>,
}

/// Which months.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Before {
    before: Option<String>,
}

/// The list.
pub(super) async fn list(
    State(app): State<App>,
    Visitor(may): Visitor<May<View>>,
    Parameters(asked): Parameters<Before>,
) -> Result<Response, PageError> {
    let month = |text: &str| text.parse::<Month>().map_err(|e| Refusal::invalid(e.to_string()));
    let before = asked.before.as_deref().map(month).transpose()?;
    let found = statements::list(&app, &may, before, PAGE).await?;
    let frame = Frame::new(&may, "statements", "Statements");
    Ok(render(&ListPage { frame, statements: found.statements, next: found.next }))
}

/// The statement of a month.
pub(super) async fn show(
    State(app): State<App>,
    Visitor(may): Visitor<May<View>>,
    Segment(month): Segment<Month>,
) -> Result<Response, PageError> {
    let view = statements::show(&app, &may, month).await?;
    let steps = arithmetic(&view.statement).map_err(|e| Refusal::Defect(e.to_string()))?;
    let days = statements::days(&app, &may, month).await?;
    let frame = Frame::new(&may, "statements", &format!("Statement {month}"));
    Ok(render(&Page { frame, name: may.subscription.name.clone(), view, steps, days }))
}

impl Page {
    /// What a statement that is not closed covers.
    fn standing(&self) -> String {
        let closes = show::instant(self.view.closes_at);
        match self.view.state {
            StatementState::Open => format!("Open: covers the month so far. Closes {closes}."),
            StatementState::Draft => format!("Draft. Closes {closes}."),
            StatementState::Closed => "Closed: it never changes again.".to_owned(),
        }
    }
}
