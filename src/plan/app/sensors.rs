//! Sensors: list, show, rename, revoke, make enrolment tokens, enrol.

use serde::Serialize;
use utoipa::ToSchema;

use super::suspicion::Suspicion;
use super::{App, May, Refusal};
use crate::census::Timestamp;
use crate::plan::permission::{ManageSensors, View};
use crate::plan::store::{By, Enrolling, Expected, Sensor, StoreError, subscription_of};
use crate::wire::signature::PublicKey;
use crate::wire::{EnrolResponse, EnrolmentToken};
use crate::wire::{SensorId, SubscriptionId};

/// A list of sensors.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Sensors {
    /// By name.
    pub sensors: Vec<Sensor>,
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
