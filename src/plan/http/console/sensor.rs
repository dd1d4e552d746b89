//! One sensor: how it does, and its frames, drops and uptime by hour.

use askama::Template;
use axum::extract::State;
use axum::response::Response;

use super::page::{Frame, PageError, Visitor, render};
use super::sensor_chart::{self, HourChart};
use super::show;
use crate::census::Timestamp;
use crate::census::time::HOUR;
use crate::plan::app::sensor_state::{self, SensorState};
use crate::plan::app::{App, May, sensors};
use crate::plan::http::extract::Segment;
use crate::plan::permission::View;
use crate::plan::store::{HOURS, Sensor, SensorHour};

#[derive(Template)]
#[template(path = "sensor.html")]
struct Page {
    frame: Frame,
    sensor: Sensor,
    state: SensorState,
    charts: Vec<HourChart>,
    /// The newest first; without a value if no upload came.
    hours: Vec<(Timestamp, Option<SensorHour>)>,
}

/// The page.
pub(super) async fn show(
    State(app): State<App>,
    Visitor(may): Visitor<May<View>>,
    Segment(sensor): Segment<String>,
) -> Result<Response, PageError> {
    let id = sensors::known(&sensor)?;
    let sensor = sensors::show(&app, &may, &id).await?;
    let told = sensors::history(&app, &may, &id).await?.hours;
    let now = app.now();
    let charts = if told.is_empty() { Vec::new() } else { sensor_chart::all(&told, now) };
    let hours = all_hours(told, now);
    let frame = Frame::new(&may, "sensors", &sensor.name);
    Ok(render(&Page { frame, state: SensorState::of(&sensor, now), sensor, charts, hours }))
}

/// Each hour from the first that is known to the present one, the newest first.
fn all_hours(told: Vec<SensorHour>, now: Timestamp) -> Vec<(Timestamp, Option<SensorHour>)> {
    let Some(first) = told.first().map(|hour| hour.from) else { return Vec::new() };
    let mut told = told.into_iter().peekable();
    let from = (0..HOURS).map(|n| first.plus(n * HOUR)).take_while(|from| *from <= now);
    let mut hours: Vec<_> = from.map(|from| (from, told.next_if(|hour| hour.from == from))).collect();
    hours.reverse();
    hours
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hours_without_an_upload_stand_between_those_with_one() {
        let hour =
            |n: i64| SensorHour { from: Timestamp(n * HOUR), frames: 1, dropped: 0, starts: 0, heard: 12 };
        let shown = all_hours(vec![hour(5), hour(7)], Timestamp(8 * HOUR + 1));
        let shown: Vec<_> = shown.iter().map(|(at, told)| (at.0 / HOUR, told.is_some())).collect();
        assert_eq!(shown, [(8, false), (7, true), (6, false), (5, true)]);
        assert!(all_hours(Vec::new(), Timestamp(HOUR)).is_empty());
    }
}
