//! Whose signature is accepted.

use super::fault::Fault;
use super::key::PublicKey;

/// Whose signature is accepted.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct TrustedSigner {
    /// The key that must have signed, by its 64 hex digits or its fingerprint; any key if it is missing.
    pub key: Option<String>,
}

impl TrustedSigner {
    pub(super) fn accepts(&self, key: &PublicKey) -> Result<(), Fault> {
        match &self.key {
            Some(named) if !key.is_named(named.trim()) => Err(Fault::Key(key.fingerprint())),
            _ => Ok(()),
        }
    }
}
