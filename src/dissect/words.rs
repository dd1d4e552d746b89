//! What a dissector says of the sender.

use std::net::IpAddr;

use crate::census::{Field, Sign, clean};

/// Receives what one packet says of its sender. A dissector says what it understood up to the place where the payload
/// breaks, and returns the break.
pub struct Words<'a> {
    hear: &'a mut dyn FnMut(Field, &str),
    reach: Option<&'a mut dyn FnMut(IpAddr, Sign)>,
    taken: bool,
}

impl<'a> Words<'a> {
    /// Words that `hear` receives, each cleaned and at most [`VALUE_BYTES`](crate::census::VALUE_BYTES) long.
    pub fn new(hear: &'a mut dyn FnMut(Field, &str)) -> Self {
        Self { hear, reach: None, taken: false }
    }

    /// The same, with the sender's addresses for `reach`.
    pub(super) fn with_addresses(self, reach: &'a mut dyn FnMut(IpAddr, Sign)) -> Self {
        Self { reach: Some(reach), ..self }
    }

    /// Notes that dispatch found a dissector.
    pub(super) const fn mark_taken(&mut self) {
        self.taken = true;
    }

    /// Whether dispatch found a dissector.
    pub(super) const fn is_taken(&self) -> bool {
        self.taken
    }

    /// Says a string from the network after cleaning it (see [`clean`]). Says nothing if nothing is left.
    pub fn say(&mut self, field: Field, bytes: &[u8]) {
        if let Some(text) = clean(bytes) {
            (self.hear)(field, &text);
        }
    }

    /// Says a constant of this program, which needs no cleaning.
    pub fn label(&mut self, field: Field, word: &'static str) {
        (self.hear)(field, word);
    }

    /// Says a number in decimal.
    pub fn number(&mut self, field: Field, n: u64) {
        (self.hear)(field, &n.to_string());
    }

    /// Says the first 64 bytes as lower-case hex.
    pub fn hex(&mut self, field: Field, bytes: &[u8]) {
        let text = hex::encode(bytes.get(..64).unwrap_or(bytes));
        if !text.is_empty() {
            (self.hear)(field, &text);
        }
    }

    /// Says an address at which the sender is managed, and what kind of proof that is (I4). Only announcements of the link
    /// layer prove addresses; other packets' are dropped.
    pub(super) fn address(&mut self, ip: IpAddr, proof: Sign) {
        if let Some(reach) = &mut self.reach {
            reach(ip, proof);
        }
    }
}
