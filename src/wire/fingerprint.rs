//! The SHA-256 of a certificate, by which a sensor recognises its plan service.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// SHA-256 over the DER form of a certificate. Prints as `openssl x509 -fingerprint -sha256` does: `AB:CD:…`.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct Fingerprint([u8; 32]);

impl Fingerprint {
    /// `certificate` is in DER form.
    pub fn of(certificate: &[u8]) -> Self {
        Self(Sha256::digest(certificate).into())
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, byte) in self.0.iter().enumerate() {
            write!(f, "{}{byte:02X}", if i == 0 { "" } else { ":" })?;
        }
        Ok(())
    }
}

impl From<Fingerprint> for String {
    fn from(fingerprint: Fingerprint) -> Self {
        fingerprint.to_string()
    }
}

impl TryFrom<String> for Fingerprint {
    type Error = BadFingerprint;

    fn try_from(text: String) -> Result<Self, BadFingerprint> {
        text.parse()
    }
}

/// Reads 64 hex digits, with or without colons.
impl FromStr for Fingerprint {
    type Err = BadFingerprint;

    fn from_str(text: &str) -> Result<Self, BadFingerprint> {
        let mut digest = [0; 32];
        hex::decode_to_slice(text.replace(':', ""), &mut digest).map_err(|_| BadFingerprint)?;
        Ok(Self(digest))
    }
}

/// The text is not a fingerprint.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("this is not a fingerprint; it must be the SHA-256 of a certificate in 64 hex digits")]
pub struct BadFingerprint;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_read_as_it_prints_and_without_colons() {
        let fingerprint = Fingerprint::of(b"certificate");
        let text = fingerprint.to_string();
        assert_eq!((text.len(), text.parse()), (95, Ok(fingerprint)));
        assert_eq!(text.replace(':', "").to_lowercase().parse(), Ok(fingerprint));
        let cut = text.get(3..).unwrap();
        for junk in ["", "AB", cut, &format!("{text}:00"), "zz", &"g".repeat(64), &"a".repeat(65)] {
            assert_eq!(junk.parse::<Fingerprint>(), Err(BadFingerprint), "{junk}");
        }
    }
}
