//! The leaves of a snapshot, read part by part.

use crate::plan::store::{Snapshot, Store, StoreError};
use crate::proof::Digest;
use crate::proof::part::unpack;

/// The leaves of a snapshot, part by part.
pub struct Leaves {
    store: Store,
    pub(super) snapshot: Snapshot,
    after: i64,
}

impl Leaves {
    /// The leaves of a snapshot.
    pub(super) fn new(store: &Store, snapshot: Snapshot) -> Self {
        Self { store: store.clone(), snapshot, after: -1 }
    }

    /// The hash of the snapshot's signed form.
    pub const fn hash(&self) -> Digest {
        self.snapshot.hash
    }

    /// The lines of the next part, each with its line feed; `None` after the last part.
    ///
    /// # Errors
    /// The store's.
    pub async fn next(&mut self) -> Result<Option<String>, StoreError> {
        let Some((part, body)) = self.store.snapshot_part(&self.snapshot, self.after).await? else {
            return Ok(None);
        };
        self.after = part;
        unpack(&body).map(Some).map_err(|e| corrupt(&e))
    }
}

pub(super) fn corrupt(why: &dyn std::fmt::Display) -> StoreError {
    StoreError::Corrupt { table: "snapshot_part", why: why.to_string() }
}
