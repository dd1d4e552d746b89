//! The terms and conditions: the text that is accepted with a plan now, or one that was accepted earlier.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;

use super::page::{Frame, PageError, Parameters, Visitor, render};
use crate::plan::app::{App, May, Refusal, plan_costs};
use crate::plan::permission::View;
use crate::plan::terms::Terms;
use crate::proof::Digest;

#[derive(Template)]
#[template(path = "terms.html")]
struct Page {
    frame: Frame,
    terms: Option<Terms>,
    /// Whether these are the terms that people accept now.
    present: bool,
}

/// Which version, by its SHA-256; the present one without it.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Which {
    sha256: String,
}

/// The page.
pub(super) async fn show(
    State(app): State<App>,
    Visitor(may): Visitor<May<View>>,
    Parameters(asked): Parameters<Which>,
) -> Result<Response, PageError> {
    let hash = match asked.sha256.trim() {
        "" => None,
        text => {
            let mut bytes = [0; 32];
            let wrong = |_| Refusal::hidden("terms", text);
            hex::decode_to_slice(text, &mut bytes).map_err(wrong)?;
            Some(Digest(bytes))
        }
    };
    let terms = plan_costs::terms(&app, &may, hash).await?;
    let now = app.settings.terms.as_ref().map(|t| t.sha256);
    let present = terms.as_ref().map(|t| t.sha256) == now;
    Ok(render(&Page { frame: Frame::new(&may, "plan", "Terms and conditions"), terms, present }))
}
