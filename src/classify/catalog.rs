//! Questions of operators about rules: which rules exist, whether they pass their tests, and which evidence none of them
//! knows.

use super::builtin;
use super::error::RuleError;
use super::fact::DeviceFacts;
use super::files::RuleFile;
use super::pack::{Pack, Trust};
use super::rule::Rule;
use super::rules::Rules;
use super::summary::{RuleEntry, RuleState};
use super::taxonomy::Taxonomy;
use super::vendors::Vendors;
use crate::census::{ClassifierInput, Field};

/// The result of checking a rule file.
#[derive(Debug)]
pub struct RuleFileCheck {
    pub file: String,
    /// The number of rules.
    pub rules: usize,
    /// The number of tests that ran.
    pub tests: usize,
    pub errors: Vec<RuleError>,
    /// What was skipped without being an error.
    pub notes: Vec<String>,
}

impl Rules {
    /// All rules: first those in use, then the others.
    pub fn catalog(&self) -> Vec<RuleEntry> {
        let active = |rule: &Rule| {
            let overrides =
                self.retired.iter().any(|r| r.state == RuleState::Overridden && *r.id == *rule.id);
            let state = if overrides { RuleState::Overrides } else { RuleState::Active };
            RuleEntry::new(rule, state, &self.taxonomy)
        };
        self.rules.iter().map(active).chain(self.retired.iter().cloned()).collect()
    }

    /// Checks rule files, runs their tests and collects all errors.
    ///
    /// # Errors
    /// If the compiled-in tables are broken, which a test rules out.
    pub fn check<'f>(files: impl IntoIterator<Item = &'f RuleFile>) -> Result<Vec<RuleFileCheck>, RuleError> {
        let (taxonomy, vendors) = builtin::tables()?;
        Ok(files.into_iter().map(|f| check(&f.name, &f.text, &taxonomy, &vendors)).collect())
    }

    /// As [`Rules::check`], for the compiled-in packs.
    ///
    /// # Errors
    /// As [`Rules::check`].
    pub fn check_builtin() -> Result<Vec<RuleFileCheck>, RuleError> {
        let (taxonomy, vendors) = builtin::tables()?;
        Ok(builtin::PACKS.iter().map(|(name, text)| check(name, text, &taxonomy, &vendors)).collect())
    }

    /// The evidence that no rule matches, as field and value.
    pub fn unmatched(&self, subject: &ClassifierInput<'_>) -> Vec<(Field, String)> {
        let facts = DeviceFacts::of(subject, &self.vendors);
        let hits = self.hits(&facts);
        // A hit borrows its fact from `facts`.
        facts
            .iter()
            .filter(|f| !hits.iter().any(|h| std::ptr::eq(h.fact, *f)))
            .map(|f| (f.field, f.value.clone().into_owned()))
            .collect()
    }
}

fn check(file: &str, text: &str, taxonomy: &Taxonomy, vendors: &Vendors) -> RuleFileCheck {
    let mut errors = Vec::new();
    let pack = Pack::read(file, text, Trust::Thorough, taxonomy, vendors, &mut errors);
    RuleFileCheck {
        file: file.to_owned(),
        rules: pack.rules.len(),
        tests: pack.tests,
        errors,
        notes: pack.notes,
    }
}
