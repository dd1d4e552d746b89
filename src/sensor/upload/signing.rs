//! The sensor's key pair, created at enrolment; the private key never leaves the appliance. See
//! [`crate::wire::signature`] for what it signs.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ed25519_dalek::Signer as _;
use serde::{Deserialize, Serialize};

use crate::census::Timestamp;
use crate::wire::signature::{
    CONTENT_DIGEST, PublicKey, Purpose, SIGNATURE, SIGNATURE_INPUT, SignatureInput, content_digest,
    signature_header,
};

const NONCE_BYTES: usize = 16;

/// An Ed25519 private key. As text, its seed of 32 bytes in base64url. Its `Debug` form hides it.
#[derive(Clone, Eq, PartialEq, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct SigningKey(ed25519_dalek::SigningKey);

/// The three headers that sign a request.
pub type SignatureHeaders = [(&'static str, String); 3];

impl SigningKey {
    /// Creates a key pair.
    ///
    /// # Errors
    /// If the system cannot supply random numbers.
    pub fn generate() -> std::io::Result<Self> {
        let mut seed = [0; 32];
        getrandom::fill(&mut seed).map_err(std::io::Error::other)?;
        Ok(Self(ed25519_dalek::SigningKey::from_bytes(&seed)))
    }

    /// The public half.
    pub fn public(&self) -> PublicKey {
        PublicKey(self.0.verifying_key().to_bytes())
    }

    /// The headers that sign a request with `body` for `path`, which begins with `/api/v1`. Each call gives other headers.
    ///
    /// # Errors
    /// If the system cannot supply random numbers.
    pub fn sign(
        &self,
        path: &str,
        body: &[u8],
        purpose: Purpose,
        now: Timestamp,
    ) -> std::io::Result<SignatureHeaders> {
        let mut nonce = [0; NONCE_BYTES];
        getrandom::fill(&mut nonce).map_err(std::io::Error::other)?;
        let input = SignatureInput {
            created: now.0.div_euclid(1_000_000_000),
            key: self.public(),
            nonce: URL_SAFE_NO_PAD.encode(nonce),
            purpose,
        };
        let digest = content_digest(body);
        let signature = self.0.sign(input.base(purpose.method(), path, &digest).as_bytes()).to_bytes();
        Ok([
            (CONTENT_DIGEST, digest),
            (SIGNATURE_INPUT, input.header()),
            (SIGNATURE, signature_header(&signature)),
        ])
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey(public {})", self.public())
    }
}

impl From<SigningKey> for String {
    fn from(key: SigningKey) -> Self {
        URL_SAFE_NO_PAD.encode(key.0.to_bytes())
    }
}

impl TryFrom<String> for SigningKey {
    type Error = BadSigningKey;

    fn try_from(text: String) -> Result<Self, BadSigningKey> {
        let seed = URL_SAFE_NO_PAD.decode(text).map_err(|_| BadSigningKey)?;
        let seed = seed.try_into().map_err(|_| BadSigningKey)?;
        Ok(Self(ed25519_dalek::SigningKey::from_bytes(&seed)))
    }
}

/// Not a private key. The message omits the text.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("not a signing key; it must be an Ed25519 seed of 32 bytes in base64url without padding")]
pub struct BadSigningKey;

#[cfg(test)]
mod tests {
    use ed25519_dalek::VerifyingKey;

    use super::*;
    use crate::wire::signature::read_signature;

    #[test]
    fn what_it_signs_verifies_and_never_looks_the_same() {
        let key = SigningKey::generate().unwrap();
        let sign = || key.sign("/api/v1/x", b"body", Purpose::Upload, Timestamp::from_secs(77)).unwrap();
        let [digest, input, signature] = sign();
        assert_ne!(sign()[2], signature);
        let read = SignatureInput::read(&input.1, Purpose::Upload).unwrap();
        assert_eq!((read.created, read.key), (77, key.public()));
        let signature = ed25519_dalek::Signature::from_bytes(&read_signature(&signature.1).unwrap());
        let public = VerifyingKey::from_bytes(&read.key.0).unwrap();
        let verify = |path| public.verify_strict(read.base("POST", path, &digest.1).as_bytes(), &signature);
        assert!(verify("/api/v1/x").is_ok() && verify("/api/v1/y").is_err());
    }

    #[test]
    fn it_is_stored_as_text_and_does_not_show_in_logs() {
        let key = SigningKey::generate().unwrap();
        let text = String::from(key.clone());
        assert!(!format!("{key:?}").contains(&text));
        assert_eq!(SigningKey::try_from(text.clone()), Ok(key));
        assert_eq!(SigningKey::try_from(format!("{text}A")), Err(BadSigningKey));
    }
}
