//! What an operator asks of rules: which there are, whether they pass their tests, and what none of them knows.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Serialize;

use super::error::RuleError;
use super::fact::Facts;
use super::pack::{Pack, Trust};
use super::rule::{Rule, Saying};
use super::taxonomy::Taxonomy;
use super::vendors::Vendors;
use super::{BUILTIN, RuleFile, Rules};
use crate::census::{Field, Subject};

/// Where a rule stands.
#[derive(Clone, Debug)]
pub(super) struct Origin {
    pub(super) pack: Arc<str>,
    pub(super) file: Arc<str>,
    /// From 1; 0 where a rule has no line of its own.
    pub(super) line: usize,
}

/// Whether a rule is in use.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RuleState {
    /// In use.
    Active,
    /// In use, in the place of an earlier rule of the same id.
    Overrides,
    /// A later rule of the same id is in its place.
    Overridden,
    /// A pack switches it off.
    Disabled,
}

impl RuleState {
    /// The word in lists.
    pub const fn key(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Overrides => "overrides",
            Self::Overridden => "overridden",
            Self::Disabled => "disabled",
        }
    }
}

/// One rule, as it is listed.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct RuleEntry {
    /// Its id.
    pub id: String,
    /// One sentence for people.
    pub title: String,
    /// Where it reads: a field, or a group of fields.
    pub evidence: String,
    /// The fields that stand behind `evidence`.
    pub fields: Vec<&'static str>,
    /// What it looks for: `regex ^x`, `prefix a, b`; all must hold.
    pub matches: Vec<String>,
    /// The highest weight of what it says, in percent.
    pub weight: u8,
    /// What it says, as `attribute=value`; texts with places for what is captured in braces.
    pub sets: Vec<String>,
    /// What it says besides by what a group captured.
    pub cases: BTreeMap<String, Vec<String>>,
    /// The pack's name.
    pub pack: String,
    /// The file.
    pub file: String,
    /// The line, from 1; null where it has none of its own.
    pub line: Option<usize>,
    /// Whether it is in use.
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

/// How a file of rules fared.
#[derive(Debug)]
pub struct Checked {
    /// The file.
    pub file: String,
    /// Its rules.
    pub rules: usize,
    /// The tests that ran.
    pub tests: usize,
    /// Everything that is wrong with it.
    pub errors: Vec<RuleError>,
    /// What was left out without being an error, for people.
    pub notes: Vec<String>,
}

impl Rules {
    /// Every rule: those in use, then those that are not.
    pub fn catalog(&self) -> Vec<RuleEntry> {
        let active = |rule: &Rule| {
            let overrides =
                self.retired.iter().any(|r| r.state == RuleState::Overridden && *r.id == *rule.id);
            let state = if overrides { RuleState::Overrides } else { RuleState::Active };
            RuleEntry::new(rule, state, &self.taxonomy)
        };
        self.rules.iter().map(active).chain(self.retired.iter().cloned()).collect()
    }

    /// Runs the tests of the rules that are compiled in, and of `files`; finds all that is wrong, not the first only.
    ///
    /// # Errors
    /// Only where what is compiled in is broken.
    pub fn check<'f>(files: impl IntoIterator<Item = &'f RuleFile>) -> Result<Vec<Checked>, RuleError> {
        let (taxonomy, vendors) = Self::ground()?;
        Ok(files.into_iter().map(|f| check(&f.name, &f.text, &taxonomy, &vendors)).collect())
    }

    /// As [`Rules::check`], of the packs that are compiled in.
    ///
    /// # Errors
    /// Only where what is compiled in is broken.
    pub fn check_builtin() -> Result<Vec<Checked>, RuleError> {
        let (taxonomy, vendors) = Self::ground()?;
        Ok(BUILTIN.iter().map(|(name, text)| check(name, text, &taxonomy, &vendors)).collect())
    }

    /// What was said that no rule takes up, by field and value.
    pub fn unmatched(&self, subject: &Subject<'_>) -> Vec<(Field, String)> {
        let facts = Facts::of(subject, &*self.oui, &self.vendors);
        let hits = self.hits(&facts);
        // A hit borrows the fact that it fired on.
        facts
            .iter()
            .filter(|f| !hits.iter().any(|h| std::ptr::eq(h.fact, *f)))
            .map(|f| (f.field, f.value.clone().into_owned()))
            .collect()
    }
}

fn check(file: &str, text: &str, taxonomy: &Taxonomy, vendors: &Vendors) -> Checked {
    let mut errors = Vec::new();
    let pack = Pack::read(file, text, Trust::Thorough, taxonomy, vendors, &mut errors);
    Checked { file: file.to_owned(), rules: pack.rules.len(), tests: pack.tests, errors, notes: pack.notes }
}
