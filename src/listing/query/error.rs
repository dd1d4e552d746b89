//! Why a query cannot be read, and where.

use super::field::Field;

/// A query that cannot be read.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("query, column {column}: {fault}")]
pub struct BadQuery {
    /// The character at which the fault begins, counted from 1.
    pub column: usize,
    pub fault: Fault,
}

/// What is wrong.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Fault {
    /// It is too long.
    #[error("the query is longer than {0} bytes; shorten it")]
    Length(usize),
    /// It has too many terms.
    #[error("the query has more than {0} terms; leave some out")]
    Terms(usize),
    /// Its parentheses or its `not` are nested too deep.
    #[error("more than {0} parentheses or 'not' within each other; write it with fewer")]
    Depth(usize),
    /// A quotation does not end.
    #[error("the quotation does not end; close it with '\"'")]
    Quote,
    /// A quotation has no text.
    #[error("the quotation is empty; write a word in it, or leave it out")]
    Empty,
    /// A parenthesis is not closed.
    #[error("the parenthesis is not closed; add ')', or quote the text")]
    Parenthesis,
    /// A term is missing.
    #[error("'{after}' needs a term after it; add one")]
    NoTerm {
        /// The word or sign before the place.
        after: &'static str,
    },
    /// `or` or `and` stands in front.
    #[error("'{word}' needs a term before it; add one, or write '\"{word}\"' to search for the word")]
    NoTermBefore { word: &'static str },
    /// An operator stands alone.
    #[error("'{sign}' stands alone; write field, operator and value without spaces, as in seen<7d")]
    Alone { sign: &'static str },
    /// The field does not exist.
    #[error("unknown field '{name}'; {}quote the word to search for it as text. The fields are {}", meant(*nearest), keys())]
    UnknownField { name: String, nearest: Option<&'static str> },
    /// The field has no value.
    #[error("'{key}' has no value; write it directly behind '{sign}', as in {example}")]
    NoValue { key: &'static str, sign: &'static str, example: &'static str },
    /// The field does not take the operator.
    #[error("'{key}' does not take '{sign}'; write {example}")]
    Operator { key: &'static str, sign: &'static str, example: &'static str },
    /// The field does not take the value.
    #[error("'{value}' is not a value of '{key}'; {}{expected}", meant(*nearest))]
    Value {
        key: &'static str,
        value: String,
        nearest: Option<&'static str>,
        /// What to write.
        expected: String,
    },
}

fn meant(nearest: Option<&'static str>) -> String {
    nearest.map(|word| format!("did you mean '{word}'? Or ")).unwrap_or_default()
}

fn keys() -> String {
    Field::ALL.map(Field::key).join(", ")
}

/// The most similar of some words, if one is similar.
pub(super) fn nearest(word: &str, all: impl Iterator<Item = &'static str>) -> Option<&'static str> {
    /// Likeness by Jaro and Winkler, from 0 to 1.
    const SIMILAR: f64 = 0.75;
    let word = word.to_lowercase();
    let likeness = |known: &'static str| (strsim::jaro_winkler(&word, &known.to_lowercase()), known);
    let best = all.map(likeness).max_by(|a, b| a.0.total_cmp(&b.0));
    best.filter(|(likeness, _)| *likeness >= SIMILAR).map(|(_, known)| known)
}
