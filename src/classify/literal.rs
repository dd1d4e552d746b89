//! The literals of patterns: texts of which each match holds at least one. `build.rs` finds those of the built-in rules, and
//! so compiles this file, too.

use regex_syntax::ParserBuilder;
use regex_syntax::hir::literal::Extractor;
use regex_syntax::hir::{Hir, HirKind};

/// The fewest bytes of a literal in the index.
pub(crate) const LITERAL_BYTES: usize = 2;
/// The most literals of a matcher in the index.
pub(crate) const LITERALS: usize = 512;

/// Parses a pattern. The error is for the author of the rule.
pub(crate) fn parse(pattern: &str) -> Result<Hir, String> {
    let mut parser = ParserBuilder::new().unicode(false).utf8(false).build();
    let last_line = |text: String| text.lines().last().map_or_else(String::new, str::to_owned);
    parser.parse(pattern).map_err(|e| format!("regex: {}", last_line(e.to_string())))
}

/// The literals of a pattern, if it has any.
pub(crate) fn of_pattern(pattern: &str) -> Option<Vec<String>> {
    required(&parse(pattern).ok()?)
}

/// Literals; each match of the pattern contains at least one.
fn required(hir: &Hir) -> Option<Vec<String>> {
    match hir.kind() {
        HirKind::Literal(literal) => Some(vec![String::from_utf8(literal.0.to_vec()).ok()?]),
        HirKind::Capture(group) => required(&group.sub),
        HirKind::Repetition(repeated) if repeated.min > 0 => required(&repeated.sub),
        HirKind::Concat(parts) => {
            let best = parts.iter().filter_map(required).max_by_key(worth);
            if best.as_ref().is_some_and(|v| shortest(v) >= LITERAL_BYTES) {
                return best;
            }
            beginnings(hir).or(best)
        }
        HirKind::Class(_) => beginnings(hir),
        HirKind::Alternation(branches) => {
            let all: Option<Vec<Vec<String>>> = branches.iter().map(required).collect();
            Some(all?.concat())
        }
        _ => None,
    }
}

/// Literals; each match begins with one. Small classes are expanded: `[XQ]N` gives `XN` and `QN`.
fn beginnings(hir: &Hir) -> Option<Vec<String>> {
    let found = Extractor::new().limit_total(LITERALS).extract(hir);
    let texts = found.literals()?.iter().map(|l| String::from_utf8(l.as_bytes().to_vec()).ok());
    texts.collect::<Option<Vec<_>>>().filter(|v| shortest(v) > 0)
}

/// Few and long literals exclude the most values.
#[expect(clippy::ptr_arg, reason = "max_by_key passes it so")]
fn worth(texts: &Vec<String>) -> (bool, usize) {
    (texts.len() <= LITERALS / 8, shortest(texts))
}

pub(crate) fn shortest(texts: &[String]) -> usize {
    texts.iter().map(String::len).min().unwrap_or(0)
}
