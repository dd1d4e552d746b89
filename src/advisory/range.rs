//! Ranges of versions as CSAF documents write them: `< V2.3`, `>=1.0|<1.5`, `vers:intdot/…`, a few fixed phrases. Whatever
//! else is written stays words.

use std::sync::LazyLock;

use regex::Regex;

use super::limits::{NAME, cut};
use super::record::{Bound, Constraint};

/// The most ranges of one text.
pub(super) const RANGES: usize = 64;

/// The versions that a `product_version_range` names.
pub(super) fn of_range(text: &str) -> Vec<Constraint> {
    let text = text.trim();
    let words = || vec![Constraint::Words(cut(text, NAME))];
    if let Some(vers) = text.strip_prefix("vers:") {
        let Some((_, list)) = vers.split_once('/') else { return words() };
        return if list == "*" { vec![Constraint::All] } else { listed(list).unwrap_or_else(words) };
    }
    if ALL.is_match(text) {
        return vec![Constraint::All];
    }
    if BARE.is_match(text) {
        return vec![Constraint::Is(cut(text, NAME))];
    }
    if let Some(version) = BEFORE.captures(text).and_then(|c| c.get(1)) {
        let to = Some(Bound { text: cut(version.as_str(), NAME), inclusive: false });
        return vec![Constraint::Range { from: None, to }];
    }
    if let Some(version) = UP_TO.captures(text).and_then(|c| c.get(1)) {
        let to = Some(Bound { text: cut(version.as_str(), NAME), inclusive: true });
        return vec![Constraint::Range { from: None, to }];
    }
    let text = LEAD.replace(text, "");
    compared(&text).unwrap_or_else(words)
}

macro_rules! pattern {
    ($name:ident, $text:literal) => {
        static $name: LazyLock<Regex> = LazyLock::new(|| Regex::new($text).unwrap());
    };
}

pattern!(ALL, r"(?i)^(?:all(?: versions)?|\*)$");
pattern!(BARE, r"(?i)^v?[0-9]+(?:\.[0-9]+)+$");
pattern!(LEAD, r"(?i)^(?:all )?versions?:? *");
pattern!(
    BEFORE,
    r"(?i)^(?:all )?(?:versions? )?(?:prior to|before|earlier than) (?:version )?(v?[0-9][0-9A-Za-z.()_-]*)$"
);
pattern!(
    UP_TO,
    r"(?i)^(?:all )?(?:versions? )?(v?[0-9][0-9A-Za-z.()_-]*) (?:and|or) (?:prior|earlier|below|older)(?: versions?)?$"
);
pattern!(COMPARED, r"^(<=|>=|<|>|=|≤|≥) *([^<>=≤≥|,]+?) *(?:[|,&] *|and +|$|(?:[<>=≤≥]))");

/// Pairs of comparators: `>= a < b`.
fn compared(text: &str) -> Option<Vec<Constraint>> {
    let mut rest = text.trim();
    let mut found = Vec::new();
    while !rest.is_empty() {
        let captures = COMPARED.captures(rest)?;
        let (operator, version) = (captures.get(1)?, captures.get(2)?);
        found.push((operator.as_str(), version.as_str().trim_end_matches(" and").trim()));
        rest = rest.get(version.end()..)?.trim_start_matches([' ', '|', ',', '&']);
        rest = rest.strip_prefix("and ").unwrap_or(rest).trim_start();
    }
    ranges(&found)
}

/// The list of a `vers:` text: versions with comparators, separated by bars.
fn listed(list: &str) -> Option<Vec<Constraint>> {
    let found = list.split('|').map(|entry| {
        let entry = entry.trim();
        let operator = [">=", "<=", "!=", ">", "<", "="].into_iter().find(|op| entry.starts_with(op));
        (operator.unwrap_or("="), entry.get(operator.map_or(0, str::len)..).unwrap_or_default().trim())
    });
    let found: Vec<(&str, String)> =
        found.map(|(op, text)| Some((op, decoded(text)?))).collect::<Option<_>>()?;
    ranges(&found.iter().map(|(op, text)| (*op, text.as_str())).collect::<Vec<_>>())
}

/// Percent signs with two hexadecimal digits, as `vers:` asks for.
fn decoded(text: &str) -> Option<String> {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            out.push(byte);
            continue;
        }
        let digits = [bytes.next()?, bytes.next()?];
        out.push(u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?);
    }
    String::from_utf8(out).ok()
}

/// Ranges of comparators in rising order: what opens is closed by the next that closes.
fn ranges(found: &[(&str, &str)]) -> Option<Vec<Constraint>> {
    if found.is_empty() || found.len() > RANGES {
        return None;
    }
    let mut out = Vec::new();
    let mut open: Option<Bound> = None;
    for (operator, text) in found {
        // A version begins with a digit, or letters and a digit; a sentence is not one.
        if text.is_empty() || text.len() > NAME || !text.chars().any(|c| c.is_ascii_digit()) {
            return None;
        }
        let bound = |inclusive| Bound { text: (*text).to_owned(), inclusive };
        match *operator {
            ">" | ">=" | "≥" if open.is_none() => open = Some(bound(*operator != ">")),
            "<" | "<=" | "≤" => {
                out.push(Constraint::Range { from: open.take(), to: Some(bound(*operator != "<")) });
            }
            "=" if open.is_none() => out.push(Constraint::Is((*text).to_owned())),
            _ => return None,
        }
    }
    if let Some(from) = open {
        out.push(Constraint::Range { from: Some(from), to: None });
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> String {
        of_range(text).iter().map(ToString::to_string).collect::<Vec<_>>().join(" | ")
    }

    #[test]
    fn ranges_are_read_as_they_are_written_in_documents() {
        for (text, expected) in [
            ("<V7.4", "< V7.4"),
            ("< V7.4 SP1", "< V7.4 SP1"),
            ("<= 1.2.3", "<= 1.2.3"),
            (">= V2.3.0 < V2.3.4", ">= V2.3.0, < V2.3.4"),
            (">=1.0|<1.5", ">= 1.0, < 1.5"),
            (">=1.0 and <1.5", ">= 1.0, < 1.5"),
            ("All versions < V7.4 SP1", "< V7.4 SP1"),
            ("All versions", "all versions"),
            ("vers:all/*", "all versions"),
            ("vers:intdot/<3.3.0", "< 3.3.0"),
            ("vers:intdot/>=1.0|<1.5|>=2.0|<=2.2|3.0", ">= 1.0, < 1.5 | >= 2.0, <= 2.2 | = 3.0"),
            ("vers:unknown/<V1%20SP2", "< V1 SP2"),
            ("vers:intdot/>=4.0", ">= 4.0"),
            ("Versions prior to 2.0.1", "< 2.0.1"),
            ("2.0.1 and prior", "<= 2.0.1"),
            ("V5.2 and earlier versions", "<= V5.2"),
        ] {
            assert_eq!(shown(text), expected, "{text}");
        }
    }

    #[test]
    fn what_is_not_understood_wholly_stays_words() {
        for text in [
            "All versions with maximum extension",
            "versions before the summer of 2021",
            "1.0 (including) and 2.0 (excluding)",
            "vers:intdot/!=3.3.0",
            "vers:intdot",
            "vers:intdot/>=1|>=2",
            "< the newest",
            "V1 <",
            "",
        ] {
            assert!(matches!(of_range(text).as_slice(), [Constraint::Words(_)]), "{text}: {}", shown(text));
        }
    }
}
