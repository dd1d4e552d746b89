//! The service's Ed25519 key (RFC 8032), with which headers and bundles are signed.
//!
//! The key is in the database, so several services on one database sign with the same key. Anybody who can read the
//! database can therefore sign as the service. A rewritten history still shows: its headers differ from those in bundles
//! and proofs that were handed out before. So keep bundles, or the fingerprint and the newest header's hash, elsewhere.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use ed25519_dalek::Signer as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::digest::{BadHex, Digest, read_hex};

/// A private key. Its bytes are wiped when it is dropped.
pub struct SigningKey(ed25519_dalek::SigningKey);

impl SigningKey {
    /// The key of a random seed (RFC 8032 §5.1.5).
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        Self(ed25519_dalek::SigningKey::from_bytes(seed))
    }

    /// The public key that verifies its signatures.
    pub fn public(&self) -> PublicKey {
        PublicKey(self.0.verifying_key().to_bytes())
    }

    pub fn sign(&self, message: &[u8]) -> Signature {
        Signature(self.0.sign(message).to_bytes())
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({})", self.public())
    }
}

/// A public key. Prints as 64 hex digits.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct PublicKey(pub [u8; 32]);

impl PublicKey {
    /// A short name for people to compare: `SHA256:` and the key's digest in Base64.
    pub fn fingerprint(&self) -> String {
        format!("SHA256:{}", STANDARD_NO_PAD.encode(Digest::of(&self.0).0))
    }

    /// Whether the key's owner signed `message`. Strict verification: malleated signatures and keys of small order fail.
    pub fn signed(&self, message: &[u8], signature: &Signature) -> bool {
        let signature = ed25519_dalek::Signature::from_bytes(&signature.0);
        ed25519_dalek::VerifyingKey::from_bytes(&self.0)
            .is_ok_and(|key| key.verify_strict(message, &signature).is_ok())
    }

    /// Whether `text` names the key: its 64 hex digits, or its fingerprint.
    pub fn is_named(&self, text: &str) -> bool {
        text == self.fingerprint() || text.to_ascii_lowercase() == self.to_string()
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

/// A signature. Prints as 128 hex digits.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Signature(pub [u8; 64]);

impl fmt::Display for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

macro_rules! hex {
    ($($name:ident;)*) => {$(
        impl FromStr for $name {
            type Err = BadHex;

            fn from_str(text: &str) -> Result<Self, BadHex> {
                read_hex(text).map(Self)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
                out.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
                String::deserialize(input)?.parse().map_err(serde::de::Error::custom)
            }
        }
    )*};
}

hex! {
    PublicKey;
    Signature;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signs_as_rfc_8032_says() {
        // Test 2 of RFC 8032 §7.1.
        let seed = read_hex("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb").unwrap();
        let key = SigningKey::from_seed(&seed);
        assert_eq!(
            key.public().to_string(),
            "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c"
        );
        let signature = key.sign(&[0x72]);
        assert!(signature.to_string().starts_with("92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8f"));
        assert!(key.public().signed(&[0x72], &signature));
        assert!(!key.public().signed(&[0x73], &signature));
        assert!(!SigningKey::from_seed(&[7; 32]).public().signed(&[0x72], &signature));
    }

    #[test]
    fn a_key_is_named_by_its_digits_or_its_fingerprint() {
        let key = SigningKey::from_seed(&[7; 32]).public();
        assert!(key.is_named(&key.to_string()) && key.is_named(&key.fingerprint()));
        assert!(key.fingerprint().starts_with("SHA256:") && !key.is_named("SHA256:"));
    }

    #[test]
    fn a_key_of_small_order_signs_nothing() {
        let mut weak = [0; 32];
        weak[0] = 1;
        assert!(!PublicKey(weak).signed(b"x", &Signature([0; 64])));
    }
}
