//! Sensors: their health, new enrolment tokens, revocation.

use askama::Template;
use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};

use super::page::{Frame, PageError, Visitor, denial, render};
use super::show;
use crate::census::Timestamp;
use crate::plan::app::sensor_state::{self, SensorState};
use crate::plan::app::{App, May, sensors};
use crate::plan::http::extract::Segment;
use crate::plan::permission::{Action, ManageSensors, View};
use crate::plan::store::Sensor;

#[derive(Template)]
#[template(path = "sensors.html")]
struct Page {
    frame: Frame,
    sensors: Vec<Sensor>,
    token: Option<(String, Timestamp)>,
    denial: String,
    now: Timestamp,
}

impl Page {
    fn may_manage(&self) -> bool {
        self.frame.may(Action::ManageSensors)
    }
}

/// The page.
pub(super) async fn show(
    State(app): State<App>,
    Visitor(may): Visitor<May<View>>,
) -> Result<Response, PageError> {
    page(&app, &may, None).await
}

/// Makes an enrolment token and shows it once.
pub(super) async fn create_token(
    State(app): State<App>,
    Visitor(may): Visitor<May<ManageSensors>>,
) -> Result<Response, PageError> {
    let made = sensors::create_token(&app, &may).await?;
    page(&app, &may.view(), Some((made.token.to_string(), made.expires_at))).await
}

/// Revokes a sensor's key.
pub(super) async fn revoke(
    State(app): State<App>,
    Visitor(may): Visitor<May<ManageSensors>>,
    Segment(sensor): Segment<String>,
) -> Result<Response, PageError> {
    sensors::revoke(&app, &may, &sensors::known(&sensor)?).await?;
    Ok(Redirect::to(&format!("/subscriptions/{}/sensors", may.id())).into_response())
}

async fn page(app: &App, may: &May<View>, token: Option<(String, Timestamp)>) -> Result<Response, PageError> {
    let frame = Frame::new(may, "sensors", "Sensors");
    let sensors = sensors::list(app, may).await?.sensors;
    Ok(render(&Page { sensors, token, denial: denial(Action::ManageSensors), frame, now: app.now() }))
}
