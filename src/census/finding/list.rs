//! The findings of a survey: in order, and bounded.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Finding, FindingKind};

/// The most findings of one kind in a zone; the first in the order of the list stay.
pub(crate) const LISTED: usize = 1_000;

/// Findings, sorted by kind, zone and subjects. The order in which they are pushed does not matter.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Findings(BTreeMap<(FindingKind, String), Group>);

#[derive(Clone, Debug, Default, Eq, PartialEq)]
struct Group {
    /// Sorted.
    listed: Vec<Finding>,
    unlisted: u64,
}

/// How many findings of a kind in a zone are not listed, because there are too many.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[cfg_attr(feature = "plan", derive(utoipa::ToSchema))]
pub struct UnlistedFindings {
    pub kind: FindingKind,
    pub zone: String,
    pub count: u64,
}

impl Findings {
    /// Adds a finding. Its id must be new.
    pub fn push(&mut self, finding: Finding) {
        let Group { listed, unlisted } = self.group(finding.kind, &finding.zone);
        let place = listed.partition_point(|known| known.rank() < finding.rank());
        if place < LISTED {
            listed.insert(place, finding);
        }
        if place >= LISTED || listed.len() > LISTED {
            listed.truncate(LISTED);
            *unlisted += 1;
        }
    }

    /// Adds the findings of another zone.
    pub fn append(&mut self, mut of_zone: Self) {
        self.0.append(&mut of_zone.0);
    }

    /// Counts findings that come after the last of a full list, without making them.
    pub(super) fn leave_out(&mut self, kind: FindingKind, zone: &str, count: u64) {
        if count > 0 {
            self.group(kind, zone).unlisted += count;
        }
    }

    /// Those that are listed, in order.
    pub fn iter(&self) -> impl Iterator<Item = &Finding> {
        self.0.values().flat_map(|group| &group.listed)
    }

    /// The numbers of those that are not listed.
    pub fn unlisted(&self) -> impl Iterator<Item = UnlistedFindings> {
        self.0.iter().filter(|(_, group)| group.unlisted > 0).map(|((kind, zone), group)| UnlistedFindings {
            kind: *kind,
            zone: zone.clone(),
            count: group.unlisted,
        })
    }

    /// How many there are, listed or not.
    pub fn total(&self) -> u64 {
        self.0.values().map(|group| group.listed.len() as u64 + group.unlisted).sum()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn group(&mut self, kind: FindingKind, zone: &str) -> &mut Group {
        self.0.entry((kind, zone.to_owned())).or_default()
    }
}

impl Extend<Finding> for Findings {
    fn extend<T: IntoIterator<Item = Finding>>(&mut self, findings: T) {
        findings.into_iter().for_each(|finding| self.push(finding));
    }
}
