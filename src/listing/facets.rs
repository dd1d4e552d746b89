//! How the devices of a list divide by a field: what people narrow it by next.

use std::collections::HashMap;

use super::query::{Field, Term};
use crate::census::Verdict;
use crate::wire::DeviceRow;

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

/// Counts the devices of a list by verdict, vendor, type and zone.
#[derive(Default)]
pub(crate) struct Facets<'v> {
    /// By the number of the verdict.
    verdicts: [usize; Verdict::ALL.len()],
    vendors: HashMap<&'v str, usize>,
    types: HashMap<&'v str, usize>,
    zones: HashMap<&'v str, usize>,
    /// The zone of the last devices, and how many they are: a list goes through zone after zone.
    zone: Option<(&'v str, usize)>,
}

impl<'v> Facets<'v> {
    pub(crate) fn add(&mut self, device: &'v DeviceRow) {
        if let Some(number) = self.verdicts.get_mut(device.verdict as usize) {
            *number += 1;
        }
        if let Some(vendor) = device.what.vendor.as_deref() {
            *self.vendors.entry(vendor).or_default() += 1;
        }
        *self.types.entry(&device.what.kind).or_default() += 1;
        match &mut self.zone {
            Some((zone, number)) if **zone == *device.zone => *number += 1,
            _ => {
                self.end_zone();
                self.zone = Some((&device.zone, 1));
            }
        }
    }

    fn end_zone(&mut self) {
        if let Some((zone, number)) = self.zone.take() {
            *self.zones.entry(zone).or_default() += number;
        }
    }

    /// The facets, with at most `most` values each.
    pub(crate) fn finish(mut self, most: usize) -> Vec<Facet> {
        self.end_zone();
        let number = |verdict: Verdict| self.verdicts.get(verdict as usize).copied().unwrap_or_default();
        let verdicts = Verdict::ALL.into_iter().map(|verdict| FacetValue {
            label: verdict.id().to_owned(),
            term: Term::Verdict(verdict),
            number: number(verdict),
        });
        let verdicts = verdicts.filter(|value| value.number > 0).collect();
        let texts = [(Field::Vendor, self.vendors), (Field::Type, self.types), (Field::Zone, self.zones)];
        let mut out = vec![Facet::new(Field::Verdict, verdicts, most)];
        out.extend(texts.map(|(field, counts)| Facet::new(field, merged(field, counts), most)));
        out
    }
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
