//! Patterns of STIX 2.1, as far as one comparison alone is an indicator: `[ipv4-addr:value = '203.0.113.7']`, alternatives of
//! it by OR, and ISSUBSET of a network. A pattern that joins comparisons in another way says less than one of them alone, so
//! it is counted and not taken.

use super::Sink;

/// The longest pattern, in bytes.
const PATTERN: usize = 64 << 10;

/// A word, a sign or a text of a pattern.
#[derive(Clone, Debug, Eq, PartialEq)]
enum Token<'p> {
    Word(&'p str),
    Sign(char),
    Text(String),
}

/// Takes the indicators of a pattern, or counts what it is instead.
pub(super) fn take(pattern: &str, sink: &mut Sink) {
    if pattern.len() > PATTERN {
        sink.name("pattern that is too long");
        return;
    }
    match comparisons(pattern) {
        Some(found) => {
            for (object, value) in found {
                match object {
                    "ipv4-addr:value" | "ipv6-addr:value" | "domain-name:value" => sink.take_or_name(&value),
                    other => {
                        sink.name(&format!("pattern of {}", other.split(':').next().unwrap_or_default()))
                    }
                }
            }
        }
        None => sink.name("pattern of several conditions"),
    }
}

/// The comparisons of a pattern, each of which is an indicator alone; `None` if the pattern says anything else.
fn comparisons(pattern: &str) -> Option<Vec<(&str, String)>> {
    let tokens = tokens(pattern)?;
    let mut tokens = tokens.into_iter().peekable();
    let mut found = Vec::new();
    loop {
        (tokens.next()? == Token::Sign('[')).then_some(())?;
        loop {
            let Token::Word(object) = tokens.next()? else { return None };
            match tokens.next()? {
                Token::Sign('=') => {}
                Token::Word(word) if word.eq_ignore_ascii_case("ISSUBSET") => {}
                _ => return None,
            }
            let Token::Text(value) = tokens.next()? else { return None };
            found.push((object, value));
            match tokens.next()? {
                Token::Word(word) if word.eq_ignore_ascii_case("OR") => {}
                Token::Sign(']') => break,
                _ => return None,
            }
        }
        match tokens.next() {
            None => return Some(found),
            Some(Token::Word(word)) if word.eq_ignore_ascii_case("OR") => {}
            Some(_) => return None,
        }
    }
}

fn tokens(pattern: &str) -> Option<Vec<Token<'_>>> {
    let mut tokens = Vec::new();
    let mut rest = pattern.trim_start();
    while let Some(first) = rest.chars().next() {
        match first {
            '[' | ']' | '=' | '(' | ')' => {
                tokens.push(Token::Sign(first));
                rest = rest.get(1..)?;
            }
            '\'' => {
                let (text, after) = quoted(rest.get(1..)?)?;
                tokens.push(Token::Text(text));
                rest = after;
            }
            _ => {
                let is_end = |c: char| c.is_whitespace() || matches!(c, '[' | ']' | '=' | '(' | ')' | '\'');
                let end = rest.find(is_end).unwrap_or(rest.len());
                let (word, after) = rest.split_at_checked(end)?;
                tokens.push(Token::Word(word));
                rest = after;
            }
        }
        rest = rest.trim_start();
    }
    Some(tokens)
}

/// A text up to its quotation mark, and what follows.
fn quoted(rest: &str) -> Option<(String, &str)> {
    let mut text = String::new();
    let mut chars = rest.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '\'' => return Some((text, rest.get(at + 1..)?)),
            '\\' => text.push(chars.next()?.1),
            c => text.push(c),
        }
    }
    None
}
