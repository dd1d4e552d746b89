//! Errors in rule files.

use std::fmt;
use std::io;
use std::path::PathBuf;

/// Why a set of rules was refused. One error refuses the whole set, and the previous set stays in use.
#[derive(Debug, thiserror::Error)]
pub enum RuleError {
    #[error("cannot read {}: {source}; check that it exists and is readable", path.display())]
    Read { path: PathBuf, source: io::Error },
    /// A file or the folder exceeds a limit.
    #[error("{}: {what} exceeds the limit of {limit}; split or remove files", path.display())]
    TooLarge { path: PathBuf, what: &'static str, limit: u64 },
    /// The text is not a rule pack: invalid TOML, an unknown key or a wrong type.
    #[error("{place}: {reason}")]
    Syntax { place: Place, reason: String },
    /// A rule is invalid: an unknown field, attribute or type, or a bad pattern.
    #[error("{place}: rule '{rule}': {reason}")]
    Rule { place: Place, rule: String, reason: String },
    /// A rule fails one of its own tests.
    #[error(
        "{place}: rule '{rule}' fails its test {number}, '{input}': {reason}; correct the rule or the test"
    )]
    Test {
        place: Place,
        rule: String,
        /// From 1.
        number: usize,
        input: String,
        /// What was expected and what happened.
        reason: String,
    },
}

/// A place in a rule file. Lines and columns count from 1, columns in bytes.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Place {
    pub file: String,
    pub line: usize,
    pub column: usize,
}

impl Place {
    /// The place of the byte at `offset` in `text`.
    pub(super) fn new(file: &str, text: &str, offset: usize) -> Self {
        let before = text.as_bytes().get(..offset).unwrap_or(text.as_bytes());
        let line = before.iter().filter(|b| **b == b'\n').count() + 1;
        let column = before.iter().rev().take_while(|b| **b != b'\n').count() + 1;
        Self { file: file.to_owned(), line, column }
    }
}

/// The lines of places that are asked for one after the other: each byte of the text is read once.
pub(super) struct Lines<'t> {
    text: &'t [u8],
    /// A place and its line.
    last: (usize, usize),
}

impl<'t> Lines<'t> {
    pub(super) const fn new(text: &'t str) -> Self {
        Self { text: text.as_bytes(), last: (0, 1) }
    }

    /// The line of the byte at `offset`, from 1.
    pub(super) fn of(&mut self, offset: usize) -> usize {
        let (start, line) = if offset < self.last.0 { (0, 1) } else { self.last };
        let between = self.text.get(start..offset).unwrap_or_default();
        self.last = (offset, line + between.iter().filter(|b| **b == b'\n').count());
        self.last.1
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.file, self.line, self.column)
    }
}

impl RuleError {
    /// A compiled-in file is broken.
    #[cfg(feature = "plan")]
    pub(crate) fn broken(file: &str, reason: String) -> Self {
        Self::Syntax { place: Place { file: file.to_owned(), line: 1, column: 1 }, reason }
    }
}

/// The error for a text that does not parse.
pub(super) fn syntax(file: &str, text: &str, error: &toml::de::Error) -> RuleError {
    let offset = error.span().map_or(0, |s| s.start);
    RuleError::Syntax { place: Place::new(file, text, offset), reason: error.message().to_owned() }
}
