//! Statements (census rules P9): what a calendar month in UTC comes to, exact to the second. Pure.
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
mod document;
mod draw;
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
pub use self::refusal::{StatementRefusal, checked_price};
pub use crate::billing::amount::{BadAmount, Exact, Micros, Sum, TooLarge};
pub use crate::billing::month::{BadMonth, DRAFT, Month};
pub use crate::billing::price::{BadCurrency, Currency, HIGHEST, PRICES, Price, SetPrice, price_at};
