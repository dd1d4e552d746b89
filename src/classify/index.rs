//! Which rules a value of a field can concern: by the field, and by the whole value where a rule names it.

use std::collections::{BTreeMap, HashMap};

use super::rule::Rule;
use super::source::Source;
use crate::census::Field;

/// The rules of every field.
#[derive(Debug, Default)]
pub(super) struct Index(BTreeMap<Field, Rules>);

#[derive(Debug, Default)]
struct Rules {
    /// By the whole value in lower case.
    exact: HashMap<String, Vec<usize>>,
    /// Those that must look at the value.
    open: Vec<usize>,
}

impl Index {
    pub(super) fn new(rules: &[Rule]) -> Self {
        let mut index = Self::default();
        for (id, rule) in rules.iter().enumerate() {
            // Other sources read a part of the value, which the whole value does not equal.
            let exact = matches!(rule.source, Source::Field(_)).then(|| rule.matcher.exact()).flatten();
            for field in rule.source.fields() {
                let entry = index.0.entry(*field).or_default();
                match &exact {
                    Some(values) => {
                        values.iter().for_each(|v| entry.exact.entry(v.clone()).or_default().push(id))
                    }
                    None => entry.open.push(id),
                }
            }
        }
        index
    }

    /// The rules that may match; never leaves one out that does.
    pub(super) fn candidates(&self, field: Field, value: &str) -> impl Iterator<Item = usize> {
        let rules = self.0.get(&field);
        let exact =
            rules.filter(|r| !r.exact.is_empty()).and_then(|r| r.exact.get(&value.to_ascii_lowercase()));
        let open = rules.map(|r| &r.open);
        exact.into_iter().chain(open).flatten().copied()
    }
}
