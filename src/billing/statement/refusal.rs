//! Why a correction or a price is refused.

use crate::billing::amount::TooLarge;
use crate::billing::month::Month;
use crate::billing::price::{Currency, HIGHEST, Price};
use crate::billing::timeline::PlanRefusal;
use crate::census::Timestamp;

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
    Number(#[from] PlanRefusal),
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
    /// There are [`PRICES`](crate::billing::price::PRICES).
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
