//! The devices that differ from a sealed day: each number of "what changed" leads here.

use std::sync::Arc;

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;

use super::page::{AsOf, Frame, PageError, Parameters, Visitor, render};
use super::show;
use super::travel::Here;
use crate::plan::app::differences::{self, Difference, DifferenceKind, Differences, Standing};
use crate::plan::app::{App, May, Refusal, inventory};
use crate::plan::permission::View;
use crate::proof::Day;

/// Devices on a page.
const PAGE: usize = 200;

#[derive(Template)]
#[template(path = "differences.html")]
struct Page {
    frame: Frame,
    differences: Arc<Differences>,
    kind: DifferenceKind,
    total: usize,
    rows: Vec<Row>,
    /// The place of the first row.
    from: usize,
    next: Option<usize>,
}

/// A device that differs.
struct Row {
    difference: Difference,
    /// What it is called, if it is listed today.
    name: Option<String>,
    /// What the device is called of which it is a part now.
    into: Option<String>,
}

/// Which differences.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Selection {
    kind: String,
    since: String,
    from: Option<usize>,
    #[serde(flatten)]
    as_of: AsOf,
}

/// The page.
pub(super) async fn show(
    State(app): State<App>,
    Visitor(may): Visitor<May<View>>,
    here: Here,
    Parameters(asked): Parameters<Selection>,
) -> Result<Response, PageError> {
    let kind = match asked.kind.as_str() {
        "" => DifferenceKind::New,
        key => DifferenceKind::from_key(key)
            .ok_or_else(|| Refusal::invalid("kind must be new, gone, turned or merged"))?,
    };
    let since = Some(asked.since.trim()).filter(|day| !day.is_empty());
    let since = since.map(str::parse::<Day>).transpose().map_err(|e| Refusal::invalid(e.to_string()))?;
    let (differences, view) = differences::since(&app, &may, since, asked.as_of.instant()?).await?;
    let from = asked.from.unwrap_or_default();
    let total = differences.number(kind);
    let rows: Vec<Row> = differences.of(kind).skip(from).take(PAGE).map(|d| Row::new(d, &view)).collect();
    let reached = from.saturating_add(rows.len());
    let next = Some(reached).filter(|_| reached < total && !rows.is_empty());
    let frame = Frame::new(&may, "overview", "What changed").travelling(&app, &may, &here).await?;
    Ok(render(&Page { frame, differences, kind, total, rows, from, next }))
}

impl Row {
    fn new(difference: &Difference, view: &inventory::View) -> Self {
        let name = |id: crate::census::DeviceId| {
            view.device(&id.to_string()).map(|row| show::label(&row.entry(None)))
        };
        Self {
            name: name(difference.id),
            into: difference.into.and_then(name),
            difference: difference.clone(),
        }
    }
}

impl Page {
    fn title(&self) -> String {
        let n = show::number(self.total);
        let devices = if self.total == 1 { "device" } else { "devices" };
        let since = self.differences.since;
        match self.kind {
            DifferenceKind::New => format!("{n} {devices} new since {since}"),
            DifferenceKind::Gone => format!("{n} {devices} gone since {since}"),
            DifferenceKind::Turned => format!("{n} {devices} counted otherwise than at the end of {since}"),
            DifferenceKind::Merged => {
                format!("{n} {devices} of {since} that are a part of another device now")
            }
        }
    }
}

/// What a device was or is, in words.
fn words(standing: Option<&Standing>) -> String {
    standing.map_or_else(|| "–".to_owned(), |s| format!("{}, {}", s.category.title(), s.verdict.title()))
}
