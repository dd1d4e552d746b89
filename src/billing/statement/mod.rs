//! Statements (P9): the charge for a calendar month in UTC, exact to the second. Pure.
//!
//! A statement is **drawn** from the rows of plans, prices and corrections. During its month it is open and covers the
//! time so far. For another 72 hours it is a draft. Then it is closed: its canonical form and the SHA-256 of that are
//! stored and never change. A mistake in a closed statement is corrected by a line in the statement of the current
//! month: see [`correct`].
//!
//! The canonical form is the compact JSON of [`Statement`] with its members in the order of the type. It contains only
//! texts, whole numbers and null, so any program can write the same bytes.

mod arithmetic;
mod check;
mod correction;
mod document;
mod draw;
mod invoice;
mod refusal;
#[cfg(test)]
mod tests;

pub use self::arithmetic::arithmetic;
pub use self::check::{Discrepancy, check, read};
pub use self::correction::{CORRECTIONS, Correction, CorrectionRequest, REASON, correct};
pub use self::document::{
    Amount, Charge, Corrected, SCHEMA, Statement, StatementLine, StatementState, digest,
};
pub use self::draw::{Records, draw, first_month};
pub use self::invoice::{InvoiceTotal, MinorUnits, Unpriced};
pub use self::refusal::{StatementRefusal, checked_price};
pub use crate::billing::amount::{BadAmount, Exact, Micros, Sum, TooLarge};
pub use crate::billing::month::{BadMonth, DRAFT, Month};
pub use crate::billing::price::{
    BadCurrency, Currency, HIGHEST, PRICES, Price, SetPrice, price_at, price_of,
};
