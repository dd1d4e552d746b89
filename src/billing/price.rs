//! Prices of a device-month. None is built in (P9).
//!
//! A price applies to one kind of plan, or to monthly and annual plans alike; the price of a kind goes before the common one.
//! An annual plan is charged month by month too, so its price is a twelfth of a yearly one. It holds for a whole term: the
//! price at the term's start, or if there was none, the first one after it. A newer price applies from the next anniversary on.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use utoipa::ToSchema;

use super::amount::Micros;
use super::timeline::{Plan, PlanKind};
use crate::census::{Timestamp, time::rfc3339};

/// The highest price of a device-month, in millionths of the currency: a million of it.
pub const HIGHEST: u64 = 1_000_000_000_000;
/// The most prices that one subscription can have had.
pub const PRICES: usize = 1_000;

/// A currency: three capital letters, as ISO 4217 has them.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Currency([u8; 3]);

/// Currencies whose smallest unit is the currency itself (ISO 4217).
const WHOLE: [&[u8; 3]; 17] = [
    b"BIF", b"CLP", b"DJF", b"GNF", b"ISK", b"JPY", b"KMF", b"KRW", b"PYG", b"RWF", b"UGX", b"UYI", b"VND",
    b"VUV", b"XAF", b"XOF", b"XPF",
];
/// Currencies of which a thousandth is the smallest unit.
const THOUSANDTHS: [&[u8; 3]; 7] = [b"BHD", b"IQD", b"JOD", b"KWD", b"LYD", b"OMR", b"TND"];
/// Units of account of which a ten-thousandth is the smallest unit.
const TEN_THOUSANDTHS: [&[u8; 3]; 2] = [b"CLF", b"UYW"];
/// Codes without a smallest unit: precious metals, units of account and the like.
const WITHOUT: [&[u8; 3]; 13] =
    [b"XAG", b"XAU", b"XBA", b"XBB", b"XBC", b"XBD", b"XDR", b"XPD", b"XPT", b"XSU", b"XTS", b"XUA", b"XXX"];

impl Currency {
    /// The decimals of its smallest unit (ISO 4217): two for most. Six for codes that have none, which are not rounded.
    pub fn decimals(self) -> u32 {
        let is = |codes: &[&[u8; 3]]| codes.contains(&&self.0);
        match () {
            () if is(&WHOLE) => 0,
            () if is(&THOUSANDTHS) => 3,
            () if is(&TEN_THOUSANDTHS) => 4,
            () if is(&WITHOUT) => 6,
            () => 2,
        }
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|letter| write!(f, "{}", char::from(*letter)))
    }
}

impl FromStr for Currency {
    type Err = BadCurrency;

    fn from_str(text: &str) -> Result<Self, BadCurrency> {
        <[u8; 3]>::try_from(text.as_bytes())
            .ok()
            .filter(|letters| letters.iter().all(u8::is_ascii_uppercase))
            .map(Self)
            .ok_or_else(|| BadCurrency(text.chars().take(40).collect()))
    }
}

/// A text that cannot be read as a currency.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("invalid currency '{0}': write three capital letters (ISO 4217), such as EUR")]
pub struct BadCurrency(String);

impl Serialize for Currency {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        out.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Currency {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        String::deserialize(input)?.parse().map_err(D::Error::custom)
    }
}

/// What a device-month costs.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
pub struct Price {
    /// The currency: three letters (ISO 4217).
    #[schema(value_type = String, pattern = "^[A-Z]{3}$", example = "EUR")]
    pub currency: Currency,
    /// Millionths of the currency for one device and one month.
    #[schema(maximum = 1_000_000_000_000_u64)]
    pub micros: u64,
}

impl fmt::Display for Price {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", Micros(self.micros.into()), self.currency)
    }
}

/// A price with the instant from which it applies. Prices are only ever added. If two apply from the same instant, the
/// one that was set later is used.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, ToSchema)]
pub struct SetPrice {
    /// Counts from 1 within the subscription, in the order in which prices were set.
    pub number: i64,
    /// What a device-month costs.
    #[serde(flatten)]
    pub price: Price,
    /// The kind of plan to which it applies; null for monthly and annual plans.
    pub kind: Option<PlanKind>,
    /// The first instant at which it applies: a whole second.
    #[serde(with = "rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    pub valid_from: Timestamp,
    /// When it was set.
    #[serde(with = "rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    pub set_at: Timestamp,
}

/// The price that applies at `at` to plans of a kind, if one was set: that of the kind, or else the common one. For an annual
/// plan that starts then, or renews.
pub fn price_at(prices: &[SetPrice], kind: PlanKind, at: Timestamp) -> Option<Price> {
    let of = |wanted: Option<PlanKind>| {
        let valid = prices.iter().filter(|p| p.kind == wanted && p.valid_from <= at);
        valid.max_by_key(|p| (p.valid_from, p.number)).map(|p| p.price)
    };
    of(Some(kind)).or_else(|| of(None))
}

/// The price of a device-month of a plan at `at`, if one applies.
pub fn price_of(prices: &[SetPrice], plan: &Plan, at: Timestamp) -> Option<Price> {
    let Some(term) = plan.term(at) else { return price_at(prices, plan.kind, at) };
    let first_of_term = || {
        let applies = |p: &&SetPrice| p.kind.is_none_or(|kind| kind == plan.kind);
        let during = |p: &&SetPrice| term.from < p.valid_from && p.valid_from <= at;
        let first = prices.iter().filter(applies).filter(during).map(|p| p.valid_from).min()?;
        price_at(prices, plan.kind, first)
    };
    price_at(prices, plan.kind, term.from).or_else(first_of_term)
}

/// Cuts `[from, to)` of a plan where its price changes.
pub(super) fn cut(
    prices: &[SetPrice],
    plan: &Plan,
    from: Timestamp,
    to: Timestamp,
) -> Vec<(Timestamp, Timestamp, Option<Price>)> {
    let inside = |at: &Timestamp| from < *at && *at < to;
    let mut starts: Vec<Timestamp> = prices.iter().map(|p| p.valid_from).filter(inside).collect();
    // A month has one anniversary at most.
    starts.extend(plan.term(from).map(|term| term.to).filter(inside));
    starts.push(from);
    starts.sort_unstable();
    let mut out: Vec<(Timestamp, Timestamp, Option<Price>)> = Vec::new();
    for start in starts {
        let price = price_of(prices, plan, start);
        match out.last_mut() {
            Some((.., before)) if *before == price => {}
            last => {
                if let Some((_, end, _)) = last {
                    *end = start;
                }
                out.push((start, to, price));
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(number: i64, micros: u64, from: i64) -> SetPrice {
        let price = Price { currency: "EUR".parse().unwrap(), micros };
        SetPrice { number, price, kind: None, valid_from: Timestamp(from), set_at: Timestamp(0) }
    }

    fn plan(kind: PlanKind, from: Timestamp) -> Plan {
        Plan {
            number: 1,
            kind,
            committed: Some(100),
            accepted_terms_at: from,
            from,
            cancel_requested_at: None,
            withdrawn_at: None,
            changed_at: from,
        }
    }

    #[test]
    fn a_currency_is_three_capital_letters() {
        assert_eq!("EUR".parse::<Currency>().unwrap().to_string(), "EUR");
        for text in ["", "eur", "EURO", "E1R", "€"] {
            assert!(text.parse::<Currency>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_currency_has_the_decimals_of_its_smallest_unit() {
        let decimals = |code: &str| code.parse::<Currency>().unwrap().decimals();
        let found = ["EUR", "JPY", "KWD", "CLF", "XAU", "USD"].map(decimals);
        assert_eq!(found, [2, 0, 3, 4, 6, 2]);
    }

    #[test]
    fn of_two_prices_from_one_instant_the_later_set_one_holds() {
        let prices = [set(1, 10, 100), set(2, 30, 200), set(3, 20, 100)];
        let at = |at: i64| price_at(&prices, PlanKind::Monthly, Timestamp(at)).map(|p| p.micros);
        assert_eq!((at(99), at(100), at(199), at(200)), (None, Some(20), Some(20), Some(30)));
    }

    #[test]
    fn a_range_is_cut_where_the_price_changes_and_nowhere_else() {
        let prices = [set(1, 10, 100), set(2, 10, 150), set(3, 30, 200), set(4, 40, 300)];
        let cuts = |from, to| -> Vec<(i64, i64, Option<u64>)> {
            let monthly = plan(PlanKind::Monthly, Timestamp(0));
            let parts = cut(&prices, &monthly, Timestamp(from), Timestamp(to));
            parts.into_iter().map(|(a, b, p)| (a.0, b.0, p.map(|p| p.micros))).collect()
        };
        assert_eq!(cuts(50, 300), [(50, 100, None), (100, 200, Some(10)), (200, 300, Some(30))]);
        assert_eq!(cuts(200, 201), [(200, 201, Some(30))]);
    }

    #[test]
    fn the_price_of_a_kind_goes_before_the_common_one() {
        let annual = SetPrice { kind: Some(PlanKind::Annual), ..set(2, 7, 100) };
        let prices = [set(1, 10, 100), annual, set(3, 30, 200)];
        let at = |kind, at: i64| price_at(&prices, kind, Timestamp(at)).map(|p| p.micros);
        assert_eq!((at(PlanKind::Monthly, 100), at(PlanKind::Annual, 100)), (Some(10), Some(7)));
        assert_eq!((at(PlanKind::Monthly, 200), at(PlanKind::Annual, 200)), (Some(30), Some(7)));
    }

    #[test]
    fn an_annual_plan_keeps_its_price_until_its_anniversary() {
        let day = |text: &str| text.parse::<Timestamp>().unwrap();
        let (start, renewal) = (day("2026-11-10T00:00:00Z"), day("2027-11-10T00:00:00Z"));
        let annual = plan(PlanKind::Annual, start);
        let prices = [set(1, 10, day("2026-01-01T00:00:00Z").0), set(2, 30, day("2026-12-01T00:00:00Z").0)];
        let of = |text: &str| price_of(&prices, &annual, day(text)).map(|p| p.micros);
        let found = ["2026-11-10T00:00:00Z", "2027-11-09T23:59:59Z", "2027-11-10T00:00:00Z"].map(of);
        assert_eq!(found, [Some(10), Some(10), Some(30)]);
        let (from, to) = (day("2027-11-01T00:00:00Z"), day("2027-12-01T00:00:00Z"));
        let cuts: Vec<_> = cut(&prices, &annual, from, to);
        assert_eq!(cuts, [(from, renewal, Some(prices[0].price)), (renewal, to, Some(prices[1].price))]);
    }

    #[test]
    fn the_first_price_during_a_term_without_one_holds_to_its_end() {
        let day = |text: &str| text.parse::<Timestamp>().unwrap();
        let annual = plan(PlanKind::Annual, day("2026-11-10T00:00:00Z"));
        let prices = [set(1, 10, day("2026-12-01T00:00:00Z").0), set(2, 30, day("2027-02-01T00:00:00Z").0)];
        let of = |text: &str| price_of(&prices, &annual, day(text)).map(|p| p.micros);
        let found = ["2026-11-30T00:00:00Z", "2026-12-01T00:00:00Z", "2027-03-01T00:00:00Z"].map(of);
        assert_eq!(found, [None, Some(10), Some(10)]);
    }
}
