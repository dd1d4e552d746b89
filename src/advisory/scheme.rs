//! Schemes of versions: how a maker writes versions, and how they compare. Data (`schemes` in
//! `config/vulnerabilities/products.toml`), with tests.
//!
//! A text must fit the form of a scheme wholly. If it does not, it has no version, and nothing is concluded from it. There is
//! no general order of versions that would stand in: such an order is a guess.

use std::cmp::Ordering;

use regex::Regex;
use serde::Deserialize;
use smol_str::SmolStr;

use super::record::{Bound, Constraint};

/// How versions of a product compare.
#[derive(Clone, Debug)]
pub struct Scheme {
    pub id: SmolStr,
    /// For people.
    pub title: String,
    /// Whether a device whose version does not fit is of another product.
    pub(super) others: bool,
    form: Regex,
    order: Vec<Key>,
}

/// A part of a version, in the order in which parts compare.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Key {
    by: By,
    /// The name of the group in the form.
    of: String,
    /// Whether a record that leaves the part out means every value of it. Otherwise a part that is left out comes before all
    /// others.
    #[serde(default)]
    open: bool,
}

#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "snake_case")]
enum By {
    /// Numbers between dots; missing ones are 0.
    Numbers,
    /// One number.
    Number,
    /// Letters: `a` to `z`, then `aa`.
    Letters,
    /// Versions compare only if this text is the same: a train, a code of the hardware.
    Same,
}

/// A scheme as it is written in the table.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SchemeSource {
    pub(super) id: String,
    title: String,
    #[serde(default)]
    others: bool,
    form: String,
    order: Vec<Key>,
    pub(super) tests: Vec<SchemeTest>,
}

/// Versions and what comes out.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum SchemeTest {
    /// In rising order.
    Rising(Vec<String>),
    /// All the same.
    Equal(Vec<String>),
    /// A device's version and one of a record, which cannot be compared.
    Open(Vec<String>),
    /// Not versions of this scheme.
    Not(Vec<String>),
}

/// A version of a scheme.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Version(Vec<Value>);

#[derive(Clone, Debug, Eq, PartialEq)]
enum Value {
    Numbers(Vec<u64>),
    Number(Option<u64>),
    Letters(Option<(usize, String)>),
    Same(String),
}

/// Where a version is to a range.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Place {
    Within,
    Before,
    After,
    /// Another version than a single one.
    Other,
    Unknown,
}

impl Scheme {
    pub(super) fn compile(source: &SchemeSource) -> Result<Self, String> {
        let form = Regex::new(&format!("^(?i:{})$", source.form)).map_err(|e| e.to_string())?;
        for key in &source.order {
            if !form.capture_names().flatten().any(|name| name == key.of) {
                return Err(format!("the form has no group {}", key.of));
            }
        }
        Ok(Self {
            id: SmolStr::new(&source.id),
            title: source.title.clone(),
            others: source.others,
            form,
            order: source.order.clone(),
        })
    }

    /// The version that a text is; `None` if it does not fit the form wholly.
    pub fn version(&self, text: &str) -> Option<Version> {
        let found = self.form.captures(text.trim())?;
        let value = |key: &Key| {
            let text = found.name(&key.of).map(|group| group.as_str()).filter(|text| !text.is_empty());
            Some(match key.by {
                By::Numbers => Value::Numbers(numbers(text.unwrap_or_default())?),
                By::Number => {
                    Value::Number(text.map(|t| t.parse::<u64>().ok()).map_or(Some(None), |n| n.map(Some))?)
                }
                By::Letters => Value::Letters(text.map(|t| (t.len(), t.to_lowercase()))),
                By::Same => Value::Same(text.unwrap_or_default().to_lowercase()),
            })
        };
        self.order.iter().map(value).collect::<Option<Vec<_>>>().map(Version)
    }

    /// How a device's version compares with one of a record; `None` if that is open.
    pub fn compare(&self, device: &Version, record: &Version) -> Option<Ordering> {
        for (key, (device, record)) in self.order.iter().zip(device.0.iter().zip(&record.0)) {
            match (part(key, device, record)?, key.by) {
                (Ordering::Equal, _) => {}
                (_, By::Same) => return None,
                (order, _) => return Some(order),
            }
        }
        Some(Ordering::Equal)
    }

    /// Whether a device's version is one of a record; `None` if that is open.
    pub(super) fn is(&self, device: &Version, record: &Version) -> Option<bool> {
        let mut known = true;
        for (key, (device, record)) in self.order.iter().zip(device.0.iter().zip(&record.0)) {
            match part(key, device, record) {
                Some(Ordering::Equal) => {}
                Some(_) => return Some(false),
                None => known = false,
            }
        }
        known.then_some(true)
    }

    /// Where a device's version is to a range. `from` and `to` are the versions of its bounds.
    pub(super) fn place(
        &self,
        device: &Version,
        from: Option<(&Bound, Option<&Version>)>,
        to: Option<(&Bound, Option<&Version>)>,
    ) -> Place {
        let side = |bound: Option<(&Bound, Option<&Version>)>, out: Ordering| match bound {
            None => Some(true),
            Some((bound, version)) => {
                let order = self.compare(device, version?)?;
                Some(order != out && (order != Ordering::Equal || bound.inclusive))
            }
        };
        match (side(from, Ordering::Less), side(to, Ordering::Greater)) {
            (_, Some(false)) => Place::After,
            (Some(false), _) => Place::Before,
            (Some(true), Some(true)) => Place::Within,
            _ => Place::Unknown,
        }
    }

    /// The versions of a constraint's texts: of the one version, or of both bounds.
    pub(super) fn versions(&self, constraint: &Constraint) -> [Option<Version>; 2] {
        match constraint {
            Constraint::Is(text) => [self.version(text), None],
            Constraint::Range { from, to } => {
                [from, to].map(|bound| bound.as_ref().and_then(|bound| self.version(&bound.text)))
            }
            _ => [None, None],
        }
    }

    /// Runs the tests of the table.
    pub(super) fn check(&self, tests: &[SchemeTest]) -> Result<(), String> {
        let version = |text: &String| self.version(text).ok_or_else(|| format!("'{text}' is not a version"));
        let pairs = |texts: &[String], expected: Option<Ordering>| {
            for (i, a) in texts.iter().enumerate() {
                for b in texts.get(i + 1..).unwrap_or_default() {
                    let found = self.compare(&version(a)?, &version(b)?);
                    if found != expected {
                        return Err(format!("'{a}' and '{b}': expected {expected:?}, found {found:?}"));
                    }
                }
            }
            Ok(())
        };
        for test in tests {
            match test {
                SchemeTest::Rising(texts) => pairs(texts, Some(Ordering::Less))?,
                SchemeTest::Equal(texts) => pairs(texts, Some(Ordering::Equal))?,
                SchemeTest::Open(texts) => pairs(texts, None)?,
                SchemeTest::Not(texts) => {
                    if let Some(text) = texts.iter().find(|text| self.version(text).is_some()) {
                        return Err(format!("'{text}' is a version"));
                    }
                }
            }
        }
        Ok(())
    }
}

/// How one part compares; `None` if that is open.
fn part(key: &Key, device: &Value, record: &Value) -> Option<Ordering> {
    match (device, record) {
        (Value::Numbers(a), Value::Numbers(b)) => {
            let longest = a.len().max(b.len());
            let padded =
                |v: &[u64]| v.iter().copied().chain(std::iter::repeat(0)).take(longest).collect::<Vec<_>>();
            Some(padded(a).cmp(&padded(b)))
        }
        (Value::Number(a), Value::Number(b)) => open(key, a.as_ref(), b.as_ref()),
        (Value::Letters(a), Value::Letters(b)) => open(key, a.as_ref(), b.as_ref()),
        (Value::Same(_), Value::Same(b)) if key.open && b.is_empty() => Some(Ordering::Equal),
        (Value::Same(a), Value::Same(b)) => Some(a.cmp(b)),
        _ => None,
    }
}

fn open<T: Ord>(key: &Key, device: Option<&T>, record: Option<&T>) -> Option<Ordering> {
    match (device, record) {
        (Some(_), None) if key.open => Some(Ordering::Equal),
        (None, Some(_)) if key.open => None,
        _ => Some(device.cmp(&record)),
    }
}

/// The numbers between dots, lines and parentheses; `None` if one is too large.
fn numbers(text: &str) -> Option<Vec<u64>> {
    let parts = text.split(['.', '-', '_', '(', ')']).filter(|part| !part.is_empty());
    parts.map(|part| part.parse().ok()).collect()
}
