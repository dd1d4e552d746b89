//! Uploads of sensors.

use axum::Json as Body;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use utoipa_axum::router::OpenApiRouter;

use crate::operation;
use crate::plan::app::uploads::{self, Stored};
use crate::plan::app::{App, Refusal};
use crate::plan::http::problem::Problem;
use crate::plan::http::signed::{SensorRequest, Signed};
use crate::wire::UploadReceipt;

/// The routes.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(operation!(upload, 401, 403, 409, 413))
}

/// Stores an upload. The service knows the sender before it reads the body, and answers after the commit. The sensor's
/// key signs the request: headers Content-Digest, Signature-Input and Signature (RFC 9421).
#[utoipa::path(post, path = "/api/v1/subscriptions/{sid}/sensors/{sensor}/uploads", tag = "sensors",
    params(("sensor" = String, Path, description = "sensor")),
    request_body(content = Vec<u8>, content_type = "application/zstd"),
    responses((status = 201, body = UploadReceipt),
        (status = 200, body = UploadReceipt, description = "stored before")))]
async fn upload(
    State(app): State<App>,
    sensor: SensorRequest,
    request: Request,
) -> Result<(StatusCode, Body<UploadReceipt>), Problem> {
    let stored = receive(&app, sensor, request).await.map_err(|refusal| {
        let problem = Problem::from(refusal);
        app.metrics.upload(problem.kind.slug(), 0);
        problem
    })?;
    let outcome = if stored.rows > 0 || !stored.receipt.duplicate { "stored" } else { "duplicate" };
    app.metrics.upload(outcome, stored.rows);
    let status = if stored.receipt.duplicate { StatusCode::OK } else { StatusCode::CREATED };
    Ok((status, Body(stored.receipt)))
}

async fn receive(app: &App, sensor: SensorRequest, request: Request) -> Result<Stored, Refusal> {
    let (from, signed) = sensor.into_parts();
    // Held until the upload is stored: the compressed body stays in memory while it waits.
    let _room = app.upload_bytes.body(from.subscription(), Signed::announced(&request))?;
    let body = Signed::body(request).await?;
    if !signed.covers(&body) {
        return Err(uploads::refuse_tampered(app, &from).await);
    }
    uploads::store(app, &from, body).await
}
