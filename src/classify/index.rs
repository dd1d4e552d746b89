//! The index: finds the rules that can match a value, by field, by whole value and by the literals that a match must
//! contain. Only these rules run, and only their patterns are compiled.

use std::collections::{BTreeMap, HashMap};

use aho_corasick::AhoCorasick;

use super::rule::Rule;
use super::source::{Group, Source};
use crate::census::Field;

/// The rules by field, or by group of fields that is read as one.
#[derive(Debug, Default)]
pub(super) struct Index(BTreeMap<Group, FieldRules>);

#[derive(Debug, Default)]
struct FieldRules {
    /// By the whole value in lower case.
    exact: HashMap<String, Vec<usize>>,
    /// Finds the literals; `None` if there are none.
    literals: Option<AhoCorasick>,
    /// The rules of each literal, by the literal's number.
    by_literal: Vec<Vec<usize>>,
    /// The rules that must look at every value.
    open: Vec<usize>,
}

impl Index {
    pub(super) fn new(rules: &[Rule]) -> Self {
        let mut index = Self::default();
        let mut literals: BTreeMap<Group, BTreeMap<String, Vec<usize>>> = BTreeMap::new();
        for (id, rule) in rules.iter().enumerate() {
            // Other sources read only a part of the value.
            let exact = matches!(rule.source, Source::Field(_)).then(|| rule.matcher.exact()).flatten();
            let found = rule.matcher.literals().or_else(|| rule.source.literal().map(|l| vec![l]));
            let group = rule.source.group();
            let entry = index.0.entry(group).or_default();
            if let Some(values) = &exact {
                values.iter().for_each(|v| entry.exact.entry(v.clone()).or_default().push(id));
            } else if let Some(found) = found {
                let of_group = literals.entry(group).or_default();
                found.into_iter().for_each(|l| of_group.entry(l).or_default().push(id));
            } else {
                entry.open.push(id);
            }
        }
        for (group, found) in literals {
            let entry = index.0.entry(group).or_default();
            match AhoCorasick::builder().ascii_case_insensitive(true).build(found.keys()) {
                Ok(finder) => {
                    entry.literals = Some(finder);
                    entry.by_literal = found.into_values().collect();
                }
                // Too many literals for one automaton: looking at every value is slower, but as correct.
                Err(_) => entry.open.extend(found.into_values().flatten()),
            }
        }
        index
    }

    /// The rules that may match, sorted. Contains all that do.
    pub(super) fn candidates(&self, field: Field, value: &str) -> Vec<usize> {
        let mut found = Vec::new();
        for rules in Group::of(field).filter_map(|group| self.0.get(&group)) {
            found.extend(&rules.open);
            if !rules.exact.is_empty() {
                found.extend(rules.exact.get(&value.to_ascii_lowercase()).into_iter().flatten());
            }
            if let Some(finder) = &rules.literals {
                for hit in finder.find_overlapping_iter(value) {
                    found.extend(rules.by_literal.get(hit.pattern().as_usize()).into_iter().flatten());
                }
            }
        }
        found.sort_unstable();
        found.dedup();
        found
    }
}
