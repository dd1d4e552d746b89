//! Short ids: 16 hex digits of a SHA-256, made of what names the thing.

use sha2::{Digest, Sha256};

/// The id of the thing that `name` names.
pub(super) fn of(name: &str) -> u64 {
    Sha256::digest(name).first_chunk().map_or(0, |head| u64::from_be_bytes(*head))
}

/// Reads an id: 16 lowercase hexadecimal digits.
pub(super) fn parse(text: &str) -> Option<u64> {
    let digits = text.len() == 16 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    digits.then(|| u64::from_str_radix(text, 16).ok()).flatten()
}
