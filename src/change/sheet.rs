//! What a draft alters so far.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::change_set::{Alteration, ChangeKind, Draft};
use super::limits::{ALTERATIONS, DECISIONS};
use super::refusal::ChangeRefusal;
use crate::census::{Decision, Decisions, Mark, Object, Ruling};

/// What a draft alters so far.
pub(super) struct Sheet<'d> {
    decisions: &'d Decisions,
    mark: &'d Arc<Mark>,
    alterations: BTreeMap<Object, Option<Decision>>,
}

impl<'d> Sheet<'d> {
    pub(super) fn new(decisions: &'d Decisions, mark: &'d Arc<Mark>) -> Self {
        Self { decisions, mark, alterations: BTreeMap::new() }
    }

    /// Sets a ruling on an object, unless it is in force already.
    pub(super) fn rule(&mut self, object: Object, ruling: Ruling) {
        if self.decisions.get(&object).is_none_or(|known| known.ruling != ruling) {
            self.alterations.insert(object, Some(Decision { ruling, mark: Arc::clone(self.mark) }));
        }
    }

    /// Sets a decision, with its own mark, on an object that has none.
    pub(super) fn keep(&mut self, object: Object, decision: &Decision) {
        if self.decisions.get(&object).is_none() {
            self.alterations.insert(object, Some(decision.clone()));
        }
    }

    /// Takes the decision on an object back.
    pub(super) fn take_back(&mut self, object: Object) {
        if self.decisions.get(&object).is_some() {
            self.alterations.insert(object, None);
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
    use crate::census::{CouplingKey, MacAddr, Timestamp};

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
