//! Sensors: list, rename, enrolment tokens, enrolment itself, revocation, uploads.

use axum::Extension;
use axum::body::{Body, to_bytes};
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::Response;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::auth::{Caller, Origin, bearer};
use super::conditional::{IfMatch, ShownOnce, etag, tagged_by};
use super::extract::{Json, Path};
use super::problem::{Problem, ProblemType};
use crate::census::{Timestamp, time::rfc3339};
use crate::plan::permission::Action;
use crate::plan::service::Service;
use crate::plan::store::{Receipt, Sensor};
use crate::wire::{COMPRESSED_BYTES, EnrolRequest, EnrolResponse, EnrolmentToken, Upload, UploadReceipt};

/// A list of sensors.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Sensors {
    /// By name.
    pub sensors: Vec<Sensor>,
}

/// A new enrolment token: shown once.
#[derive(Clone, Debug, Serialize, ToSchema)]
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
pub fn routes() -> OpenApiRouter<Service> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(show, rename))
        .routes(routes!(create_token))
        .routes(routes!(revoke))
        .routes(routes!(enrol))
        .routes(routes!(upload))
}

/// The sensors of a subscription.
#[utoipa::path(get, path = "/api/v1/subscriptions/{sid}/sensors", extensions(("x-netcensus-action" = json!("view"))), tag = "sensors",
    params(("sid" = String, Path, description = "subscription")), responses((status = 200, body = Sensors)))]
pub async fn list(
    State(service): State<Service>,
    Path(sid): Path<String>,
    caller: Caller,
) -> Result<axum::Json<Sensors>, Problem> {
    caller.may(&service, Action::View, &sid).await?;
    Ok(axum::Json(Sensors { sensors: service.store.sensors(&sid).await? }))
}

/// Makes an enrolment token: it works once, for one hour.
#[utoipa::path(post, path = "/api/v1/subscriptions/{sid}/sensors/tokens", extensions(("x-netcensus-action" = json!("manage-sensors"))), tag = "sensors",
    params(("sid" = String, Path, description = "subscription")), responses((status = 201, body = NewToken)))]
pub async fn create_token(
    State(service): State<Service>,
    Path(sid): Path<String>,
    caller: Caller,
) -> Result<(StatusCode, Extension<ShownOnce>, axum::Json<NewToken>), Problem> {
    caller.may(&service, Action::ManageSensors, &sid).await?;
    let (secret, expires_at) = service.store.create_enrolment(&sid, &caller.by, service.now()).await?;
    let token = EnrolmentToken { url: service.settings.public_url.clone(), secret }.to_string();
    Ok((StatusCode::CREATED, Extension(ShownOnce), axum::Json(NewToken { token, expires_at })))
}

/// One sensor. Its `ETag` covers what people change: the name, and that the key is revoked.
#[utoipa::path(get, path = "/api/v1/subscriptions/{sid}/sensors/{sensor}", extensions(("x-netcensus-action" = json!("view"))), tag = "sensors",
    params(("sid" = String, Path, description = "subscription"), ("sensor" = String, Path, description = "sensor")),
    responses((status = 200, body = Sensor), (status = 404, description = "problem")))]
pub async fn show(
    State(service): State<Service>,
    Path((sid, sensor)): Path<(String, String)>,
    caller: Caller,
) -> Result<Response, Problem> {
    caller.may(&service, Action::View, &sid).await?;
    let sensor = service.store.sensor(&sid, &sensor).await?;
    Ok(tagged_by(StatusCode::OK, &sensor, &by_hand(&sensor)))
}

/// Gives a sensor another name. Takes the `ETag` of the sensor as `If-Match`.
#[utoipa::path(patch, path = "/api/v1/subscriptions/{sid}/sensors/{sensor}", extensions(("x-netcensus-action" = json!("manage-sensors"))), tag = "sensors",
    params(("sid" = String, Path, description = "subscription"), ("sensor" = String, Path, description = "sensor")),
    request_body = NewName,
    responses((status = 200, body = Sensor), (status = 404, description = "problem"), (status = 412, description = "problem"), (status = 428, description = "problem")))]
pub async fn rename(
    State(service): State<Service>,
    Path((sid, sensor)): Path<(String, String)>,
    caller: Caller,
    if_match: IfMatch,
    Json(new): Json<NewName>,
) -> Result<Response, Problem> {
    caller.may(&service, Action::ManageSensors, &sid).await?;
    let check = |current: &Sensor| if_match.check(&etag(&by_hand(current)));
    let renamed =
        service.store.rename_sensor(&sid, &sensor, &new.name, check, &caller.by, service.now()).await?;
    Ok(tagged_by(StatusCode::OK, &renamed, &by_hand(&renamed)))
}

/// What of a sensor people change: every upload changes the rest.
fn by_hand(sensor: &Sensor) -> (&str, &str, bool) {
    (&sensor.id, &sensor.name, sensor.revoked_at.is_some())
}

/// Revokes a sensor's key for good.
#[utoipa::path(post, path = "/api/v1/subscriptions/{sid}/sensors/{sensor}/revoke", extensions(("x-netcensus-action" = json!("manage-sensors"))), tag = "sensors",
    params(("sid" = String, Path, description = "subscription"), ("sensor" = String, Path, description = "sensor")),
    responses((status = 204), (status = 404, description = "problem")))]
pub async fn revoke(
    State(service): State<Service>,
    Path((sid, sensor)): Path<(String, String)>,
    caller: Caller,
) -> Result<StatusCode, Problem> {
    caller.may(&service, Action::ManageSensors, &sid).await?;
    service.store.revoke_sensor(&sid, &sensor, &caller.by, service.now()).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Exchanges an enrolment token's secret for a sensor's key.
#[utoipa::path(post, path = "/api/v1/enrol", extensions(("x-netcensus-action" = json!("enrolment"))), tag = "sensors", request_body = Object,
    responses((status = 201, body = Object), (status = 403, description = "problem")))]
pub async fn enrol(
    State(service): State<Service>,
    Origin(origin): Origin,
    Json(request): Json<EnrolRequest>,
) -> Result<(StatusCode, Extension<ShownOnce>, axum::Json<EnrolResponse>), Problem> {
    let enrolled = service.store.enrol(&request.secret, &request.name, &origin, service.now()).await?;
    tracing::info!(subscription = %enrolled.subscription, sensor = %enrolled.sensor, "sensor enrolled");
    Ok((StatusCode::CREATED, Extension(ShownOnce), axum::Json(enrolled)))
}

/// Stores an upload. The sender is known before a byte of the body is read; the answer comes after the commit.
#[utoipa::path(post, path = "/api/v1/subscriptions/{sid}/sensors/{sensor}/uploads", extensions(("x-netcensus-action" = json!("sensor"))), tag = "sensors",
    params(("sid" = String, Path, description = "subscription"), ("sensor" = String, Path, description = "sensor")),
    request_body(content = Vec<u8>, content_type = "application/zstd"),
    responses((status = 201, body = Object), (status = 200, body = Object, description = "stored before"),
        (status = 401, description = "problem"), (status = 403, description = "problem"), (status = 409, description = "problem"), (status = 413, description = "problem")))]
pub async fn upload(
    State(service): State<Service>,
    Path((sid, sensor)): Path<(String, String)>,
    headers: HeaderMap,
    body: Body,
) -> Result<(StatusCode, axum::Json<UploadReceipt>), Problem> {
    let outcome = receive(&service, sid, sensor, &headers, body).await;
    match &outcome {
        Ok((_, _, rows)) if *rows > 0 => service.metrics.upload("stored", *rows),
        Ok((StatusCode::OK, ..)) => service.metrics.upload("duplicate", 0),
        Ok(_) => service.metrics.upload("stored", 0),
        Err(problem) => service.metrics.upload(problem.kind.slug(), 0),
    }
    outcome.map(|(status, receipt, _)| (status, axum::Json(receipt)))
}

async fn receive(
    service: &Service,
    sid: String,
    sensor: String,
    headers: &HeaderMap,
    body: Body,
) -> Result<(StatusCode, UploadReceipt, usize), Problem> {
    let unknown = || {
        let detail = "the key is missing, unknown or revoked; enrol the sensor again";
        Problem::new(ProblemType::BadSensorKey, detail)
    };
    let key = bearer(headers).ok_or_else(unknown)?;
    if !service.store.is_sensor_key(&sid, &sensor, key).await? {
        return Err(unknown());
    }
    let too_large = || Problem::from(crate::wire::BadUpload::TooLarge);
    let announced = headers.get(header::CONTENT_LENGTH).and_then(|v| v.to_str().ok()?.parse::<usize>().ok());
    if announced.is_some_and(|bytes| bytes > COMPRESSED_BYTES) {
        return Err(too_large());
    }
    let body = to_bytes(body, COMPRESSED_BYTES).await.map_err(|_| too_large())?;
    let stopping = |_| Problem::new(ProblemType::Internal, "the service is stopping; send the upload again");
    let _permit = service.decoders.acquire().await.map_err(stopping)?;
    let upload = tokio::task::spawn_blocking(move || Upload::decode(&body))
        .await
        .map_err(|_| Problem::new(ProblemType::BadUploadBody, "the upload cannot be decoded"))??;
    let sequence = upload.sequence;
    let done = service.ingest(sid, sensor, upload).await?;
    let duplicate = done.receipt == Receipt::Duplicate;
    let status = if duplicate { StatusCode::OK } else { StatusCode::CREATED };
    let number = u64::try_from(done.number).ok();
    let receipt = UploadReceipt { sequence, duplicate, number, forked: done.forked, lost: done.lost };
    Ok((status, receipt, done.rows))
}
