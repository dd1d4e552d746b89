//! Statements and their corrections. [`crate::billing::statement`] decides their content.
//!
//! A statement closes at an instant that the clock alone decides. The first call that needs a due statement, or the
//! service's background job, closes it: month by month, one transaction each, under the subscription's lock. So two
//! services close a month once. A stored statement is never computed again.

use serde_json::json;
use sha2::{Digest as _, Sha256};

use super::audit::Entry;
use super::closed::newest_closed;
use super::engine::{Row, sql};
use super::{By, Scope, Store, StoreError, Work, plans, prices, snapshots};
use crate::billing::statement::{
    Correction, CorrectionRequest, Month, Records, SetPrice, Statement, StatementRefusal, StatementState,
    correct, draw, first_month,
};
use crate::billing::timeline::{History, Plan};
use crate::census::Timestamp;
use crate::plan::crash::crash_point;
use crate::proof::Span;
use crate::wire::SubscriptionId;

/// A statement and its state.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct StoredStatement {
    pub state: StatementState,
    /// The SHA-256 of the canonical form in hexadecimal, once the statement is closed.
    pub sha256: Option<String>,
    /// While the month runs, it covers what has been in effect so far.
    pub statement: Statement,
    /// While the month runs: the statement at its end if nothing changes.
    pub expected: Option<Statement>,
}

impl Store {
    /// Closes the statements of a subscription that are due at `now`, the oldest first, and returns their number.
    ///
    /// # Errors
    /// The database's.
    pub async fn close_due(
        &self,
        subscription: &SubscriptionId,
        now: Timestamp,
    ) -> Result<usize, StoreError> {
        let mut closed = 0;
        // Looks without the lock first, because mostly no statement is due.
        while due(&mut self.read().await?, subscription, now).await?.is_some() {
            let mut work = self.write(Scope::Subscription(subscription)).await?;
            let Some(next) = due(&mut work, subscription, now).await? else { break };
            close(&mut work, subscription, next).await?;
            crash_point!("statement-close-before-commit");
            work.commit().await?;
            crash_point!("statement-close-after-commit");
            closed += 1;
        }
        Ok(closed)
    }

    /// Closes the statements of all subscriptions that are due at `now`, and returns their number. If one subscription
    /// fails, the others are still closed.
    ///
    /// # Errors
    /// The last of the database's errors.
    pub async fn close_all_due(&self, now: Timestamp) -> Result<usize, StoreError> {
        let (mut closed, mut failed) = (0, None);
        for subscription in self.subscriptions().await? {
            match self.close_due(&subscription.id, now).await {
                Ok(more) => closed += more,
                Err(error) => failed = Some(error),
            }
        }
        failed.map_or(Ok(closed), Err)
    }

    /// The statement of `month` at `now`.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] before the first plan's month and after the present one, or the database's.
    pub async fn statement(
        &self,
        subscription: &SubscriptionId,
        month: Month,
        now: Timestamp,
    ) -> Result<StoredStatement, StoreError> {
        self.close_due(subscription, now).await?;
        let missing = || StoreError::NotFound { what: "statement", id: month.to_string() };
        let mut work = self.read().await?;
        let rows = Rows::read(&mut work, subscription, now).await?;
        if !rows.months().contains(&month) {
            return Err(missing());
        }
        match closed(&mut work, subscription, month).await? {
            Some(closed) => Ok(closed),
            None => rows.unclosed(&mut work, subscription, month).await,
        }
    }

    /// Statements at `now`, the newest first: at most `limit`, of the months before `before`.
    ///
    /// # Errors
    /// The database's.
    pub async fn statements(
        &self,
        subscription: &SubscriptionId,
        before: Option<Month>,
        limit: usize,
        now: Timestamp,
    ) -> Result<Vec<StoredStatement>, StoreError> {
        self.close_due(subscription, now).await?;
        let mut work = self.read().await?;
        let rows = Rows::read(&mut work, subscription, now).await?;
        let months = rows.months();
        let asked = months.into_iter().rev().filter(|m| before.is_none_or(|b| *m < b)).take(limit);
        let mut out = Vec::new();
        for month in asked {
            out.push(match closed(&mut work, subscription, month).await? {
                Some(closed) => closed,
                None => rows.unclosed(&mut work, subscription, month).await?,
            });
        }
        Ok(out)
    }

    /// The closed statements of the months in which some days lie, oldest first, in their canonical form.
    ///
    /// # Errors
    /// The database's.
    pub async fn closed_statements(
        &self,
        subscription: &SubscriptionId,
        days: Span,
        now: Timestamp,
    ) -> Result<Vec<(Month, String)>, StoreError> {
        self.close_due(subscription, now).await?;
        let (first, last) = (Month::of(days.from.start()), Month::of(days.to.start().plus(-1)));
        let query = sql("SELECT month, body FROM statement
                         WHERE subscription = $1 AND month >= $2 AND month <= $3 ORDER BY month");
        let rows = self.rows(query.bind(subscription).bind(first.to_string()).bind(last.to_string())).await?;
        let month = |row: &Row| row.str("month")?.parse().map_err(|e| corrupt("statement", e));
        rows.iter().map(|row| Ok((month(row)?, row.text("body")?))).collect()
    }

    /// The statements of whole months if these were the plans of a subscription.
    ///
    /// # Errors
    /// The database's.
    pub async fn statements_under(
        &self,
        subscription: &SubscriptionId,
        plans: &[Plan],
        months: &[Month],
    ) -> Result<Vec<Statement>, StoreError> {
        let prices = self.prices(subscription).await?;
        let records = Records { plans, prices: &prices, corrections: &[] };
        let drawn = |month: &Month| draw(subscription.as_str(), *month, records, month.to());
        Ok(months.iter().map(drawn).collect::<Result<_, _>>().map_err(StatementRefusal::from)?)
    }

    /// Corrects a line of the closed statement of `month` by a line of the statement that is open at `now`. Call
    /// [`Store::close_due`] first.
    ///
    /// # Errors
    /// [`StoreError::Statement`], [`StoreError::NotFound`] or the database's.
    pub async fn correct_statement(
        &self,
        subscription: &SubscriptionId,
        month: Month,
        asked: &CorrectionRequest,
        by: &By,
        now: Timestamp,
    ) -> Result<Correction, StoreError> {
        let mut work = self.write(Scope::Subscription(subscription)).await?;
        let rows = Rows::read(&mut work, subscription, now).await?;
        if !rows.months().contains(&month) {
            return Err(StoreError::NotFound { what: "statement", id: month.to_string() });
        }
        let closed =
            closed(&mut work, subscription, month).await?.ok_or(StatementRefusal::NotClosed(month))?;
        let at = rows.history.now();
        let made = correct(&closed.statement, &rows.corrections, asked, &by.actor.to_string(), at)?;
        let body = serde_json::to_string(&made).map_err(|e| corrupt("correction", e))?;
        work.execute(
            sql("INSERT INTO correction (subscription, number, at, statement, line, body)
                 VALUES ($1, $2, $3, $4, $5, $6)")
            .bind(subscription)
            .bind(made.number)
            .bind(at.0)
            .bind(month.to_string())
            .bind(i64::from(made.line))
            .bind(body),
        )
        .await?;
        let entry = Entry {
            action: "statement.correct",
            object: format!("statement/{month}/{}", made.line),
            before: Some(json!(made.was)),
            after: Some(json!(made.charge)),
            count_delta: None,
        };
        let by = By { reason: by.reason.clone().or_else(|| Some(made.reason.clone())), ..by.clone() };
        work.audit(Some(subscription), &by, entry, at).await?;
        work.finish(&by).await?;
        Ok(made)
    }
}

/// What a statement is drawn from.
struct Rows {
    history: History,
    prices: Vec<SetPrice>,
    corrections: Vec<Correction>,
}

impl Rows {
    async fn read(
        work: &mut Work,
        subscription: &SubscriptionId,
        now: Timestamp,
    ) -> Result<Self, StoreError> {
        let history = plans::history(work, subscription, now).await?;
        let prices = prices::prices(work, subscription).await?;
        let query = sql("SELECT body FROM correction WHERE subscription = $1 ORDER BY number");
        let read = |row: &Row| serde_json::from_str(row.str("body")?).map_err(|e| corrupt("correction", e));
        let corrections =
            work.rows(query.bind(subscription)).await?.iter().map(read).collect::<Result<_, _>>()?;
        Ok(Self { history, prices, corrections })
    }

    fn records(&self) -> Records<'_> {
        Records { plans: self.history.plans(), prices: &self.prices, corrections: &self.corrections }
    }

    /// The months that have a statement, oldest first.
    fn months(&self) -> Vec<Month> {
        let newest = Month::of(self.history.now());
        let first = first_month(self.history.plans());
        std::iter::successors(first, |m| Some(m.next())).take_while(|m| *m <= newest).collect()
    }

    async fn unclosed(
        &self,
        work: &mut Work,
        subscription: &SubscriptionId,
        month: Month,
    ) -> Result<StoredStatement, StoreError> {
        let now = self.history.now();
        let (peak_billable, last_billable) =
            snapshots::peak_and_last(work, subscription, month.into()).await?;
        let drawn = |until| -> Result<Statement, StatementRefusal> {
            let drawn = draw(subscription.as_str(), month, self.records(), until)?;
            Ok(Statement { peak_billable, last_billable, ..drawn })
        };
        let open = now < month.to();
        Ok(StoredStatement {
            state: if open { StatementState::Open } else { StatementState::Draft },
            sha256: None,
            statement: drawn(now)?,
            expected: if open { Some(drawn(month.to())?) } else { None },
        })
    }
}

/// The next statement to close.
struct Due {
    month: Month,
    previous: Option<String>,
    now: Timestamp,
}

async fn due(
    work: &mut Work,
    subscription: &SubscriptionId,
    now: Timestamp,
) -> Result<Option<Due>, StoreError> {
    let history = plans::history(work, subscription, now).await?;
    let (month, previous) = match newest_closed(work, subscription).await? {
        Some((month, hash)) => (month.next(), Some(hash)),
        None => match first_month(history.plans()) {
            Some(first) => (first, None),
            None => return Ok(None),
        },
    };
    let now = history.now();
    Ok((StatementState::at(month, now) == StatementState::Closed).then_some(Due { month, previous, now }))
}

async fn close(work: &mut Work, subscription: &SubscriptionId, due: Due) -> Result<(), StoreError> {
    let Due { month, previous, now } = due;
    let rows = Rows::read(work, subscription, now).await?;
    let drawn =
        draw(subscription.as_str(), month, rows.records(), month.to()).map_err(StatementRefusal::from)?;
    let (peak_billable, last_billable) = snapshots::peak_and_last(work, subscription, month.into()).await?;
    let statement = Statement { closed_at: Some(now), previous, peak_billable, last_billable, ..drawn };
    let body = statement.canonical().map_err(|e| corrupt("statement", e))?;
    let hash: [u8; 32] = Sha256::digest(body.as_bytes()).into();
    work.execute(
        sql("INSERT INTO statement (subscription, month, closed_at, body, sha256) VALUES ($1, $2, $3, $4, $5)")
            .bind(subscription)
            .bind(month.to_string())
            .bind(now.0)
            .bind(body)
            .bind(hash),
    )
    .await?;
    let entry = Entry {
        action: "statement.close",
        object: format!("statement/{month}"),
        after: Some(json!({
            "sha256": hex::encode(hash),
            "device_months": statement.device_months,
            "amounts": statement.amounts,
        })),
        ..Entry::default()
    };
    work.audit(Some(subscription), &By::service(), entry, now).await
}

/// The closed statement of a month. Checks its hash.
async fn closed(
    work: &mut Work,
    subscription: &SubscriptionId,
    month: Month,
) -> Result<Option<StoredStatement>, StoreError> {
    let query = sql("SELECT body, sha256 FROM statement WHERE subscription = $1 AND month = $2");
    let Some(row) = work.row(query.bind(subscription).bind(month.to_string())).await? else {
        return Ok(None);
    };
    let body = row.str("body")?;
    let hash = row.blob("sha256")?;
    if Sha256::digest(body.as_bytes()).as_slice() != hash {
        let why = format!("the statement of {month} does not match its stored hash");
        return Err(StoreError::Corrupt { table: "statement", why });
    }
    let statement = serde_json::from_str(body).map_err(|e| corrupt("statement", e))?;
    Ok(Some(StoredStatement {
        state: StatementState::Closed,
        sha256: Some(hex::encode(&hash)),
        statement,
        expected: None,
    }))
}

fn corrupt(table: &'static str, error: impl std::fmt::Display) -> StoreError {
    StoreError::Corrupt { table, why: error.to_string() }
}
