//! Sensors: list, show, rename, revoke, make enrolment tokens, enrol. [`super::uploads`] has their uploads.

use axum::body::to_bytes;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use axum::{Extension, Json as Body};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;

use crate::census::{Timestamp, time::rfc3339};
use crate::operation;
use crate::plan::app::sensors::{self, SensorHistory, Sensors};
use crate::plan::app::{App, May, Refusal};
use crate::plan::http::auth::Origin;
use crate::plan::http::conditional::{ShownOnce, tagged_by};
use crate::plan::http::extract::{BODY_BYTES, Json, Segment};
use crate::plan::http::problem::{Problem, ProblemType};
use crate::plan::http::signed::{Signed, verifying_key};
use crate::plan::permission::{ManageSensors, View};
use crate::plan::store::{Enrolling, Expected, Sensor};
use crate::wire::signature::{BadPublicKey, PublicKey, Purpose};
use crate::wire::{EnrolRequest, EnrolResponse};

/// A new enrolment token. It is shown once.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = EnrolmentTokenShown)]
struct NewToken {
    /// The argument of `netcensus-sensor enrol`.
    token: String,
    /// When the token expires.
    #[serde(with = "rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    expires_at: Timestamp,
}

/// Another name.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewName {
    /// 1 to 64 characters.
    name: String,
}

/// The routes.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(operation!(list))
        .routes(operation!(show, 404))
        .routes(operation!(history, 404))
        .routes(operation!(rename, 404, 412, 428))
        .routes(operation!(create_token))
        .routes(operation!(revoke, 404))
        .routes(operation!(enrol, 401, 403))
}

/// The sensors of a subscription.
#[utoipa::path(get, path = "/api/v1/subscriptions/{sid}/sensors", tag = "sensors",
    responses((status = 200, body = Sensors)))]
async fn list(State(app): State<App>, may: May<View>) -> Result<Body<Sensors>, Problem> {
    Ok(Body(sensors::list(&app, &may).await?))
}

/// Makes an enrolment token. It works once, for one hour.
#[utoipa::path(post, path = "/api/v1/subscriptions/{sid}/sensors/tokens", tag = "sensors",
    responses((status = 201, body = NewToken)))]
async fn create_token(
    State(app): State<App>,
    may: May<ManageSensors>,
) -> Result<(StatusCode, Extension<ShownOnce>, Body<NewToken>), Problem> {
    let made = sensors::create_token(&app, &may).await?;
    let shown = NewToken { token: made.token.to_string(), expires_at: made.expires_at };
    Ok((StatusCode::CREATED, Extension(ShownOnce), Body(shown)))
}

/// One sensor. Its `ETag` covers only what people change: the name, and that the key is revoked.
#[utoipa::path(get, path = "/api/v1/subscriptions/{sid}/sensors/{sensor}", tag = "sensors",
    params(("sensor" = String, Path, description = "sensor")), responses((status = 200, body = Sensor)))]
async fn show(
    State(app): State<App>,
    may: May<View>,
    Segment(sensor): Segment<String>,
) -> Result<Response, Problem> {
    let sensor = sensors::show(&app, &may, &sensors::known(&sensor)?).await?;
    Ok(tagged_by(StatusCode::OK, &sensor, &sensor.by_hand()))
}

/// What a sensor told in each hour of the last eight days: frames, drops, starts, and how steadily it uploads.
#[utoipa::path(get, path = "/api/v1/subscriptions/{sid}/sensors/{sensor}/history", tag = "sensors",
    params(("sensor" = String, Path, description = "sensor")), responses((status = 200, body = SensorHistory)))]
async fn history(
    State(app): State<App>,
    may: May<View>,
    Segment(sensor): Segment<String>,
) -> Result<Body<SensorHistory>, Problem> {
    Ok(Body(sensors::history(&app, &may, &sensors::known(&sensor)?).await?))
}

/// Gives a sensor another name. Takes the `ETag` of the sensor as `If-Match`.
#[utoipa::path(patch, path = "/api/v1/subscriptions/{sid}/sensors/{sensor}", tag = "sensors",
    params(("sensor" = String, Path, description = "sensor")),
    request_body = NewName, responses((status = 200, body = Sensor)))]
async fn rename(
    State(app): State<App>,
    may: May<ManageSensors>,
    Segment(sensor): Segment<String>,
    expected: Expected,
    Json(new): Json<NewName>,
) -> Result<Response, Problem> {
    let renamed = sensors::rename(&app, &may, &sensors::known(&sensor)?, &new.name, &expected).await?;
    Ok(tagged_by(StatusCode::OK, &renamed, &renamed.by_hand()))
}

/// Revokes a sensor's key permanently.
#[utoipa::path(post, path = "/api/v1/subscriptions/{sid}/sensors/{sensor}/revoke", tag = "sensors",
    params(("sensor" = String, Path, description = "sensor")), responses((status = 204)))]
async fn revoke(
    State(app): State<App>,
    may: May<ManageSensors>,
    Segment(sensor): Segment<String>,
) -> Result<StatusCode, Problem> {
    sensors::revoke(&app, &may, &sensors::known(&sensor)?).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Exchanges the secret of an enrolment token for a new sensor. The appliance sends the public half of its own key pair.
/// If it was enrolled before, it names its former sensor and signs the request with that sensor's key, which is then
/// revoked.
#[utoipa::path(post, path = "/api/v1/enrol", tag = "sensors",
    request_body = EnrolRequest, responses((status = 201, body = EnrolResponse)))]
async fn enrol(
    State(app): State<App>,
    Origin(origin): Origin,
    request: Request,
) -> Result<(StatusCode, Extension<ShownOnce>, Body<EnrolResponse>), Problem> {
    let (parts, body) = request.into_parts();
    let too_large = |_| Problem::new(ProblemType::TooLarge, "an enrolment has at most 64 KiB");
    let body = to_bytes(body, BODY_BYTES).await.map_err(too_large)?;
    let unreadable = |e: serde_json::Error| Refusal::invalid(e.to_string());
    let EnrolRequest { secret, name, public_key, replaces } =
        serde_json::from_slice(&body).map_err(unreadable)?;
    let public_key = public_key.parse().ok().filter(|key| verifying_key(key).is_some());
    let public_key = public_key.ok_or_else(|| Refusal::invalid(BadPublicKey.to_string()))?;
    // A text that cannot be an id does not name a sensor, so there is nothing to revoke.
    let replaces = replaces.and_then(|old| Some((old.subscription.parse().ok()?, old.sensor.parse().ok()?)));
    let asked = Enrolling { secret: &secret, name: &name, public_key, replaces };
    let is_signed_by = |key: &PublicKey| {
        Signed::verify(&parts, key, Purpose::Replace).is_some_and(|signed| signed.covers(&body))
    };
    let enrolled = sensors::enrol(&app, &origin, &asked, is_signed_by).await?;
    Ok((StatusCode::CREATED, Extension(ShownOnce), Body(enrolled)))
}
