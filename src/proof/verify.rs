//! Checks a bundle, or the proof of one device, by the file alone: form, leaves, roots, sizes, numbers, chain, signatures,
//! statements. The file is read once, line by line, in constant memory.

use std::collections::BTreeMap;
use std::io::{BufRead, Read as _};

use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::{Digest as _, Sha256};

use super::bundle::{BUNDLE_SCHEMA, Closing, HEADERS, LINE_BYTES, Opening, SnapshotRecord, StatementRecord};
use super::day::{Day, Span};
use super::digest::Digest;
use super::header::{Header, TrailHeads};
use super::inclusion::Inclusion;
use super::leaf::Leaf;
use super::tally::Tally;
use crate::billing::statement::{Statement, check};

pub use super::fault::{Fault, VerifyError};
pub use super::signer::TrustedSigner;

#[derive(Clone, Debug, Serialize)]
#[serde(untagged)]
pub enum Verified {
    Bundle(BundleReport),
    /// The proof of one device.
    Device(Box<DeviceReport>),
}

/// What a bundle shows.
#[derive(Clone, Debug, Serialize)]
pub struct BundleReport {
    pub subscription: String,
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
    /// The closed statements of the months, each recomputed.
    pub statements: Vec<Statement>,
    /// The heads of the audit trails that the newest header anchors.
    pub trails: Option<Box<TrailHeads>>,
}

/// What the proof of a device shows.
#[derive(Clone, Debug, Serialize)]
pub struct DeviceReport {
    /// The fingerprint of the key that signed.
    pub signed_by: String,
    /// Whether the caller named that key.
    pub key_was_named: bool,
    pub header: Header,
    pub device: Leaf,
}

/// Checks a file.
///
/// # Errors
/// [`VerifyError`], with the line of the first check that fails.
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
    let (headers, leaves, trails) = (chain.headers, chain.leaves, chain.trails);
    Ok(Verified::Bundle(BundleReport {
        subscription: opening.subscription,
        signed_by: opening.key.fingerprint(),
        key_was_named: trust.key.is_some(),
        snapshots: chain.newest(&opening.days)?,
        days: opening.days,
        headers,
        leaves,
        statements: statements.into_iter().map(|(statement, _)| statement).collect(),
        trails: trails.map(Box::new),
    }))
}

/// The headers so far.
#[derive(Default)]
struct Chain {
    last: Option<(u64, Digest)>,
    newest: BTreeMap<Day, (Header, bool)>,
    headers: u64,
    leaves: u64,
    /// The heads of the audit trails in the newest header that has them.
    trails: Option<TrailHeads>,
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
            return Err(Fault::Chain("the header does not name the one before it"));
        }
        if self
            .newest
            .get(&header.day)
            .is_some_and(|(h, _)| h.revision.checked_add(1) != Some(header.revision))
        {
            return Err(Fault::Chain("the revisions of the day are not consecutive"));
        }
        if let (Some(now), Some(then)) = (header.trails, self.trails)
            && !now.follow(&then)
        {
            return Err(Fault::Chain(
                "the audit trail of the header does not follow that of the one before it",
            ));
        }
        self.trails = header.trails.or(self.trails);
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

    /// The newest header of each requested day; each must have come with its leaves.
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
        return Err(fail("its text does not have the stated digest"));
    }
    let statement: Statement =
        serde_json::from_str(&text).map_err(|_| fail("its text is not a statement of a known version"))?;
    if statement.canonical().ok().as_deref() != Some(&*text) {
        return Err(fail("its text is not in the canonical form"));
    }
    if statement.month != month || statement.subscription != opening.subscription {
        return Err(fail("it belongs to another month or subscription"));
    }
    if statement.closed_at.is_none_or(|at| at < month.closes_at()) {
        return Err(fail("it was closed less than 72 hours after the end of the month"));
    }
    if let Some((before, hash)) = last
        && (before.month.next() != month || statement.previous != Some(hash.to_string()))
    {
        return Err(fail("it does not follow the statement before it"));
    }
    check(&statement).map_err(|e| Fault::Statement { month, why: e.to_string() })?;
    Ok((statement, sha256))
}

/// Reads a line that must be exactly as this version writes it.
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
    /// The next line without its line feed.
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

    /// Checks that the file ends here.
    fn end(&mut self) -> Result<(), Fault> {
        if self.input.fill_buf()?.is_empty() { Ok(()) } else { Err(Fault::Trailing) }
    }
}
