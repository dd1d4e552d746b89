//! What a listed device is: by the words that its list has for it, else by what the classifier knows of its names,
//! its model and its card's maker.

use std::collections::{BTreeMap, HashMap};
use std::sync::OnceLock;

use serde::{Deserialize, Serialize};

use super::ListedDevice;
use super::columns::fold;
use crate::census::{Category, Classification, Classifier, Evidence, Field, Subject, Timestamp};
use crate::classify::{RuleError, Taxonomy};

const WORDS: &str = include_str!("../../config/type-words.toml");

/// What a category rests on, the surest first.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Basis {
    /// A sensor saw it.
    Inventory,
    /// The list names its type.
    Type,
    /// The list names its operating system.
    System,
    /// The rules know its model, its name or its card's maker.
    Rules,
    /// Nothing.
    None,
}

impl Basis {
    /// What a person reads.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Inventory => "the inventory",
            Self::Type => "its type",
            Self::System => "its operating system",
            Self::Rules => "its model, name or card",
            Self::None => "nothing",
        }
    }
}

/// What a listed device is taken for.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Sorted {
    /// What that rests on.
    pub basis: Basis,
    /// The category.
    pub category: Category,
    /// The type, a key of the taxonomy.
    pub kind: String,
    /// The words, or the rule, that told.
    pub because: String,
}

/// Tells what listed devices are.
pub struct Sorter<'a> {
    classifier: &'a dyn Classifier,
    words: &'static TypeWords,
}

/// Words to keys of the taxonomy.
struct TypeWords {
    /// Those that stand for a whole text alone.
    whole: HashMap<String, Meaning>,
    /// Those that may be a part of it.
    part: HashMap<String, Meaning>,
    /// The most words of a part.
    longest: usize,
}

#[derive(Clone, Debug, Eq, PartialEq)]
struct Meaning {
    category: Category,
    kind: String,
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
    /// The words that are compiled in; read once.
    fn builtin() -> Result<&'static Self, RuleError> {
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
                taxonomy.get(&entry.kind).ok_or_else(|| broken(format!("'{}' is no type", entry.kind)))?;
            let meaning = Meaning { category: node.category, kind: node.key.clone() };
            for text in entry.part {
                let text = phrase(&text);
                words.longest = words.longest.max(text.split(' ').count());
                if words.part.insert(text.clone(), meaning.clone()).is_some_and(|known| known != meaning) {
                    return Err(broken(format!("'{text}' stands for two types; remove one")));
                }
            }
            for text in entry.whole {
                words.whole.insert(phrase(&text), meaning.clone());
            }
        }
        Ok(words)
    }

    /// The meaning of a text: of the whole, else of its longest part that has one.
    fn meaning(&self, text: &str) -> Option<&Meaning> {
        let forms = [phrase(text), phrase(&apart(text))];
        let whole = forms.iter().find_map(|f| self.whole.get(f).or_else(|| self.part.get(f)));
        whole.or_else(|| forms.iter().find_map(|f| self.longest_part(f)))
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

impl<'a> Sorter<'a> {
    /// A sorter over the words that are compiled in.
    ///
    /// # Errors
    ///
    /// Only where what is compiled in is broken, which a test rules out.
    pub fn new(classifier: &'a dyn Classifier) -> Result<Self, RuleError> {
        Ok(Self { classifier, words: TypeWords::builtin()? })
    }

    /// What an entry is. A pure function of the entry.
    pub fn sort(&self, entry: &ListedDevice) -> Sorted {
        let by_type = entry.kinds.iter().find_map(|text| self.word(text, Basis::Type));
        let told = by_type.or_else(|| self.system(entry));
        told.or_else(|| self.rules(entry)).unwrap_or_else(|| Sorted {
            basis: Basis::None,
            category: Category::Unclassified,
            kind: Classification::UNKNOWN_KIND.to_owned(),
            because: "no type, system, model, name or card tells".to_owned(),
        })
    }

    fn system(&self, entry: &ListedDevice) -> Option<Sorted> {
        let os = entry.os.as_deref()?;
        // Cisco's IOS and Apple's iOS differ by their makers alone.
        let is_cisco = |text: &Option<String>| text.as_deref().is_some_and(|t| phrase(t).contains("cisco"));
        if phrase(os).split(' ').any(|w| w == "ios")
            && (is_cisco(&entry.vendor) || phrase(os).contains("cisco"))
        {
            return Some(Sorted {
                basis: Basis::System,
                category: Category::Network,
                kind: "network_other".to_owned(),
                because: format!("'{os}'"),
            });
        }
        self.word(os, Basis::System)
    }

    fn word(&self, text: &str, basis: Basis) -> Option<Sorted> {
        let found = self.words.meaning(text)?;
        Some(Sorted {
            basis,
            category: found.category,
            kind: found.kind.clone(),
            because: format!("'{text}'"),
        })
    }

    /// Asks the classifier as if the device had been seen with its card, its host name and its product's name: what a
    /// list tells of these is what the device itself would say.
    fn rules(&self, entry: &ListedDevice) -> Option<Sorted> {
        let mut said: Vec<(Field, String)> = Vec::new();
        if let Some(name) = entry.name.as_deref().filter(|n| is_host_name(n)) {
            let host = name.split('.').next().unwrap_or(name);
            said.push((Field::DhcpHostname, host.to_owned()));
        }
        if let Some(model) = &entry.model {
            said.push((Field::UpnpModelName, model.clone()));
            if let Some(vendor) = &entry.vendor {
                said.push((Field::UpnpModelName, format!("{vendor} {model}")));
            }
        }
        if said.is_empty() && entry.macs.is_empty() {
            return None;
        }
        let at = Timestamp(0);
        let mut evidence: Vec<Evidence> =
            said.into_iter().map(|(field, value)| Evidence { field, value: value.into(), at }).collect();
        evidence.sort_by(|a, b| (a.field, &a.value).cmp(&(b.field, &b.value)));
        let subject = Subject {
            macs: entry.macs.clone(),
            evidence: evidence.iter().collect(),
            forwards: None,
            couplings: Vec::new(),
        };
        let answer = self.classifier.classify(&subject);
        let because =
            answer.reasons.first().map_or_else(String::new, |r| format!("'{}' ({})", r.value, r.rule));
        (answer.category != Category::Unclassified).then_some(Sorted {
            basis: Basis::Rules,
            category: answer.category,
            kind: answer.kind,
            because,
        })
    }
}

impl std::fmt::Debug for Sorter<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sorter")
            .field("words", &(self.words.whole.len() + self.words.part.len()))
            .finish_non_exhaustive()
    }
}

/// Whether a text could be a host name: `Printer on floor 3` is a person's word, which no rule was made for.
fn is_host_name(text: &str) -> bool {
    let is_sign = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    !text.is_empty() && text.bytes().all(is_sign) && text.bytes().any(|b| b.is_ascii_alphabetic())
}

/// A text as words are compared: lower case, no accents, one space between words, no plural endings.
fn phrase(text: &str) -> String {
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
fn apart(text: &str) -> String {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::census::Unclassified;

    fn by(entry: &ListedDevice) -> (Category, String, Basis) {
        let sorted = Sorter::new(crate::estimate::tests::rules()).unwrap().sort(entry);
        (sorted.category, sorted.kind, sorted.basis)
    }

    #[test]
    fn types_are_understood_in_the_words_of_every_usual_list() {
        let sorter = Sorter::new(&Unclassified).unwrap();
        let kind = |text: &str| {
            let entry = ListedDevice { kinds: vec![text.to_owned()], ..ListedDevice::default() };
            sorter.sort(&entry).kind
        };
        for (text, expected) in [
            ("cmdb_ci_ip_switch", "switch"),
            ("cmdb_ci_netgear", "network_other"),
            ("cmdb_ci_win_server", "server"),
            ("cmdb_ci_wap_network", "access_point"),
            ("IP Router", "router"),
            ("Wireless Access point", "access_point"),
            ("Network Printers", "printer"),
            ("NetworkDevice", "network_other"),
            ("GamingConsole", "game_console"),
            ("AudioAndVideo", "audio_video"),
            ("IoT", "iot_other"),
            ("OperationalTechnology", "ot_device"),
            ("Überwachungskamera, Kamera", "camera"),
            ("Imprimante réseau", "printer"),
            ("Notebooks", "laptop"),
            ("Console server", "terminal_server"),
            ("bms_controller", "bms_controller"),
            ("VoIP phone", "voip_phone"),
            ("Switches", "switch"),
            ("UPS", "power"),
            ("Windows 10", "workstation"),
            ("iPhone 12, iOS 16", "smartphone"),
            ("Samsung SmartTV", "smart_tv"),
            ("Phone", "unclassified"),
            ("Camera server", "unclassified"),
            ("Other", "unclassified"),
            ("", "unclassified"),
        ] {
            assert_eq!(kind(text), expected, "{text}");
        }
    }

    #[test]
    fn a_system_tells_where_the_type_does_not() {
        let of = |os: &str, vendor: Option<&str>| {
            by(&ListedDevice {
                os: Some(os.to_owned()),
                vendor: vendor.map(str::to_owned),
                ..ListedDevice::default()
            })
        };
        let named = |c, k: &str| (c, k.to_owned(), Basis::System);
        assert_eq!(of("Windows Server 2019 Standard", None), named(Category::ComputerMobile, "server"));
        assert_eq!(of("macOS", None), named(Category::ComputerMobile, "computer"));
        assert_eq!(of("iOS", None), named(Category::ComputerMobile, "mobile_other"));
        assert_eq!(of("IOS", Some("Cisco Systems")), named(Category::Network, "network_other"));
        assert_eq!(of("Cisco IOS-XE 17.3", None), named(Category::Network, "network_other"));
        assert_eq!(of("Linux", None).0, Category::Unclassified);
    }

    #[test]
    fn rules_tell_by_card_model_and_host_name_where_no_word_does() {
        let card =
            ListedDevice { macs: vec!["ac:cc:8e:00:00:01".parse().unwrap()], ..ListedDevice::default() };
        assert_eq!(by(&card).0, Category::Iot);
        let model = ListedDevice {
            vendor: Some("HP".to_owned()),
            model: Some("Color LaserJet Pro M454dw".to_owned()),
            ..ListedDevice::default()
        };
        assert_eq!(by(&model), (Category::Iot, "printer".to_owned(), Basis::Rules));
        let host =
            ListedDevice { name: Some("DESKTOP-7F3K2QA.corp.example".to_owned()), ..ListedDevice::default() };
        assert_eq!(by(&host), (Category::ComputerMobile, "workstation".to_owned(), Basis::Rules));
        let word =
            ListedDevice { name: Some("DESKTOP-7F3K2QA in the hall".to_owned()), ..ListedDevice::default() };
        assert_eq!(by(&word).0, Category::Unclassified);
    }
}
