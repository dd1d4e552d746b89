//! The audit trail of a subscription, and that of the installation: by filters, a page at a time, and verified in place.

use askama::Template;
use axum::extract::State;
use axum::response::{Redirect, Response};
use serde::Deserialize;

use super::page::{AsOf, Form, Frame, PageError, Parameters, Visitor, render};
use super::show;
use crate::plan::app::audit::{self, MayViewTrail, TrailPage};
use crate::plan::app::{App, May, MayHere, Refusal};
use crate::plan::http::extract::Path;
use crate::plan::permission::ViewAudit;
use crate::plan::store::audit::AuditEntry;
use crate::plan::store::trail::{BrokenTrail, TrailFilter, VerifiedTrail};

/// Rows on a page.
const PAGE: i64 = 100;

#[derive(Template)]
#[template(path = "audit.html")]
struct Page {
    frame: Frame,
    /// The path of the page.
    path: String,
    asked: Selection,
    trail: TrailPage,
    verified: Option<Result<VerifiedTrail, BrokenTrail>>,
}

/// Which rows. An empty field counts as not given.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Selection {
    actor: String,
    action: String,
    object: String,
    from: String,
    to: String,
    before: Option<i64>,
}

/// A row and its hash, as an earlier verification showed them: `12:ab34…`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct VerifyForm {
    seen: String,
}

impl Selection {
    fn filter(&self) -> Result<TrailFilter, Refusal> {
        let text = |text: &str| Some(text.trim().to_owned()).filter(|t| !t.is_empty());
        Ok(TrailFilter {
            actor: text(&self.actor),
            action: text(&self.action),
            object: text(&self.object),
            from: AsOf::from(text(&self.from).as_deref()).instant()?,
            to: AsOf::from(text(&self.to).as_deref()).instant()?,
            before: self.before,
        })
    }

    fn is_narrow(&self) -> bool {
        [&self.actor, &self.action, &self.object, &self.from, &self.to].iter().any(|t| !t.trim().is_empty())
    }

    /// The filter as the query of a link, without the page.
    fn query(&self) -> String {
        let fields = [
            ("actor", &self.actor),
            ("action", &self.action),
            ("object", &self.object),
            ("from", &self.from),
            ("to", &self.to),
        ];
        let given: Vec<_> = fields.into_iter().filter(|(_, text)| !text.trim().is_empty()).collect();
        serde_urlencoded::to_string(given).unwrap_or_default()
    }
}

impl VerifyForm {
    fn seen(&self) -> Result<Option<(i64, [u8; 32])>, Refusal> {
        let text = self.seen.trim();
        if text.is_empty() {
            return Ok(None);
        }
        let read = || {
            let (number, hash) = text.split_once(':')?;
            let mut bytes = [0; 32];
            hex::decode_to_slice(hash.trim(), &mut bytes).ok()?;
            Some((number.trim().parse().ok()?, bytes))
        };
        let wrong = || {
            Refusal::invalid(
                "write a row and its hash as an earlier verification showed them, for example 12:ab34…",
            )
        };
        read().map(Some).ok_or_else(wrong)
    }
}

/// The trail of a subscription.
pub(super) async fn show(
    State(app): State<App>,
    Visitor(may): Visitor<May<ViewAudit>>,
    Parameters(asked): Parameters<Selection>,
) -> Result<Response, PageError> {
    page(&app, &may, of_subscription(&may), asked, None).await
}

/// Answers a reload of the answer to a form.
pub(super) async fn back(Path(sid): Path<String>) -> Redirect {
    Redirect::to(&format!("/subscriptions/{sid}/audit"))
}

/// Answers a reload of the answer to a form.
pub(super) async fn back_here() -> Redirect {
    Redirect::to("/audit")
}

/// Recomputes the chain of a subscription's trail.
pub(super) async fn verify(
    State(app): State<App>,
    Visitor(may): Visitor<May<ViewAudit>>,
    Form(form): Form<VerifyForm>,
) -> Result<Response, PageError> {
    let verified = audit::verify(&app, &may, form.seen()?).await?;
    page(&app, &may, of_subscription(&may), Selection::default(), Some(verified)).await
}

/// The installation's trail.
pub(super) async fn show_here(
    State(app): State<App>,
    Visitor(may): Visitor<MayHere<ViewAudit>>,
    Parameters(asked): Parameters<Selection>,
) -> Result<Response, PageError> {
    page(&app, &may, of_installation(&may), asked, None).await
}

/// Recomputes the chain of the installation's trail.
pub(super) async fn verify_here(
    State(app): State<App>,
    Visitor(may): Visitor<MayHere<ViewAudit>>,
    Form(form): Form<VerifyForm>,
) -> Result<Response, PageError> {
    let verified = audit::verify(&app, &may, form.seen()?).await?;
    page(&app, &may, of_installation(&may), Selection::default(), Some(verified)).await
}

fn of_subscription(may: &May<ViewAudit>) -> (Frame, String) {
    let frame = Frame::new(&may.view(), "audit", "Audit trail");
    let path = format!("{}/audit", frame.base());
    (frame, path)
}

fn of_installation(may: &MayHere<ViewAudit>) -> (Frame, String) {
    (Frame::plain("Audit trail of the installation", may.by.person_name()), "/audit".to_owned())
}

async fn page(
    app: &App,
    may: &dyn MayViewTrail,
    (frame, path): (Frame, String),
    asked: Selection,
    verified: Option<Result<VerifiedTrail, BrokenTrail>>,
) -> Result<Response, PageError> {
    let trail = audit::page(app, may, asked.filter()?, PAGE).await?;
    Ok(render(&Page { frame, path, asked, trail, verified }))
}

impl Page {
    /// The link to the next page.
    fn next(&self) -> Option<String> {
        let before = self.trail.next?;
        let query = self.asked.query();
        Some(match query.is_empty() {
            true => format!("{}?before={before}", self.path),
            false => format!("{}?{query}&before={before}", self.path),
        })
    }

    /// The link to the same rows as a file.
    fn export(&self) -> String {
        let query = self.asked.query();
        let mark = if query.is_empty() { "" } else { "?" };
        format!("/api/v1{}/export{mark}{query}", self.path)
    }
}

/// A hash in hexadecimal digits.
fn digest(hash: &[u8; 32]) -> String {
    hex::encode(hash)
}

/// What a row says of before and after, in one line each.
fn sides(entry: &AuditEntry) -> Vec<(&'static str, String)> {
    let side = |name, value: &Option<serde_json::Value>| value.as_ref().map(|v| (name, v.to_string()));
    [side("before", &entry.before), side("after", &entry.after)].into_iter().flatten().collect()
}
