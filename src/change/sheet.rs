//! What a draft alters so far.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::change_set::{Alteration, ChangeKind, Draft};
use super::limits::{ALTERATIONS, DECISIONS};
use super::refusal::ChangeRefusal;
use crate::census::{CouplingKey, Decision, Decisions, Inventory, Mark, Object, Ruling, Zone};

/// What a draft alters so far.
pub(super) struct Sheet<'d> {
    decisions: &'d Decisions,
    /// The facts by labels.
    facts: &'d Inventory,
    mark: &'d Arc<Mark>,
    alterations: BTreeMap<Object, Option<Decision>>,
}

impl<'d> Sheet<'d> {
    pub(super) fn new(decisions: &'d Decisions, facts: &'d Inventory, mark: &'d Arc<Mark>) -> Self {
        Self { decisions, facts, mark, alterations: BTreeMap::new() }
    }

    /// Sets a ruling on an object of a zone, unless it is in force already.
    pub(super) fn rule(&mut self, object: Object, ruling: Ruling) {
        if self.decisions.holding(&object).is_none_or(|known| known.ruling != ruling) {
            let mark = Arc::clone(self.mark);
            self.put(&object, &Decision { ruling, mark });
        }
    }

    /// Sets a decision, with its own mark, on an object of a zone that has none.
    pub(super) fn keep(&mut self, object: Object, decision: &Decision) {
        if self.decisions.holding(&object).is_none() {
            self.put(&object, decision);
        }
    }

    /// Takes the decision on an object of a zone back, under each of its labels.
    pub(super) fn take_back(&mut self, object: Object) {
        let labels: Vec<&str> = match object.label() {
            Some(zone) => self.decisions.names().labels(zone).collect(),
            None => vec![""],
        };
        for label in labels {
            let stored = object.of_label(label);
            if self.decisions.get(&stored).is_some() {
                self.alterations.insert(stored, None);
            } else {
                self.alterations.remove(&stored);
            }
        }
    }

    /// Sets a decision under each label that has the object's couplings, so that it stays with them if the labels become
    /// zones of their own again.
    fn put(&mut self, object: &Object, decision: &Decision) {
        let Some(zone) = object.label() else {
            self.alterations.insert(object.clone(), Some(decision.clone()));
            return;
        };
        let names = self.decisions.names();
        let known = names.labels(zone).filter_map(|label| Some((label, &**self.facts.zones.get(label)?)));
        let known: Vec<(&str, &Zone)> = known.collect();
        let with = |keys: &[CouplingKey]| -> Vec<&str> {
            let has = |(_, facts): &&(&str, &Zone)| keys.iter().all(|key| facts.has_coupling(*key));
            known.iter().filter(has).map(|(label, _)| *label).collect()
        };
        let own = object.coupling();
        let mut labels = match (own, object) {
            _ if known.len() < 2 => known.iter().map(|(label, _)| *label).collect(),
            (_, Object::Merge(_, a, b)) => with(&[*a, *b]),
            (Some(key), _) => with(&[key]),
            (None, _) => Vec::new(),
        };
        // A merge across labels stands with its first coupling: it holds while both labels are one zone.
        if let (true, Some(key)) = (labels.is_empty(), own) {
            labels = with(&[key]);
        }
        if labels.is_empty() {
            labels.push(zone);
        }
        for label in labels {
            self.alterations.insert(object.of_label(label), Some(decision.clone()));
        }
    }

    pub(super) fn draft(self, action: ChangeKind, summary: String) -> Result<Draft, ChangeRefusal> {
        let Self { decisions, alterations, .. } = self;
        let imports = matches!(action, ChangeKind::Import | ChangeKind::Forget);
        if !imports && alterations.len() > ALTERATIONS {
            return Err(ChangeRefusal::TooManyAlterations(alterations.len()));
        }
        let altered = alterations.into_iter().map(|(object, after)| {
            let before = decisions.get(&object).cloned();
            Alteration { object, before, after }
        });
        let alterations: Vec<Alteration> = altered.collect();
        has_room(decisions.len(), &alterations, DECISIONS)?;
        Ok(Draft { action, summary, undoes: None, alterations })
    }
}

/// Refuses a change that raises the number of decisions, now `known`, above `most`.
pub(super) fn has_room(known: usize, alterations: &[Alteration], most: usize) -> Result<(), ChangeRefusal> {
    let added = alterations.iter().filter(|a| a.after.is_some()).count();
    let removed = alterations.iter().filter(|a| a.before.is_some()).count();
    let standing = (known + added).saturating_sub(removed);
    if added > removed && standing > most { Err(ChangeRefusal::Full(standing)) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::census::{MacAddr, Timestamp};

    #[test]
    fn a_full_subscription_takes_replacements_and_removals_but_nothing_new() {
        let key = CouplingKey { mac: MacAddr([2, 0, 0, 0, 0, 1]), ip: [10, 0, 0, 1].into() };
        let mark = Mark { by: "anna".into(), at: Timestamp(0), change: 1 };
        let decision = Decision { ruling: Ruling::Split, mark: Arc::new(mark) };
        let alteration = |before: bool, after: bool| Alteration {
            object: Object::Split("a".into(), key),
            before: before.then(|| decision.clone()),
            after: after.then(|| decision.clone()),
        };
        assert_eq!(has_room(2, &[alteration(false, true)], 3), Ok(()));
        assert_eq!(has_room(3, &[alteration(false, true)], 3), Err(ChangeRefusal::Full(4)));
        assert_eq!(has_room(3, &[alteration(true, true)], 3), Ok(()));
        assert_eq!(
            has_room(4, &[alteration(true, false)], 3),
            Ok(()),
            "a subscription over the limit may shrink"
        );
    }
}
