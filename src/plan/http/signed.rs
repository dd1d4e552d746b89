//! Whether a request is signed by the key of a sensor; see [`crate::wire::signature`].

use axum::body::{Bytes, to_bytes};
use axum::extract::{FromRequestParts, Request};
use axum::http::header;
use axum::http::request::Parts;
use ed25519_dalek::{Signature, VerifyingKey};
use sha2::{Digest, Sha256};

use super::address::source;
use super::auth::bearer;
use super::extract::Path;
use super::guard::{Access, Admission};
use super::problem::Problem;
use crate::plan::app::uploads::{Claim, Proven};
use crate::plan::app::{App, Refusal};
use crate::plan::store::By;
use crate::plan::store::audit::Actor;
use crate::wire::signature::{
    CONTENT_DIGEST, PublicKey, Purpose, SIGNATURE, SIGNATURE_INPUT, SignatureInput, content_digest,
    read_signature,
};
use crate::wire::{BadUpload, COMPRESSED_BYTES};

/// A request that the sensor `{sensor}` in the path sent itself. Its body is not read yet.
pub(super) struct SensorRequest {
    from: Proven,
    signed: Signed,
}

impl Admission for SensorRequest {
    const ACCESS: Access = Access::Sensor;
}

/// A request for something of its subscription that the sensor `{sensor}` in the path sent itself, without a body.
pub(super) struct SensorFetch(pub(super) Proven);

impl Admission for SensorFetch {
    const ACCESS: Access = Access::Sensor;
}

impl FromRequestParts<App> for SensorFetch {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let Path((subscription, sensor, _)) =
            Path::<(String, String, String)>::from_request_parts(parts, app).await?;
        let (Ok(subscription), Ok(sensor)) = (subscription.parse(), sensor.parse()) else {
            return Err(Refusal::UnknownSensor.into());
        };
        let claim = Claim { subscription, sensor, origin: origin(app, parts) };
        let key = claim.public_key(app, bearer(&parts.headers)).await?;
        match Signed::verify(parts, &key, Purpose::Fetch) {
            Some(signed) if signed.covers(&[]) => Ok(Self(claim.proven(signed.request))),
            _ => Err(claim.refuse_unsigned(app).await.into()),
        }
    }
}

impl SensorRequest {
    pub(super) fn into_parts(self) -> (Proven, Signed) {
        (self.from, self.signed)
    }

    async fn of(app: &App, parts: &Parts, claim: Claim) -> Result<Self, Refusal> {
        let key = claim.public_key(app, bearer(&parts.headers)).await?;
        match Signed::verify(parts, &key, Purpose::Upload) {
            Some(signed) => Ok(Self { from: claim.proven(signed.request), signed }),
            None => Err(claim.refuse_unsigned(app).await),
        }
    }
}

impl FromRequestParts<App> for SensorRequest {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let Path((subscription, sensor)) = Path::<(String, String)>::from_request_parts(parts, app).await?;
        let outcome = match (subscription.parse(), sensor.parse()) {
            (Ok(subscription), Ok(sensor)) => {
                let claim = Claim { subscription, sensor, origin: origin(app, parts) };
                Self::of(app, parts, claim).await
            }
            // A text that cannot be an id does not name a sensor.
            _ => Err(Refusal::UnknownSensor),
        };
        outcome.map_err(|refusal| {
            let problem = Problem::from(refusal);
            app.metrics.upload(problem.kind.slug(), 0);
            problem
        })
    }
}

/// Where a sensor's request comes from. A sensor gives no reason and tries nothing.
fn origin(app: &App, parts: &Parts) -> By {
    let request = parts.headers.get("x-request-id").and_then(|v| v.to_str().ok()).unwrap_or_default();
    By {
        actor: Actor::Nobody,
        address: source(&parts.extensions, &parts.headers, &app.settings.access.trusted_proxies),
        request: request.chars().take(64).collect(),
        reason: None,
        dry_run: false,
    }
}

/// The valid signature of a request's head.
#[derive(Clone, Debug)]
pub(super) struct Signed {
    digest: String,
    /// Identifies the request: SHA-256 of the signature.
    request: [u8; 32],
}

impl Signed {
    /// The signature, if `key` signed the request's method, path and body digest for `purpose`.
    pub(super) fn verify(parts: &Parts, key: &PublicKey, purpose: Purpose) -> Option<Self> {
        let digest = only(parts, CONTENT_DIGEST)?;
        let input = SignatureInput::read(only(parts, SIGNATURE_INPUT)?, purpose)?;
        let signature = read_signature(only(parts, SIGNATURE)?)?;
        if input.key != *key {
            return None;
        }
        let base = input.base(parts.method.as_str(), parts.uri.path(), digest);
        verifying_key(key)?.verify_strict(base.as_bytes(), &Signature::from_bytes(&signature)).ok()?;
        Some(Self { digest: digest.to_owned(), request: Sha256::digest(signature).into() })
    }

    /// The length of the body as its header states it.
    pub(super) fn announced(request: &Request) -> Option<usize> {
        request.headers().get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
    }

    /// Reads the body of the request. It is refused unread if the header states too large a length.
    pub(super) async fn body(request: Request) -> Result<Bytes, Refusal> {
        if Self::announced(&request).is_some_and(|bytes| bytes > COMPRESSED_BYTES) {
            return Err(BadUpload::TooLarge.into());
        }
        let body = to_bytes(request.into_body(), COMPRESSED_BYTES).await;
        Ok(body.map_err(|_| BadUpload::TooLarge)?)
    }

    /// Whether the signature covers `body`.
    pub(super) fn covers(&self, body: &[u8]) -> bool {
        content_digest(body) == self.digest
    }
}

/// The key, unless it is weak.
pub(super) fn verifying_key(key: &PublicKey) -> Option<VerifyingKey> {
    VerifyingKey::from_bytes(&key.0).ok().filter(|key| !key.is_weak())
}

/// The value of a header; `None` if the header is missing or occurs twice.
fn only<'a>(parts: &'a Parts, name: &str) -> Option<&'a str> {
    let mut values = parts.headers.get_all(name).iter();
    let value = values.next()?.to_str().ok()?;
    values.next().is_none().then_some(value)
}
