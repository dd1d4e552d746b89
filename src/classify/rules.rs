//! The rules in use: loading, and the answer to a device.

use std::cmp::Reverse;
use std::fmt;
use std::path::Path;
use std::rc::Rc;

use foldhash::{HashMap, HashMapExt as _, HashSet, HashSetExt as _};
use smol_str::SmolStr;

use super::builtin;
use super::error::{Place, RuleError};
use super::fact::DeviceFacts;
use super::files::RuleFiles;
use super::index::Index;
use super::pack::{Pack, Trust};
use super::reader::{Read, Reader};
use super::rule::{Attribute, Hit, Rule};
use super::summary::{RuleEntry, RuleState};
use super::taxonomy::Taxonomy;
use super::vendors::{Vendors, place_of_registered_name, registered_name};
use super::{score, source, weighing};
use crate::census::{CardMark, Classification, Classifier, ClassifierInput, Field, MacAddr, Reason};

/// The most reasons of a classification; the strongest stay.
const REASONS: usize = 64;

/// Compiled rules, and the tables that they refer to.
pub struct Rules {
    pub(super) rules: Vec<Rule>,
    /// Rules that are overridden or disabled.
    pub(super) retired: Vec<RuleEntry>,
    /// What was skipped without being an error.
    notes: Vec<String>,
    pub(super) index: Index,
    pub(super) taxonomy: Taxonomy,
    pub(super) vendors: Vendors,
}

impl Rules {
    /// The compiled-in rules.
    ///
    /// # Errors
    /// If they are broken, which a test rules out.
    pub fn builtin() -> Result<Self, RuleError> {
        Self::of(&RuleFiles::default())
    }

    /// The compiled-in rules and those in the `*.toml` and Recog `*.xml` files of `dir`, in order of file name. A rule with
    /// a known id replaces the earlier one. A folder that does not exist is treated as empty.
    ///
    /// # Errors
    /// The file, line and reason of the first error.
    pub fn load(dir: &Path) -> Result<Self, RuleError> {
        Self::of(&RuleFiles::of_folder(dir)?)
    }

    /// As [`Rules::load`], from files that were already read.
    ///
    /// # Errors
    /// As [`Rules::load`].
    pub fn of(operator: &RuleFiles) -> Result<Self, RuleError> {
        let (compiled, taxonomy, vendors) = builtin::compiled()?;
        let mut rules: Vec<Rule> = Vec::new();
        let (mut retired, mut notes) = (Vec::new(), Vec::new());
        let mut places: HashMap<SmolStr, usize> = HashMap::new();
        let mut put =
            |rules: &mut Vec<Rule>, rule: Rule| match places.get(&rule.id).and_then(|i| rules.get_mut(*i)) {
                Some(known) => {
                    let replaced = std::mem::replace(known, rule);
                    retired.push(RuleEntry::new(&replaced, RuleState::Overridden, &taxonomy));
                }
                None => {
                    places.insert(rule.id.clone(), rules.len());
                    rules.push(rule);
                }
            };
        for vendor in vendors.iter() {
            let made = Rule::of_maker(vendor, &taxonomy).map_err(|reason| RuleError::Syntax {
                place: Place { file: "vendors.toml".to_owned(), line: 1, column: 1 },
                reason: format!("{}: {reason}", vendor.name),
            })?;
            for rule in made {
                put(&mut rules, rule);
            }
        }
        let mut disabled = HashSet::new();
        let builtin = compiled.packs.into_iter().map(|pack| Pack::of(pack, &taxonomy));
        let operator =
            operator.iter().map(|f| Pack::parse(&f.name, &f.text, Trust::Untested, &taxonomy, &vendors));
        for pack in builtin.chain(operator) {
            let pack = pack?;
            for rule in pack.rules {
                put(&mut rules, rule);
            }
            disabled.extend(pack.disable);
            notes.extend(pack.notes);
        }
        let off = |rule: &&Rule| disabled.contains(&*rule.id);
        retired.extend(rules.iter().filter(off).map(|r| RuleEntry::new(r, RuleState::Disabled, &taxonomy)));
        rules.retain(|r| !off(&r));
        let index = Index::new(&rules);
        Ok(Self { rules, retired, notes, index, taxonomy, vendors })
    }

    /// The number of rules in use.
    pub fn len(&self) -> usize {
        self.rules.len()
    }

    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// What was skipped in an operator's files without being an error, for people.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    pub fn taxonomy(&self) -> &Taxonomy {
        &self.taxonomy
    }

    /// All hits, the strongest first.
    pub(super) fn hits<'f, 'a>(&self, facts: &'f DeviceFacts<'a>) -> Vec<Hit<'_, 'f, 'a>> {
        let mut hits = Self::fired(&self, facts);
        sort(&mut hits);
        hits
    }

    /// All hits, those of one fact together.
    fn fired<'r, 'f, 'a>(reader: &impl Read<'r>, facts: &'f DeviceFacts<'a>) -> Vec<Hit<'r, 'f, 'a>> {
        let mut hits = Vec::new();
        for fact in facts.iter() {
            let told = reader.told(fact);
            let standing = told.iter().filter(|(rule, _)| rule.stands(facts));
            hits.extend(standing.map(|(rule, claims)| Hit::new(rule, fact, Rc::clone(claims))));
        }
        hits
    }
}

impl Rules {
    fn reasons(&self, hits: &[Hit<'_, '_, '_>]) -> Vec<Reason> {
        let reason = |h: &Hit<'_, '_, '_>| Reason {
            field: h.fact.field,
            value: SmolStr::new(&h.fact.value),
            rule: h.rule.id.clone(),
            title: h.rule.title.clone(),
            says: h.says(&self.taxonomy),
            weight: h.weight(),
            proves: h.proves(),
            at: h.fact.heard.map(|said| said.at),
        };
        hits.iter().take(REASONS).map(reason).collect()
    }
}

fn sort(hits: &mut [Hit<'_, '_, '_>]) {
    hits.sort_by_cached_key(|h| (Reverse(h.weight()), h.fact.field, &*h.fact.value, &*h.rule.id));
}

impl fmt::Debug for Rules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rules").field("len", &self.len()).finish_non_exhaustive()
    }
}

impl Classifier for Rules {
    fn silent(&self, card: MacAddr) -> Option<String> {
        let subject = ClassifierInput { macs: vec![card], ..ClassifierInput::default() };
        let facts = DeviceFacts::of(&subject, &self.vendors);
        Some(facts.iter().map(|f| format!("{}={}\n", f.field, f.value)).collect())
    }

    fn mark(&self, card: MacAddr) -> Option<CardMark> {
        // Of a card, facts are made of its maker's name, and of whether its MAC is drawn by lot.
        let drawn = u64::from(card.is_locally_administered());
        Some(CardMark(place_of_registered_name(card) << 1 | drawn))
    }

    fn maker(&self, card: MacAddr) -> Option<String> {
        let registered = registered_name(card)?;
        Some(self.vendors.find(&registered).map_or_else(|| registered.clone(), |known| known.name.clone()))
    }

    fn classify(&self, subject: &ClassifierInput<'_>) -> Classification {
        self.classify_by(&self, subject)
    }

    fn reader(&self) -> Option<Box<dyn Classifier + '_>> {
        Some(Box::new(Reader::new(self)))
    }
}

impl Rules {
    /// Classifies a device by what a reader of these rules tells of its values.
    pub(super) fn classify_by<'r>(
        &'r self,
        reader: &impl Read<'r>,
        subject: &ClassifierInput<'_>,
    ) -> Classification {
        let facts = DeviceFacts::of(subject, &self.vendors);
        let mut hits = Self::fired(reader, &facts);
        score::settle(&mut hits, &self.taxonomy);
        let (mut hits, mut held) = weighing::weigh(hits, &self.taxonomy);
        sort(&mut hits);
        sort(&mut held);
        let decided = score::decide(&hits, &self.taxonomy);
        let own = score::own(&hits, decided.map(|(id, _)| id), &self.taxonomy);
        let node = decided.and_then(|(id, _)| self.taxonomy.node(id));
        let kind = decided.and_then(|(id, _)| self.taxonomy.kind(id));
        Classification {
            category: node.map(|n| n.category).unwrap_or_default(),
            kind: kind.unwrap_or(Classification::UNKNOWN_KIND).into(),
            roles: score::roles(&hits),
            vendor: score::best(&own, Attribute::Vendor),
            model: score::best(&own, Attribute::Model),
            os: score::best(&hits.iter().collect::<Vec<_>>(), Attribute::Os),
            firmware: score::best(&own, Attribute::Firmware),
            name: score::best(&own, Attribute::Name).or_else(|| name(&facts).map(SmolStr::from)),
            confidence: decided.map_or(0, |(_, certainty)| certainty),
            reasons: self.reasons(&hits),
            held: self.reasons(&held),
        }
    }
}

/// The fields with a device's own name, best first.
const NAMES: [Field; 11] = [
    Field::SnmpSysName,
    Field::LldpSysName,
    Field::DhcpHostname,
    Field::MdnsHostname,
    Field::DhcpFqdn,
    Field::Dhcp6Fqdn,
    Field::NtlmWorkstation,
    Field::NbnsName,
    Field::LlmnrName,
    Field::CdpDeviceId,
    Field::MdnsInstance,
];

/// The best name that the device gives itself.
fn name(facts: &DeviceFacts<'_>) -> Option<String> {
    let readable = |field: Field, value: &str| {
        let name = match field {
            Field::NbnsName => source::host_of_netbios(value)?,
            // An id that is not text is kept as hexadecimal digits.
            Field::CdpDeviceId
                if value.len() >= 12 && value.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')) =>
            {
                return None;
            }
            _ => value,
        };
        let name = name.trim().trim_end_matches('.');
        (!name.is_empty() && !name.eq_ignore_ascii_case("localhost")).then(|| name.to_owned())
    };
    NAMES.iter().find_map(|field| facts.field(*field).iter().find_map(|f| readable(*field, &f.value)))
}
