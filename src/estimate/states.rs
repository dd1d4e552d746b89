//! Whether a list says that a device is in use, read from `config/status-words.toml`.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::OnceLock;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::cell::squash;
use super::moment::{self, Moment};
use super::unread::Unread;
use super::words::{apart, phrase};
use crate::classify::RuleError;

const WORDS: &str = include_str!("../../config/status-words.toml");

/// What a word says about a device.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum InUse {
    /// It is in use, or at least at its place.
    #[serde(rename = "in_use")]
    Yes,
    /// It is in a store, retired or gone.
    #[serde(rename = "not_in_use")]
    No,
    /// The word is not known. Its devices count.
    Unknown,
}

/// A word of a status column, and how it was taken.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, ToSchema)]
pub struct StateReport {
    /// The column.
    pub column: String,
    /// The word.
    pub word: String,
    /// Rows that have it.
    pub rows: u64,
    /// How it was taken.
    pub taken_for: InUse,
}

#[derive(Debug)]
struct StatusWords {
    whole: HashMap<String, InUse>,
    part: HashMap<String, InUse>,
    /// By squashed header, then by number.
    codes: HashMap<String, HashMap<String, InUse>>,
    longest: usize,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Source {
    schema: u32,
    not_in_use: List,
    in_use: List,
    codes: HashMap<String, Codes>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct List {
    part: Vec<String>,
    whole: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Codes {
    in_use: Vec<String>,
    not_in_use: Vec<String>,
}

impl StatusWords {
    fn parse(text: &str) -> Result<Self, RuleError> {
        let broken = |reason: String| RuleError::broken("status-words.toml", reason);
        let source: Source = toml::from_str(text).map_err(|e| broken(e.to_string()))?;
        if source.schema != 1 {
            return Err(broken(format!("schema {} is not known; write schema = 1", source.schema)));
        }
        let mut words =
            Self { whole: HashMap::new(), part: HashMap::new(), codes: HashMap::new(), longest: 1 };
        for (list, meaning) in [(source.not_in_use, InUse::No), (source.in_use, InUse::Yes)] {
            for (texts, into) in [(list.part, &mut words.part), (list.whole, &mut words.whole)] {
                for text in texts {
                    let text = phrase(&text);
                    words.longest = words.longest.max(text.split(' ').count());
                    if into.insert(text.clone(), meaning).is_some_and(|known| known != meaning) {
                        return Err(broken(format!("'{text}' means both; remove one")));
                    }
                }
            }
        }
        for (column, codes) in source.codes {
            let lists = [(codes.in_use, InUse::Yes), (codes.not_in_use, InUse::No)];
            let all = lists.into_iter().flat_map(|(codes, m)| codes.into_iter().map(move |c| (c, m)));
            words.codes.insert(column, all.collect());
        }
        Ok(words)
    }

    /// The compiled-in words. A test holds that they can be read; if not, no word is known, and every word is told.
    fn builtin() -> &'static Self {
        static KNOWN: OnceLock<StatusWords> = OnceLock::new();
        KNOWN.get_or_init(|| {
            Self::parse(WORDS).unwrap_or_else(|_| Self {
                whole: HashMap::new(),
                part: HashMap::new(),
                codes: HashMap::new(),
                longest: 1,
            })
        })
    }

    fn meaning(&self, column: &str, text: &str) -> InUse {
        let column = squash(column);
        let codes = self.codes.iter().find(|(name, _)| column.ends_with(name.as_str()));
        if let Some(meaning) = codes.and_then(|(_, codes)| codes.get(text.trim())) {
            return *meaning;
        }
        if let Some(meaning) = by_column(&column, text) {
            return meaning;
        }
        // `Ready to Deploy (deployed)`: the word in brackets is the product's, the other one the customer's.
        let inner = text.rsplit_once('(').and_then(|(_, rest)| rest.strip_suffix(')'));
        let inner = inner.map_or(InUse::Unknown, |inner| self.word(inner));
        if inner == InUse::Unknown { self.word(text) } else { inner }
    }

    fn word(&self, text: &str) -> InUse {
        let forms = [phrase(text), phrase(&apart(text))];
        let whole = forms.iter().find_map(|f| self.whole.get(f).or_else(|| self.part.get(f))).copied();
        whole.unwrap_or_else(|| forms.first().map_or(InUse::Unknown, |text| self.parts(text)))
    }

    /// The meaning of all known parts that stand in no longer one; unknown if they contradict each other.
    fn parts(&self, text: &str) -> InUse {
        let words: Vec<&str> = text.split(' ').take(32).collect();
        let mut found: Vec<(usize, usize, InUse)> = Vec::new();
        for start in 0..words.len() {
            for end in start + 1..=words.len().min(start + self.longest) {
                let part = words.get(start..end).unwrap_or_default().join(" ");
                found.extend(self.part.get(&part).map(|meaning| (start, end, *meaning)));
            }
        }
        let is_within = |a: &(usize, usize, InUse), b: &(usize, usize, InUse)| {
            b.0 <= a.0 && a.1 <= b.1 && b.1 - b.0 > a.1 - a.0
        };
        let longest = found.iter().filter(|a| !found.iter().any(|b| is_within(a, b)));
        let meanings: BTreeSet<InUse> = longest.map(|(_, _, meaning)| *meaning).collect();
        match (meanings.len(), meanings.first()) {
            (1, Some(meaning)) => *meaning,
            _ => InUse::Unknown,
        }
    }
}

/// The meaning of yes, no or a date in a column that names a state by itself: `Is Active`, `Retired`, `Disposal Date`.
fn by_column(column: &str, text: &str) -> Option<InUse> {
    const GOOD: [&str; 7] = ["active", "isactive", "inuse", "inservice", "enabled", "isenabled", "current"];
    const BAD: [&str; 18] = [
        "retired",
        "isretired",
        "archived",
        "isarchived",
        "deleted",
        "isdeleted",
        "decommissioned",
        "disposed",
        "scrapped",
        "isexcluded",
        "exclusionstate",
        "retirementdate",
        "disposaldate",
        "decommissiondate",
        "decommissioneddate",
        "retireddate",
        "missing",
        "lost",
    ];
    let word = squash(text);
    let said = match word.as_str() {
        "1" | "true" | "yes" | "y" | "x" | "ja" | "oui" | "si" | "excluded" => Some(true),
        "0" | "false" | "no" | "n" | "nein" | "non" | "included" | "notexcluded" => Some(false),
        _ => None,
    };
    let is_date = || matches!(moment::read(text), Moment::At(_) | Moment::Slashed { .. });
    match (GOOD.contains(&column), BAD.contains(&column), said) {
        (true, _, Some(yes)) => Some(if yes { InUse::Yes } else { InUse::No }),
        (_, true, Some(yes)) => Some(if yes { InUse::No } else { InUse::Yes }),
        (_, true, None) if is_date() => Some(InUse::No),
        _ => None,
    }
}

/// Whether a text is a word of states.
pub(super) fn is_known(text: &str) -> bool {
    StatusWords::builtin().meaning("", text) != InUse::Unknown
}

/// Whether a column says by itself whether a device is in use, whatever others say: Snipe-IT's `status_meta`.
pub(super) fn is_decisive(column: &str) -> bool {
    squash(column).ends_with("statusmeta")
}

/// The words of a list's status columns, counted.
#[derive(Debug, Default)]
pub(super) struct States(BTreeMap<(String, String), (u64, Option<InUse>)>);

impl States {
    /// Whether the text of a column says that a device is not in use; every text is counted.
    pub(super) fn is_not_in_use(&mut self, column: &str, text: &str) -> bool {
        let word: String = text.chars().take(60).collect();
        let (rows, meaning) = self.0.entry((column.to_owned(), word)).or_default();
        *rows += 1;
        *meaning.get_or_insert_with(|| StatusWords::builtin().meaning(column, text)) == InUse::No
    }

    /// The words, and those that nobody knows.
    pub(super) fn report(self) -> (Vec<StateReport>, Vec<Unread>) {
        let all: Vec<StateReport> = self
            .0
            .into_iter()
            .map(|((column, word), (rows, meaning))| StateReport {
                column,
                word,
                rows,
                taken_for: meaning.unwrap_or(InUse::Unknown),
            })
            .collect();
        let unread = all
            .iter()
            .filter(|s| s.taken_for == InUse::Unknown)
            .map(|s| Unread {
                column: s.column.clone(),
                text: s.word.clone(),
                rows: s.rows,
                why: "is not known as a status".to_owned(),
                effect: "counts as in use".to_owned(),
            })
            .collect();
        (all, unread)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_compiled_in_words_can_be_read() {
        StatusWords::parse(WORDS).unwrap();
    }

    #[test]
    fn the_words_of_every_usual_product_are_known() {
        let of = |column: &str, text: &str| StatusWords::builtin().meaning(column, text);
        for text in [
            "Retired",
            "In Stock",
            "Stolen",
            "Absent",
            "On Order",
            "Pending Install",
            "Planned",
            "Inventory",
            "Decommissioning",
            "Archived",
            "Ready to Deploy",
            "Lost/Stolen",
            "Non-active",
            "Stock",
            "Sold",
            "Old",
            "Reserved",
            "Don't show",
            "Disposed",
            "Im Lager",
            "Mise au rebut",
            "En stock",
            "Dado de baja",
            "Out of service",
            "No longer in use",
            "Retired - Scrapped",
            "Not Deployed",
            "Inactive",
        ] {
            assert_eq!(of("Status", text), InUse::No, "{text}");
        }
        for text in [
            "Installed",
            "In Production",
            "In Maintenance",
            "Active",
            "Offline",
            "Staged",
            "Failed",
            "Deployed",
            "Broken",
            "In repair",
            "Operational",
            "Being Decommissioned",
            "En service",
            "In use",
            "Pending",
            "Undeployable",
            "Pending Repair",
        ] {
            assert_eq!(of("Status", text), InUse::Yes, "{text}");
        }
        assert_eq!(of("Status", "7"), InUse::Unknown);
        assert_eq!(of("Status", "Frobnicated"), InUse::Unknown);
        assert_eq!(of("cmdb_ci.install_status", "7"), InUse::No);
        assert_eq!(of("install_status", "1"), InUse::Yes);
        assert_eq!(of("operational_status", "6"), InUse::No);
        assert_eq!(of("Status", "Ready to Deploy (deployed)"), InUse::Yes);
        assert_eq!(of("Status", "Deployed (archived)"), InUse::No);
        for text in
            ["To be retired", "Not retired", "Connection lost", "ActiveReservation", "Planned maintenance"]
        {
            assert_eq!(of("Status", text), InUse::Yes, "{text}");
        }
        for text in ["Active - end of life", "In use, archived", "Available"] {
            assert_eq!(of("Status", text), InUse::Unknown, "{text}");
        }
        assert_eq!(of("Status", "Not in service"), InUse::No);
        assert_eq!((of("Is Active", "No"), of("Retired", "true")), (InUse::No, InUse::No));
        assert_eq!(of("Disposal Date", "2025-03-01"), InUse::No);
    }

    #[test]
    fn words_that_nobody_knows_are_told_with_their_number() {
        let mut states = States::default();
        assert!(states.is_not_in_use("Status", "Retired"));
        assert!(!states.is_not_in_use("Status", "Verliehen"));
        assert!(!states.is_not_in_use("Status", "Verliehen"));
        let (all, unread) = states.report();
        assert_eq!((all.len(), unread.len()), (2, 1));
        assert_eq!((unread[0].text.as_str(), unread[0].rows), ("Verliehen", 2));
    }
}
