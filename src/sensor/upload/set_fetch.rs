//! Fetches the plan service's set of indicators and saves it in the spool, whole or not at all.
//!
//! It runs beside the uploads, so that a large set on a slow link delays none. What comes is bounded while it is received, and
//! checked as a whole before it replaces the saved set ([`CheckedSet`]).

use std::fs::{self, File};
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::sync::mpsc;

use super::client::Uploader;
use super::spool;
use crate::census::Timestamp;
use crate::security::COMPILED_BYTES;
use crate::sensor::indicator_set::{self, BadSet, CheckedSet, SavedSet, WantedSet};
use crate::wire::HEAD_BYTES;

/// The longest wait for the next bytes, and for all of them.
const STALLED: Duration = Duration::from_secs(30);
const LONGEST: Duration = Duration::from_hours(1);
/// Chunks that wait to be written.
const CHUNKS: usize = 8;

/// Fetches the wanted set into the spool at `directory`.
///
/// # Errors
/// Why it was not saved, for people. The set that was saved before stays.
pub(super) async fn fetch(
    uploader: Uploader,
    wanted: WantedSet,
    directory: PathBuf,
    now: Timestamp,
) -> Result<SavedSet, String> {
    let digest = wanted.digest.clone();
    let (chunks, written) = mpsc::channel(CHUNKS);
    let saving = tokio::task::spawn_blocking(move || save(&directory, &wanted, written));
    let received = receive(&uploader, &digest, chunks, now).await;
    let saved = saving.await.map_err(|_| "saving the set of indicators failed".to_owned())?;
    received?;
    saved.map_err(|e| e.to_string())
}

/// Passes the bytes on as they come. An end that comes early shows by the digest.
async fn receive(
    uploader: &Uploader,
    digest: &str,
    chunks: mpsc::Sender<Vec<u8>>,
    now: Timestamp,
) -> Result<(), String> {
    let mut answer = uploader.indicators(digest, now, LONGEST).await.map_err(|e| e.to_string())?;
    let mut left = COMPILED_BYTES + HEAD_BYTES as u64;
    loop {
        let next = tokio::time::timeout(STALLED, answer.chunk()).await;
        let next = next.map_err(|_| "the plan service stopped sending the set of indicators".to_owned())?;
        let Some(chunk) = next.map_err(|e| format!("fetching the set of indicators failed: {e}"))? else {
            return Ok(());
        };
        left =
            left.checked_sub(chunk.len() as u64).ok_or("the set of indicators is larger than it may be")?;
        if chunks.send(chunk.into()).await.is_err() {
            // The writer says why.
            return Ok(());
        }
    }
}

fn save(
    directory: &Path,
    wanted: &WantedSet,
    mut chunks: mpsc::Receiver<Vec<u8>>,
) -> Result<SavedSet, BadSet> {
    let tmp = directory.join("tmp").join(indicator_set::FILE);
    let saved = write(&tmp, &mut chunks).and_then(|()| {
        let checked = CheckedSet::open(File::open(&tmp)?, wanted)?;
        let head = checked.labels(|_| ())?;
        fs::rename(&tmp, indicator_set::path(directory))?;
        spool::sync(directory).map_err(|e| std::io::Error::other(e.to_string()))?;
        Ok(SavedSet { subscription: head.subscription, digest: head.digest, key: head.key })
    });
    if saved.is_err() {
        fs::remove_file(&tmp).ok();
    }
    saved
}

fn write(tmp: &Path, chunks: &mut mpsc::Receiver<Vec<u8>>) -> Result<(), BadSet> {
    let mut out = BufWriter::new(File::create(tmp)?);
    while let Some(chunk) = chunks.blocking_recv() {
        out.write_all(&chunk)?;
    }
    Ok(out.into_inner().map_err(std::io::IntoInnerError::into_error)?.sync_all()?)
}
