//! Sensors: how each does, adding one with its progress, renaming and revoking.

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;

use super::page::{Form, Frame, PageError, Visitor, denial, render_with};
use super::show;
use crate::census::Timestamp;
use crate::plan::app::sensor_state::{self, SensorState};
use crate::plan::app::sensors::{self, Progress};
use crate::plan::app::{App, May, Refusal};
use crate::plan::http::extract::{Path, Segment};
use crate::plan::http::problem::Problem;
use crate::plan::permission::{Action, ManageSensors, View};
use crate::plan::store::{Expected, Sensor, tag};

#[derive(Template)]
#[template(path = "sensors.html")]
struct Page {
    frame: Frame,
    sensors: Vec<Sensor>,
    token: Option<(String, Timestamp)>,
    progress: Vec<Progress>,
    refused: Option<Problem>,
    denial: String,
    now: Timestamp,
}

impl Page {
    fn may_manage(&self) -> bool {
        self.frame.may(Action::ManageSensors)
    }

    /// The tag that a form sends back.
    #[expect(clippy::unused_self, reason = "templates ask the page")]
    fn tag(&self, sensor: &Sensor) -> String {
        tag(&sensor.by_hand())
    }
}

/// A new name, and the sensor as the page showed it.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct RenameForm {
    name: String,
    tag: String,
}

/// What a form led to.
#[derive(Default)]
struct Outcome {
    token: Option<(String, Timestamp)>,
    refused: Option<Refusal>,
}

/// The page.
pub(super) async fn show(
    State(app): State<App>,
    Visitor(may): Visitor<May<View>>,
) -> Result<Response, PageError> {
    page(&app, &may, Outcome::default()).await
}

/// Makes an enrolment token and shows it once.
pub(super) async fn create_token(
    State(app): State<App>,
    Visitor(may): Visitor<May<ManageSensors>>,
) -> Result<Response, PageError> {
    let made = sensors::create_token(&app, &may).await?;
    let token = Some((made.token.to_string(), made.expires_at));
    page(&app, &may.view(), Outcome { token, ..Outcome::default() }).await
}

/// Answers a reload of the answer to a form.
pub(super) async fn back(Path((sid, _)): Path<(String, String)>) -> Redirect {
    Redirect::to(&format!("/subscriptions/{sid}/sensors"))
}

/// Gives a sensor another name.
pub(super) async fn rename(
    State(app): State<App>,
    Visitor(may): Visitor<May<ManageSensors>>,
    Segment(sensor): Segment<String>,
    Form(form): Form<RenameForm>,
) -> Result<Response, PageError> {
    let seen = Expected::Tags(form.tag);
    let outcome = sensors::rename(&app, &may, &sensors::known(&sensor)?, &form.name, &seen).await;
    after(&app, &may, outcome.map(drop)).await
}

/// Revokes a sensor's key.
pub(super) async fn revoke(
    State(app): State<App>,
    Visitor(may): Visitor<May<ManageSensors>>,
    Segment(sensor): Segment<String>,
) -> Result<Response, PageError> {
    let outcome = sensors::revoke(&app, &may, &sensors::known(&sensor)?).await;
    after(&app, &may, outcome).await
}

async fn after(
    app: &App,
    may: &May<ManageSensors>,
    outcome: Result<(), Refusal>,
) -> Result<Response, PageError> {
    match outcome {
        Ok(()) => Ok(Redirect::to(&format!("/subscriptions/{}/sensors", may.id())).into_response()),
        Err(refused) => page(app, &may.view(), Outcome { refused: Some(refused), token: None }).await,
    }
}

async fn page(app: &App, may: &May<View>, outcome: Outcome) -> Result<Response, PageError> {
    let refused = outcome.refused.map(Problem::from);
    let status = refused.as_ref().map_or(StatusCode::OK, Problem::status);
    let page = Page {
        frame: Frame::new(may, "sensors", "Sensors"),
        sensors: sensors::list(app, may).await?.sensors,
        token: outcome.token,
        progress: sensors::progress(app, may).await?,
        refused,
        denial: denial(Action::ManageSensors),
        now: app.now(),
    };
    Ok(render_with(status, &page))
}
