//! Corrections: what a line of a closed statement should have said, as a line of the next open statement (P9).

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Statement, StatementLine};
use crate::billing::amount::{Exact, TooLarge};
use crate::billing::month::Month;
use crate::billing::price::{Currency, HIGHEST, Price};
use crate::billing::timeline::{self, PlanKind, committable};
use crate::census::{Timestamp, time::rfc3339};

/// The most corrections that one statement takes.
pub const CORRECTIONS: usize = 1_000;
/// The longest reason, in characters.
pub const REASON: usize = 200;

/// What a line charges: devices, for so long, at a price.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Charge {
    /// The committed number of devices.
    pub committed: u64,
    /// Seconds in effect.
    pub seconds: i64,
    /// What a device-month costs, where a price is set.
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

    /// Money; nothing where no price is set.
    ///
    /// # Errors
    /// [`TooLarge`].
    pub fn amount(&self, of: i64) -> Result<Exact, TooLarge> {
        self.price
            .map_or_else(|| Ok(Exact::default()), |p| Exact::part(self.committed, self.seconds, of, p.micros))
    }
}

/// What a person asks to be corrected. What is left out stays as it was.
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

/// Why a correction or a price is refused. Each is a problem type of its own.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum StatementRefusal {
    /// Only what is closed needs a correction.
    #[error(
        "the statement of {0} is not closed, so it needs no correction; change what it rests on, or wait until it is closed"
    )]
    NotClosed(Month),
    /// No such line.
    #[error("the statement of {month} has no line {line}; see its lines first")]
    NoLine {
        /// The statement.
        month: Month,
        /// What was asked.
        line: u32,
    },
    /// A correction is not corrected itself.
    #[error(
        "line {line} of {month} is a correction; correct line {of_line} of {of_month} anew, its earlier corrections are taken into account"
    )]
    OfCorrection {
        /// The statement.
        month: Month,
        /// What was asked.
        line: u32,
        /// The statement that was corrected.
        of_month: Month,
        /// The line that was corrected.
        of_line: u32,
    },
    /// Trials are not charged.
    #[error("line {0} is a trial's, which is never charged, so there is nothing to correct")]
    OfTrial(u32),
    /// It would change nothing.
    #[error("line {0} says this already; send what should have been charged: committed, seconds or price")]
    Nothing(u32),
    /// Not so many seconds.
    #[error("{asked} s do not lie within the line's service period; send 0 to {most} s")]
    Seconds {
        /// What was asked.
        asked: i64,
        /// What the line has.
        most: i64,
    },
    /// Not in that currency.
    #[error("the line was charged in {0}; correct it in {0}")]
    OtherCurrency(Currency),
    /// Too high.
    #[error(
        "a price of {0} millionths is out of range; the most is 1000000000000, a million of the currency"
    )]
    PriceTooHigh(u64),
    /// The committed number cannot be committed.
    #[error(transparent)]
    Number(#[from] timeline::PlanRefusal),
    /// Nobody told why.
    #[error("a correction needs a reason of 1 to 200 characters, none of them a control character")]
    Reason,
    /// There are [`CORRECTIONS`].
    #[error("the statement of {0} has 1000 corrections, which is all it takes; correct the rest next month")]
    Full(Month),
    /// The price would change what is closed.
    #[error(
        "the statement of {closed} is closed; let the price hold from {from} or later, and correct the statement where it is wrong"
    )]
    PriceInClosed {
        /// The newest closed statement.
        closed: Month,
        /// Its end.
        from: Timestamp,
    },
    /// There are [`PRICES`](super::PRICES).
    #[error("the subscription has had 1000 prices, which is all it may; correct statements instead")]
    PricesFull,
    /// A number is beyond what is summed.
    #[error(transparent)]
    TooLarge(#[from] TooLarge),
}

/// Checks a price.
///
/// # Errors
/// [`StatementRefusal::PriceTooHigh`].
pub fn checked_price(price: Price) -> Result<Price, StatementRefusal> {
    if price.micros > HIGHEST { Err(StatementRefusal::PriceTooHigh(price.micros)) } else { Ok(price) }
}

/// The correction that `asked` makes to `closed` at `at`, where `earlier` holds all corrections that were made before.
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
