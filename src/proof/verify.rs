//! Checks a bundle, or the proof of one device, with nothing at hand but the file: form, leaves, roots, sizes, numbers,
//! chain, signatures, statements. A file is read once, line by line, in memory that does not grow with it.

use std::collections::BTreeMap;
use std::io::{self, BufRead, Read as _};

use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::{Digest as _, Sha256};

use super::bundle::{BUNDLE_SCHEMA, Closing, HEADERS, LINE_BYTES, Opening, SnapshotRecord, StatementRecord};
use super::day::{Day, Span};
use super::digest::Digest;
use super::header::Header;
use super::inclusion::Inclusion;
use super::key::PublicKey;
use super::leaf::Leaf;
use super::tally::{Tally, Untrue};
use crate::billing::statement::{Month, Statement, check};

/// Whose signature is accepted.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct TrustedSigner {
    /// The key that must have signed, by its 64 hex digits or its fingerprint; any where there is none.
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

/// What does not hold of a file.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// It cannot be read.
    #[error("it cannot be read: {0}")]
    Unreadable(#[from] io::Error),
    /// The file ends before its last line, or within it.
    #[error("the file ends here, but it is not complete: get it again")]
    Truncated,
    /// The line is too long.
    #[error("the line is longer than {LINE_BYTES} bytes, which no line of a bundle is")]
    TooLong,
    /// The line is not in the one form that it may have.
    #[error("the line is not written as a bundle or a proof is")]
    Form,
    /// Something follows the last line.
    #[error("something follows the end of the bundle")]
    Trailing,
    /// Another key signed.
    #[error("it was signed by the key {0}, which is not the one named by --key")]
    Key(String),
    /// The signature is not the key's.
    #[error("the signature is not good: the file was changed, or another key signed it")]
    Signature,
    /// The digest of the file is another.
    #[error("the file was changed: its lines do not have the digest that its end states")]
    Digest,
    /// The snapshot is another subscription's.
    #[error("the snapshot is of the subscription '{0}', not of the bundle's")]
    Subscription(String),
    /// The chain is broken.
    #[error("the chain is broken: {0}")]
    Chain(&'static str),
    /// A bundle is too large.
    #[error("the bundle holds more than {HEADERS} snapshots; export fewer days")]
    TooMany,
    /// The numbers do not hold.
    #[error(transparent)]
    Untrue(#[from] Untrue),
    /// The newest snapshot of a day has no leaves.
    #[error(
        "the leaves of the newest snapshot of {0} are missing, or there are some that do not belong here"
    )]
    Leaves(Day),
    /// The path leads elsewhere.
    #[error("the device {0} is not among those of the snapshot")]
    Path(String),
    /// The proof's second leaf is not the last one.
    #[error("the second leaf is not the last one, so the number of devices is not proven")]
    NotLast,
    /// A statement does not hold.
    #[error("the statement of {month} does not hold: {why}")]
    Statement {
        /// Which month.
        month: Month,
        /// What is wrong.
        why: String,
    },
}

/// A fault, and where it is.
#[derive(Debug, thiserror::Error)]
#[error("line {line}: {fault}")]
pub struct VerifyError {
    /// The line, from 1.
    pub line: u64,
    /// What does not hold.
    pub fault: Fault,
}

/// A file that holds.
#[derive(Clone, Debug, Serialize)]
#[serde(untagged)]
pub enum Verified {
    /// A bundle.
    Bundle(BundleReport),
    /// The proof of one device.
    Device(Box<DeviceReport>),
}

/// What a bundle proves.
#[derive(Clone, Debug, Serialize)]
pub struct BundleReport {
    /// Whose devices.
    pub subscription: String,
    /// Which days.
    pub days: Span,
    /// The fingerprint of the key that signed.
    pub signed_by: String,
    /// Whether the caller named that key.
    pub key_was_named: bool,
    /// The newest snapshot of each day, recounted from its leaves.
    pub snapshots: Vec<Header>,
    /// Headers in the chain.
    pub headers: u64,
    /// Leaves that were recounted.
    pub leaves: u64,
    /// The closed statements of the months, each with its arithmetic done anew.
    pub statements: Vec<Statement>,
}

/// What the proof of a device proves.
#[derive(Clone, Debug, Serialize)]
pub struct DeviceReport {
    /// The fingerprint of the key that signed.
    pub signed_by: String,
    /// Whether the caller named that key.
    pub key_was_named: bool,
    /// The snapshot.
    pub header: Header,
    /// The device.
    pub device: Leaf,
}

/// Checks a file.
///
/// # Errors
/// [`VerifyError`] with the line of the first thing that does not hold.
pub fn verify(input: impl BufRead, trust: &TrustedSigner) -> Result<Verified, VerifyError> {
    let mut lines = Lines { input, number: 0, digest: Sha256::new() };
    let outcome = file(&mut lines, trust);
    outcome.map_err(|fault| VerifyError { line: lines.number, fault })
}

fn file(lines: &mut Lines<impl BufRead>, trust: &TrustedSigner) -> Result<Verified, Fault> {
    let first = lines.next()?;
    if first.starts_with(r#"{"schema":"netcensus.proof"#) {
        let proof = Inclusion::verify(&format!("{first}\n"), trust)?;
        lines.end()?;
        return Ok(Verified::Device(Box::new(DeviceReport {
            signed_by: proof.key.fingerprint(),
            key_was_named: trust.key.is_some(),
            header: proof.header,
            device: proof.device.leaf,
        })));
    }
    let opening: Opening = read(&first)?;
    if opening.schema != BUNDLE_SCHEMA || opening.days.from >= opening.days.to {
        return Err(Fault::Form);
    }
    trust.accepts(&opening.key)?;
    let mut chain = Chain::default();
    let mut statements: Vec<(Statement, Digest)> = Vec::new();
    loop {
        let (before, digest) = (lines.number, lines.digest.clone());
        let line = lines.next()?;
        if line.starts_with(r#"{"snapshot":"#) && statements.is_empty() {
            chain.add(read(&line)?, &opening, lines)?;
        } else if line.starts_with(r#"{"statement":"#) {
            statements.push(statement(read(&line)?, &opening, statements.last())?);
        } else {
            let end: Closing = read(&line)?;
            if (end.end, end.sha256) != (before, Digest(digest.finalize().into())) {
                return Err(Fault::Digest);
            }
            if !opening.key.signed(Closing::signed_form(end.end, &end.sha256).as_bytes(), &end.signature) {
                return Err(Fault::Signature);
            }
            lines.end()?;
            break;
        }
    }
    let (headers, leaves) = (chain.headers, chain.leaves);
    Ok(Verified::Bundle(BundleReport {
        subscription: opening.subscription,
        signed_by: opening.key.fingerprint(),
        key_was_named: trust.key.is_some(),
        snapshots: chain.newest(&opening.days)?,
        days: opening.days,
        headers,
        leaves,
        statements: statements.into_iter().map(|(statement, _)| statement).collect(),
    }))
}

/// The headers so far.
#[derive(Default)]
struct Chain {
    last: Option<(u64, Digest)>,
    newest: BTreeMap<Day, (Header, bool)>,
    headers: u64,
    leaves: u64,
}

impl Chain {
    fn add(
        &mut self,
        line: SnapshotRecord,
        opening: &Opening,
        lines: &mut Lines<impl BufRead>,
    ) -> Result<(), Fault> {
        let header = line.snapshot;
        let signed = header.signed_form().map_err(|_| Fault::Form)?;
        if !opening.key.signed(signed.as_bytes(), &line.signature) {
            return Err(Fault::Signature);
        }
        if header.subscription != opening.subscription {
            return Err(Fault::Subscription(header.subscription));
        }
        header.is_consistent()?;
        if let Some((number, hash)) = self.last
            && (number.checked_add(1) != Some(header.number) || header.previous != Some(hash))
        {
            return Err(Fault::Chain("the header before this one is not the one that it names"));
        }
        if self
            .newest
            .get(&header.day)
            .is_some_and(|(h, _)| h.revision.checked_add(1) != Some(header.revision))
        {
            return Err(Fault::Chain("the revisions of the day do not follow each other"));
        }
        self.last = Some((header.number, Digest::of(signed.as_bytes())));
        self.headers = self.headers.saturating_add(1);
        if self.headers > HEADERS as u64 {
            return Err(Fault::TooMany);
        }
        if line.leaves {
            let mut tally = Tally::default();
            for _ in 0..header.size {
                tally.check(&lines.next()?, &header)?;
            }
            tally.agrees(&header)?;
            self.leaves = self.leaves.saturating_add(header.size);
        }
        self.newest.insert(header.day, (header, line.leaves));
        Ok(())
    }

    /// The newest header of each day that is asked for; each must have come with its leaves.
    fn newest(self, days: &Span) -> Result<Vec<Header>, Fault> {
        let of_days = self.newest.into_iter().filter(|(day, _)| days.contains(*day));
        of_days
            .map(|(day, (header, leaves))| if leaves { Ok(header) } else { Err(Fault::Leaves(day)) })
            .collect()
    }
}

/// Checks a statement's line; `last` is the statement of the line before, with its digest.
fn statement(
    line: StatementRecord,
    opening: &Opening,
    last: Option<&(Statement, Digest)>,
) -> Result<(Statement, Digest), Fault> {
    let StatementRecord { statement: month, sha256, text } = line;
    let fail = |why: &str| Fault::Statement { month, why: why.to_owned() };
    if Digest::of(text.as_bytes()) != sha256 {
        return Err(fail("its text does not have the digest that stands beside it"));
    }
    let statement: Statement =
        serde_json::from_str(&text).map_err(|_| fail("its text is no statement that this version knows"))?;
    if statement.canonical().ok().as_deref() != Some(&*text) {
        return Err(fail("its text is not written as a statement is"));
    }
    if statement.month != month || statement.subscription != opening.subscription {
        return Err(fail("it is another month's or another subscription's"));
    }
    if statement.closed_at.is_none_or(|at| at < month.closes_at()) {
        return Err(fail("it was not closed 72 hours after the month's end"));
    }
    if let Some((before, hash)) = last
        && (before.month.next() != month || statement.previous != Some(hash.to_string()))
    {
        return Err(fail("it does not follow the statement before it"));
    }
    check(&statement).map_err(|e| Fault::Statement { month, why: e.to_string() })?;
    Ok((statement, sha256))
}

/// A line that is written exactly as this version writes it.
fn read<T: DeserializeOwned + Serialize>(line: &str) -> Result<T, Fault> {
    let value: T = serde_json::from_str(line).map_err(|_| Fault::Form)?;
    let same = serde_json::to_string(&value).is_ok_and(|again| again == line);
    if same { Ok(value) } else { Err(Fault::Form) }
}

/// The lines of a file.
struct Lines<R> {
    input: R,
    number: u64,
    digest: Sha256,
}

impl<R: BufRead> Lines<R> {
    /// The next line, without its end.
    fn next(&mut self) -> Result<String, Fault> {
        self.number = self.number.saturating_add(1);
        let mut bytes = Vec::new();
        self.input.by_ref().take(LINE_BYTES as u64 + 1).read_until(b'\n', &mut bytes)?;
        if bytes.len() > LINE_BYTES {
            return Err(Fault::TooLong);
        }
        self.digest.update(&bytes);
        match bytes.pop() {
            Some(b'\n') => String::from_utf8(bytes).map_err(|_| Fault::Form),
            _ => Err(Fault::Truncated),
        }
    }

    /// Makes sure that nothing follows.
    fn end(&mut self) -> Result<(), Fault> {
        if self.input.fill_buf()?.is_empty() { Ok(()) } else { Err(Fault::Trailing) }
    }
}
