//! Snapshots: list, show, seal, prove, export. [`super::sealing`] counts and seals.

use futures_core::Stream as _;
use serde::Serialize;
use utoipa::ToSchema;

pub use super::bundling::Bundle;
use super::leaves::{Leaves, corrupt};
use super::sealing::Outcome;
use super::{App, May, MayHere, Refusal};
use crate::census::{Timestamp, time::rfc3339};
use crate::plan::permission::{EditDevices, ManageTenant, View};
use crate::plan::store::{Snapshot, StoreError};
use crate::proof::inclusion::{LeafPlace, PROOF_SCHEMA};
use crate::proof::verify::{BundleReport, TrustedSigner, Verified, VerifyError, verify};
use crate::proof::{Day, Digest, Header, Inclusion, Leaf, PublicKey, Signature, Span};

/// Snapshots on a page by default.
const PAGE: i64 = 100;
/// Snapshots on a page at most.
const PAGE_MAX: i64 = 1_000;

/// A sealed snapshot.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct SnapshotEntry {
    /// The signed part; its signed form is the compact JSON of its members in this order.
    pub header: Header,
    /// SHA-256 of the signed form. The next header in the chain has it as `previous`.
    #[schema(value_type = String)]
    pub hash: Digest,
    /// The Ed25519 signature of the signed form, in hex.
    #[schema(value_type = String)]
    pub signature: Signature,
    /// The key that signed, in hex.
    #[schema(value_type = String)]
    pub key: PublicKey,
    /// When the snapshot was sealed.
    #[serde(with = "rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    pub sealed_at: Timestamp,
}

impl SnapshotEntry {
    /// A snapshot that was signed by the owner of `key`.
    pub fn new(snapshot: Snapshot, key: PublicKey) -> Self {
        let Snapshot { header, hash, signature, sealed_at, .. } = snapshot;
        Self { header, hash, signature, key, sealed_at }
    }
}

/// One page of snapshots.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct SnapshotPage {
    /// The snapshots, in reverse order of sealing.
    pub snapshots: Vec<SnapshotEntry>,
    /// The value of `before` for the next page; null on the last page.
    pub next: Option<u64>,
}

/// The result of a request to seal.
#[derive(Clone, Debug)]
pub struct Sealing {
    /// Whether a new snapshot was sealed; if not, the newest snapshot of the day has the same count.
    pub sealed: bool,
    /// The newest snapshot of the day.
    pub snapshot: SnapshotEntry,
}

/// The proof that a device is in a snapshot.
#[derive(Clone, Debug)]
pub struct Proof {
    pub inclusion: Inclusion,
    /// The hash of the snapshot's signed form.
    pub hash: Digest,
}

/// One page of snapshots, in reverse order of sealing: at most `limit`, of those numbered below `before`.
pub async fn page(
    app: &App,
    may: &May<View>,
    before: Option<i64>,
    limit: Option<i64>,
) -> Result<SnapshotPage, Refusal> {
    let limit = limit.unwrap_or(PAGE).clamp(1, PAGE_MAX);
    let key = public_key(app).await?;
    let found = app.store.snapshots(may.id(), before, limit).await?;
    let full = i64::try_from(found.len()).is_ok_and(|n| n == limit);
    let next = found.last().map(|s| s.header.number).filter(|number| full && *number > 1);
    Ok(SnapshotPage { snapshots: found.into_iter().map(|s| SnapshotEntry::new(s, key)).collect(), next })
}

/// The snapshot of a day: the newest revision, or the one asked for.
pub async fn show(
    app: &App,
    may: &May<View>,
    day: Day,
    revision: Option<i64>,
) -> Result<SnapshotEntry, Refusal> {
    let snapshot = app.store.snapshot(may.id(), day, revision).await?;
    Ok(SnapshotEntry::new(snapshot, public_key(app).await?))
}

/// Seals a day that has ended. If it is sealed and would now count differently, makes a new revision.
pub async fn seal(app: &App, may: &May<EditDevices>, day: Day) -> Result<Sealing, Refusal> {
    let (sealed, snapshot) = match app.seal(may.id(), day, &may.by).await? {
        Outcome::Sealed(snapshot) => (true, snapshot),
        Outcome::Unchanged(snapshot) => (false, snapshot),
    };
    Ok(Sealing { sealed, snapshot: SnapshotEntry::new(snapshot, public_key(app).await?) })
}

/// The leaves of a snapshot, read in parts of some thousands.
pub async fn leaves(app: &App, may: &May<View>, day: Day, revision: Option<i64>) -> Result<Leaves, Refusal> {
    Ok(Leaves::new(&app.store, app.store.snapshot(may.id(), day, revision).await?))
}

/// The proof that a device is in a snapshot. The last leaf, whose path the proof also has, fixes the number of leaves.
///
/// Fails with [`StoreError::NotFound`] if the device is not in the snapshot.
pub async fn proof(
    app: &App,
    may: &May<View>,
    day: Day,
    revision: Option<i64>,
    device: &str,
) -> Result<Proof, Refusal> {
    let mut parts = leaves(app, may, day, revision).await?;
    let key = public_key(app).await?;
    let (mut hashes, mut found, mut last) = (Vec::new(), None, None);
    while let Some(text) = parts.next().await? {
        for line in text.lines() {
            hashes.push(Leaf::hash(line));
            if line.strip_prefix(r#"{"id":""#).is_some_and(|rest| rest.split('"').next() == Some(device)) {
                found = Some((hashes.len().saturating_sub(1), line.to_owned()));
            }
        }
        last = text.lines().last().map(str::to_owned).or(last);
    }
    let missing = || StoreError::NotFound { what: "device", id: device.chars().take(60).collect() };
    let found = found.ok_or_else(missing)?;
    let last = (hashes.len().saturating_sub(1), last.unwrap_or_default());
    let place = |(index, line): (usize, String)| {
        let leaf = Leaf::read(&line).ok_or_else(|| corrupt(&"a leaf cannot be read"))?;
        Ok::<_, StoreError>(LeafPlace::new(leaf, index, &hashes))
    };
    let (device, last) = (place(found)?, place(last)?);
    let Snapshot { header, hash, signature, .. } = parts.snapshot;
    let inclusion = Inclusion { schema: PROOF_SCHEMA.to_owned(), key, header, signature, device, last };
    Ok(Proof { inclusion, hash })
}

/// The bundle of some days: the chain that contains their snapshots, the leaves of each day's newest snapshot, and the
/// closed statements of their months.
pub async fn bundle(app: &App, may: &May<View>, days: Span) -> Result<Bundle, Refusal> {
    Ok(Bundle::new(app, may.id(), days).await?)
}

/// Checks the snapshot of a day as `netcensus-plan verify` does: recounts its leaves, and checks numbers, root, place in the
/// chain and signature. In constant memory: the bundle is checked while it is read.
pub async fn check(
    app: &App,
    may: &May<View>,
    day: Day,
) -> Result<Result<BundleReport, VerifyError>, Refusal> {
    let bundle = bundle(app, may, Span { from: day, to: day.plus(1) }).await?;
    let trust = TrustedSigner { key: Some(public_key(app).await?.to_string()) };
    let (sender, receiver) = tokio::sync::mpsc::channel(2);
    let checking = tokio::task::spawn_blocking(move || {
        verify(std::io::BufReader::new(Piped { receiver, part: Vec::new(), read: 0 }), &trust)
    });
    let mut parts = std::pin::pin!(bundle.stream());
    while let Some(part) = std::future::poll_fn(|cx| parts.as_mut().poll_next(cx)).await {
        // If the check failed, it reads no further.
        if sender.send(part?).await.is_err() {
            break;
        }
    }
    drop(sender);
    let checked = checking.await.map_err(|e| Refusal::Defect(format!("a check failed: {e}")))?;
    Ok(match checked {
        Ok(Verified::Bundle(report)) => Ok(report),
        Ok(Verified::Device(_)) => return Err(Refusal::Defect("a bundle was read as a proof".to_owned())),
        Err(error) => Err(error),
    })
}

/// Bytes that another task sends.
struct Piped {
    receiver: tokio::sync::mpsc::Receiver<Vec<u8>>,
    part: Vec<u8>,
    read: usize,
}

impl std::io::Read for Piped {
    fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
        loop {
            let mut rest = self.part.get(self.read..).unwrap_or_default();
            if !rest.is_empty() || out.is_empty() {
                let count = rest.read(out)?;
                self.read += count;
                return Ok(count);
            }
            match self.receiver.blocking_recv() {
                Some(part) => (self.part, self.read) = (part, 0),
                None => return Ok(0),
            }
        }
    }
}

/// The public key that signs snapshots. Makes the key pair if there is none yet.
pub async fn signing_key(app: &App, _: &MayHere<ManageTenant>) -> Result<PublicKey, Refusal> {
    Ok(public_key(app).await?)
}

async fn public_key(app: &App) -> Result<PublicKey, StoreError> {
    Ok(app.store.signing_key(app.now()).await?.public())
}
