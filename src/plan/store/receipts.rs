//! The receipts of uploads: how long they are kept.

use super::engine::sql;
use super::{Scope, Store, StoreError};
use crate::census::Timestamp;

/// Receipts that are removed in one transaction, so that no upload waits long.
const AT_ONCE: i64 = 10_000;

impl Store {
    /// When the last upload of any sensor came; `None` before the first.
    ///
    /// # Errors
    /// The database's.
    pub async fn last_upload(&self) -> Result<Option<Timestamp>, StoreError> {
        let row = self.row(sql("SELECT max(uploaded_at) AS newest FROM sensor")).await?;
        Ok(row.map(|row| row.opt_int("newest")).transpose()?.flatten().map(Timestamp))
    }

    /// Removes receipts of uploads that came before `before`, the oldest first, but for the newest receipt of each sensor.
    /// Returns how many, and whether there may be more.
    ///
    /// A sensor sends an upload until it is acknowledged, and only then the next one. So the newest is the only one that may
    /// come again. If another comes again nevertheless, it is joined again, which changes no fact.
    ///
    /// # Errors
    /// The database's.
    pub async fn prune_receipts(&self, before: Timestamp) -> Result<(u64, bool), StoreError> {
        let mut work = self.write(Scope::Installation).await?;
        let query = "DELETE FROM upload WHERE (subscription, sensor, epoch, sequence) IN
                         (SELECT u.subscription, u.sensor, u.epoch, u.sequence FROM upload AS u
                          WHERE u.received_at < $1 AND NOT EXISTS
                              (SELECT 1 FROM sensor AS s
                               WHERE s.subscription = u.subscription AND s.id = u.sensor AND s.receipt = u.revision)
                          ORDER BY u.received_at LIMIT $2)";
        let removed = work.execute(sql(query).bind(before.0).bind(AT_ONCE)).await?;
        work.commit().await?;
        Ok((removed, i64::try_from(removed).is_ok_and(|n| n >= AT_ONCE)))
    }
}
