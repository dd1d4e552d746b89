//! Sensors: how they fare, new enrolment tokens, revocation.

use askama::Template;
use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};

use super::page::{Frame, PageError, Visitor, denial, render};
use super::show;
use crate::census::Timestamp;
use crate::plan::app::App;
use crate::plan::app::Caller;
use crate::plan::http::extract::Path;
use crate::plan::permission::Action;
use crate::plan::store::Sensor;

#[derive(Template)]
#[template(path = "sensors.html")]
struct Page {
    frame: Frame,
    sensors: Vec<Sensor>,
    token: Option<(String, Timestamp)>,
    denial: String,
}

impl Page {
    fn may_manage(&self) -> bool {
        self.frame.may(Action::ManageSensors)
    }
}

/// The page.
pub(super) async fn show(
    State(service): State<App>,
    Path(sid): Path<String>,
    Visitor(caller): Visitor,
) -> Result<Response, PageError> {
    page(&service, &caller, &sid, None).await
}

/// Makes an enrolment token and shows it, once.
pub(super) async fn create_token(
    State(service): State<App>,
    Path(sid): Path<String>,
    Visitor(caller): Visitor,
) -> Result<Response, PageError> {
    caller.may_do(&service, Action::ManageSensors, &sid).await?;
    let (secret, expires) = service.store.create_enrolment(&sid, &caller.by, service.now()).await?;
    let token = service.enrolment_token(secret);
    page(&service, &caller, &sid, Some((token.to_string(), expires))).await
}

/// Revokes a sensor's key.
pub(super) async fn revoke(
    State(service): State<App>,
    Path((sid, sensor)): Path<(String, String)>,
    Visitor(caller): Visitor,
) -> Result<Response, PageError> {
    caller.may_do(&service, Action::ManageSensors, &sid).await?;
    service.store.revoke_sensor(&sid, &sensor, &caller.by, service.now()).await?;
    Ok(Redirect::to(&format!("/subscriptions/{sid}/sensors")).into_response())
}

async fn page(
    service: &App,
    caller: &Caller,
    sid: &str,
    token: Option<(String, Timestamp)>,
) -> Result<Response, PageError> {
    let frame = Frame::of(service, caller, sid, "sensors", "Sensors").await?;
    let denial = denial(Action::ManageSensors);
    Ok(render(&Page { sensors: service.store.sensors(sid).await?, token, denial, frame }))
}
