//! Names of zones: a zone is renamed, or merged into another one.
//!
//! Both say of each label of the zone under which name its facts count. The name is never a label that has another name, so
//! there are neither chains nor circles.

use super::change_set::{ChangeKind, Draft};
use super::drafter::ChangeDrafter;
use super::limits::ZONE;
use super::refusal::ChangeRefusal;
use super::request::ZoneRequest;
use crate::census::{Decisions, Object, Ruling, Zone, is_format};

impl<'s> ChangeDrafter<'s, '_> {
    /// Lets the facts of a zone count under another name.
    ///
    /// # Errors
    /// If there is no such zone, or the name is invalid, or another zone's.
    pub(crate) fn zone(&self, ask: &ZoneRequest) -> Result<Draft, ChangeRefusal> {
        let (zone, name) = ask.names();
        // A zone that is there is taken as it is written: sensors may upload labels that end with a space.
        let is_new = matches!(ask, ZoneRequest::Rename { .. });
        let name = if is_new { name.trim() } else { name };
        let is_hidden = |c: char| c.is_control() || is_format(c);
        if !(1..=ZONE).contains(&name.len()) || is_new && name.contains(is_hidden) {
            return Err(ChangeRefusal::BadZone);
        }
        let capped = |text: &str| text.chars().take(ZONE).collect::<String>();
        let is_zone = |name: &str| self.labels(name).next().is_some();
        if !is_zone(zone) {
            return Err(ChangeRefusal::UnknownZone(capped(zone)));
        }
        let names = self.decisions.names();
        let summary = match ask {
            ZoneRequest::Merge { .. } if name == zone => return Err(ChangeRefusal::SameZone),
            ZoneRequest::Merge { .. } if !is_zone(name) => {
                return Err(ChangeRefusal::UnknownZone(capped(name)));
            }
            ZoneRequest::Rename { .. } if name != zone && is_zone(name) => {
                return Err(ChangeRefusal::ZoneExists(name.to_owned()));
            }
            ZoneRequest::Merge { .. } => format!("merged the zone {zone} into {name}"),
            ZoneRequest::Rename { .. } => format!("renamed the zone {zone} to {name}"),
        };
        if names.name(name) != name && names.name(name) != zone {
            let (label, zone) = (name.to_owned(), names.name(name).to_owned());
            return Err(ChangeRefusal::ZoneLabel { label, zone });
        }
        let mut sheet = self.sheet();
        for (label, _) in self.labels(zone) {
            let object = Object::Zone(label.to_owned());
            if label == name {
                sheet.take_back(object);
            } else {
                sheet.rule(object, Ruling::Zone(name.to_owned()));
            }
        }
        let draft = sheet.draft(ChangeKind::Zone, summary)?;
        // A label may have a name without facts yet.
        ensure_no_chain(self.decisions, &draft).map_err(|_| ChangeRefusal::ZoneExists(name.to_owned()))?;
        Ok(draft)
    }

    /// The labels of a zone that have facts, with these.
    pub(super) fn labels<'n>(&self, zone: &'n str) -> impl Iterator<Item = (&'n str, &'s Zone)> + use<'n, 's>
    where
        's: 'n,
    {
        let facts = self.facts;
        self.decisions.names().labels(zone).filter_map(|label| Some((label, &**facts.zones.get(label)?)))
    }
}

/// Refuses a change after which a label would have a name that has another name itself.
///
/// # Errors
/// [`ChangeRefusal::ZoneChain`].
pub(super) fn ensure_no_chain(decisions: &Decisions, draft: &Draft) -> Result<(), ChangeRefusal> {
    if !draft.alterations.iter().any(|a| matches!(a.object, Object::Zone(_))) {
        return Ok(());
    }
    let mut after = decisions.clone();
    draft.apply(&mut after);
    match after.names().has_chain() {
        true => Err(ChangeRefusal::ZoneChain(draft.undoes.unwrap_or_default())),
        false => Ok(()),
    }
}
