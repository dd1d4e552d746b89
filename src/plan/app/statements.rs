//! Statements: what each calendar month comes to, and corrections of closed statements (P9).

use serde::Serialize;
use utoipa::ToSchema;

use super::{App, May, Refusal, statement_sheet};
use crate::billing::statement::{
    Amount, Charge, Correction, CorrectionRequest, InvoiceTotal, Micros, Month, Statement, StatementState,
    TooLarge, Unpriced,
};
use crate::census::{Timestamp, time::rfc3339};
use crate::plan::permission::{ManageTenant, View};
use crate::plan::store::{DayCount, StoredStatement};
use crate::proof::{Day, Span};

/// Totals of a month.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Totals {
    /// The device-months.
    #[schema(value_type = String, example = "1813.888889")]
    pub device_months: Micros,
    /// The money, by currency; empty if no price is set.
    pub amounts: Vec<Amount>,
    /// The same for an invoice, by currency: rounded to the currency's smallest unit, beside the exact amount. Each
    /// currency is a total of its own.
    pub invoice: Vec<InvoiceTotal>,
    /// What no amount contains because it has no price; null if everything has one.
    pub unpriced: Option<Unpriced>,
}

impl Totals {
    /// The totals of a statement.
    ///
    /// # Errors
    /// [`Refusal::Defect`] if an amount is too large to be added, which no stored row allows.
    pub(super) fn new(statement: &Statement) -> Result<Self, Refusal> {
        let too_large = |error: TooLarge| Refusal::Defect(error.to_string());
        Ok(Self {
            device_months: statement.device_months,
            amounts: statement.amounts.clone(),
            invoice: statement.invoice().map_err(too_large)?,
            unpriced: statement.unpriced(),
        })
    }
}

/// A statement in a list.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct StatementEntry {
    /// The month in UTC.
    #[schema(value_type = String, example = "2026-11")]
    pub month: Month,
    /// Open, draft or closed.
    #[schema(inline)]
    pub state: StatementState,
    /// When the statement closes, or was due to close.
    #[serde(with = "rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    pub closes_at: Timestamp,
    /// The SHA-256 of the canonical form in hexadecimal, once the statement is closed.
    pub sha256: Option<String>,
    /// The totals; while the month runs, the totals so far.
    #[serde(flatten)]
    pub totals: Totals,
}

impl StatementEntry {
    fn new(stored: &StoredStatement) -> Result<Self, Refusal> {
        Ok(Self {
            month: stored.statement.month,
            state: stored.state,
            closes_at: stored.statement.month.closes_at(),
            sha256: stored.sha256.clone(),
            totals: Totals::new(&stored.statement)?,
        })
    }
}

/// A page of statements.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Statements {
    /// The newest first.
    pub statements: Vec<StatementEntry>,
    /// The value of `before` for the next page; null on the last page.
    #[schema(value_type = Option<String>, example = "2026-11")]
    pub next: Option<Month>,
}

/// A whole statement.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct StatementView {
    /// Open, draft or closed.
    #[schema(inline)]
    pub state: StatementState,
    /// When the statement closes, or was due to close.
    #[serde(with = "rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    pub closes_at: Timestamp,
    /// The SHA-256 of the canonical form, once the statement is closed. The bytes of the member `statement` are that form.
    pub sha256: Option<String>,
    /// The statement; while the month runs, it covers what has been in effect so far.
    pub statement: Statement,
    /// While the month runs: the totals at its end if nothing changes.
    pub expected: Option<Totals>,
    /// What the statement comes to.
    pub totals: Totals,
}

impl StatementView {
    fn new(stored: StoredStatement) -> Result<Self, Refusal> {
        Ok(Self {
            state: stored.state,
            closes_at: stored.statement.month.closes_at(),
            sha256: stored.sha256,
            expected: stored.expected.as_ref().map(Totals::new).transpose()?,
            totals: Totals::new(&stored.statement)?,
            statement: stored.statement,
        })
    }
}

/// A correction.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct CorrectionEntry {
    /// Counts from 1 within the subscription.
    pub number: i64,
    /// The statement that has the correction as a line.
    #[schema(value_type = String, example = "2026-12")]
    pub appears_in: Month,
    /// The closed statement that is corrected.
    #[schema(value_type = String, example = "2026-11")]
    pub statement: Month,
    /// The number of the corrected line.
    pub line: u32,
    /// What was charged, earlier corrections included.
    pub was: Charge,
    /// What should have been charged.
    pub charge: Charge,
    /// Why the correction was made.
    pub reason: String,
    /// Who made the correction.
    pub by: String,
    /// When the correction was made.
    #[serde(with = "rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
}

impl From<Correction> for CorrectionEntry {
    fn from(c: Correction) -> Self {
        Self {
            number: c.number,
            appears_in: Month::of(c.at),
            statement: c.statement,
            line: c.line,
            was: c.was,
            charge: c.charge,
            reason: c.reason,
            by: c.by,
            at: c.at,
        }
    }
}

/// The statements of all months since the first plan, the newest first: at most `limit`, of the months before `before`.
pub async fn list(
    app: &App,
    may: &May<View>,
    before: Option<Month>,
    limit: usize,
) -> Result<Statements, Refusal> {
    let found = app.store.statements(may.id(), before, limit.saturating_add(1), app.now()).await?;
    let statements: Vec<StatementEntry> =
        found.iter().take(limit).map(StatementEntry::new).collect::<Result<_, _>>()?;
    let more = found.len() > statements.len();
    let next = more.then(|| statements.last().map(|s| s.month)).flatten();
    Ok(Statements { statements, next })
}

/// The statement of a month.
pub async fn show(app: &App, may: &May<View>, month: Month) -> Result<StatementView, Refusal> {
    StatementView::new(app.store.statement(may.id(), month, app.now()).await?)
}

/// The sealed days of a month, in order.
pub async fn days(app: &App, may: &May<View>, month: Month) -> Result<Vec<DayCount>, Refusal> {
    let span = Span { from: Day::of(month.from()), to: Day::of(month.to()) };
    Ok(app.store.daily_counts(may.id(), span).await?)
}

/// The statement of a month as CSV: its lines, then its totals.
pub async fn csv(app: &App, may: &May<View>, month: Month) -> Result<Vec<u8>, Refusal> {
    Ok(statement_sheet::csv(&show(app, may, month).await?))
}

/// Corrects a line of the closed statement of `month` by a line of the statement that is open now (P9).
pub async fn correct(
    app: &App,
    may: &May<ManageTenant>,
    month: Month,
    asked: &CorrectionRequest,
) -> Result<CorrectionEntry, Refusal> {
    let now = app.now();
    // Statements are closed on demand: close the one to be corrected, if it is due.
    app.store.close_due(may.id(), now).await?;
    Ok(app.store.correct_statement(may.id(), month, asked, &may.by, now).await?.into())
}
