//! The index: finds the rules that can match a value, by field, by whole value and by the literals that a match must
//! contain. Only these rules run, and only their patterns are compiled.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use aho_corasick::{AhoCorasick, AhoCorasickKind};
use foldhash::HashMap;

use super::rule::Rule;
use super::source::{Group, Source};
use crate::census::Field;

/// The rules by field, or by group of fields that is read as one.
#[derive(Debug, Default)]
pub(super) struct Index(BTreeMap<Group, GroupRules>);

/// The rules of one group. Many captures have few kinds of evidence, so a group is indexed when a value first needs it.
#[derive(Debug, Default)]
struct GroupRules {
    /// Ascending.
    ids: Vec<usize>,
    indexed: OnceLock<FieldRules>,
}

#[derive(Debug, Default)]
struct FieldRules {
    /// By the whole value in lower case.
    exact: HashMap<String, Vec<usize>>,
    /// Finds the literals in a value in lower case; `None` if there are none.
    literals: Option<AhoCorasick>,
    /// The rules of each literal, by the literal's number.
    by_literal: Vec<Vec<usize>>,
    /// The rules that must look at every value.
    open: Vec<usize>,
}

impl FieldRules {
    /// Indexes rules by their places in `all`.
    fn new(ids: &[usize], all: &[Rule]) -> Self {
        let mut index = Self::default();
        let mut literals: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        for (id, rule) in ids.iter().filter_map(|id| Some((*id, all.get(*id)?))) {
            // Other sources read only a part of the value.
            let exact = matches!(rule.source, Source::Field(_)).then(|| rule.matcher.exact()).flatten();
            let found = || rule.matcher.literals().or_else(|| rule.source.literal().map(|l| vec![l]));
            if let Some(values) = exact {
                values.into_iter().for_each(|v| index.exact.entry(v).or_default().push(id));
            } else if let Some(found) = found() {
                found.into_iter().for_each(|l| literals.entry(l).or_default().push(id));
            } else {
                index.open.push(id);
            }
        }
        if !literals.is_empty() {
            // The kind that is made soonest: values are short and each is looked at once.
            let kind = Some(AhoCorasickKind::NoncontiguousNFA);
            match AhoCorasick::builder().prefilter(false).kind(kind).build(literals.keys()) {
                Ok(finder) => {
                    index.literals = Some(finder);
                    index.by_literal = literals.into_values().collect();
                }
                // Too many literals for one automaton: looking at every value is slower, but as correct.
                Err(_) => index.open.extend(literals.into_values().flatten()),
            }
        }
        index
    }
}

impl Index {
    pub(super) fn new(rules: &[Rule]) -> Self {
        let mut index = Self::default();
        for (id, rule) in rules.iter().enumerate() {
            index.0.entry(rule.source.group()).or_default().ids.push(id);
        }
        index
    }

    /// The rules that may match, as places in `all`, for which the index was made; sorted. Contains all that do.
    pub(super) fn candidates(&self, all: &[Rule], field: Field, value: &str) -> Vec<usize> {
        let (mut found, value) = (Vec::new(), value.to_ascii_lowercase());
        for group in Group::of(field).filter_map(|group| self.0.get(&group)) {
            let rules = group.indexed.get_or_init(|| FieldRules::new(&group.ids, all));
            found.extend(&rules.open);
            if !rules.exact.is_empty() {
                found.extend(rules.exact.get(&value).into_iter().flatten());
            }
            if let Some(finder) = &rules.literals {
                for hit in finder.find_overlapping_iter(&value) {
                    found.extend(rules.by_literal.get(hit.pattern().as_usize()).into_iter().flatten());
                }
            }
        }
        found.sort_unstable();
        found.dedup();
        found
    }
}
