//! Sensors: list, rename, enrolment tokens, enrolment itself, revocation. Uploads are in [`super::uploads`].

use crate::plan::app::Caller;
use crate::plan::store::Expected;
use axum::Extension;
use axum::body::to_bytes;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::uploads::{note, unsigned};
use crate::census::{Timestamp, time::rfc3339};
use crate::plan::app::App;
use crate::plan::app::suspicion::Suspicion;
use crate::plan::http::auth::Origin;
use crate::plan::http::conditional::{ShownOnce, tagged_by};
use crate::plan::http::extract::{BODY_BYTES, Json, Path};
use crate::plan::http::problem::{Problem, ProblemType};
use crate::plan::http::signed::{Signed, verifying_key};
use crate::plan::permission::Action;
use crate::plan::store::{Enrolling, Sensor, StoreError, subscription_of};
use crate::wire::signature::{BadPublicKey, Purpose};
use crate::wire::{EnrolRequest, EnrolResponse, Replaced};

/// A list of sensors.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Sensors {
    /// By name.
    pub sensors: Vec<Sensor>,
}

/// A new enrolment token: shown once.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = EnrolmentTokenShown)]
pub struct NewToken {
    /// What `netcensus-sensor enrol` takes.
    pub token: String,
    /// When it ends.
    #[serde(with = "rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    pub expires_at: Timestamp,
}

/// Another name.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewName {
    /// 1 to 64 characters.
    pub name: String,
}

/// The routes.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(show, rename))
        .routes(routes!(create_token))
        .routes(routes!(revoke))
        .routes(routes!(enrol))
}

/// The sensors of a subscription.
#[utoipa::path(get, path = "/api/v1/subscriptions/{sid}/sensors", extensions(("x-netcensus-action" = json!("view"))), tag = "sensors",
    params(("sid" = String, Path, description = "subscription")), responses((status = 200, body = Sensors)))]
pub async fn list(
    State(service): State<App>,
    Path(sid): Path<String>,
    caller: Caller,
) -> Result<axum::Json<Sensors>, Problem> {
    caller.may_do(&service, Action::View, &sid).await?;
    Ok(axum::Json(Sensors { sensors: service.store.sensors(&sid).await? }))
}

/// Makes an enrolment token: it works once, for one hour.
#[utoipa::path(post, path = "/api/v1/subscriptions/{sid}/sensors/tokens", extensions(("x-netcensus-action" = json!("manage-sensors"))), tag = "sensors",
    params(("sid" = String, Path, description = "subscription")), responses((status = 201, body = NewToken)))]
pub async fn create_token(
    State(service): State<App>,
    Path(sid): Path<String>,
    caller: Caller,
) -> Result<(StatusCode, Extension<ShownOnce>, axum::Json<NewToken>), Problem> {
    caller.may_do(&service, Action::ManageSensors, &sid).await?;
    let (secret, expires_at) = service.store.create_enrolment(&sid, &caller.by, service.now()).await?;
    let token = service.enrolment_token(secret).to_string();
    Ok((StatusCode::CREATED, Extension(ShownOnce), axum::Json(NewToken { token, expires_at })))
}

/// One sensor. Its `ETag` covers what people change: the name, and that the key is revoked.
#[utoipa::path(get, path = "/api/v1/subscriptions/{sid}/sensors/{sensor}", extensions(("x-netcensus-action" = json!("view"))), tag = "sensors",
    params(("sid" = String, Path, description = "subscription"), ("sensor" = String, Path, description = "sensor")),
    responses((status = 200, body = Sensor), (status = 404, description = "problem")))]
pub async fn show(
    State(service): State<App>,
    Path((sid, sensor)): Path<(String, String)>,
    caller: Caller,
) -> Result<Response, Problem> {
    caller.may_do(&service, Action::View, &sid).await?;
    let sensor = service.store.sensor(&sid, &sensor).await?;
    Ok(tagged_by(StatusCode::OK, &sensor, &sensor.by_hand()))
}

/// Gives a sensor another name. Takes the `ETag` of the sensor as `If-Match`.
#[utoipa::path(patch, path = "/api/v1/subscriptions/{sid}/sensors/{sensor}", extensions(("x-netcensus-action" = json!("manage-sensors"))), tag = "sensors",
    params(("sid" = String, Path, description = "subscription"), ("sensor" = String, Path, description = "sensor")),
    request_body = NewName,
    responses((status = 200, body = Sensor), (status = 404, description = "problem"), (status = 412, description = "problem"), (status = 428, description = "problem")))]
pub async fn rename(
    State(service): State<App>,
    Path((sid, sensor)): Path<(String, String)>,
    caller: Caller,
    expected: Expected,
    Json(new): Json<NewName>,
) -> Result<Response, Problem> {
    caller.may_do(&service, Action::ManageSensors, &sid).await?;
    let renamed =
        service.store.rename_sensor(&sid, &sensor, &new.name, &expected, &caller.by, service.now()).await?;
    Ok(tagged_by(StatusCode::OK, &renamed, &renamed.by_hand()))
}

/// Revokes a sensor's key for good.
#[utoipa::path(post, path = "/api/v1/subscriptions/{sid}/sensors/{sensor}/revoke", extensions(("x-netcensus-action" = json!("manage-sensors"))), tag = "sensors",
    params(("sid" = String, Path, description = "subscription"), ("sensor" = String, Path, description = "sensor")),
    responses((status = 204), (status = 404, description = "problem")))]
pub async fn revoke(
    State(service): State<App>,
    Path((sid, sensor)): Path<(String, String)>,
    caller: Caller,
) -> Result<StatusCode, Problem> {
    caller.may_do(&service, Action::ManageSensors, &sid).await?;
    service.store.revoke_sensor(&sid, &sensor, &caller.by, service.now()).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Exchanges an enrolment token's secret for a new sensor. The appliance gives the public half of its own key pair, and
/// where it was enrolled before, gives that identity up by signing the request with its key.
#[utoipa::path(post, path = "/api/v1/enrol", extensions(("x-netcensus-action" = json!("enrolment"))), tag = "sensors", request_body = Object,
    responses((status = 201, body = Object), (status = 401, description = "problem"), (status = 403, description = "problem")))]
pub async fn enrol(
    State(service): State<App>,
    Origin(origin): Origin,
    request: Request,
) -> Result<(StatusCode, Extension<ShownOnce>, axum::Json<EnrolResponse>), Problem> {
    let (parts, body) = request.into_parts();
    let too_large = |_| Problem::new(ProblemType::TooLarge, "an enrolment has at most 64 KiB");
    let body = to_bytes(body, BODY_BYTES).await.map_err(too_large)?;
    let unreadable = |e: serde_json::Error| Problem::new(ProblemType::InvalidRequest, e.to_string());
    let EnrolRequest { secret, name, public_key, replaces } =
        serde_json::from_slice(&body).map_err(unreadable)?;
    let public_key = public_key.parse().ok().filter(|key| verifying_key(key).is_some());
    let public_key =
        public_key.ok_or_else(|| Problem::new(ProblemType::InvalidRequest, BadPublicKey.to_string()))?;
    if let Some(Replaced { subscription, sensor }) = &replaces
        // Whom the service does not know, or has revoked, there is nothing to prove for.
        && let Some(key) = service.store.public_key(subscription, sensor).await?
        && !Signed::verify(&parts, &key, Purpose::Replace).is_some_and(|signed| signed.covers(&body))
    {
        note(&service, subscription, Some(sensor), Suspicion::BadSignature, &origin).await;
        return Err(unsigned("the request is not signed by the key of the sensor that is to be replaced"));
    }
    let asked = Enrolling { secret: &secret, name: &name, public_key, replaces: replaces.as_ref() };
    match service.store.enrol(&asked, &origin, service.now()).await {
        Ok(enrolled) => {
            tracing::info!(subscription = %enrolled.subscription, sensor = %enrolled.sensor, "sensor enrolled");
            Ok((StatusCode::CREATED, Extension(ShownOnce), axum::Json(enrolled)))
        }
        Err(error) => {
            if let (StoreError::BadEnrolment, Some(sid)) = (&error, subscription_of(&secret)) {
                note(&service, sid, None, Suspicion::BadToken, &origin).await;
            }
            Err(error.into())
        }
    }
}
