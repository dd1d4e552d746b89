//! Whether a request is signed by the key of a sensor; see [`crate::wire::signature`].

use axum::http::request::Parts;
use ed25519_dalek::{Signature, VerifyingKey};
use sha2::{Digest, Sha256};

use crate::wire::signature::{
    CONTENT_DIGEST, PublicKey, Purpose, SIGNATURE, SIGNATURE_INPUT, SignatureInput, content_digest,
    read_signature,
};

/// A request whose head is the sensor's; its body is not read yet.
#[derive(Clone, Debug)]
pub(super) struct Signed {
    digest: String,
    /// Tells the request apart from every other one: SHA-256 of the signature.
    pub(super) request: [u8; 32],
}

impl Signed {
    /// The request, where `key` signed its method, its path and its body's digest for `purpose`.
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

    /// Whether `body` is the one that was signed.
    pub(super) fn covers(&self, body: &[u8]) -> bool {
        content_digest(body) == self.digest
    }
}

/// The key, where it is one that can sign.
pub(super) fn verifying_key(key: &PublicKey) -> Option<VerifyingKey> {
    VerifyingKey::from_bytes(&key.0).ok().filter(|key| !key.is_weak())
}

/// The value of a header that stands there once.
fn only<'a>(parts: &'a Parts, name: &str) -> Option<&'a str> {
    let mut values = parts.headers.get_all(name).iter();
    let value = values.next()?.to_str().ok()?;
    values.next().is_none().then_some(value)
}
