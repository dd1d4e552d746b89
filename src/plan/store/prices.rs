//! Prices. Rows are only added.

use serde_json::json;

use super::audit::Entry;
use super::closed::newest_closed;
use super::engine::{Query, Row, sql};
use super::{By, Scope, Store, StoreError, Work, plans};
use crate::billing::statement::{Currency, PRICES, Price, SetPrice, StatementRefusal, checked_price};
use crate::billing::timeline::{PlanKind, whole_second};
use crate::census::Timestamp;
use crate::wire::SubscriptionId;

impl Store {
    /// All prices of a subscription, in the order in which they were set.
    ///
    /// # Errors
    /// The database's.
    pub async fn prices(&self, subscription: &SubscriptionId) -> Result<Vec<SetPrice>, StoreError> {
        self.rows(all(subscription)).await?.iter().map(read).collect()
    }

    /// Sets a price that is valid from `valid_from` on, or from now. That instant may lie in the past, but not in a closed
    /// statement. Call [`Store::close_due`] first: a statement that is due but not closed does not protect its month.
    ///
    /// # Errors
    /// [`StoreError::Statement`], or the database's.
    pub async fn set_price(
        &self,
        subscription: &SubscriptionId,
        price: Price,
        kind: Option<PlanKind>,
        valid_from: Option<Timestamp>,
        by: &By,
        now: Timestamp,
    ) -> Result<SetPrice, StoreError> {
        checked_price(price)?;
        let mut work = self.write(Scope::Subscription(subscription)).await?;
        let now = plans::history(&mut work, subscription, now).await?.now();
        let valid_from = whole_second(valid_from.unwrap_or(now));
        if let Some(closed) = newest_closed(&mut work, subscription).await?.map(|(month, _)| month)
            && valid_from < closed.to()
        {
            return Err(StatementRefusal::PriceInClosed { closed, from: closed.to() }.into());
        }
        let before = prices(&mut work, subscription).await?;
        if before.len() >= PRICES {
            return Err(StatementRefusal::PricesFull.into());
        }
        let number = before.last().map_or(0, |p| p.number).saturating_add(1);
        let set = SetPrice { number, price, kind, valid_from, set_at: now };
        work.execute(
            sql("INSERT INTO price (subscription, number, currency, micros, valid_from, set_at, kind)
                 VALUES ($1, $2, $3, $4, $5, $6, $7)")
            .bind(subscription)
            .bind(number)
            .bind(price.currency.to_string())
            .bind(i64::try_from(price.micros).map_err(|_| StatementRefusal::PriceTooHigh(price.micros))?)
            .bind(valid_from.0)
            .bind(now.0)
            .bind(kind.map(|kind| kind.key().to_owned())),
        )
        .await?;
        let (object, after) = (format!("price/{number}"), Some(json!(set)));
        let entry = Entry { action: "price.set", object, after, ..Entry::default() };
        work.audit(Some(subscription), by, entry, now).await?;
        work.finish(by).await?;
        Ok(set)
    }
}

/// All prices within a transaction.
pub(super) async fn prices(
    work: &mut Work,
    subscription: &SubscriptionId,
) -> Result<Vec<SetPrice>, StoreError> {
    work.rows(all(subscription)).await?.iter().map(read).collect()
}

fn all(subscription: &SubscriptionId) -> Query {
    sql("SELECT number, currency, micros, valid_from, set_at, kind FROM price WHERE subscription = $1 ORDER BY number")
        .bind(subscription)
}

fn read(row: &Row) -> Result<SetPrice, StoreError> {
    let corrupt = |why: String| StoreError::Corrupt { table: "price", why };
    let currency: Currency = row.str("currency")?.parse().map_err(|e| corrupt(format!("{e}")))?;
    let micros = u64::try_from(row.int("micros")?).map_err(|e| corrupt(e.to_string()))?;
    let kind = row.opt_text("kind")?.map(|kind| kind.parse::<PlanKind>()).transpose();
    Ok(SetPrice {
        kind: kind.map_err(|e| corrupt(e.to_string()))?,
        number: row.int("number")?,
        price: Price { currency, micros },
        valid_from: Timestamp(row.int("valid_from")?),
        set_at: Timestamp(row.int("set_at")?),
    })
}
