//! The zones: devices, the count, and the sensors that report each.

use askama::Template;
use axum::extract::State;
use axum::response::Response;

use super::page::{AsOf, Frame, PageError, Parameters, Visitor, render};
use super::show;
use super::travel::Here;
use crate::census::Timestamp;
use crate::plan::app::sensor_state::SensorState;
use crate::plan::app::zones::{self, Zones};
use crate::plan::app::{App, May, sensors};
use crate::plan::permission::View;
use crate::plan::store::Sensor;

#[derive(Template)]
#[template(path = "zones.html")]
struct Page {
    frame: Frame,
    zones: Zones,
    sensors: Vec<Sensor>,
    now: Timestamp,
}

impl Page {
    /// The sensors whose newest upload was for a zone.
    fn sensors_of(&self, zone: &str) -> Vec<&Sensor> {
        self.sensors.iter().filter(|s| s.zone.as_deref() == Some(zone) && s.revoked_at.is_none()).collect()
    }
}

/// The page.
pub(super) async fn show(
    State(app): State<App>,
    Visitor(may): Visitor<May<View>>,
    here: Here,
    Parameters(asked): Parameters<AsOf>,
) -> Result<Response, PageError> {
    let zones = zones::list(&app, &may, asked.instant()?).await?;
    let sensors = sensors::list(&app, &may).await?.sensors;
    let frame = Frame::new(&may, "zones", "Zones").travelling(&app, &may, &here).await?;
    Ok(render(&Page { frame, zones, sensors, now: app.now() }))
}
