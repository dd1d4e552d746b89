//! Why a correction or a price is refused.

use crate::billing::amount::TooLarge;
use crate::billing::month::Month;
use crate::billing::price::{Currency, HIGHEST, Price};
use crate::billing::timeline::PlanRefusal;
use crate::census::Timestamp;

/// Why a correction or a price is refused. Each is a problem type of its own.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum StatementRefusal {
    /// Only closed statements can be corrected.
    #[error(
        "the statement of {0} is not closed yet; change the plan or the price, or correct it once it is closed"
    )]
    NotClosed(Month),
    /// The line does not exist.
    #[error("the statement of {month} does not have a line {line}; look at its lines first")]
    NoLine { month: Month, line: u32 },
    /// A correction is not corrected itself.
    #[error(
        "line {line} of {month} is itself a correction; correct line {of_line} of {of_month} again, which takes earlier corrections into account"
    )]
    OfCorrection {
        month: Month,
        line: u32,
        /// The statement that was corrected.
        of_month: Month,
        /// The line that was corrected.
        of_line: u32,
    },
    /// Trials are not charged.
    #[error("line {0} belongs to a trial; trials are not charged, so there is nothing to correct")]
    OfTrial(u32),
    /// The correction does not change the line.
    #[error(
        "the correction does not change line {0}; send what should have been charged: committed, seconds or price"
    )]
    Nothing(u32),
    /// More seconds than the line has.
    #[error("{asked} s is outside the line's service period; send 0 to {most} s")]
    Seconds {
        asked: i64,
        /// What the line has.
        most: i64,
    },
    #[error("the line was charged in {0}; correct it in {0}")]
    OtherCurrency(Currency),
    /// The price is too high.
    #[error(
        "a price of {0} millionths is out of range; the maximum is 1000000000000, one million of the currency"
    )]
    PriceTooHigh(u64),
    /// The committed number cannot be committed.
    #[error(transparent)]
    Number(#[from] PlanRefusal),
    /// The reason is missing or malformed.
    #[error("a correction needs a reason of 1 to 200 characters without control characters")]
    Reason,
    /// There are `CORRECTIONS`.
    #[error("the statement of {0} has reached the limit of 1000 corrections; make the others next month")]
    Full(Month),
    /// The price would change a closed statement.
    #[error(
        "the statement of {closed} is closed; set the price from {from} or later, and correct closed statements that are wrong"
    )]
    PriceInClosed {
        /// The newest closed statement.
        closed: Month,
        from: Timestamp,
    },
    /// There are [`PRICES`](crate::billing::price::PRICES).
    #[error("the subscription has reached the limit of 1000 prices; correct statements instead")]
    PricesFull,
    /// A number is too large to be added.
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
