//! Uploads. Who sends is known before a byte of the body is read: by the bearer key, which is cheap to look up, then by
//! the signature over the body's digest.

use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::http::{StatusCode, header};
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::plan::app::suspicion::Suspicion;
use crate::plan::app::{App, Refusal};
use crate::plan::http::address::source;
use crate::plan::http::auth::bearer;
use crate::plan::http::extract::Path;
use crate::plan::http::problem::{Problem, ProblemType};
use crate::plan::http::signed::Signed;
use crate::plan::store::audit::Actor;
use crate::plan::store::{By, Receipt, Sender, StoreError};
use crate::wire::signature::Purpose;
use crate::wire::{BadUpload, COMPRESSED_BYTES, Upload, UploadReceipt};

/// The routes.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(upload))
}

/// Stores an upload. The sender is known before a byte of the body is read; the answer comes after the commit. The
/// request is signed by the sensor's key: headers Content-Digest, Signature-Input and Signature (RFC 9421).
#[utoipa::path(post, path = "/api/v1/subscriptions/{sid}/sensors/{sensor}/uploads", extensions(("x-netcensus-action" = json!("sensor"))), tag = "sensors",
    params(("sid" = String, Path, description = "subscription"), ("sensor" = String, Path, description = "sensor")),
    request_body(content = Vec<u8>, content_type = "application/zstd"),
    responses((status = 201, body = Object), (status = 200, body = Object, description = "stored before"),
        (status = 401, description = "problem"), (status = 403, description = "problem"), (status = 409, description = "problem"), (status = 413, description = "problem")))]
pub async fn upload(
    State(service): State<App>,
    Path((sid, sensor)): Path<(String, String)>,
    request: Request,
) -> Result<(StatusCode, axum::Json<UploadReceipt>), Problem> {
    let outcome = receive(&service, sid, sensor, request).await;
    match &outcome {
        Ok((_, _, rows)) if *rows > 0 => service.metrics.upload("stored", *rows),
        Ok((StatusCode::OK, ..)) => service.metrics.upload("duplicate", 0),
        Ok(_) => service.metrics.upload("stored", 0),
        Err(problem) => service.metrics.upload(problem.kind.slug(), 0),
    }
    outcome.map(|(status, receipt, _)| (status, axum::Json(receipt)))
}

async fn receive(
    service: &App,
    sid: String,
    sensor: String,
    request: Request,
) -> Result<(StatusCode, UploadReceipt, usize), Problem> {
    let (parts, body) = request.into_parts();
    let origin = origin(service, &parts);
    let note = async |what| note(service, &sid, Some(&sensor), what, &origin).await;
    let signed = match identified(service, &sid, &sensor, &parts).await? {
        Ok(signed) => signed,
        Err((suspicion, problem)) => {
            if let Some(what) = suspicion {
                note(what).await;
            }
            return Err(problem);
        }
    };
    let body = whole(&parts, body).await?;
    if !signed.covers(&body) {
        note(Suspicion::Tampered).await;
        return Err(unsigned("the body is not the one that was signed; send it as it is"));
    }
    let stopping = |_| Problem::new(ProblemType::Internal, "the service is stopping; send the upload again");
    let _permit = service.decoders.acquire().await.map_err(stopping)?;
    let upload = tokio::task::spawn_blocking(move || Upload::decode(&body))
        .await
        .map_err(|_| Problem::new(ProblemType::BadUploadBody, "the upload cannot be decoded"))??;
    let sequence = upload.sequence;
    let done = match service.ingest(sid.clone(), sensor.clone(), upload, signed.request).await {
        Ok(done) => done,
        Err(error) => {
            if matches!(error, Refusal::Store(StoreError::UploadConflict { .. })) {
                note(Suspicion::Conflict).await;
            }
            return Err(error.into());
        }
    };
    // To repeat it changes nothing, so the answer is the first one's, also to a proxy that sent it twice.
    if done.receipt == Receipt::Replayed {
        note(Suspicion::Replayed).await;
    }
    let duplicate = done.receipt != Receipt::Stored;
    let status = if duplicate { StatusCode::OK } else { StatusCode::CREATED };
    let number = u64::try_from(done.number).ok();
    let receipt = UploadReceipt { sequence, duplicate, number, forked: done.forked, lost: done.lost };
    Ok((status, receipt, done.rows))
}

/// The head of the request, where the sensor itself sends it; else why not. All who do not know the bearer key are told
/// the same.
async fn identified(
    service: &App,
    sid: &str,
    sensor: &str,
    parts: &Parts,
) -> Result<Result<Signed, (Option<Suspicion>, Problem)>, Problem> {
    let unknown = || {
        let detail = "the key is missing, unknown or revoked; enrol the sensor again";
        Problem::new(ProblemType::BadSensorKey, detail)
    };
    let Some(bearer) = bearer(&parts.headers) else { return Ok(Err((None, unknown()))) };
    let key = match service.store.sender(sid, sensor, bearer).await? {
        Sender::Sensor(key) => key,
        Sender::Suspect(what) => return Ok(Err((Some(what), unknown()))),
        Sender::Nobody => return Ok(Err((None, unknown()))),
    };
    Ok(Signed::verify(parts, &key, Purpose::Upload).ok_or_else(|| {
        let detail = "the request is not signed by the key that the sensor enrolled with; update or enrol it";
        (Some(Suspicion::BadSignature), unsigned(detail))
    }))
}

/// The request is not the sensor's.
pub(super) fn unsigned(detail: &str) -> Problem {
    Problem::new(ProblemType::BadSignature, detail)
}

/// The whole body, where it is not too large.
async fn whole(parts: &Parts, body: Body) -> Result<Bytes, Problem> {
    let too_large = || Problem::from(BadUpload::TooLarge);
    let announced =
        parts.headers.get(header::CONTENT_LENGTH).and_then(|v| v.to_str().ok()?.parse::<usize>().ok());
    if announced.is_some_and(|bytes| bytes > COMPRESSED_BYTES) {
        return Err(too_large());
    }
    to_bytes(body, COMPRESSED_BYTES).await.map_err(|_| too_large())
}

/// Writes a suspicion down, once a minute for each sensor and kind. That it cannot be is no reason to answer otherwise.
pub(super) async fn note(service: &App, sid: &str, sensor: Option<&str>, what: Suspicion, origin: &By) {
    let now = service.now();
    let Some(times) = service.suspicions.take(sid, sensor.unwrap_or_default(), what, now) else { return };
    tracing::warn!(subscription = sid, sensor, why = what.key(), times, "somebody may pass for a sensor");
    if let Err(error) = service.store.note_suspicion(sid, sensor, what, times, origin, now).await {
        tracing::error!("the audit trail lacks a suspicious request: {error}");
    }
}

/// From where an upload comes.
fn origin(service: &App, parts: &Parts) -> By {
    let request = parts.headers.get("x-request-id").and_then(|v| v.to_str().ok()).unwrap_or_default();
    By {
        actor: Actor::Nobody,
        address: source(&parts.extensions, &parts.headers, &service.settings.access.trusted_proxies),
        request: request.chars().take(64).collect(),
        reason: None,
        dry_run: false,
    }
}
