//! What can be wrong with rule files.

use std::fmt;
use std::io;
use std::path::PathBuf;

/// Why a set of rules was refused. A set is refused whole: whoever holds an older one keeps it.
#[derive(Debug, thiserror::Error)]
pub enum RuleError {
    /// A file or the folder cannot be read.
    #[error("cannot read {}: {source}; check that it exists and may be read", path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A file or the folder is over a bound.
    #[error("{}: {what} is over the limit of {limit}; split or remove rules", path.display())]
    TooLarge {
        /// Which.
        path: PathBuf,
        /// What is too large.
        what: &'static str,
        /// The bound.
        limit: u64,
    },
    /// The text is no rule pack: bad TOML, an unknown key, a wrong type.
    #[error("{place}: {reason}")]
    Syntax {
        /// Where.
        place: Place,
        /// What, and what is expected.
        reason: String,
    },
    /// A rule means nothing: an unknown field, attribute or type, a bad pattern.
    #[error("{place}: rule '{rule}': {reason}")]
    Rule {
        /// Where.
        place: Place,
        /// The rule's id.
        rule: String,
        /// What, and the next step.
        reason: String,
    },
    /// A rule fails one of its own tests.
    #[error(
        "{place}: rule '{rule}' fails its test {number}, '{input}': {reason}; correct the rule or the test"
    )]
    Test {
        /// Where the test stands.
        place: Place,
        /// The rule's id.
        rule: String,
        /// The test's number, from 1.
        number: usize,
        /// The value tested.
        input: String,
        /// Expected against found.
        reason: String,
    },
}

/// A place in a rule file; lines and columns (in bytes) count from 1.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Place {
    /// The file's name.
    pub file: String,
    /// Line.
    pub line: usize,
    /// Column.
    pub column: usize,
}

impl Place {
    /// The place of byte `offset` in `text`.
    pub(super) fn new(file: &str, text: &str, offset: usize) -> Self {
        let before = text.as_bytes().get(..offset).unwrap_or(text.as_bytes());
        let line = before.iter().filter(|b| **b == b'\n').count() + 1;
        let column = before.iter().rev().take_while(|b| **b != b'\n').count() + 1;
        Self { file: file.to_owned(), line, column }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.file, self.line, self.column)
    }
}

impl RuleError {
    /// What is compiled in is broken.
    #[cfg(feature = "plan")]
    pub(crate) fn broken(file: &str, reason: String) -> Self {
        Self::Syntax { place: Place { file: file.to_owned(), line: 1, column: 1 }, reason }
    }
}

/// The error of a text that does not parse.
pub(super) fn syntax(file: &str, text: &str, error: &toml::de::Error) -> RuleError {
    let offset = error.span().map_or(0, |s| s.start);
    RuleError::Syntax { place: Place::new(file, text, offset), reason: error.message().to_owned() }
}
