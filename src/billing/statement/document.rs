//! The statement as a document, and what its amounts come to.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use utoipa::ToSchema;

use crate::billing::amount::{Exact, Micros, Sum, TooLarge};
use crate::billing::month::Month;
use crate::billing::price::{Currency, Price};
use crate::billing::timeline::PlanKind;
use crate::census::{Timestamp, time::rfc3339};

/// The schema of a statement.
pub const SCHEMA: &str = "netcensus.statement/1";

/// The charge for a month.
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
    /// The first instant of the month.
    #[serde(with = "rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    pub from: Timestamp,
    /// The first instant after it.
    #[serde(with = "rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    pub to: Timestamp,
    /// The length of the month in seconds.
    pub seconds: i64,
    /// When it was closed; null while it is open or a draft.
    #[serde(with = "rfc3339::option")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub closed_at: Option<Timestamp>,
    /// The SHA-256 of the previous month's statement, in hexadecimal; null for the first one, and until it is closed.
    pub previous: Option<String>,
    /// The lines: plans by start, then corrections by number.
    pub lines: Vec<StatementLine>,
    /// The device-months of all lines.
    #[schema(value_type = String, example = "1813.888889")]
    pub device_months: Micros,
    /// The money of all lines, by currency; empty if no price is set.
    pub amounts: Vec<Amount>,
    /// The highest count of the month's daily snapshots; never part of the charge (P3).
    pub peak_billable: Option<u64>,
    /// The count of the month's last daily snapshot; never part of the charge (P3).
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
    /// The price of a device-month; null if none is set.
    pub price: Option<Price>,
    /// The growth of the rounded sum of device-months.
    #[schema(value_type = String, example = "1215.972222")]
    pub device_months: Micros,
    /// The growth of the rounded sum of money; null if no price is set.
    #[schema(value_type = Option<String>, example = "1215.972222")]
    pub amount: Option<Micros>,
    /// For a correction: what it corrects. Committed number, seconds and price are then what should have been charged, and
    /// the amounts are the difference to what was charged.
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

    /// Its exact device-months and money; for a correction the difference to what was charged.
    pub(super) fn exact(&self) -> Result<(Exact, Exact), TooLarge> {
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

/// What a line charges: devices for a time at a price.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Charge {
    /// The committed number of devices.
    pub committed: u64,
    /// Seconds in effect.
    pub seconds: i64,
    /// The price of a device-month; null if none is set.
    pub price: Option<Price>,
}

impl Charge {
    /// Device-months in a month of `of` seconds.
    ///
    /// # Errors
    /// [`TooLarge`].
    pub fn device_months(&self, of: i64) -> Result<Exact, TooLarge> {
        Exact::part(self.committed, self.seconds, of, 1_000_000)
    }

    /// Money; zero if no price is set.
    ///
    /// # Errors
    /// [`TooLarge`].
    pub fn amount(&self, of: i64) -> Result<Exact, TooLarge> {
        self.price
            .map_or_else(|| Ok(Exact::default()), |p| Exact::part(self.committed, self.seconds, of, p.micros))
    }
}

/// Whether a statement can still change.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum StatementState {
    /// The month runs.
    Open,
    /// The month ended less than 72 hours ago: prices may still be set for it.
    Draft,
    /// The statement never changes again.
    Closed,
}

impl StatementState {
    /// The state of the statement of `month` at `now`, by the clock alone.
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

/// Numbers the lines and sums them, rounding cumulatively: the device-months, and each currency by itself.
pub(super) fn sum(statement: &mut Statement) -> Result<(), TooLarge> {
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
    hex::encode(Sha256::digest(canonical.as_bytes()))
}
