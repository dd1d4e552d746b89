//! Sensors: list, show, rename, revoke, make enrolment tokens, enrol.

use serde::Serialize;
use utoipa::ToSchema;

use super::suspicion::Suspicion;
use super::{App, May, Refusal};
use crate::census::Timestamp;
use crate::census::time::{DAY, HOUR};
use crate::plan::permission::{ManageSensors, View};
use crate::plan::store::{
    By, Enrolling, Enrolment, Expected, HOURS, Sensor, SensorHour, StoreError, subscription_of,
};
use crate::wire::signature::PublicKey;
use crate::wire::{EnrolResponse, EnrolmentToken};
use crate::wire::{SensorId, SubscriptionId};

/// The most enrolments of which the progress is shown.
const ENROLMENTS: i64 = 10;

/// A list of sensors.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Sensors {
    /// By name.
    pub sensors: Vec<Sensor>,
}

/// What a sensor told in the last eight days.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct SensorHistory {
    /// Its hours, the oldest first. Those in which no upload came are left out.
    pub hours: Vec<SensorHour>,
}

/// A new enrolment token. It is shown once.
#[derive(Clone, Debug)]
pub struct NewEnrolment {
    pub token: EnrolmentToken,
    pub expires_at: Timestamp,
}

/// The id in `text`. What cannot be an id names no sensor.
///
/// # Errors
/// [`StoreError::NotFound`].
pub fn known(text: &str) -> Result<SensorId, Refusal> {
    let missing = |_| StoreError::NotFound { what: "sensor", id: text.chars().take(60).collect() };
    Ok(text.parse().map_err(missing)?)
}

/// The sensors of a subscription.
pub async fn list(app: &App, may: &May<View>) -> Result<Sensors, Refusal> {
    Ok(Sensors { sensors: app.store.sensors(may.id()).await? })
}

/// One sensor.
pub async fn show(app: &App, may: &May<View>, sensor: &SensorId) -> Result<Sensor, Refusal> {
    Ok(app.store.sensor(may.id(), sensor).await?)
}

/// What a sensor told in each hour of the last eight days.
pub async fn history(app: &App, may: &May<View>, sensor: &SensorId) -> Result<SensorHistory, Refusal> {
    app.store.sensor(may.id(), sensor).await?;
    let since = app.now().plus(-HOURS * HOUR);
    Ok(SensorHistory { hours: app.store.sensor_hours(may.id(), sensor, since).await? })
}

/// Gives a sensor another name, if the sensor is as `expected`.
pub async fn rename(
    app: &App,
    may: &May<ManageSensors>,
    sensor: &SensorId,
    name: &str,
    expected: &Expected,
) -> Result<Sensor, Refusal> {
    Ok(app.store.rename_sensor(may.id(), sensor, name, expected, &may.by, app.now()).await?)
}

/// Revokes a sensor's key permanently.
pub async fn revoke(app: &App, may: &May<ManageSensors>, sensor: &SensorId) -> Result<(), Refusal> {
    Ok(app.store.revoke_sensor(may.id(), sensor, &may.by, app.now()).await?)
}

/// Makes an enrolment token. It works once, for one hour.
pub async fn create_token(app: &App, may: &May<ManageSensors>) -> Result<NewEnrolment, Refusal> {
    let (secret, expires_at) = app.store.create_enrolment(may.id(), &may.by, app.now()).await?;
    Ok(NewEnrolment { token: app.enrolment_token(secret), expires_at })
}

/// How far the enrolment of a sensor is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Progress {
    pub enrolment: Enrolment,
    /// The sensor that used the token.
    pub sensor: Option<Sensor>,
    /// Devices in the zone of the sensor.
    pub devices: u64,
}

impl Progress {
    /// The steps, each with whether it is done.
    pub fn steps(&self) -> [(&'static str, bool); 4] {
        let uploaded = self.sensor.as_ref().is_some_and(|s| s.uploaded_at.is_some());
        let frames = self.sensor.as_ref().is_some_and(|s| s.health.frames > 0);
        [
            ("the token was used", self.enrolment.used_at.is_some()),
            ("the first upload came", uploaded),
            ("the sensor sees frames", frames),
            ("the first device was found", uploaded && self.devices > 0),
        ]
    }

    /// Whether the token can no longer be used, and was not.
    pub fn is_expired(&self, now: Timestamp) -> bool {
        self.enrolment.used_at.is_none() && self.enrolment.expires_at <= now
    }
}

/// Enrolments of the last day, the newest first, with how far each is. Devices are those of the newest kept count.
pub async fn progress(app: &App, may: &May<View>) -> Result<Vec<Progress>, Refusal> {
    let recent = app.store.enrolments(may.id(), app.now().plus(-DAY), ENROLMENTS).await?;
    if recent.is_empty() {
        return Ok(Vec::new());
    }
    let sensors = app.store.sensors(may.id()).await?;
    let view = app.view(may.id(), None).await?;
    let zones = view.zones();
    let of = |enrolment: Enrolment| {
        let sensor = sensors.iter().find(|s| Some(&s.id) == enrolment.sensor.as_ref()).cloned();
        let zone = sensor.as_ref().and_then(|s| s.zone.as_deref()).map(|label| view.zone_name(label));
        let devices = zones.iter().find(|z| Some(&*z.name) == zone).map_or(0, |z| z.devices);
        Progress { enrolment, sensor, devices }
    };
    Ok(recent.into_iter().map(of).collect())
}

/// Exchanges the secret of an enrolment token for a new sensor. If the appliance was enrolled before, the service revokes
/// its former sensor: `is_signed_by` tells whether the request is signed by that sensor's key.
///
/// The secret is the proof that the caller may enrol. The audit trail records a wrong secret and a wrong signature.
pub async fn enrol(
    app: &App,
    origin: &By,
    asked: &Enrolling<'_>,
    is_signed_by: impl Fn(&PublicKey) -> bool + Send + Sync,
) -> Result<EnrolResponse, Refusal> {
    if let Some((subscription, sensor)) = &asked.replaces
        // An unknown or revoked sensor has no key that could sign, and nothing to lose.
        && let Some(key) = app.store.public_key(subscription, sensor).await?
        && !is_signed_by(&key)
    {
        note_suspicion(app, subscription, Some(sensor), Suspicion::BadSignature, origin).await;
        return Err(Refusal::Unsigned("sign the request with the key of the sensor that is to be replaced"));
    }
    let enrolled = app.store.enrol(asked, origin, app.now()).await;
    match &enrolled {
        Ok(EnrolResponse { subscription, sensor, .. }) => {
            tracing::info!(%subscription, %sensor, "sensor enrolled");
            // Open pages show that the token was used.
            if let (Some(counting), Ok(subscription)) = (app.counting.get(), subscription.parse()) {
                counting.inventories.nudge(&subscription);
            }
        }
        Err(StoreError::BadEnrolment) => {
            if let Some(subscription) = subscription_of(asked.secret) {
                note_suspicion(app, &subscription, None, Suspicion::BadToken, origin).await;
            }
        }
        Err(_) => {}
    }
    Ok(enrolled?)
}

/// Records a suspicion in the audit trail, at most once a minute for each sensor and kind. If that fails, the answer to the
/// request stays the same.
pub(super) async fn note_suspicion(
    app: &App,
    subscription: &SubscriptionId,
    sensor: Option<&SensorId>,
    what: Suspicion,
    origin: &By,
) {
    let now = app.now();
    let Some(times) =
        app.suspicions.take(subscription.as_str(), sensor.map_or("", SensorId::as_str), what, now)
    else {
        return;
    };
    let named = sensor.map(tracing::field::display);
    tracing::warn!(%subscription, sensor = named, why = what.key(), times, "a request may impersonate a sensor");
    if let Err(error) = app.store.note_suspicion(subscription, sensor, what, times, origin, now).await {
        tracing::error!("the audit trail lacks a suspicious request: {error}");
    }
}
