//! How pages write numbers, instants and words.

use std::borrow::Borrow;

pub(super) use super::rules::linked;
use crate::census::{Binding, CouplingState, Timestamp, Verdict};
use crate::plan::app::plans::PlanEntry;
use crate::wire::DeviceEntry;

/// The version in the footer.
pub(super) const VERSION: &str = env!("CARGO_PKG_VERSION");

/// What is counted: by value or by reference, as templates hand it over.
pub(super) trait Countable {
    fn count(&self) -> u64;
}

impl Countable for u64 {
    fn count(&self) -> u64 {
        *self
    }
}

impl Countable for usize {
    fn count(&self) -> u64 {
        *self as u64
    }
}

impl<T: Countable> Countable for &T {
    fn count(&self) -> u64 {
        (*self).count()
    }
}

/// A number with its thousands apart: `12,345`.
pub(super) fn number(n: impl Countable) -> String {
    let digits = n.count().to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// A number with its sign: `+1,234`, `−5`, `0`.
pub(super) fn signed(n: impl Borrow<i64>) -> String {
    let n = *n.borrow();
    let sign = match n {
        0 => "",
        1.. => "+",
        _ => "−",
    };
    format!("{sign}{}", number(n.unsigned_abs()))
}

/// An instant for people: `2026-11-22 09:00:05 UTC`.
pub(super) fn instant(at: impl Borrow<Timestamp>) -> String {
    let text = at.borrow().to_string();
    let second = text.get(..19).filter(|_| text.contains('T'));
    second.map_or_else(|| text.clone(), |s| format!("{} UTC", s.replace('T', " ")))
}

/// The minute of an instant in UTC, for a column whose header says UTC: `2026-11-22 09:00`.
pub(super) fn minute(at: impl Borrow<Timestamp>) -> String {
    let mut text = instant(at);
    text.truncate("2026-11-22 09:00".len());
    text
}

/// The class by which the style sheet knows a verdict.
pub(super) fn verdict_class(verdict: impl Borrow<Verdict>) -> &'static str {
    match verdict.borrow() {
        Verdict::CountedNetwork => "network",
        Verdict::CountedIot => "iot",
        Verdict::ComputerMobile => "computer_mobile",
        Verdict::Unclassified => "unclassified",
        _ => "other",
    }
}

/// What a device is called: its name, else its type and address.
pub(super) fn label(device: &DeviceEntry) -> String {
    device.name.clone().unwrap_or_else(|| format!("{} {}", device.kind.replace('_', " "), device.ip))
}

/// A share as a whole percentage.
pub(super) fn percent(share: impl Borrow<f64>) -> String {
    format!("{:.0}", share.borrow() * 100.0)
}

/// How a coupling holds, in words.
pub(super) fn binding(binding: impl Borrow<Binding>) -> &'static str {
    match binding.borrow() {
        Binding::Proven => "proven",
        Binding::Inferred => "inferred",
        Binding::Routed => "routed",
        Binding::Virtual => "virtual",
        Binding::Broadcast => "broadcast",
    }
}

/// Where a coupling stands, in words.
pub(super) fn state(state: impl Borrow<CouplingState>) -> &'static str {
    match state.borrow() {
        CouplingState::Active => "active",
        CouplingState::Superseded => "left for another address",
        CouplingState::Tentative => "waits for confirmation",
    }
}

/// A plan in one sentence.
pub(super) fn sentence(plan: &PlanEntry) -> String {
    let covers = plan
        .committed
        .map_or_else(|| "any number of devices".to_owned(), |n| format!("{} committed devices", number(n)));
    match (plan.to, plan.term) {
        (Some(to), _) => format!("{} plan for {covers}, ends {}", plan.kind, instant(to)),
        (None, Some(term)) => {
            format!("{} plan for {covers}, renews for a year on {}", plan.kind, instant(term.to))
        }
        (None, None) => format!("{} plan for {covers}, runs on until it is cancelled", plan.kind),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_instants_look_as_people_write_them() {
        assert_eq!([number(0_u64), number(999_u64), number(1000_u64)], ["0", "999", "1,000"]);
        assert_eq!(number(1_234_567_usize), "1,234,567");
        assert_eq!([signed(1_234), signed(0), signed(-5)], ["+1,234", "0", "−5"]);
        let at: Timestamp = "2026-11-22T09:00:05.25Z".parse().unwrap();
        assert_eq!(instant(at), "2026-11-22 09:00:05 UTC");
        assert_eq!(minute(at), "2026-11-22 09:00");
    }
}
