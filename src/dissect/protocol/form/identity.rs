//! The identity that a maker's own protocol tells.
//!
//! None of these protocols has a public standard. What is read is the part that their open clients agree on, and only if a
//! magic number, the lengths and the direction fit. What names no field of its own is said as `protocol:model`, or as
//! `protocol` alone if the sender names no model.

use crate::census::Field;
use crate::dissect::Words;

/// The longest model in bytes that is believed.
const MODEL: usize = 80;

/// Says `protocol:model`; without a sound model the protocol alone.
pub(crate) fn identity(protocol: &str, model: Option<&[u8]>, words: &mut Words<'_>) {
    let model = model.map(|m| m.split(|b| *b == 0).next().unwrap_or_default().trim_ascii());
    match model.filter(|m| !m.is_empty() && m.len() <= MODEL) {
        Some(model) => words.say(Field::DiscoveryIdentity, &[protocol.as_bytes(), b":", model].concat()),
        None => words.say(Field::DiscoveryIdentity, protocol.as_bytes()),
    }
}

/// The value of a key in a device id of IEEE 1284 (`MFG:Canon;MDL:MX520 series;`).
pub(crate) fn device_id<'a>(id: &'a [u8], key: &[u8]) -> Option<&'a [u8]> {
    id.split(|b| *b == b';')
        .take(32)
        .find_map(|pair| pair.trim_ascii_start().strip_prefix(key)?.strip_prefix(b":"))
}

/// Reads JSON that begins as an object.
pub(crate) fn json<'a, T: serde::Deserialize<'a>>(bytes: &'a [u8]) -> Option<T> {
    let object = bytes.trim_ascii();
    object.starts_with(b"{").then(|| serde_json::from_slice(object).ok()).flatten()
}
