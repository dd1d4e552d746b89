//! The signature that binds a request to a sensor's own key: HTTP message signatures (RFC 9421) with the body's digest
//! (RFC 9530), in one fixed shape.
//!
//! ```text
//! Content-Digest: sha-256=:…:
//! Signature-Input: sensor=("@method" "@path" "content-digest");created=1764060000;keyid="…";alg="ed25519";nonce="…";tag="netcensus-upload"
//! Signature: sensor=:…:
//! ```
//!
//! Signed is exactly this text, lines ended by a line feed but the last one, parameters as in the header:
//!
//! ```text
//! "@method": POST
//! "@path": /api/v1/subscriptions/SID/sensors/SENSOR/uploads
//! "content-digest": sha-256=:…:
//! "@signature-params": ("@method" "@path" "content-digest");created=…;keyid="…";alg="ed25519";nonce="…";tag="…"
//! ```
//!
//! - The standard's headers instead of own ones, as others can read and check them with what exists; one shape instead
//!   of the standard's freedom, as there is nothing to choose and nothing to get wrong: whatever differs is refused.
//! - `@path` is the path as the service sees it, from `/api/v1` on: a proxy may add a prefix before it.
//! - The body needs no signature of its own: its digest is signed. So the sender is known before the body is read. Epoch
//!   and sequence stand in the body, and the service remembers them with the digest of the content.
//! - `nonce` makes every request another one. The service remembers the request that brought an upload: who sends those
//!   very bytes again is no sensor that repeats itself.
//! - `created` is information. Nothing is refused by it: a sensor without the right time must deliver, too, and what is
//!   repeated or reordered changes nothing, however late it comes.
//! - `tag` is what the signature is for; one that was made for an upload does nothing else.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use sha2::{Digest, Sha256};

/// Header with the digest of the body.
pub const CONTENT_DIGEST: &str = "content-digest";
/// Header that tells what is signed, and by whom.
pub const SIGNATURE_INPUT: &str = "signature-input";
/// Header with the signature.
pub const SIGNATURE: &str = "signature";

const COVERED: &str = "(\"@method\" \"@path\" \"content-digest\")";
const LABEL: &str = "sensor=";
/// The longest nonce and the longest header value that are read, in bytes.
const NONCE: usize = 64;
const HEADER: usize = 512;

/// What a signature is for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Purpose {
    /// To upload.
    Upload,
    /// To give an identity up for a new one.
    Replace,
}

impl Purpose {
    const fn tag(self) -> &'static str {
        match self {
            Self::Upload => "netcensus-upload",
            Self::Replace => "netcensus-replace",
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

/// A text that is no public key.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("this is no public key; it is an Ed25519 key of 32 bytes in base64url without padding")]
pub struct BadPublicKey;

/// The parameters of a signature.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SignatureInput {
    /// When it was made, by the signer's clock: seconds since 1970.
    pub created: i64,
    /// Whose key signs.
    pub key: PublicKey,
    /// Makes it another one each time: letters, digits, `-` and `_`.
    pub nonce: String,
    /// What it is for.
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

    /// Reads the header of a request for `purpose`: only exactly what [`SignatureInput::header`] writes.
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
        // Written anew it must be the same: one text, one meaning.
        (input.header() == header).then_some(input)
    }

    /// The text that is signed. `path` begins with `/api/v1`, `digest` is the header [`CONTENT_DIGEST`].
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
    fn only_the_one_shape_is_read() {
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
