//! Dissection: from a frame's bytes to what it proves and says.
//!
//! Pure: bytes in, facts out through a [`Sink`]; no clock, no I/O, no logging, no panic, no unbounded allocation.
//! One file a protocol. A malformed frame is counted by protocol and reason, and makes no device.

mod arp;
mod frame;
mod lease;
mod link;
mod neighbor;
mod network;
pub mod protocol;
mod reader;
mod sink;
mod transport;
mod tunnel;

#[cfg(test)]
mod tests;

use crate::census::{Field, clean};

pub use frame::{Frame, LinkType};
pub use link::dissect;
pub use reader::Reader;
pub use sink::{Anomaly, Fragment, FragmentKey, Sink, Tags};

/// Why a part of a frame was not understood: counted, never fatal.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, thiserror::Error)]
#[error("{protocol}: {reason}")]
pub struct Malformed {
    /// The protocol's short name, `lldp`.
    pub protocol: &'static str,
    /// What is wrong, `truncated TLV`.
    pub reason: &'static str,
}

impl Malformed {
    /// A malformed part of `protocol`.
    pub const fn new(protocol: &'static str, reason: &'static str) -> Self {
        Self { protocol, reason }
    }
}

/// Receives what one packet says of its sender. Every dissector of a discovery protocol has the form
/// `pub fn dissect(payload: &[u8], words: &mut Words<'_>) -> Result<(), Malformed>`: it says what it understood up to
/// the place where the payload breaks, and returns the break.
pub struct Words<'a> {
    hear: &'a mut dyn FnMut(Field, &str),
}

impl<'a> Words<'a> {
    /// Words that `hear` receives, each cleaned and capped.
    pub fn new(hear: &'a mut dyn FnMut(Field, &str)) -> Self {
        Self { hear }
    }

    /// Says a string from the network: cleaned (see [`clean`]); nothing where nothing is left.
    pub fn say(&mut self, field: Field, bytes: &[u8]) {
        if let Some(text) = clean(bytes) {
            (self.hear)(field, &text);
        }
    }

    /// Says a word of this program's own, which needs no cleaning.
    pub fn label(&mut self, field: Field, word: &'static str) {
        (self.hear)(field, word);
    }

    /// Says a number.
    pub fn number(&mut self, field: Field, n: u64) {
        (self.hear)(field, &n.to_string());
    }

    /// Says bytes as lower-case hex; at most 64 bytes of them.
    pub fn hex(&mut self, field: Field, bytes: &[u8]) {
        let text: String = bytes.iter().take(64).map(|b| format!("{b:02x}")).collect();
        if !text.is_empty() {
            (self.hear)(field, &text);
        }
    }
}

#[cfg(test)]
pub(crate) mod testing {
    use super::{Malformed, Words};
    use crate::census::Field;

    /// Runs a dissector and returns what it said as `field=value`, and how it ended.
    pub(crate) fn said(
        dissect: impl FnOnce(&mut Words<'_>) -> Result<(), Malformed>,
    ) -> (Vec<String>, Result<(), Malformed>) {
        let mut out = Vec::new();
        let mut hear = |field: Field, value: &str| out.push(format!("{field}={value}"));
        let result = dissect(&mut Words::new(&mut hear));
        (out, result)
    }
}
