//! Classification: from evidence to category, type, vendor and model, with reasons.
//!
//! Knowledge is data: [`Taxonomy`] (`config/taxonomy.toml`), makers (`config/vendors.toml`) and rule packs
//! (`config/rules/*.toml`), all compiled in; operator packs in a folder come on top, the same id overriding. Every
//! rule carries tests: those of operator packs run when they are read, and a pack with any error is refused whole;
//! those of what is compiled in are run by this crate's own tests. So [`Rules`] are always sound; they are immutable,
//! so a reload builds new ones and swaps them. A pattern is compiled when a value first needs it.
//!
//! [`Rules`] answer as a pure function of the evidence: neither the order nor the repetition of evidence, nor that
//! of rules, changes a conclusion. Scoring, and when it abstains, stand in `score`. Limits: 1 MiB a file, 256 files,
//! 1 MiB of memory a pattern, 64 characters a captured text, [`REASONS`] reasons a device.

mod catalog;
mod error;
mod fact;
mod files;
mod index;
mod matcher;
mod pack;
mod recog;
mod rule;
mod score;
mod source;
mod taxonomy;
mod vendors;

use std::cmp::Reverse;
use std::collections::{HashMap, HashSet};
use std::fmt;
use std::path::Path;
use std::sync::Arc;

pub use catalog::{Checked, RuleEntry, RuleState};
pub use error::{Place, RuleError};
pub use files::{RuleFile, RuleFiles};
pub use taxonomy::{Node, Taxonomy};
pub use vendors::{BundledOui, OuiSource};

use crate::census::{Classification, Classifier, Field, MacAddr, Reason, Subject};
use fact::Facts;
use index::Index;
use pack::{Pack, Trust};
use rule::{Attribute, Hit, Rule};
use vendors::Vendors;

/// The most reasons that a classification lists: the strongest.
pub const REASONS: usize = 64;

/// The packs that are compiled in: name and text.
const BUILTIN: &[(&str, &str)] = &[
    ("rules/banner.toml", include_str!("../../config/rules/banner.toml")),
    ("rules/behaviour.toml", include_str!("../../config/rules/behaviour.toml")),
    ("rules/building.toml", include_str!("../../config/rules/building.toml")),
    ("rules/description.toml", include_str!("../../config/rules/description.toml")),
    ("rules/dhcp.toml", include_str!("../../config/rules/dhcp.toml")),
    ("rules/hostname.toml", include_str!("../../config/rules/hostname.toml")),
    ("rules/http.toml", include_str!("../../config/rules/http.toml")),
    ("rules/lldp_cdp.toml", include_str!("../../config/rules/lldp_cdp.toml")),
    ("rules/mdns.toml", include_str!("../../config/rules/mdns.toml")),
    ("rules/medical.toml", include_str!("../../config/rules/medical.toml")),
    ("rules/names.toml", include_str!("../../config/rules/names.toml")),
    ("rules/network.toml", include_str!("../../config/rules/network.toml")),
    ("rules/ot.toml", include_str!("../../config/rules/ot.toml")),
    ("rules/products.toml", include_str!("../../config/rules/products.toml")),
    ("rules/sip_rtsp.toml", include_str!("../../config/rules/sip_rtsp.toml")),
    ("rules/smb.toml", include_str!("../../config/rules/smb.toml")),
    ("rules/ssdp_wsd.toml", include_str!("../../config/rules/ssdp_wsd.toml")),
    ("rules/ssh.toml", include_str!("../../config/rules/ssh.toml")),
    ("rules/stack.toml", include_str!("../../config/rules/stack.toml")),
    ("rules/things.toml", include_str!("../../config/rules/things.toml")),
    ("rules/windows.toml", include_str!("../../config/rules/windows.toml")),
];

/// Compiled rules with all that they refer to.
pub struct Rules {
    rules: Vec<Rule>,
    /// Those that are overridden or disabled.
    retired: Vec<RuleEntry>,
    /// What was left out of files without being an error.
    notes: Vec<String>,
    index: Index,
    taxonomy: Taxonomy,
    vendors: Vendors,
    oui: Arc<dyn OuiSource>,
}

impl Rules {
    /// The rules that are compiled in.
    ///
    /// # Errors
    ///
    /// Only where what is compiled in is broken, which a test rules out.
    pub fn builtin() -> Result<Self, RuleError> {
        Self::of(&RuleFiles::default())
    }

    /// The rules that are compiled in, and over them those of all `*.toml` and Recog's `*.xml` files in `dir`, by name: a rule with an
    /// id already known takes its place. A folder that does not exist holds no files.
    ///
    /// # Errors
    ///
    /// With the file, line and reason of the first thing that is wrong. Keep the rules you have then.
    pub fn load(dir: &Path) -> Result<Self, RuleError> {
        Self::of(&RuleFiles::of_folder(dir)?)
    }

    /// As [`Rules::load`], with files that were read before.
    ///
    /// # Errors
    ///
    /// As [`Rules::load`].
    pub fn of(operator: &RuleFiles) -> Result<Self, RuleError> {
        let (taxonomy, vendors) = Self::ground()?;
        let mut rules: Vec<Rule> = Vec::new();
        let (mut retired, mut notes) = (Vec::new(), Vec::new());
        let mut places: HashMap<Box<str>, usize> = HashMap::new();
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
        let builtin = BUILTIN.iter().map(|(name, text)| (*name, *text, Trust::Tested));
        let operator = operator.iter().map(|f| (f.name.as_str(), f.text.as_str(), Trust::Untested));
        for (name, text, trust) in builtin.chain(operator) {
            let pack = Pack::parse(name, text, trust, &taxonomy, &vendors)?;
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
        Ok(Self { rules, retired, notes, index, taxonomy, vendors, oui: Arc::new(BundledOui) })
    }

    /// What all rules refer to.
    fn ground() -> Result<(Taxonomy, Vendors), RuleError> {
        Ok((
            Taxonomy::parse("taxonomy.toml", include_str!("../../config/taxonomy.toml"))?,
            Vendors::parse("vendors.toml", include_str!("../../config/vendors.toml"))?,
        ))
    }

    /// Reads the text of one more rule pack and runs its tests; returns how many rules it has.
    ///
    /// # Errors
    ///
    /// As [`Rules::load`].
    pub fn try_pack(&self, name: &str, text: &str) -> Result<usize, RuleError> {
        Pack::parse(name, text, Trust::Untested, &self.taxonomy, &self.vendors).map(|pack| pack.rules.len())
    }

    /// The same rules with another registry of MAC prefixes.
    #[must_use]
    pub fn with_oui(mut self, oui: Arc<dyn OuiSource>) -> Self {
        self.oui = oui;
        self
    }

    /// How many rules there are.
    pub fn len(&self) -> usize {
        self.rules.len()
    }

    /// Whether there is no rule.
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// What was left out of an operator's files without being an error, for people.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// The taxonomy that the rules speak of.
    pub fn taxonomy(&self) -> &Taxonomy {
        &self.taxonomy
    }

    /// The date of the data on MAC prefixes.
    pub fn oui_updated(&self) -> String {
        self.oui.updated()
    }

    fn hits<'f, 'a>(&self, facts: &'f Facts<'a>) -> Vec<Hit<'_, 'f, 'a>> {
        let mut hits = Vec::new();
        for fact in facts.iter() {
            let ids = self.index.candidates(fact.field, &fact.value);
            let mut spoken: Vec<&Arc<str>> = Vec::new();
            for rule in ids.into_iter().filter_map(|id| self.rules.get(id)) {
                if rule.first_of.as_ref().is_some_and(|file| spoken.contains(&file)) {
                    continue;
                }
                let hit = rule.fire(fact, facts, &self.vendors);
                if let Some(file) = &rule.first_of
                    && (hit.is_some() || rule.concerns(fact))
                {
                    spoken.push(file);
                }
                hits.extend(hit);
            }
        }
        hits.sort_by(|a, b| {
            let key = |h: &Hit<'_, '_, '_>| (Reverse(h.weight()), h.fact.field);
            key(a).cmp(&key(b)).then_with(|| (&a.fact.value, &a.rule.id).cmp(&(&b.fact.value, &b.rule.id)))
        });
        hits
    }
}

impl fmt::Debug for Rules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rules").field("len", &self.len()).finish_non_exhaustive()
    }
}

impl Classifier for Rules {
    fn silent(&self, card: MacAddr) -> Option<String> {
        let subject =
            Subject { macs: vec![card], evidence: Vec::new(), forwards: None, couplings: Vec::new() };
        let facts = Facts::of(&subject, &*self.oui, &self.vendors);
        Some(facts.iter().map(|f| format!("{}={}\n", f.field, f.value)).collect())
    }

    fn classify(&self, subject: &Subject<'_>) -> Classification {
        let facts = Facts::of(subject, &*self.oui, &self.vendors);
        let hits = self.hits(&facts);
        let decided = score::decide(&hits, &self.taxonomy);
        let node = decided.and_then(|(id, _)| self.taxonomy.node(id));
        let kind = decided.and_then(|(id, _)| self.taxonomy.kind(id));
        Classification {
            category: node.map(|n| n.category).unwrap_or_default(),
            kind: kind.unwrap_or(Classification::UNKNOWN_KIND).to_owned(),
            roles: score::roles(&hits),
            vendor: score::best(&hits, Attribute::Vendor),
            model: score::best(&hits, Attribute::Model),
            os: score::best(&hits, Attribute::Os),
            firmware: score::best(&hits, Attribute::Firmware),
            name: score::best(&hits, Attribute::Name).or_else(|| name(&facts)),
            confidence: decided.map_or(0, |(_, certainty)| certainty),
            reasons: hits
                .iter()
                .take(REASONS)
                .map(|h| Reason {
                    field: h.fact.field,
                    value: h.fact.value.clone().into_owned(),
                    rule: h.rule.id.clone().into_string(),
                    title: h.rule.title.clone().into_string(),
                    says: h.says(&self.taxonomy),
                    weight: h.weight(),
                    at: h.fact.at,
                })
                .collect(),
        }
    }
}

/// Where a device's own name is looked for, best first.
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
fn name(facts: &Facts<'_>) -> Option<String> {
    let readable = |field: Field, value: &str| {
        let name = match field {
            Field::NbnsName => source::host_of_netbios(value)?,
            _ => value,
        };
        let name = name.trim().trim_end_matches('.');
        (!name.is_empty() && !name.eq_ignore_ascii_case("localhost")).then(|| name.to_owned())
    };
    NAMES.iter().find_map(|field| facts.field(*field).iter().find_map(|f| readable(*field, &f.value)))
}

#[cfg(test)]
mod tests;
