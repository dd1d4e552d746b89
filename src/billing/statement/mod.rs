//! Statements (P9): what a calendar month in UTC comes to, exact to the second. Pure.
//!
//! A statement is **drawn** from the rows of plans, prices and corrections. While its month runs it is open and says
//! what has been in effect so far; for 72 hours more it is a draft; then it is closed, and the text of its canonical
//! form and the SHA-256 of that are stored and never change. A mistake in what is closed is put right by a line in the
//! statement of the month that then runs: see [`correct`].
//!
//! Canonical is the compact JSON of [`Statement`], its members in the order in which they stand there. It holds
//! texts, whole numbers and null only, so that any program can write the same bytes.

mod arithmetic;
mod check;
mod correction;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use utoipa::ToSchema;

pub use self::arithmetic::arithmetic;
pub use self::check::{Discrepancy, check, read};
pub use self::correction::{
    CORRECTIONS, Charge, Correction, CorrectionRequest, REASON, StatementRefusal, checked_price, correct,
};
pub use crate::billing::amount::{BadAmount, Exact, Micros, Sum, TooLarge};
pub use crate::billing::month::{BadMonth, DRAFT, Month};
pub use crate::billing::price::{BadCurrency, Currency, HIGHEST, PRICES, Price, SetPrice, price_at};
use crate::billing::timeline::{Plan, PlanKind, SECOND, whole_second};
use crate::census::{Timestamp, time::rfc3339};

/// The schema of a statement.
pub const SCHEMA: &str = "netcensus.statement/1";

/// What a month comes to.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Statement {
    /// `netcensus.statement/1`.
    pub schema: String,
    /// The subscription.
    pub subscription: String,
    /// The month.
    #[schema(value_type = String, example = "2026-11")]
    pub month: Month,
    /// Its first instant.
    #[serde(with = "rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    pub from: Timestamp,
    /// The first instant after it.
    #[serde(with = "rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    pub to: Timestamp,
    /// Its length.
    pub seconds: i64,
    /// When it was closed; null while it is open or a draft.
    #[serde(with = "rfc3339::option")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub closed_at: Option<Timestamp>,
    /// The SHA-256 of the statement of the month before, in hexadecimal; null for the first one, and until it is closed.
    pub previous: Option<String>,
    /// The lines: plans by their start, then corrections by their number.
    pub lines: Vec<StatementLine>,
    /// The device-months of all lines.
    #[schema(value_type = String, example = "1813.888889")]
    pub device_months: Micros,
    /// The money of all lines, by currency; empty where no price is set.
    pub amounts: Vec<Amount>,
    /// The most devices that any daily snapshot of the month counted; never part of the charge (P3).
    pub peak_billable: Option<u64>,
    /// What the month's last daily snapshot counted; never part of the charge (P3).
    pub last_billable: Option<u64>,
}

/// A sum of money.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Amount {
    /// The currency.
    #[schema(value_type = String, example = "EUR")]
    pub currency: Currency,
    /// How much.
    #[schema(value_type = String, example = "1813.888889")]
    pub amount: Micros,
}

/// One line: a plan at one price, or a correction.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Line)]
pub struct StatementLine {
    /// Counts from 1.
    pub number: u32,
    /// The plan.
    pub plan: i64,
    /// Its kind.
    pub kind: PlanKind,
    /// The committed number of devices; null for a trial, which is not charged.
    pub committed: Option<u64>,
    /// The first instant of the service period.
    #[serde(with = "rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    pub from: Timestamp,
    /// The first instant after it.
    #[serde(with = "rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    pub to: Timestamp,
    /// The seconds in effect that are charged.
    pub seconds: i64,
    /// The seconds of the month of service.
    pub seconds_in_month: i64,
    /// What a device-month costs; null where no price is set.
    pub price: Option<Price>,
    /// What the sum of device-months grows by.
    #[schema(value_type = String, example = "1215.972222")]
    pub device_months: Micros,
    /// What the sum of money grows by; null where no price is set.
    #[schema(value_type = Option<String>, example = "1215.972222")]
    pub amount: Option<Micros>,
    /// Of a correction: what it corrects. Committed number, seconds and price are what should have been charged, and
    /// the amounts are the difference to what was.
    pub corrects: Option<Corrected>,
}

/// What a correction corrects, who made it, and why.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Corrected {
    /// The closed statement.
    #[schema(value_type = String, example = "2026-10")]
    pub statement: Month,
    /// The number of the line there.
    pub line: u32,
    /// What was charged, earlier corrections included.
    pub was: Charge,
    /// Why.
    pub reason: String,
    /// Who made it.
    pub by: String,
    /// When it was made.
    #[serde(with = "rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
}

impl StatementLine {
    /// What it charges; none for a trial.
    pub fn charge(&self) -> Option<Charge> {
        let Self { committed, seconds, price, .. } = *self;
        committed.map(|committed| Charge { committed, seconds, price })
    }

    /// Its exact device-months and money: what it charges, less what was charged where it corrects.
    fn exact(&self) -> Result<(Exact, Exact), TooLarge> {
        let of = self.seconds_in_month;
        let both = |c: Charge| Ok((c.device_months(of)?, c.amount(of)?));
        let (months, money) = self.charge().map_or_else(|| Ok(Default::default()), both)?;
        match &self.corrects {
            None => Ok((months, money)),
            Some(c) => {
                let (before, paid) = both(c.was)?;
                Ok((months.minus(before)?, money.minus(paid)?))
            }
        }
    }
}

/// Where a statement stands.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum StatementState {
    /// The month runs.
    Open,
    /// The month is over for less than 72 hours: prices may still be set for it.
    Draft,
    /// It never changes any more.
    Closed,
}

impl StatementState {
    /// Where the statement of `month` stands at `now`, by the clock alone.
    pub fn at(month: Month, now: Timestamp) -> Self {
        match now {
            now if now < month.to() => Self::Open,
            now if now < month.closes_at() => Self::Draft,
            _ => Self::Closed,
        }
    }

    /// What a person reads.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Draft => "draft",
            Self::Closed => "closed",
        }
    }
}

/// The rows that a statement is drawn from.
#[derive(Clone, Copy, Debug)]
pub struct Records<'a> {
    /// All plans of the subscription.
    pub plans: &'a [Plan],
    /// All its prices.
    pub prices: &'a [SetPrice],
    /// All its corrections.
    pub corrections: &'a [Correction],
}

/// The month of the first plan that was ever in effect: the first one that has a statement.
pub fn first_month(plans: &[Plan]) -> Option<Month> {
    plans.iter().filter(|p| p.to() != Some(p.from)).map(|p| p.from).min().map(Month::of)
}

/// The statement of `month`, with what is in effect before `until`. A plan without an end runs on.
///
/// # Errors
/// [`TooLarge`], where a row holds a number that is out of range.
pub fn draw(
    subscription: &str,
    month: Month,
    records: Records<'_>,
    until: Timestamp,
) -> Result<Statement, TooLarge> {
    let mut lines = plan_lines(month, records, whole_second(until));
    let here = records.corrections.iter().filter(|c| Month::of(c.at) == month);
    let mut corrections: Vec<&Correction> = here.collect();
    corrections.sort_by_key(|c| c.number);
    lines.extend(corrections.into_iter().map(correction_line));
    let mut statement = Statement {
        schema: SCHEMA.to_owned(),
        subscription: subscription.to_owned(),
        month,
        from: month.from(),
        to: month.to(),
        seconds: month.seconds(),
        closed_at: None,
        previous: None,
        lines,
        device_months: Micros::default(),
        amounts: Vec::new(),
        peak_billable: None,
        last_billable: None,
    };
    sum(&mut statement)?;
    Ok(statement)
}

fn plan_lines(month: Month, records: Records<'_>, until: Timestamp) -> Vec<StatementLine> {
    let mut plans: Vec<&Plan> = records.plans.iter().collect();
    plans.sort_by_key(|p| (p.from, p.number));
    let mut lines = Vec::new();
    for plan in plans {
        let from = plan.from.max(month.from());
        let to = plan.to().unwrap_or(until).min(month.to()).min(until);
        if to <= from {
            continue;
        }
        // A trial is not charged, so that no price cuts it.
        let cuts = match plan.committed {
            Some(_) => crate::billing::price::cut(records.prices, from, to),
            None => vec![(from, to, price_at(records.prices, from))],
        };
        lines.extend(cuts.into_iter().map(|(from, to, price)| StatementLine {
            number: 0,
            plan: plan.number,
            kind: plan.kind,
            committed: plan.committed,
            from,
            to,
            seconds: to.since(from) / SECOND,
            seconds_in_month: month.seconds(),
            price,
            device_months: Micros::default(),
            amount: None,
            corrects: None,
        }));
    }
    lines
}

fn correction_line(c: &Correction) -> StatementLine {
    StatementLine {
        number: 0,
        plan: c.plan,
        kind: c.kind,
        committed: Some(c.charge.committed),
        from: c.from,
        to: c.to,
        seconds: c.charge.seconds,
        seconds_in_month: c.seconds_in_month,
        price: c.charge.price,
        device_months: Micros::default(),
        amount: None,
        corrects: Some(Corrected {
            statement: c.statement,
            line: c.line,
            was: c.was,
            reason: c.reason.clone(),
            by: c.by.clone(),
            at: c.at,
        }),
    }
}

/// Numbers the lines and sums them, rounding cumulatively: the device-months, and each currency by itself.
fn sum(statement: &mut Statement) -> Result<(), TooLarge> {
    let mut months = Sum::default();
    let mut money: BTreeMap<Currency, Sum> = BTreeMap::new();
    for (line, number) in statement.lines.iter_mut().zip(1..) {
        let (part, amount) = line.exact()?;
        line.number = number;
        line.device_months = months.add(part)?;
        line.amount = match line.price {
            Some(price) => Some(money.entry(price.currency).or_default().add(amount)?),
            None => None,
        };
    }
    statement.device_months = months.total();
    statement.amounts =
        money.into_iter().map(|(currency, sum)| Amount { currency, amount: sum.total() }).collect();
    Ok(())
}

impl Statement {
    /// The canonical form.
    ///
    /// # Errors
    /// Never, in practice: the form has no map keys that are not text.
    pub fn canonical(&self) -> Result<String, serde_json::Error> {
        serde_json::to_string(self)
    }
}

/// The SHA-256 of a canonical form, in hexadecimal.
pub fn digest(canonical: &str) -> String {
    Sha256::digest(canonical.as_bytes()).iter().map(|b| format!("{b:02x}")).collect()
}

#[cfg(test)]
mod tests;
