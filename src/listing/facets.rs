//! How the devices of a list divide by a field: what people narrow it by next.

use std::collections::HashMap;

use super::error::BadList;
use super::filter::{Filter, Matcher};
use super::query::{Field, Term};
use super::rows::Rows;
use crate::census::{Timestamp, Verdict};

/// The values of a field among the devices of a list.
#[derive(Clone, Debug)]
pub(crate) struct Facet {
    pub field: Field,
    /// The most frequent first, then by name.
    pub values: Vec<FacetValue>,
    /// How many further values there are.
    pub more: usize,
}

/// A value, and how many devices of the list have it.
#[derive(Clone, Debug)]
pub(crate) struct FacetValue {
    pub label: String,
    /// What narrows the list to these devices.
    pub term: Term,
    pub number: usize,
}

/// The facets of a list of the devices of `zones`: verdicts, vendors, types and zones, at most `most` values each.
///
/// # Errors
/// If the filter cannot be read.
pub(crate) fn facets<'v>(
    zones: impl Iterator<Item = &'v Rows>,
    as_of: Timestamp,
    filter: &Filter,
    most: usize,
) -> Result<Vec<Facet>, BadList> {
    let matcher = Matcher::new(filter, as_of)?;
    let mut verdicts: HashMap<Verdict, usize> = HashMap::new();
    let mut texts: [(Field, HashMap<&str, usize>); 3] =
        [Field::Vendor, Field::Type, Field::Zone].map(|field| (field, HashMap::new()));
    for rows in zones {
        for (_, row) in matcher.places(rows) {
            *verdicts.entry(row.verdict).or_default() += 1;
            let values = [row.what.vendor.as_deref(), Some(&*row.what.kind), Some(&*row.zone)];
            for ((_, counts), value) in texts.iter_mut().zip(values) {
                if let Some(value) = value {
                    *counts.entry(value).or_default() += 1;
                }
            }
        }
    }
    let verdicts = verdicts.into_iter().map(|(verdict, number)| FacetValue {
        label: verdict.id().to_owned(),
        term: Term::Verdict(verdict),
        number,
    });
    let mut out = vec![Facet::new(Field::Verdict, verdicts.collect(), most)];
    out.extend(texts.into_iter().map(|(field, counts)| Facet::new(field, merged(field, counts), most)));
    Ok(out)
}

/// One value for all spellings that differ in case alone, as queries do not tell them apart.
fn merged(field: Field, counts: HashMap<&str, usize>) -> Vec<FacetValue> {
    let mut sorted: Vec<(&str, usize)> = counts.into_iter().collect();
    sorted.sort_unstable();
    let mut by_case: HashMap<String, FacetValue> = HashMap::new();
    for (label, number) in sorted {
        let value = by_case.entry(label.to_lowercase()).or_insert_with(|| FacetValue {
            label: label.to_owned(),
            term: Term::exactly(field, label),
            number: 0,
        });
        value.number += number;
    }
    by_case.into_values().collect()
}

impl Facet {
    fn new(field: Field, mut values: Vec<FacetValue>, most: usize) -> Self {
        values.sort_unstable_by(|a, b| b.number.cmp(&a.number).then_with(|| a.label.cmp(&b.label)));
        let more = values.len().saturating_sub(most);
        values.truncate(most);
        Self { field, values, more }
    }
}
