//! Corrections (P9): what a line of a closed statement should have charged, as a line of the current statement.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::document::{Charge, Statement, StatementLine};
use super::refusal::{StatementRefusal, checked_price};
use crate::billing::month::Month;
use crate::billing::price::Price;
use crate::billing::timeline::{PlanKind, committable};
use crate::census::{Timestamp, time::rfc3339};

/// The most corrections in one statement.
pub const CORRECTIONS: usize = 1_000;
/// The longest reason, in characters.
pub const REASON: usize = 200;

/// The correction that a person asks for. Omitted members keep what was charged.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CorrectionRequest {
    /// The number of the line in the closed statement.
    pub line: u32,
    /// The number of devices that should have been charged: a positive multiple of 100.
    #[serde(default)]
    pub committed: Option<u64>,
    /// The seconds in effect that should have been charged: at most those of the line's service period.
    #[serde(default)]
    pub seconds: Option<i64>,
    /// What a device-month should have cost.
    #[serde(default)]
    pub price: Option<Price>,
    /// Why: 1 to 200 characters.
    pub reason: String,
}

/// A correction as it is stored. Corrections are only ever added.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Correction {
    /// Counts from 1 within the subscription.
    pub number: i64,
    /// When it was made: it stands in the statement of that month.
    #[serde(with = "rfc3339")]
    pub at: Timestamp,
    /// The closed statement that it corrects.
    pub statement: Month,
    /// The number of the line there.
    pub line: u32,
    /// The plan of that line.
    pub plan: i64,
    /// Its kind.
    pub kind: PlanKind,
    /// The start of the service period.
    #[serde(with = "rfc3339")]
    pub from: Timestamp,
    /// The end of the service period.
    #[serde(with = "rfc3339")]
    pub to: Timestamp,
    /// The seconds of the month of service.
    pub seconds_in_month: i64,
    /// What was charged, earlier corrections included.
    pub was: Charge,
    /// What should have been charged.
    pub charge: Charge,
    /// Why.
    pub reason: String,
    /// Who made it.
    pub by: String,
}

/// The correction that `asked` makes to `closed` at `at`; `earlier` are all corrections made before.
///
/// # Errors
/// [`StatementRefusal`], for the first rule that is broken.
pub fn correct(
    closed: &Statement,
    earlier: &[Correction],
    asked: &CorrectionRequest,
    by: &str,
    at: Timestamp,
) -> Result<Correction, StatementRefusal> {
    let month = closed.month;
    let reason = checked_reason(&asked.reason)?;
    let line = closed.lines.iter().find(|l| l.number == asked.line);
    let line = line.ok_or(StatementRefusal::NoLine { month, line: asked.line })?;
    if let Some(c) = &line.corrects {
        let (of_month, of_line) = (c.statement, c.line);
        return Err(StatementRefusal::OfCorrection { month, line: asked.line, of_month, of_line });
    }
    let charged = line.charge().ok_or(StatementRefusal::OfTrial(line.number))?;
    let same = earlier.iter().filter(|c| c.statement == month && c.line == line.number);
    let was = same.max_by_key(|c| c.number).map_or(charged, |c| c.charge);
    let here = Month::of(at);
    if earlier.iter().filter(|c| Month::of(c.at) == here).count() >= CORRECTIONS {
        return Err(StatementRefusal::Full(here));
    }
    let charge = Charge {
        committed: asked.committed.unwrap_or(was.committed),
        seconds: asked.seconds.unwrap_or(was.seconds),
        price: asked.price.map(checked_price).transpose()?.or(was.price),
    };
    committable(charge.committed)?;
    if !(0..=line.seconds).contains(&charge.seconds) {
        return Err(StatementRefusal::Seconds { asked: charge.seconds, most: line.seconds });
    }
    if let (Some(before), Some(after)) = (was.price, charge.price)
        && before.currency != after.currency
    {
        return Err(StatementRefusal::OtherCurrency(before.currency));
    }
    if charge == was {
        return Err(StatementRefusal::Nothing(line.number));
    }
    let StatementLine { plan, kind, from, to, seconds_in_month, .. } = *line;
    let number = earlier.iter().map(|c| c.number).max().unwrap_or(0).saturating_add(1);
    let (reason, by) = (reason.to_owned(), by.to_owned());
    Ok(Correction {
        number,
        at,
        statement: month,
        line: line.number,
        plan,
        kind,
        from,
        to,
        seconds_in_month,
        was,
        charge,
        reason,
        by,
    })
}

fn checked_reason(reason: &str) -> Result<&str, StatementRefusal> {
    let reason = reason.trim();
    let fits = (1..=REASON).contains(&reason.chars().count());
    (fits && !reason.chars().any(char::is_control)).then_some(reason).ok_or(StatementRefusal::Reason)
}
