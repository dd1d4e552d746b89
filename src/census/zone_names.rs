//! Names of zones that people decided: facts and decisions stay stored by the label under which a sensor uploads, and
//! count in the zone of that name (I9).
//!
//! A label without a decision counts under its own name. Two labels with one name are one zone: their facts are joined, as
//! those of two sensors of one zone are. A name is never a label that has another name itself, so there are no chains.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use super::coupling::CouplingKey;
use super::decision::{Decision, Ruling};
use super::inventory::{Inventory, Zone};

/// Under which name each label's facts count.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct ZoneNames {
    /// The decisions by their labels.
    names: BTreeMap<String, Decision>,
    /// The labels with a decision, by their names.
    labels: BTreeMap<String, BTreeSet<String>>,
}

impl ZoneNames {
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// Sorted by label.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Decision)> {
        self.names.iter().map(|(label, decision)| (label.as_str(), decision))
    }

    /// The decision about a label.
    pub fn get(&self, label: &str) -> Option<&Decision> {
        self.names.get(label)
    }

    /// The zone in which the facts of a label count. The name of a zone is its own.
    pub fn name<'n>(&'n self, label: &'n str) -> &'n str {
        match self.names.get(label).map(|decision| &decision.ruling) {
            Some(Ruling::Zone(name)) => name,
            _ => label,
        }
    }

    /// The labels whose facts count in a zone, sorted, its own name first. Of that name there may be no facts.
    pub fn labels<'n>(&'n self, name: &'n str) -> impl Iterator<Item = &'n str> {
        let own = (self.name(name) == name).then_some(name);
        own.into_iter().chain(self.given(name))
    }

    /// The labels that have this name by a decision, sorted.
    fn given<'n>(&'n self, name: &str) -> impl Iterator<Item = &'n str> + use<'n> {
        self.labels.get(name).into_iter().flatten().map(String::as_str)
    }

    /// The label of the coupling of a zone: ids are made of it, so that they stay when a zone gets another name. If several
    /// labels have the coupling, it is the first of them.
    pub fn label<'n>(&'n self, name: &'n str, zone: &'n Zone, key: CouplingKey) -> &'n str {
        // Without several labels there is no origin: either the zone was renamed, or it was not.
        zone.origins.label(key).or_else(|| self.given(name).next()).unwrap_or(name)
    }

    /// Whether a label has a name that has another name itself.
    pub fn has_chain(&self) -> bool {
        self.labels.keys().any(|name| self.names.contains_key(name))
    }

    pub(super) fn set(&mut self, label: &str, decision: Option<Decision>) -> Option<Decision> {
        if let Some(Ruling::Zone(name)) = decision.as_ref().map(|decision| &decision.ruling) {
            self.labels.entry(name.clone()).or_default().insert(label.to_owned());
        }
        let kept = decision.as_ref().map(|decision| decision.ruling.clone());
        let before = match decision {
            Some(decision) => self.names.insert(label.to_owned(), decision),
            None => self.names.remove(label),
        };
        if let Some(Ruling::Zone(former)) = before.as_ref().map(|decision| &decision.ruling)
            && kept != Some(Ruling::Zone(former.clone()))
            && let Entry::Occupied(mut labels) = self.labels.entry(former.clone())
        {
            labels.get_mut().remove(label);
            if labels.get().is_empty() {
                labels.remove();
            }
        }
        before
    }
}

/// From which label each coupling of a zone comes that has several. It is not a fact: zones with equal facts are equal.
#[derive(Clone, Debug, Default)]
pub struct Origins(Option<Arc<Sources>>);

#[derive(Debug)]
struct Sources {
    labels: Vec<String>,
    /// The couplings that the first label does not have, each with the place of the first label that has it.
    elsewhere: HashMap<CouplingKey, usize>,
}

impl Origins {
    fn label(&self, key: CouplingKey) -> Option<&str> {
        let Sources { labels, elsewhere } = &**self.0.as_ref()?;
        labels.get(elsewhere.get(&key).copied().unwrap_or_default()).map(String::as_str)
    }
}

impl PartialEq for Origins {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Origins {}

impl Zone {
    /// The facts of several labels as those of one zone.
    #[must_use]
    pub fn of_labels(parts: &[(&str, &Self)]) -> Self {
        let Some(((_, first), rest)) = parts.split_first() else { return Self::default() };
        let mut own = HashSet::new();
        first.each_key(&mut |key| {
            own.insert(key);
        });
        let mut elsewhere = HashMap::new();
        let mut joined = (*first).clone();
        for (place, (_, part)) in (1..).zip(rest) {
            joined.merge(part);
            part.each_key(&mut |key| {
                if !own.contains(&key) {
                    elsewhere.entry(key).or_insert(place);
                }
            });
        }
        let labels = parts.iter().map(|(label, _)| (*label).to_owned()).collect();
        joined.origins = Origins(Some(Arc::new(Sources { labels, elsewhere })));
        joined
    }

    /// Its couplings, and those of the tunnels in it.
    fn each_key(&self, each: &mut dyn FnMut(CouplingKey)) {
        self.couplings.keys().for_each(|key| each(*key));
        self.tunnels.values().for_each(|tunnel| tunnel.facts.each_key(each));
    }

    /// Whether it has a coupling, or a tunnel in it does.
    pub fn has_coupling(&self, key: CouplingKey) -> bool {
        self.couplings.contains_key(&key)
            || self.tunnels.values().any(|tunnel| tunnel.facts.has_coupling(key))
    }
}

impl Inventory {
    /// The labels of its facts by the names of their zones; a label that is a zone's name comes first.
    pub fn labels<'i>(&'i self, names: &'i ZoneNames) -> BTreeMap<&'i str, Vec<&'i str>> {
        let mut labels: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for label in self.zones.keys() {
            let name = names.name(label);
            let of_name = labels.entry(name).or_default();
            let place = if label == name { 0 } else { of_name.len() };
            of_name.insert(place, label);
        }
        labels
    }

    /// The facts by the names of their zones instead of by labels. `join` joins those of several labels.
    #[must_use]
    pub fn named(
        &self,
        names: &ZoneNames,
        mut join: impl FnMut(&str, &[(&str, &Zone)]) -> Arc<Zone>,
    ) -> Self {
        if names.is_empty() {
            return self.clone();
        }
        let mut zones = BTreeMap::new();
        for (name, labels) in self.labels(names) {
            let parts: Vec<(&str, &Arc<Zone>)> =
                labels.into_iter().filter_map(|label| Some((label, self.zones.get(label)?))).collect();
            let zone = match parts.as_slice() {
                [(_, alone)] => Arc::clone(alone),
                _ => join(name, &parts.iter().map(|(label, zone)| (*label, &***zone)).collect::<Vec<_>>()),
            };
            zones.insert(name.to_owned(), zone);
        }
        Self { zones }
    }
}
