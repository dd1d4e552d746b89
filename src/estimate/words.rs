//! The words that lists use for types of device, read from `config/type-words.toml`.

use std::collections::{BTreeMap, HashMap};
use std::sync::OnceLock;

use serde::Deserialize;

use super::cell::fold;
use crate::census::Category;
use crate::classify::{RuleError, Taxonomy};

const WORDS: &str = include_str!("../../config/type-words.toml");

/// Words and the types that they mean.
pub(super) struct TypeWords {
    /// Words that must be the whole text.
    whole: HashMap<String, Meaning>,
    /// Words that may be a part of the text.
    part: HashMap<String, Meaning>,
    /// The most words of a part.
    longest: usize,
}

#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Meaning {
    pub(super) category: Category,
    pub(super) kind: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Source {
    schema: u32,
    word: Vec<WordSource>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WordSource {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    part: Vec<String>,
    #[serde(default)]
    whole: Vec<String>,
}

impl TypeWords {
    /// The compiled-in words, read once.
    pub(super) fn builtin() -> Result<&'static Self, RuleError> {
        static KNOWN: OnceLock<TypeWords> = OnceLock::new();
        match KNOWN.get() {
            Some(words) => Ok(words),
            None => {
                let words = Self::parse(WORDS)?;
                Ok(KNOWN.get_or_init(|| words))
            }
        }
    }

    fn parse(text: &str) -> Result<Self, RuleError> {
        let taxonomy = Taxonomy::builtin();
        let broken = |reason: String| RuleError::broken("type-words.toml", reason);
        let source: Source = toml::from_str(text).map_err(|e| broken(e.to_string()))?;
        if source.schema != 1 {
            return Err(broken(format!("schema {} is not known; write schema = 1", source.schema)));
        }
        let mut words = Self { whole: HashMap::new(), part: HashMap::new(), longest: 1 };
        // The taxonomy's own keys and titles are words too.
        for node in taxonomy.nodes().iter().filter(|n| Category::from_key(&n.key).is_none()) {
            let meaning = Meaning { category: node.category, kind: node.key.clone() };
            for text in [&node.key, &node.title] {
                words.whole.insert(phrase(text), meaning.clone());
            }
        }
        for entry in source.word {
            let node =
                taxonomy.get(&entry.kind).ok_or_else(|| broken(format!("unknown type '{}'", entry.kind)))?;
            let meaning = Meaning { category: node.category, kind: node.key.clone() };
            for text in entry.part {
                let text = phrase(&text);
                words.longest = words.longest.max(text.split(' ').count());
                if words.part.insert(text.clone(), meaning.clone()).is_some_and(|known| known != meaning) {
                    return Err(broken(format!("'{text}' means two types; remove one")));
                }
            }
            for text in entry.whole {
                words.whole.insert(phrase(&text), meaning.clone());
            }
        }
        Ok(words)
    }

    /// The meaning of the whole text, or else of its longest part that has one.
    pub(super) fn meaning(&self, text: &str) -> Option<&Meaning> {
        let forms = [phrase(text), phrase(&apart(text))];
        let whole = forms.iter().find_map(|f| self.whole.get(f).or_else(|| self.part.get(f)));
        whole.or_else(|| forms.iter().find_map(|f| self.longest_part(f)))
    }

    /// How many words it knows.
    pub(super) fn len(&self) -> usize {
        self.whole.len() + self.part.len()
    }

    fn longest_part(&self, text: &str) -> Option<&Meaning> {
        let words: Vec<&str> = text.split(' ').collect();
        let mut found: BTreeMap<usize, Vec<&Meaning>> = BTreeMap::new();
        for start in 0..words.len() {
            for end in start + 1..=words.len().min(start + self.longest) {
                let part = words.get(start..end).unwrap_or_default().join(" ");
                if let Some(meaning) = self.part.get(&part) {
                    found.entry(part.len()).or_default().push(meaning);
                }
            }
        }
        let (_, mut longest) = found.pop_last()?;
        longest.sort_by(|a, b| a.kind.cmp(&b.kind));
        let first = *longest.first()?;
        longest.iter().all(|m| m.category == first.category).then_some(first)
    }
}

/// A text in the form in which words are compared: lower case, no accents, single spaces, no plural endings.
pub(super) fn phrase(text: &str) -> String {
    let folded: String = fold(text).map(|c| if c.is_alphanumeric() { c } else { ' ' }).collect();
    let mut out = String::with_capacity(folded.len());
    for word in folded.split_whitespace() {
        if !out.is_empty() {
            out.push(' ');
        }
        out.push_str(singular(word));
    }
    out
}

fn singular(word: &str) -> &str {
    let ends = |tail: &str| word.len() > 4 && word.ends_with(tail);
    if ends("ches") || ends("xes") {
        word.get(..word.len() - 2).unwrap_or(word)
    } else if ends("s") && !ends("ss") && !ends("us") && !ends("os") {
        word.get(..word.len() - 1).unwrap_or(word)
    } else {
        word
    }
}

/// `NetworkDevice` as `Network Device`.
pub(super) fn apart(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 8);
    let mut lower = false;
    for c in text.chars() {
        if lower && c.is_uppercase() {
            out.push(' ');
        }
        lower = c.is_lowercase();
        out.push(c);
    }
    out
}
