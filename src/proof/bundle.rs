//! The bundle: one file with everything that is needed to recount some days without the service.
//!
//! Lines of compact JSON, each ended by a line feed, each in its only valid form:
//!
//! ```text
//! {"schema":"netcensus.bundle/1","subscription":…,"days":{"from":…,"to":…},"key":…}     once, first
//! {"snapshot":{…header…},"signature":…,"leaves":true}                                    headers without a gap in
//! {"id":…,"zone":…,…}                                                                    the chain; if `leaves` is
//!                                                                                        true, its leaves follow
//! {"statement":"2026-11","sha256":…,"text":"{…}"}                                        any number
//! {"end":N,"sha256":…,"signature":…}                                                     once, last
//! ```
//!
//! All headers belong to one subscription. The last line signs the digest of everything before it, so every byte of the
//! file matters. The newest revision of each day in `days` comes with its leaves; other headers only complete the chain.

use std::io::{self, Write};

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::day::Span;
use super::digest::Digest;
use super::header::Header;
use super::key::{PublicKey, Signature, SigningKey};
use crate::billing::statement::Month;

pub(crate) const BUNDLE_SCHEMA: &str = "netcensus.bundle/1";
/// Headers in one bundle: some ten years of days.
pub(crate) const HEADERS: usize = 4_096;
/// The longest line in bytes.
pub(crate) const LINE_BYTES: usize = 4 << 20;

#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Opening {
    pub schema: String,
    pub subscription: String,
    pub days: Span,
    /// The key that signed.
    pub key: PublicKey,
}

/// A line that starts a snapshot.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SnapshotRecord {
    pub snapshot: Header,
    /// The key's signature of the header.
    pub signature: Signature,
    /// Whether its leaves follow.
    pub leaves: bool,
}

/// A line that holds a closed statement.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct StatementRecord {
    /// The month, as `2026-11`.
    pub statement: Month,
    /// SHA-256 of `text`.
    pub sha256: Digest,
    /// The canonical form of the statement that was hashed when it was closed.
    pub text: String,
}

#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Closing {
    /// How many lines come before it.
    pub end: u64,
    /// SHA-256 of all of them.
    pub sha256: Digest,
    /// The key's signature of [`Closing::signed_form`].
    pub signature: Signature,
}

impl Closing {
    pub(crate) fn signed_form(lines: u64, digest: &Digest) -> String {
        format!("{BUNDLE_SCHEMA} {lines} {digest}")
    }
}

/// Writes a bundle line by line.
#[derive(Debug)]
pub(crate) struct Writer<W: Write> {
    out: W,
    digest: Sha256,
    lines: u64,
}

impl<W: Write> Writer<W> {
    /// Starts a bundle.
    ///
    /// # Errors
    /// Those of writing.
    pub(crate) fn new(out: W, subscription: &str, days: Span, key: &SigningKey) -> io::Result<Self> {
        let mut writer = Self { out, digest: Sha256::new(), lines: 0 };
        writer.json(&Opening {
            schema: BUNDLE_SCHEMA.to_owned(),
            subscription: subscription.to_owned(),
            days,
            key: key.public(),
        })?;
        Ok(writer)
    }

    /// Adds a header in its signed form. If `leaves`, write its leaves next.
    ///
    /// # Errors
    /// Those of writing.
    pub(crate) fn snapshot(
        &mut self,
        signed_form: &str,
        signature: &Signature,
        leaves: bool,
    ) -> io::Result<()> {
        self.line(&format!(r#"{{"snapshot":{signed_form},"signature":"{signature}","leaves":{leaves}}}"#))
    }

    /// Adds a leaf's line.
    ///
    /// # Errors
    /// Those of writing.
    pub(crate) fn line(&mut self, line: &str) -> io::Result<()> {
        for part in [line.as_bytes(), b"\n"] {
            self.digest.update(part);
            self.out.write_all(part)?;
        }
        self.lines = self.lines.saturating_add(1);
        Ok(())
    }

    /// Adds a closed statement.
    ///
    /// # Errors
    /// Those of writing.
    pub(crate) fn statement(&mut self, month: Month, text: &str) -> io::Result<()> {
        let sha256 = Digest::of(text.as_bytes());
        self.json(&StatementRecord { statement: month, sha256, text: text.to_owned() })
    }

    /// Signs and ends the bundle.
    ///
    /// # Errors
    /// Those of writing.
    pub(crate) fn close(mut self, key: &SigningKey) -> io::Result<W> {
        let (end, sha256) = (self.lines, Digest(self.digest.clone().finalize().into()));
        let signature = key.sign(Closing::signed_form(end, &sha256).as_bytes());
        self.json(&Closing { end, sha256, signature })?;
        self.out.flush()?;
        Ok(self.out)
    }

    fn json(&mut self, line: &impl Serialize) -> io::Result<()> {
        self.line(&serde_json::to_string(line)?)
    }
}

impl Writer<Vec<u8>> {
    /// Takes what was written since the last call.
    pub(crate) fn take(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.out)
    }
}
