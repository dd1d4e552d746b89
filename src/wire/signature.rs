//! The signature of a request with the sensor's own key: HTTP message signatures (RFC 9421) with the digest of the body
//! (RFC 9530), in one fixed form.
//!
//! ```text
//! Content-Digest: sha-256=:…:
//! Signature-Input: sensor=("@method" "@path" "content-digest");created=1764060000;keyid="…";alg="ed25519";nonce="…";tag="netcensus-upload"
//! Signature: sensor=:…:
//! ```
//!
//! The signed text is exactly this. A line feed separates the lines, and the parameters are those of the header:
//!
//! ```text
//! "@method": POST
//! "@path": /api/v1/subscriptions/SID/sensors/SENSOR/uploads
//! "content-digest": sha-256=:…:
//! "@signature-params": ("@method" "@path" "content-digest");created=…;keyid="…";alg="ed25519";nonce="…";tag="…"
//! ```
//!
//! - The headers are those of the standard, so that existing tools can check them. The standard leaves choices open;
//!   here there is one form, and the service refuses all others.
//! - `@path` is the path as the service sees it, from `/api/v1` on. A proxy may add a prefix before it.
//! - The signature covers the digest of the body, so the service knows the sender before it reads the body. Epoch and
//!   sequence are in the body; the service stores them with the digest of the content.
//! - `nonce` makes each request unique. The service stores the request that brought an upload. So it can tell a copied
//!   request, which has the same nonce, from a sensor that sends the upload again.
//! - `created` is for information only. The service does not refuse a request by its time: a sensor with a wrong clock
//!   must be able to deliver, and repeated, reordered or late uploads change nothing.
//! - `tag` states the purpose. A signature for an upload is not valid for another purpose.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use sha2::{Digest, Sha256};

/// The header with the digest of the body.
pub const CONTENT_DIGEST: &str = "content-digest";
/// The header with the parameters of the signature.
pub const SIGNATURE_INPUT: &str = "signature-input";
/// The header with the signature.
pub const SIGNATURE: &str = "signature";

const COVERED: &str = "(\"@method\" \"@path\" \"content-digest\")";
const LABEL: &str = "sensor=";
/// The most bytes of a nonce, and of a header value.
const NONCE: usize = 64;
const HEADER: usize = 512;

/// The purpose of a signature.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Purpose {
    Upload,
    /// To replace a sensor by a new one.
    Replace,
    /// To fetch something of the subscription: a `GET` without a body.
    Fetch,
}

impl Purpose {
    const fn tag(self) -> &'static str {
        match self {
            Self::Upload => "netcensus-upload",
            Self::Replace => "netcensus-replace",
            Self::Fetch => "netcensus-fetch",
        }
    }

    /// The method of such a request.
    pub const fn method(self) -> &'static str {
        match self {
            Self::Upload | Self::Replace => "POST",
            Self::Fetch => "GET",
        }
    }
}

/// A sensor's public key: Ed25519, 32 bytes; base64url without padding as text.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct PublicKey(pub [u8; 32]);

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&URL_SAFE_NO_PAD.encode(self.0))
    }
}

impl std::str::FromStr for PublicKey {
    type Err = BadPublicKey;

    fn from_str(text: &str) -> Result<Self, BadPublicKey> {
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| BadPublicKey)?;
        Ok(Self(bytes.try_into().map_err(|_| BadPublicKey)?))
    }
}

/// The text is not a public key.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("this is not a public key; it must be an Ed25519 key of 32 bytes in base64url without padding")]
pub struct BadPublicKey;

/// The parameters of a signature.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SignatureInput {
    /// The time of signing by the signer's clock: seconds since 1970.
    pub created: i64,
    /// The signer's key.
    pub key: PublicKey,
    /// 1 to 64 letters, digits, `-` and `_`; different for each request.
    pub nonce: String,
    pub purpose: Purpose,
}

impl SignatureInput {
    /// The value of the header [`SIGNATURE_INPUT`].
    pub fn header(&self) -> String {
        format!("{LABEL}{}", self.parameters())
    }

    fn parameters(&self) -> String {
        let Self { created, key, nonce, purpose } = self;
        let tag = purpose.tag();
        format!("{COVERED};created={created};keyid=\"{key}\";alg=\"ed25519\";nonce=\"{nonce}\";tag=\"{tag}\"")
    }

    /// Reads the header of a request for `purpose`; `None` unless it is exactly as [`SignatureInput::header`] writes it.
    pub fn read(header: &str, purpose: Purpose) -> Option<Self> {
        if header.len() > HEADER {
            return None;
        }
        let fields = header.strip_prefix(LABEL)?.strip_prefix(COVERED)?;
        let value = |name: &str| fields.split(';').find_map(|f| f.strip_prefix(name)?.strip_prefix('='));
        let quoted = |name: &str| value(name)?.strip_prefix('"')?.strip_suffix('"');
        let nonce = quoted("nonce")?;
        let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_');
        if nonce.is_empty() || nonce.len() > NONCE || !nonce.bytes().all(plain) {
            return None;
        }
        let input = Self {
            created: value("created")?.parse().ok()?,
            key: quoted("keyid")?.parse().ok()?,
            nonce: nonce.to_owned(),
            purpose,
        };
        // Refuses everything that the parser above ignores.
        (input.header() == header).then_some(input)
    }

    /// The text to sign. `path` begins with `/api/v1`; `digest` is the value of [`CONTENT_DIGEST`].
    pub fn base(&self, method: &str, path: &str, digest: &str) -> String {
        format!(
            "\"@method\": {method}\n\"@path\": {path}\n\"content-digest\": {digest}\n\"@signature-params\": {}",
            self.parameters()
        )
    }
}

/// The value of the header [`CONTENT_DIGEST`] for a body.
pub fn content_digest(body: &[u8]) -> String {
    format!("sha-256=:{}:", STANDARD.encode(Sha256::digest(body)))
}

/// The value of the header [`SIGNATURE`].
pub fn signature_header(signature: &[u8; 64]) -> String {
    format!("{LABEL}:{}:", STANDARD.encode(signature))
}

/// Reads the header [`SIGNATURE`].
pub fn read_signature(header: &str) -> Option<[u8; 64]> {
    let text = header.strip_prefix(LABEL)?.strip_prefix(':')?.strip_suffix(':')?;
    if text.len() > HEADER {
        return None;
    }
    STANDARD.decode(text).ok()?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn input() -> SignatureInput {
        SignatureInput {
            created: 1_764_060_000,
            key: PublicKey([7; 32]),
            nonce: "n-0_Z".into(),
            purpose: Purpose::Upload,
        }
    }

    #[test]
    fn the_digest_is_that_of_the_standards_example() {
        let digest = "sha-256=:X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=:";
        assert_eq!(content_digest(b"{\"hello\": \"world\"}"), digest);
    }

    #[test]
    fn the_signed_text_is_fixed() {
        insta::assert_snapshot!(input().base("POST", "/api/v1/x", &content_digest(b"")), @r#"
        "@method": POST
        "@path": /api/v1/x
        "content-digest": sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:
        "@signature-params": ("@method" "@path" "content-digest");created=1764060000;keyid="BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc";alg="ed25519";nonce="n-0_Z";tag="netcensus-upload"
        "#);
    }

    #[test]
    fn only_the_one_form_is_read() {
        let header = input().header();
        assert_eq!(SignatureInput::read(&header, Purpose::Upload), Some(input()));
        assert_eq!(SignatureInput::read(&header, Purpose::Replace), None);
        for (what, by) in [
            ("sensor=", "other="),
            (" \"content-digest\"", ""),
            ("ed25519", "hmac-sha256"),
            ("created=1764060000", "created=+1764060000"),
            ("created=1764060000", "created=1764060000;expires=1"),
            ("nonce=\"n-0_Z\"", "nonce=\"a\nb\""),
            ("nonce=\"n-0_Z\"", "nonce=\"\""),
            (";tag", "; tag"),
        ] {
            let changed = header.replace(what, by);
            assert_ne!(changed, header, "{what}");
            assert_eq!(SignatureInput::read(&changed, Purpose::Upload), None, "{changed}");
        }
        assert_eq!(SignatureInput::read(&"é".repeat(10_000), Purpose::Upload), None);
        assert_eq!(read_signature(&signature_header(&[9; 64])), Some([9; 64]));
        for junk in ["", "sensor=", "sensor=:", "sensor=::", "sensor=:AAAA:", &"sensor=:".repeat(999)] {
            assert_eq!(read_signature(junk), None);
        }
    }
}
