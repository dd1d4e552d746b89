//! Whether a device matches.

use std::borrow::Cow;

use super::Expression;
use super::field::{Field, Operator};
use super::term::{Term, When};
use crate::census::time::{DAY, SECOND};
use crate::census::{DeviceDecisions, Timestamp};
use crate::listing::rows::Rows;
use crate::wire::DeviceRow;

/// A device that may match.
#[derive(Clone, Copy, Debug)]
pub(in crate::listing) struct Candidate<'v> {
    pub(in crate::listing) row: &'v DeviceRow,
    /// The devices of its zone, which have the text that words are searched in.
    pub(in crate::listing) rows: &'v Rows,
    /// Its place among them.
    pub(in crate::listing) place: usize,
    /// The instant of the list.
    pub(in crate::listing) as_of: Timestamp,
}

impl Expression {
    pub(in crate::listing) fn matches(&self, device: Candidate<'_>) -> bool {
        match self {
            Self::All(parts) => parts.iter().all(|part| part.matches(device)),
            Self::Any(parts) => parts.iter().any(|part| part.matches(device)),
            Self::Not(inner) => !inner.matches(device),
            Self::Term(term) => term.matches(device),
        }
    }
}

impl Term {
    fn matches(&self, device: Candidate<'_>) -> bool {
        let Candidate { row, rows, place, as_of } = device;
        // Made when a word asks for it.
        let text = || rows.text(place);
        let decided = row.decided.as_deref();
        match self {
            Self::Word(word) => text().contains(word.as_str()),
            Self::Spelled(word, subject) => {
                text().contains(word.as_str())
                    || row.couplings.iter().any(|c| subject.is(c.key.mac, c.key.ip))
            }
            Self::Text(field, pattern) => {
                texts(row, *field).into_iter().flatten().any(|text| pattern.matches(&lower(text)))
                    || more_texts(row, *field).any(|text| pattern.matches(&lower(text)))
            }
            Self::Category(category) => row.what.category == *category,
            Self::Verdict(verdict) => row.verdict == *verdict,
            Self::Importance(importance) => {
                decided.and_then(DeviceDecisions::importance).unwrap_or_default() == *importance
            }
            Self::Flag(Field::Counts, is) => row.verdict.is_counted() == *is,
            Self::Flag(Field::Random, is) => row.mac.is_locally_administered() == *is,
            Self::Flag(_, is) => decided.is_some_and(|d| d.managed.is_some()) == *is,
            Self::Ip(prefix) => row.couplings.iter().any(|c| prefix.contains(c.key.ip)),
            Self::Mac(start) => row.couplings.iter().any(|c| start.begins(c.key.mac)),
            Self::Vlan(Some(id)) => row.couplings.iter().any(|c| c.vlans.contains(id)),
            Self::Vlan(None) => row.couplings.iter().all(|c| c.vlans.is_empty()),
            Self::Couplings(operator, number) => operator.holds(row.couplings.len(), *number as usize),
            Self::Time(field, operator, when) => {
                let at = if *field == Field::First { row.first_seen } else { row.last_seen };
                when.holds(*operator, at, as_of)
            }
        }
    }
}

impl When {
    fn holds(self, operator: Operator, at: Timestamp, as_of: Timestamp) -> bool {
        match self {
            Self::Ago(seconds) => operator.holds(as_of.since(at), seconds.saturating_mul(SECOND)),
            Self::At(instant) => operator.holds(at, instant),
            Self::Day(start) => {
                let end = start.plus(DAY);
                match operator {
                    Operator::Has | Operator::Is => (start..end).contains(&at),
                    Operator::Less => at < start,
                    Operator::AtMost => at < end,
                    Operator::More => at >= end,
                    Operator::AtLeast => at >= start,
                }
            }
        }
    }
}

/// The text of a field that has one at most.
fn texts(row: &DeviceRow, field: Field) -> Option<Option<&str>> {
    let what = &*row.what;
    Some(match field {
        Field::Name => what.name.as_deref(),
        Field::Vendor => what.vendor.as_deref(),
        Field::Model => what.model.as_deref(),
        Field::Os => what.os.as_deref(),
        Field::Firmware => what.firmware.as_deref(),
        Field::Location => row.decided.as_deref().and_then(DeviceDecisions::location),
        Field::Zone => Some(&*row.zone),
        Field::Type => Some(&*what.kind),
        _ => return None,
    })
}

/// The texts of a field that may have several.
fn more_texts(row: &DeviceRow, field: Field) -> impl Iterator<Item = &str> {
    let roles = (field == Field::Role).then(|| row.what.roles.iter().map(|role| &**role));
    let decided = row.decided.as_deref().filter(|_| field == Field::Tag);
    let tags = decided.into_iter().flat_map(DeviceDecisions::tags).map(String::as_str);
    roles.into_iter().flatten().chain(tags)
}

/// A text in lower case; most are already, or need no more than a look.
fn lower(text: &str) -> Cow<'_, str> {
    if text.bytes().all(|b| b.is_ascii() && !b.is_ascii_uppercase()) {
        Cow::Borrowed(text)
    } else {
        Cow::Owned(text.to_lowercase())
    }
}
