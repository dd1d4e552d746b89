//! The query language for devices ([docs/query.md](../../../docs/query.md)): what it can say, how it is read and written,
//! and which devices match.
//!
//! Pure, and bounded: a query has at most 1,000 bytes, 64 terms, and 16 parentheses within each other. A query of bare
//! words alone is a search in the text of a zone ([`Rows`](super::rows::Rows)); other terms look at each device.

mod error;
mod evaluation;
mod field;
mod parser;
mod term;
mod value;

#[cfg(test)]
mod laws;
#[cfg(test)]
mod tests;

use std::fmt;

pub(crate) use error::BadQuery;
pub(super) use evaluation::Candidate;
pub(crate) use field::Field;
pub(crate) use term::Term;

/// A query that was read.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Query {
    expression: Expression,
}

/// Conditions, joined.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Expression {
    /// None, or two and more; none of them is an `All`.
    All(Vec<Self>),
    /// Two and more; none of them is an `Any`.
    Any(Vec<Self>),
    Not(Box<Self>),
    Term(Term),
}

impl Query {
    /// Reads a query. An empty one is about all devices.
    ///
    /// # Errors
    /// With the column, what is wrong there and what to write.
    pub(crate) fn parse(text: &str) -> Result<Self, BadQuery> {
        parser::parse(text).map(|expression| Self { expression })
    }

    /// The conditions that must all hold.
    fn parts(&self) -> &[Expression] {
        match &self.expression {
            Expression::All(parts) => parts,
            one => std::slice::from_ref(one),
        }
    }

    /// Whether the term is one of the conditions that must all hold.
    pub(crate) fn has(&self, term: &Term) -> bool {
        self.parts().iter().any(|part| matches!(part, Expression::Term(own) if own == term))
    }

    /// The query without that condition.
    pub(crate) fn without(&self, term: &Term) -> Self {
        let is_other = |part: &&Expression| !matches!(part, Expression::Term(own) if own == term);
        Self { expression: Expression::all(self.parts().iter().filter(is_other).cloned().collect()) }
    }

    /// The words that the text of each match has, and the other conditions.
    pub(super) fn split(self) -> (Vec<String>, Vec<Expression>) {
        let parts = match self.expression {
            Expression::All(parts) => parts,
            one => vec![one],
        };
        let (mut words, mut others) = (Vec::new(), Vec::new());
        for part in parts {
            match part {
                Expression::Term(Term::Word(word)) => words.push(word),
                other => others.push(other),
            }
        }
        (words, others)
    }
}

/// Reads a text as a query, for the fuzzer. If it is a query, what the query prints must be read as the same; if not, the
/// fault must lie within the text.
///
/// # Errors
/// With the law that does not hold.
pub fn check_query(text: &str) -> Result<(), String> {
    match Query::parse(text) {
        Ok(query) => {
            let printed = query.to_string();
            let again = Query::parse(&printed);
            // Quotation may make a query too long; nothing else may change it.
            let is_long = matches!(again, Err(BadQuery { fault: error::Fault::Length(_), .. }));
            if is_long || again.as_ref() == Ok(&query) {
                Ok(())
            } else {
                Err(format!("{printed}: {again:?}"))
            }
        }
        Err(BadQuery { column, .. }) if (1..=text.chars().count()).contains(&column) => Ok(()),
        Err(fault) => Err(fault.to_string()),
    }
}

impl Expression {
    fn all(parts: Vec<Self>) -> Self {
        let mut flat = Vec::with_capacity(parts.len());
        for part in parts {
            match part {
                Self::All(inner) => flat.extend(inner),
                other => flat.push(other),
            }
        }
        if flat.len() == 1 { flat.remove(0) } else { Self::All(flat) }
    }

    fn any(parts: Vec<Self>) -> Self {
        let mut flat = Vec::with_capacity(parts.len());
        for part in parts {
            match part {
                Self::Any(inner) => flat.extend(inner),
                other => flat.push(other),
            }
        }
        if flat.len() == 1 { flat.remove(0) } else { Self::Any(flat) }
    }
}

impl fmt::Display for Query {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.expression.fmt(f)
    }
}

impl fmt::Display for Expression {
    /// What [`Query::parse`] reads as the same.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let joined = |f: &mut fmt::Formatter<'_>, parts: &[Self], sign: &str| {
            for (i, part) in parts.iter().enumerate() {
                f.write_str(if i == 0 { "" } else { sign })?;
                match part {
                    Self::All(_) => write!(f, "({part})")?,
                    other => other.fmt(f)?,
                }
            }
            Ok(())
        };
        match self {
            Self::All(parts) => joined(f, parts, " "),
            Self::Any(parts) => joined(f, parts, " or "),
            Self::Not(inner) => match &**inner {
                Self::Term(_) | Self::Not(_) => write!(f, "not {inner}"),
                other => write!(f, "not ({other})"),
            },
            Self::Term(term) => term.fmt(f),
        }
    }
}
