//! The saved set of indicators of the plan service: a file in the spool, beside what the upload half reports.
//!
//! The upload half fetches and saves it; the capture half, which has no network, reads it. Both check it in the same way: the
//! service signed it with the key that the sensor saw first, for this subscription, and not a byte was changed since. Only
//! then is a byte decompressed.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Read, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

use ed25519_dalek::{Signature, VerifyingKey};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::security::{BadCompiled, Indicators, Labels};
use crate::wire::{BadSetHead, HEAD_BYTES, SetHead};

/// The file's name in the spool.
pub(crate) const FILE: &str = "indicators.set";

/// A set that was saved and found good, as the upload half tells the capture half.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct SavedSet {
    /// The subscription that it is for.
    pub subscription: String,
    /// SHA-256 of the compiled indicators, in hex.
    pub digest: String,
    /// The service's public key, in hex.
    pub key: String,
}

/// What a set must be.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct WantedSet {
    pub(crate) subscription: String,
    pub(crate) digest: String,
    /// The key that signed the set before; `None` if there was none.
    pub(crate) key: Option<String>,
}

impl From<&SavedSet> for WantedSet {
    fn from(saved: &SavedSet) -> Self {
        let SavedSet { subscription, digest, key } = saved.clone();
        Self { subscription, digest, key: Some(key) }
    }
}

/// Why a set cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BadSet {
    #[error("the set of indicators cannot be read: {0}")]
    Read(#[from] io::Error),
    #[error(transparent)]
    Head(#[from] BadSetHead),
    #[error(transparent)]
    Compiled(#[from] BadCompiled),
    #[error("the set of indicators is for another subscription")]
    Subscription,
    #[error("the set of indicators is another one than the service named")]
    Other,
    #[error(
        "another key signed the set of indicators than the one before; if the plan service was set up anew, enrol this sensor again, otherwise suspect an interception"
    )]
    Key,
    #[error("the signature of the set of indicators is wrong")]
    Signature,
    #[error("the set of indicators is truncated or was changed: its digest is wrong")]
    Digest,
    #[error("the set does not have the number of indicators that its head states")]
    Count,
}

/// A set that was found good. Nothing of it is decompressed yet.
#[derive(Debug)]
pub(crate) struct CheckedSet {
    pub(crate) head: SetHead,
    compiled: BufReader<File>,
}

/// Where the set is.
pub(crate) fn path(spool: &Path) -> PathBuf {
    spool.join(FILE)
}

impl CheckedSet {
    /// Opens the set in a file, if it is the wanted one.
    ///
    /// # Errors
    /// [`BadSet`].
    pub(crate) fn open(file: File, wanted: &WantedSet) -> Result<Self, BadSet> {
        let mut source = BufReader::new(file);
        let mut line = Vec::new();
        source.by_ref().take(HEAD_BYTES as u64).read_until(b'\n', &mut line)?;
        let head = SetHead::read(line.strip_suffix(b"\n").ok_or(BadSetHead::Form)?)?;
        if head.subscription != wanted.subscription {
            return Err(BadSet::Subscription);
        }
        if head.digest != wanted.digest {
            return Err(BadSet::Other);
        }
        if wanted.key.as_ref().is_some_and(|key| *key != head.key) {
            return Err(BadSet::Key);
        }
        if !is_signed(&head) {
            return Err(BadSet::Signature);
        }
        let mut hash = Sha256::new();
        // A byte more than stated makes another digest.
        let mut rest = source.by_ref().take(head.bytes.saturating_add(1));
        let bytes = io::copy(&mut rest, &mut Hashing(&mut hash))?;
        if bytes != head.bytes || hex::encode(hash.finalize()) != head.digest {
            return Err(BadSet::Digest);
        }
        source.seek(SeekFrom::Start(line.len() as u64))?;
        Ok(Self { head, compiled: source })
    }

    /// Gives all labels to `take`.
    ///
    /// # Errors
    /// [`BadSet`]. Some labels may have been taken then.
    pub(crate) fn labels(self, mut take: impl FnMut(&str)) -> Result<SetHead, BadSet> {
        let mut indicators = 0;
        for label in Labels::of(self.compiled)? {
            take(&label?);
            indicators += 1;
        }
        if indicators == self.head.indicators { Ok(self.head) } else { Err(BadSet::Count) }
    }
}

struct Hashing<'h>(&'h mut Sha256);

impl io::Write for Hashing<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn is_signed(head: &SetHead) -> bool {
    let mut key = [0; 32];
    let mut signature = [0; 64];
    hex::decode_to_slice(&head.key, &mut key).is_ok()
        && hex::decode_to_slice(&head.signature, &mut signature).is_ok()
        && VerifyingKey::from_bytes(&key).is_ok_and(|key| {
            key.verify_strict(head.message().as_bytes(), &Signature::from_bytes(&signature)).is_ok()
        })
}

/// Adds the saved set of a spool to indicators.
///
/// # Errors
/// [`BadSet`]. The indicators are as before then.
pub(crate) fn add(spool: &Path, saved: &SavedSet, all: &mut Indicators) -> Result<AddedSet, BadSet> {
    let wanted = WantedSet::from(saved);
    let open = || CheckedSet::open(File::open(path(spool))?, &wanted);
    // A set that is read to its end before any of it is used adds everything or nothing.
    open()?.labels(|_| ())?;
    let (mut added, mut left_out) = (0, 0);
    open()?.labels(|label| if all.put_listed(label) { added += 1 } else { left_out += 1 })?;
    Ok(AddedSet { added, left_out })
}

/// What became of a set.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct AddedSet {
    /// Indicators that the sensor's own feeds do not have.
    pub(crate) added: usize,
    /// Those that they have, too, that would hit what is honest, or that found no room.
    pub(crate) left_out: usize,
}
