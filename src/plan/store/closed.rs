//! The newest closed statement. Prices may not change what it rests on, and the next statement names its hash.

use super::engine::{Row, sql};
use super::{StoreError, Work};
use crate::billing::statement::Month;
use crate::wire::SubscriptionId;

/// The month of the newest closed statement, and its hash in hexadecimal.
pub(super) async fn newest_closed(
    work: &mut Work,
    subscription: &SubscriptionId,
) -> Result<Option<(Month, String)>, StoreError> {
    let query = "SELECT month, sha256 FROM statement WHERE subscription = $1 ORDER BY month DESC LIMIT 1";
    let row = work.row(sql(query).bind(subscription)).await?;
    let read = |row: &Row| {
        let corrupt =
            |e: &dyn std::fmt::Display| StoreError::Corrupt { table: "statement", why: e.to_string() };
        let month = row.str("month")?.parse().map_err(|e| corrupt(&e))?;
        Ok((month, hex::encode(row.blob("sha256")?)))
    };
    row.as_ref().map(read).transpose()
}
