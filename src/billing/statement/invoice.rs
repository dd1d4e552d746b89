//! What a statement comes to on an invoice: the money of each currency in its smallest unit, and what has no price.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Serialize, Serializer};
use utoipa::ToSchema;

use super::document::Statement;
use crate::billing::amount::{Exact, Micros, TooLarge};
use crate::billing::price::Currency;

/// An amount in the smallest unit of a currency, written with the decimals of that unit.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct MinorUnits {
    units: i128,
    decimals: u32,
}

impl fmt::Display for MinorUnits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.units < 0 { "-" } else { "" };
        let one = 10_u128.pow(self.decimals);
        let (whole, parts) = (self.units.unsigned_abs() / one, self.units.unsigned_abs() % one);
        match self.decimals {
            0 => write!(f, "{sign}{whole}"),
            decimals => write!(f, "{sign}{whole}.{parts:0width$}", width = decimals as usize),
        }
    }
}

impl Serialize for MinorUnits {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        out.collect_str(self)
    }
}

/// The money of one currency. Currencies are never added.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, ToSchema)]
pub struct InvoiceTotal {
    #[schema(value_type = String, example = "EUR")]
    pub currency: Currency,
    /// Rounded once from the exact sum to the currency's smallest unit (ISO 4217); halves go away from zero.
    #[schema(value_type = String, example = "1813.89")]
    pub total: MinorUnits,
    /// The sum with six decimals, as the statement has it.
    #[schema(value_type = String, example = "1813.888889")]
    pub amount: Micros,
}

/// The part of a statement that has no price, so that no amount contains it.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, ToSchema)]
pub struct Unpriced {
    /// Its device-months.
    #[schema(value_type = String, example = "597.916667")]
    pub device_months: Micros,
    /// The numbers of its lines.
    pub lines: Vec<u32>,
}

impl Statement {
    /// What each currency comes to on an invoice, by currency.
    ///
    /// # Errors
    /// [`TooLarge`], if the statement holds a number that is out of range.
    pub fn invoice(&self) -> Result<Vec<InvoiceTotal>, TooLarge> {
        let mut sums: BTreeMap<Currency, Exact> = BTreeMap::new();
        for line in &self.lines {
            let Some(price) = line.price else { continue };
            let sum = sums.entry(price.currency).or_default();
            *sum = sum.plus(line.exact()?.1)?;
        }
        let total = |(currency, sum): (Currency, Exact)| {
            let decimals = currency.decimals();
            let total = MinorUnits { units: sum.in_units(decimals), decimals };
            InvoiceTotal { currency, total, amount: sum.rounded() }
        };
        Ok(sums.into_iter().map(total).collect())
    }

    /// The charged lines without a price; `None` if all have one.
    pub fn unpriced(&self) -> Option<Unpriced> {
        let without = || self.lines.iter().filter(|line| line.committed.is_some() && line.price.is_none());
        let device_months = Micros(without().map(|line| line.device_months.0).sum());
        let lines: Vec<u32> = without().map(|line| line.number).collect();
        (!lines.is_empty()).then_some(Unpriced { device_months, lines })
    }
}

impl fmt::Display for InvoiceTotal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { currency, total, amount } = self;
        write!(f, "{total} {currency} (exact {amount})")
    }
}

impl fmt::Display for Unpriced {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines: Vec<String> = self.lines.iter().map(u32::to_string).collect();
        let word = if lines.len() == 1 { "line" } else { "lines" };
        write!(f, "{} device-months without a price ({word} {})", self.device_months, lines.join(", "))
    }
}
