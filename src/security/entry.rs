//! What a file says of rules, before it is put over what is known.

use std::collections::BTreeMap;

use serde::Deserialize;
use toml::Spanned;

use super::Severity;
use super::advised;
use super::posture::{Health, POSTURES};
use super::ruleset::Scope;

/// The most bytes of a text of a rule.
const TEXT: usize = 2_000;
/// The largest number of a rule.
const NUMBER: u32 = 10_000;
/// The most conditions, or techniques, of a rule.
pub(super) const CONDITIONS: usize = 32;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    #[serde(default)]
    pub(super) alert: Vec<AlertEntry>,
    #[serde(default)]
    pub(super) recommendation: Vec<RecommendationEntry>,
}

/// What a file says of an alert. What it does not say stays.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AlertEntry {
    pub(super) id: Spanned<String>,
    pub(super) title: Option<String>,
    pub(super) severity: Option<Severity>,
    pub(super) on: Option<bool>,
    pub(super) scope: Option<Scope>,
    pub(super) sees: Option<String>,
    pub(super) blind: Option<String>,
    pub(super) techniques: Option<Vec<String>>,
    pub(super) advice: Option<String>,
    #[serde(default)]
    pub(super) numbers: BTreeMap<String, Spanned<u32>>,
}

/// What a file says of a recommendation. What it does not say of a known one stays.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RecommendationEntry {
    pub(super) id: Spanned<String>,
    pub(super) name: Option<String>,
    pub(super) severity: Option<Severity>,
    pub(super) on: Option<bool>,
    pub(super) scope: Option<Scope>,
    pub(super) unhealthy: Option<Vec<Spanned<String>>>,
    pub(super) healthy: Option<Vec<Spanned<String>>>,
    pub(super) quiet: Option<bool>,
    pub(super) remedy: Option<String>,
    #[serde(default)]
    pub(super) numbers: BTreeMap<String, Spanned<u32>>,
    #[serde(default)]
    pub(super) tests: Vec<Spanned<PostureTest>>,
}

/// A test of a recommendation: what a device shows, and what it must be.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PostureTest {
    pub(super) shows: Vec<String>,
    pub(super) is: Health,
}

/// Who wrote a file.
#[derive(Clone, Copy, Eq, PartialEq)]
pub(super) enum Author {
    Project,
    Operator,
}

/// What is wrong, and at which byte.
pub(super) type Fault = (usize, String);

/// What a new rule must say.
pub(super) fn needed<T>(at: usize, key: &str, value: Option<T>) -> Result<T, Fault> {
    value.ok_or_else(|| (at, format!("'{key}' is missing")))
}

/// A text of a file, or the one that stays.
pub(super) fn checked(at: usize, new: Option<String>, known: String) -> Result<String, Fault> {
    match new {
        Some(text) if text.trim().is_empty() || text.len() > TEXT || text.chars().any(char::is_control) => {
            Err((at, format!("a text is empty, longer than {TEXT} bytes, or has control characters")))
        }
        Some(text) => Ok(text),
        None => Ok(known),
    }
}

/// The numbers of a rule: an operator changes those that there are.
pub(super) fn numbers(
    mut known: BTreeMap<String, u32>,
    new: BTreeMap<String, Spanned<u32>>,
    author: Author,
) -> Result<BTreeMap<String, u32>, Fault> {
    for (name, number) in new {
        let at = number.span().start;
        if author == Author::Operator && !known.contains_key(&name) {
            return Err((at, format!("the rule has no number '{name}'")));
        }
        let number = number.into_inner();
        if !(1..=NUMBER).contains(&number) {
            return Err((at, format!("'{name}' is not between 1 and {NUMBER}")));
        }
        known.insert(name, number);
    }
    Ok(known)
}

/// How a list names postures.
#[derive(Clone, Copy, Eq, PartialEq)]
pub(super) enum Wording {
    /// With `!`, `+` and `@`.
    Condition,
    /// By their names alone.
    Posture,
}

/// The postures or conditions of a list.
pub(super) fn postures(
    list: Option<Vec<Spanned<String>>>,
    kind: Wording,
) -> Result<Option<Vec<String>>, Fault> {
    let is_condition = kind == Wording::Condition;
    let Some(list) = list else { return Ok(None) };
    if list.len() > CONDITIONS {
        return Err((0, format!("more than {CONDITIONS} conditions")));
    }
    let mut out = Vec::with_capacity(list.len());
    for one in list {
        let at = one.span().start;
        let text = one.into_inner();
        let parts: Vec<&str> = if is_condition { text.split('+').collect() } else { vec![&text] };
        if is_condition && parts.iter().all(|part| part.starts_with('!')) {
            return Err((at, "a condition needs something that was seen".to_owned()));
        }
        for part in parts {
            let name = if is_condition { part.strip_prefix('!').unwrap_or(part) } else { part };
            let (name, days) = name.split_once('@').filter(|_| is_condition).unwrap_or((name, "1"));
            if !POSTURES.contains(&name) && !advised::POSTURES.contains(&name) {
                return Err((at, format!("there is no posture '{name}'")));
            }
            if !days.parse::<u32>().is_ok_and(|n| (1..=32).contains(&n)) {
                return Err((at, format!("'{days}' is not a number of days between 1 and 32")));
            }
        }
        out.push(text);
    }
    Ok(Some(out))
}
