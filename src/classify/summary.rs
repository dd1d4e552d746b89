//! Rules as lists show them.

use std::collections::BTreeMap;

use serde::Serialize;

use super::rule::{Rule, Saying};
use super::taxonomy::Taxonomy;

/// Whether a rule is in use.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RuleState {
    Active,
    /// In use, and replaces an earlier rule with the same id.
    Overrides,
    /// Replaced by a later rule with the same id.
    Overridden,
    /// Disabled by a pack.
    Disabled,
}

impl RuleState {
    /// The name in lists.
    pub const fn key(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Overrides => "overrides",
            Self::Overridden => "overridden",
            Self::Disabled => "disabled",
        }
    }
}

/// A rule in a list.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct RuleEntry {
    pub id: String,
    /// One sentence for people.
    pub title: String,
    /// What it reads: a field or a group of fields.
    pub evidence: String,
    /// The fields of `evidence`.
    pub fields: Vec<&'static str>,
    /// Its conditions, such as `regex ^x` or `prefix a, b`. All must hold.
    pub matches: Vec<String>,
    /// The highest weight of its claims, in percent.
    pub weight: u8,
    /// Its claims, as `attribute=value`. Captured texts are placeholders in braces.
    pub sets: Vec<String>,
    /// Further claims by captured text.
    pub cases: BTreeMap<String, Vec<String>>,
    /// The name of the pack.
    pub pack: String,
    pub file: String,
    /// From 1; null for a rule without a line of its own.
    pub line: Option<usize>,
    pub state: RuleState,
}

impl RuleEntry {
    pub(super) fn new(rule: &Rule, state: RuleState, taxonomy: &Taxonomy) -> Self {
        let mut sets: Vec<String> = rule.says.iter().map(|s| s.text(taxonomy)).collect();
        if let Some(map) = &rule.map {
            sets.push(format!("by {}: {} cases", map.from, map.table.len()));
        }
        let say = |says: &Vec<Saying>| says.iter().map(|s| s.text(taxonomy)).collect();
        let table = rule.map.iter().flat_map(|m| &m.table);
        let mapped = rule.map.iter().flat_map(|m| m.table.values().flatten());
        Self {
            id: rule.id.to_string(),
            title: rule.title.to_string(),
            evidence: rule.source.to_string(),
            fields: rule.source.fields().iter().map(|f| f.name()).collect(),
            matches: rule.matcher.texts(),
            weight: rule.says.iter().chain(mapped).map(|s| s.weight).max().unwrap_or(0),
            sets,
            cases: table.map(|(key, says)| (key.clone(), say(says))).collect(),
            pack: rule.origin.pack.to_string(),
            file: rule.origin.file.to_string(),
            line: Some(rule.origin.line).filter(|l| *l > 0),
            state,
        }
    }
}
