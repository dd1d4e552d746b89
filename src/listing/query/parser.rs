//! Reads a query: a recursive descent over its characters.
//!
//! ```text
//! query  = { any [ "and" ] }          terms one after another: each narrows the list
//! any    = one { "or" one }           "or" joins its two neighbours
//! one    = "not" one | "(" query ")" | term
//! term   = field operator value | word | quotation
//! ```

use super::Expression;
use super::error::{BadQuery, Fault, nearest};
use super::field::{Field, Operator};
use super::term::Term;
use super::value::{self, Value};

/// Bytes of a query.
const LENGTH: usize = 1_000;
/// Terms of a query.
const TERMS: usize = 64;
/// Parentheses and `not` within each other.
const DEPTH: usize = 16;

/// Operators, the longer first.
const OPERATORS: [Operator; 6] =
    [Operator::AtMost, Operator::AtLeast, Operator::Has, Operator::Is, Operator::Less, Operator::More];

pub(super) fn parse(text: &str) -> Result<Expression, BadQuery> {
    if text.len() > LENGTH {
        let fits = text.char_indices().take_while(|(at, c)| at + c.len_utf8() <= LENGTH).count();
        return Err(Parser::bad(fits, Fault::Length(LENGTH)));
    }
    // No text of a device has control characters.
    let text: Vec<char> = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let mut parser = Parser { text, at: 0, terms: 0 };
    parser.all(0, 0)
}

struct Parser {
    text: Vec<char>,
    at: usize,
    terms: usize,
}

impl Parser {
    fn bad(at: usize, fault: Fault) -> BadQuery {
        BadQuery { column: at + 1, fault }
    }

    fn peek(&self) -> Option<char> {
        self.text.get(self.at).copied()
    }

    fn skip_space(&mut self) {
        while self.peek().is_some_and(char::is_whitespace) {
            self.at += 1;
        }
    }

    /// Whether the query, or the parentheses around the place, end here.
    fn is_end(&mut self, open: usize) -> bool {
        self.skip_space();
        self.peek().is_none_or(|c| c == ')' && open > 0)
    }

    /// Terms one after another, within `open` parentheses.
    fn all(&mut self, open: usize, depth: usize) -> Result<Expression, BadQuery> {
        let mut parts = Vec::new();
        while !self.is_end(open) {
            for word in ["or", "and"] {
                let start = self.at;
                if self.keyword(word) {
                    return Err(Self::bad(start, Fault::NoTermBefore { word }));
                }
            }
            parts.push(self.any(open, depth)?);
            self.skip_space();
            if self.keyword("and") {
                self.expect_term(open, "and")?;
            }
        }
        Ok(Expression::all(parts))
    }

    fn any(&mut self, open: usize, depth: usize) -> Result<Expression, BadQuery> {
        let mut parts = vec![self.one(open, depth)?];
        loop {
            self.skip_space();
            if !self.keyword("or") {
                return Ok(Expression::any(parts));
            }
            self.expect_term(open, "or")?;
            parts.push(self.one(open, depth)?);
        }
    }

    fn one(&mut self, open: usize, depth: usize) -> Result<Expression, BadQuery> {
        self.skip_space();
        let start = self.at;
        if depth > DEPTH {
            return Err(Self::bad(start, Fault::Depth(DEPTH)));
        }
        if self.keyword("not") {
            self.expect_term(open, "not")?;
            return Ok(Expression::Not(Box::new(self.one(open, depth + 1)?)));
        }
        if self.peek() == Some('(') {
            self.at += 1;
            if self.is_end(open + 1) {
                return Err(Self::bad(start, Fault::NoTerm { after: "(" }));
            }
            let inner = self.all(open + 1, depth + 1)?;
            if self.peek() != Some(')') {
                return Err(Self::bad(start, Fault::Parenthesis));
            }
            self.at += 1;
            return Ok(inner);
        }
        self.terms += 1;
        if self.terms > TERMS {
            return Err(Self::bad(start, Fault::Terms(TERMS)));
        }
        self.term(open).map(Expression::Term)
    }

    /// Takes a keyword in any case; it ends before a space or a parenthesis.
    fn keyword(&mut self, word: &str) -> bool {
        let length = word.len();
        let found = self.text.get(self.at..self.at + length);
        let is_it = found.is_some_and(|found| {
            found.iter().zip(word.chars()).all(|(found, expected)| found.to_ascii_lowercase() == expected)
        });
        let next = self.text.get(self.at + length);
        let ends = next.is_none_or(|c| c.is_whitespace() || matches!(c, '(' | ')'));
        if is_it && ends {
            self.at += length;
        }
        is_it && ends
    }

    fn expect_term(&mut self, open: usize, after: &'static str) -> Result<(), BadQuery> {
        let behind = self.at;
        let is_end = self.is_end(open);
        let keyword_follows = ["or", "and"].into_iter().any(|word| {
            let start = self.at;
            let is_it = self.keyword(word);
            self.at = start;
            is_it
        });
        if is_end || keyword_follows {
            return Err(Self::bad(behind.saturating_sub(after.len()), Fault::NoTerm { after }));
        }
        Ok(())
    }

    fn term(&mut self, open: usize) -> Result<Term, BadQuery> {
        let start = self.at;
        if self.peek() == Some('"') {
            let pieces = self.quotation(false)?;
            let text = pieces.concat().to_lowercase();
            if text.trim().is_empty() {
                return Err(Self::bad(start, Fault::Empty));
            }
            return Ok(Term::Word(text));
        }
        let Some((name, operator)) = self.head() else { return self.word(open, None) };
        match Field::named(&name) {
            Some(field) => {
                let at = self.at;
                let value = self.value(open)?;
                value::term(field, operator, &value).map_err(|fault| {
                    let is_value = matches!(fault, Fault::Value { .. });
                    Self::bad(if is_value { at } else { start }, fault)
                })
            }
            None => {
                self.at = start;
                self.word(open, Some(name))
            }
        }
    }

    /// The name and the operator with which a term of a field begins.
    fn head(&mut self) -> Option<(String, Operator)> {
        let rest = self.text.get(self.at..)?;
        let is_name = |c: &&char| c.is_ascii_alphabetic() || **c == '_';
        let name: String = rest.iter().take_while(is_name).collect();
        let behind = rest.get(name.len()..)?;
        let starts = |operator: &Operator| {
            let mut sign = operator.sign().chars();
            let length = operator.sign().len();
            behind.len() >= length && behind.iter().zip(&mut sign).all(|(a, b)| *a == b)
        };
        let operator = OPERATORS.into_iter().find(starts).filter(|_| !name.is_empty())?;
        self.at += name.len() + operator.sign().len();
        Some((name, operator))
    }

    /// The characters of a bare word: to a space, or to the end of the parentheses around it.
    fn bare(&mut self, open: usize) -> String {
        let mut word = String::new();
        let mut inner = 0_usize;
        while let Some(c) = self.peek().filter(|c| !c.is_whitespace()) {
            match c {
                '(' => inner += 1,
                ')' if inner > 0 => inner -= 1,
                ')' if open > 0 => break,
                _ => {}
            }
            word.push(c);
            self.at += 1;
        }
        word
    }

    /// A bare word; `name` is what stands in front of its operator, if it has one.
    fn word(&mut self, open: usize, name: Option<String>) -> Result<Term, BadQuery> {
        let start = self.at;
        let word = self.bare(open).to_lowercase();
        if let Some(special) = value::special(&word) {
            return Ok(special);
        }
        if let Some(operator) = OPERATORS.into_iter().find(|operator| operator.sign() == word) {
            return Err(Self::bad(start, Fault::Alone { sign: operator.sign() }));
        }
        // `de:ad` may be a part of a MAC.
        let is_hex = || word.chars().all(|c| c.is_ascii_hexdigit() || c == ':');
        if let Some(name) = name.filter(|name| name.len() > 1 && !is_hex()) {
            let nearest = nearest(&name, Field::ALL.into_iter().map(Field::key));
            return Err(Self::bad(start, Fault::UnknownField { name: value::short(&name), nearest }));
        }
        // A word is searched for as a part anyway.
        let part = word.trim_matches('*');
        Ok(Term::Word(if part.is_empty() { word.clone() } else { part.to_owned() }))
    }

    fn value(&mut self, open: usize) -> Result<Value, BadQuery> {
        let pieces = match self.peek() {
            Some('"') => self.quotation(true)?,
            _ => self.bare(open).split('*').map(str::to_owned).collect(),
        };
        Ok(Value { pieces })
    }

    /// The pieces of a quotation between its signs `*`, if it is a value.
    fn quotation(&mut self, is_value: bool) -> Result<Vec<String>, BadQuery> {
        let start = self.at;
        let unclosed = || Self::bad(start, Fault::Quote);
        let mut pieces = Vec::new();
        let mut piece = String::new();
        self.at += 1;
        loop {
            let c = self.peek().ok_or_else(unclosed)?;
            self.at += 1;
            match c {
                '"' => break,
                '\\' => {
                    piece.push(self.peek().ok_or_else(unclosed)?);
                    self.at += 1;
                }
                '*' if is_value => pieces.push(std::mem::take(&mut piece)),
                c => piece.push(c),
            }
        }
        pieces.push(piece);
        Ok(pieces)
    }
}
