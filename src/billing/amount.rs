//! Exact amounts: sums of fractions of months on one denominator, and how they are rounded (P9).

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

/// Parts of one: six decimals.
const ONE: i128 = 1_000_000;
/// A number of seconds that every month's length divides: the least common multiple of 28, 29, 30 and 31 days.
const DENOMINATOR: i128 = 377_580 * 86_400;
/// The largest amount that is read from text, in whole units.
const LARGEST: i128 = 1_000_000_000_000_000_000_000_000;

/// An amount of device-months or of a currency, in millionths. Written with exactly six decimals.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Micros(pub i128);

impl fmt::Display for Micros {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let (whole, parts) = (self.0.unsigned_abs() / 1_000_000, self.0.unsigned_abs() % 1_000_000);
        write!(f, "{sign}{whole}.{parts:06}")
    }
}

impl FromStr for Micros {
    type Err = BadAmount;

    fn from_str(text: &str) -> Result<Self, BadAmount> {
        let read = || {
            let (sign, digits) = text.strip_prefix('-').map_or((1, text), |rest| (-1, rest));
            let (whole, parts) = digits.split_once('.').map_or((digits, None), |(w, p)| (w, Some(p)));
            let parts = parts.unwrap_or("0");
            let numeric = |t: &str| !t.is_empty() && t.bytes().all(|b| b.is_ascii_digit());
            if !numeric(whole) || !numeric(parts) || parts.len() > 6 {
                return None;
            }
            let whole = whole.parse::<i128>().ok().filter(|w| *w <= LARGEST)?;
            let parts: i128 = format!("{parts:0<6}").parse().ok()?;
            Some(Self(sign * (whole * ONE + parts)))
        };
        read().ok_or_else(|| BadAmount(text.chars().take(40).collect()))
    }
}

/// A text that cannot be read as an amount.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("invalid amount '{0}': write digits with at most six decimals, such as 1.40")]
pub struct BadAmount(String);

impl Serialize for Micros {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        out.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Micros {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        String::deserialize(input)?.parse().map_err(D::Error::custom)
    }
}

/// The amounts are too large to add exactly.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("the amounts are too large to add exactly; at least one of them is out of range")]
pub struct TooLarge;

/// An exact amount: millionths as a fraction with a fixed denominator. Devices up to 10⁹, a month's seconds and
/// a unit price up to 10¹² millionths take less than 2¹⁰⁵, so millions of them can be added.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Exact(i128);

impl Exact {
    /// `devices` × `seconds` / `of` × `unit`: the price of `devices` for `seconds` of a month of `of` seconds, at `unit`
    /// millionths per device-month.
    ///
    /// # Errors
    /// [`TooLarge`], also if `of` is not the length of a month.
    pub fn part(devices: u64, seconds: i64, of: i64, unit: u64) -> Result<Self, TooLarge> {
        let of = i128::from(of);
        let whole = DENOMINATOR.checked_rem(of).ok_or(TooLarge)?;
        if of <= 0 || whole != 0 {
            return Err(TooLarge);
        }
        i128::from(devices)
            .checked_mul(i128::from(seconds))
            .and_then(|n| n.checked_mul(i128::from(unit)))
            .and_then(|n| n.checked_mul(DENOMINATOR / of))
            .map(Self)
            .ok_or(TooLarge)
    }

    /// The sum.
    ///
    /// # Errors
    /// [`TooLarge`].
    pub fn plus(self, other: Self) -> Result<Self, TooLarge> {
        self.0.checked_add(other.0).map(Self).ok_or(TooLarge)
    }

    /// The difference.
    ///
    /// # Errors
    /// [`TooLarge`].
    pub fn minus(self, other: Self) -> Result<Self, TooLarge> {
        self.0.checked_sub(other.0).map(Self).ok_or(TooLarge)
    }

    /// Rounded to the nearest millionth; halves go to the even one.
    pub const fn rounded(self) -> Micros {
        let (floor, rest) = (self.0.div_euclid(DENOMINATOR), self.0.rem_euclid(DENOMINATOR));
        let up = match 2 * rest - DENOMINATOR {
            0 => floor.rem_euclid(2) == 1,
            twice => twice > 0,
        };
        Micros(if up { floor + 1 } else { floor })
    }

    /// In units of `10^-decimals`, with at most six decimals, rounded once; halves go away from zero, as on invoices.
    pub const fn in_units(self, decimals: u32) -> i128 {
        let unit = DENOMINATOR * 10_i128.pow(6_u32.saturating_sub(decimals));
        let (whole, rest) = (self.0 / unit, self.0 % unit);
        match 2 * rest {
            twice if twice >= unit => whole + 1,
            twice if twice <= -unit => whole - 1,
            _ => whole,
        }
    }

    /// As a decimal with at most twelve places, for people who check the rounding; `…` if more digits follow.
    pub fn digits(self) -> String {
        let sign = if self.0 < 0 { "-" } else { "" };
        let (n, d) = (self.0.unsigned_abs(), DENOMINATOR.unsigned_abs());
        // Millionths, and millionths of those.
        let (micros, rest) = (n / d, n % d);
        let (picos, beyond) = (rest * 1_000_000 / d, rest * 1_000_000 % d);
        let more = if beyond == 0 { "" } else { "…" };
        let text = format!("{sign}{}.{:06}{picos:06}", micros / 1_000_000, micros % 1_000_000);
        let shown = if beyond == 0 { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
        format!("{shown}{more}")
    }
}

/// A sum with cumulative rounding: each part is the growth of the rounded sum, so the parts always add up to the
/// rounded total.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sum {
    exact: Exact,
    shown: Micros,
}

impl Sum {
    /// Adds an amount and returns its rounded part.
    ///
    /// # Errors
    /// [`TooLarge`].
    pub fn add(&mut self, part: Exact) -> Result<Micros, TooLarge> {
        self.exact = self.exact.plus(part)?;
        let before = self.shown;
        self.shown = self.exact.rounded();
        Ok(Micros(self.shown.0 - before.0))
    }

    /// The sum so far.
    pub const fn exact(&self) -> Exact {
        self.exact
    }

    /// The sum so far, rounded.
    pub const fn total(&self) -> Micros {
        self.shown
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_invoice_is_rounded_once_and_halves_go_away_from_zero() {
        let exact = |micros: i128| Exact(micros * DENOMINATOR);
        assert_eq!(exact(1_005_000).in_units(2), 101);
        assert_eq!(exact(-1_005_000).in_units(2), -101);
        assert_eq!(exact(1_004_999).in_units(2), 100);
        assert_eq!(exact(1_500_000).in_units(0), 2);
        assert_eq!(exact(1_234_500).in_units(3), 1_235);
        // Rounded to millionths first, this would be a half.
        let below = Exact(1_005_000 * DENOMINATOR - 1);
        assert_eq!((below.rounded(), below.in_units(2)), (Micros(1_005_000), 100));
        assert_eq!(exact(7).in_units(6), 7);
    }

    const NOVEMBER: i64 = 2_592_000;

    #[test]
    fn amounts_are_written_with_six_decimals_and_read_back() {
        let written =
            [(0, "0.000000"), (1_400_000, "1.400000"), (-1, "-0.000001"), (-71_527_778, "-71.527778")];
        for (micros, text) in written {
            assert_eq!((Micros(micros).to_string().as_str(), text.parse()), (text, Ok(Micros(micros))));
        }
        assert_eq!("12.5".parse(), Ok(Micros(12_500_000)));
        for text in
            ["", "-", ".5", "1.", "1.0000000", "1e3", "+1", "1,5", "--1", "99999999999999999999999999"]
        {
            assert!(text.parse::<Micros>().is_err(), "{text}");
        }
    }

    #[test]
    fn halves_are_rounded_to_the_even_millionth_on_both_sides_of_zero() {
        let halves = |n: i128| Exact(n * DENOMINATOR / 2).rounded().0;
        assert_eq!((halves(1), halves(3), halves(5), halves(-1), halves(-3)), (0, 2, 2, 0, -2));
        assert_eq!(Exact(DENOMINATOR / 2 + 1).rounded(), Micros(1));
        assert_eq!(Exact(DENOMINATOR / 2 - 1).rounded(), Micros(0));
    }

    #[test]
    fn every_length_of_a_month_is_exact_and_other_lengths_are_refused() {
        for days in 28..=31 {
            let whole = Exact::part(100, days * 86_400, days * 86_400, 1_000_000).unwrap();
            assert_eq!((whole.rounded(), whole.digits().as_str()), (Micros(100_000_000), "100"));
        }
        for of in [0, -1, 86_400 * 37, i64::MIN] {
            assert_eq!(Exact::part(100, 1, of, 1), Err(TooLarge), "{of}");
        }
    }

    #[test]
    fn the_largest_amounts_fit_and_larger_ones_are_refused() {
        let month = 31 * 86_400;
        let largest = Exact::part(1_000_000_000, month, month, 1_000_000_000_000).unwrap();
        let mut sum = Sum::default();
        for _ in 0..4_000 {
            sum.add(largest).unwrap();
        }
        assert_eq!(sum.total().to_string(), "4000000000000000000.000000");
        assert_eq!(Exact::part(u64::MAX, i64::MAX, month, u64::MAX), Err(TooLarge));
    }

    #[test]
    fn a_person_sees_twelve_decimals_and_whether_more_follow() {
        let part = Exact::part(1700, 1_854_000, NOVEMBER, 1_000_000).unwrap();
        assert_eq!(part.digits(), "1215.972222222222…");
        assert_eq!(Exact::part(100, NOVEMBER / 2, NOVEMBER, 1_000_000).unwrap().digits(), "50");
        let back = Exact::default().minus(part).unwrap();
        assert_eq!(back.digits(), "-1215.972222222222…");
    }
}
