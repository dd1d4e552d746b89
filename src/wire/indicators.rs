//! The set of indicators that the plan service hands to a subscription's sensors: a head of one line, and behind it the
//! compiled indicators ([`crate::security::Labels`]).
//!
//! ```text
//! {"schema":"netcensus.indicator_set/1","subscription":"…","digest":"…","bytes":…,"indicators":…,"key":"…","signature":"…"}
//! …zstd…
//! ```
//!
//! `digest` is the SHA-256 of what follows the head. `signature` is an Ed25519 signature of [`SetHead::message`] by the key
//! with which the service signs snapshots. So a sensor knows before it decompresses a byte that the service made the set for
//! its subscription, also when it reads the set from its own disk.

use serde::{Deserialize, Serialize};

use crate::security::{COMPILED_BYTES, INDICATORS};

pub const SET_SCHEMA: &str = "netcensus.indicator_set/1";
/// The most bytes of a head, with the line feed.
pub const HEAD_BYTES: usize = 1_024;

/// The head of a set.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct SetHead {
    /// [`SET_SCHEMA`].
    pub schema: String,
    /// The subscription whose feeds hold them.
    pub subscription: String,
    /// SHA-256 of the compiled indicators: 64 hex digits.
    pub digest: String,
    /// How many bytes the compiled indicators have.
    pub bytes: u64,
    /// How many indicators there are.
    pub indicators: u64,
    /// The service's public key: 64 hex digits.
    pub key: String,
    /// 128 hex digits.
    pub signature: String,
}

/// The head of a set cannot be used.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum BadSetHead {
    #[error("the set of indicators does not begin with its head")]
    Form,
    #[error("the set of indicators has another schema; update the older one of sensor and service")]
    Schema,
    #[error("the set of indicators is larger than it may be")]
    Large,
}

impl SetHead {
    /// What is signed. A line feed separates its parts, which contain none.
    pub fn message(&self) -> String {
        let Self { schema, subscription, digest, bytes, indicators, .. } = self;
        format!("{schema}\n{subscription}\n{digest}\n{bytes}\n{indicators}\n")
    }

    /// Reads a head without its line feed.
    ///
    /// # Errors
    /// [`BadSetHead`].
    pub fn read(line: &[u8]) -> Result<Self, BadSetHead> {
        if line.len() >= HEAD_BYTES {
            return Err(BadSetHead::Form);
        }
        let head: Self = serde_json::from_slice(line).map_err(|_| BadSetHead::Form)?;
        if head.schema != SET_SCHEMA {
            return Err(BadSetHead::Schema);
        }
        let parts = [&head.subscription, &head.digest, &head.key, &head.signature];
        if parts
            .iter()
            .any(|part| !part.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_')))
        {
            return Err(BadSetHead::Form);
        }
        if head.bytes > COMPILED_BYTES || head.indicators > INDICATORS as u64 {
            return Err(BadSetHead::Large);
        }
        Ok(head)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head() -> SetHead {
        SetHead {
            schema: SET_SCHEMA.to_owned(),
            subscription: "s".to_owned(),
            digest: "0".repeat(64),
            bytes: 9,
            indicators: 1,
            key: "1".repeat(64),
            signature: "2".repeat(128),
        }
    }

    #[test]
    fn only_a_head_within_its_bounds_is_read() {
        let line = |head: &SetHead| serde_json::to_vec(head).unwrap();
        assert_eq!(SetHead::read(&line(&head())), Ok(head()));
        let other = SetHead { schema: "netcensus.indicator_set/2".to_owned(), ..head() };
        assert_eq!(SetHead::read(&line(&other)), Err(BadSetHead::Schema));
        let large = SetHead { bytes: COMPILED_BYTES + 1, ..head() };
        assert_eq!(SetHead::read(&line(&large)), Err(BadSetHead::Large));
        let many = SetHead { indicators: INDICATORS as u64 + 1, ..head() };
        assert_eq!(SetHead::read(&line(&many)), Err(BadSetHead::Large));
        let forged = SetHead { subscription: "s\n1".to_owned(), ..head() };
        assert_eq!(SetHead::read(&line(&forged)), Err(BadSetHead::Form), "it would sign another message");
        assert_eq!(
            SetHead::read(&line(&SetHead { key: "1".repeat(HEAD_BYTES), ..head() })),
            Err(BadSetHead::Form)
        );
        assert_eq!(SetHead::read(b"{}"), Err(BadSetHead::Form));
    }

    #[test]
    fn every_member_but_key_and_signature_is_signed() {
        let other = [
            SetHead { subscription: "t".to_owned(), ..head() },
            SetHead { digest: "3".repeat(64), ..head() },
            SetHead { bytes: 8, ..head() },
            SetHead { indicators: 2, ..head() },
        ];
        assert!(other.iter().all(|other| other.message() != head().message()));
    }
}
