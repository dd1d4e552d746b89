//! How pages write numbers, instants and words.

use std::borrow::Borrow;

pub(super) use super::rules::linked;
use crate::census::time::{DAY, HOUR, MINUTE};
use crate::census::{Binding, CouplingState, Timestamp, Verdict, commitment};
use crate::change::CountDelta;
use crate::classify::Taxonomy;
use crate::listing::Column;
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

/// How long before `as_of` something was: `5 min ago`.
pub(super) fn ago(at: impl Borrow<Timestamp>, as_of: impl Borrow<Timestamp>) -> String {
    let at = at.borrow();
    match as_of.borrow().since(*at) {
        ..0 => minute(at),
        0..MINUTE => "just now".to_owned(),
        age @ ..HOUR => format!("{} min ago", age / MINUTE),
        age @ ..DAY => format!("{} h ago", age / HOUR),
        age if age < 60 * DAY => format!("{} d ago", age / DAY),
        age => format!("{} months ago", age / (30 * DAY)),
    }
}

/// What a change does to the count: `514 → 512 billable, commitment 600 stays`.
pub(super) fn effect(count: impl Borrow<CountDelta>) -> String {
    let CountDelta { before, after, .. } = *count.borrow();
    let (from, to) = (commitment(before), commitment(after));
    let committed = if from == to {
        format!("commitment {} stays", number(from))
    } else {
        format!("commitment {} → {}", number(from), number(to))
    };
    format!("{} → {} billable, {committed}", number(before), number(after))
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

/// Types to choose from: key and title.
pub(super) fn types() -> Vec<(&'static str, &'static str)> {
    let nodes = Taxonomy::builtin().nodes().iter();
    let mut types: Vec<(&str, &str)> =
        nodes.filter_map(|n| Taxonomy::builtin().device_type(&n.key)).map(|n| (&*n.key, &*n.title)).collect();
    types.sort_unstable_by_key(|(_, title)| *title);
    types
}

/// The head of a column.
pub(super) fn column(column: impl Borrow<Column>) -> &'static str {
    match column.borrow() {
        Column::Id => "Id",
        Column::Zone => "Zone",
        Column::Ip => "IP address",
        Column::Mac => "MAC",
        Column::Name => "Device",
        Column::Category => "Category",
        Column::Type => "Type",
        Column::Roles => "Roles",
        Column::Vendor => "Vendor",
        Column::Model => "Model",
        Column::Os => "System",
        Column::Firmware => "Firmware",
        Column::Location => "Location",
        Column::Tags => "Tags",
        Column::Importance => "Importance",
        Column::RandomMac => "Random MAC",
        Column::Confidence => "Certainty",
        Column::Couplings => "Couplings",
        Column::Addresses => "All addresses",
        Column::FirstSeen => "First seen",
        Column::LastSeen => "Last seen",
        Column::Verdict => "Counts?",
        Column::Counted => "Counted",
        Column::Why => "Why",
        Column::ManagedBy => "Managed by",
        Column::Decided => "Decided",
        Column::AsOf => "As of",
        Column::Policy => "Policy",
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

    #[test]
    fn ages_and_effects_are_words() {
        let as_of: Timestamp = "2026-11-22T09:00:00Z".parse().unwrap();
        for (at, text) in [
            ("2026-11-22T08:59:30Z", "just now"),
            ("2026-11-22T08:01:00Z", "59 min ago"),
            ("2026-11-21T09:00:01Z", "23 h ago"),
            ("2026-11-01T09:00:00Z", "21 d ago"),
            ("2026-01-22T09:00:00Z", "10 months ago"),
            ("2026-11-22T09:05:00Z", "2026-11-22 09:05"),
        ] {
            assert_eq!(ago(at.parse::<Timestamp>().unwrap(), as_of), text);
        }
        assert_eq!(effect(CountDelta::new(514, 512)), "514 → 512 billable, commitment 600 stays");
        assert_eq!(effect(CountDelta::new(601, 1600)), "601 → 1,600 billable, commitment 700 → 1,600");
    }
}
