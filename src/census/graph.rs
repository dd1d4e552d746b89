//! The couplings of a zone as a graph whose connected parts are devices (I8).

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use foldhash::{HashMap, HashMapExt as _};

use super::binding::Bound;
use super::coupling::CouplingKey;
use super::decision::Mark;
use super::decisions::ZoneDecisions;
use super::evidence::Evidence;
use super::join::{Join, JoinReason};
use super::mac::MacAddr;

/// Joins couplings by union-find. The lower place stays the root, so devices come out in the order of their first keys.
pub(super) struct Graph<'b, 'a> {
    parent: Vec<u32>,
    couplings: &'b [Bound<'a>],
    pub(super) joins: BTreeSet<Join>,
    /// The change by which a person split each coupling; only couplings that were split.
    parts: HashMap<u32, u64>,
}

impl<'b, 'a> Graph<'b, 'a> {
    pub(super) fn new(couplings: &'b [Bound<'a>]) -> Self {
        let parent = (0u32..).zip(couplings).map(|(i, _)| i).collect();
        Self { parent, couplings, joins: BTreeSet::new(), parts: HashMap::new() }
    }

    /// The place of a local coupling.
    fn place(&self, key: CouplingKey) -> Option<u32> {
        let i = self.couplings.binary_search_by(|c| c.key.cmp(&key)).ok()?;
        self.couplings.get(i).filter(|c| c.binding.is_local())?;
        u32::try_from(i).ok()
    }

    /// Extends each split to the couplings that are already joined with it, so that new addresses of a card go with it.
    pub(super) fn part(&mut self, local: &[u32], decisions: &ZoneDecisions) {
        let mut of_root: HashMap<u32, u64> = HashMap::new();
        for (key, decision) in &decisions.splits {
            if let Some(place) = self.place(*key) {
                let part = of_root.entry(self.root(place)).or_insert(decision.mark.change);
                *part = (*part).min(decision.mark.change);
            }
        }
        if !of_root.is_empty() {
            for i in local {
                if let Some(part) = of_root.get(&self.root(*i)) {
                    self.parts.insert(*i, *part);
                }
            }
        }
    }

    /// I8(e): the merges of people.
    pub(super) fn merge(&mut self, decisions: &ZoneDecisions) {
        for ((a, b), decision) in &decisions.merges {
            if let (Some(a), Some(b)) = (self.place(*a), self.place(*b)) {
                self.join_by(b, a, JoinReason::Person, None, Some(&decision.mark));
            }
        }
    }

    fn get(&self, place: u32) -> Option<&'b Bound<'a>> {
        self.couplings.get(place as usize)
    }

    fn root(&mut self, mut i: u32) -> u32 {
        while let Some(p) = self.parent.get(i as usize).copied() {
            if p == i {
                break;
            }
            let grand = self.parent.get(p as usize).copied().unwrap_or(p);
            if let Some(slot) = self.parent.get_mut(i as usize) {
                *slot = grand;
            }
            i = grand;
        }
        i
    }

    pub(super) fn join(&mut self, a: u32, b: u32, reason: JoinReason) {
        self.join_by(a, b, reason, None, None);
    }

    fn join_by(
        &mut self,
        a: u32,
        b: u32,
        reason: JoinReason,
        by: Option<&Evidence>,
        decided: Option<&Arc<Mark>>,
    ) {
        let (ra, rb) = (self.root(a), self.root(b));
        if ra == rb {
            return;
        }
        if let Some(slot) = self.parent.get_mut(ra.max(rb) as usize) {
            *slot = ra.min(rb);
        }
        if let (Some(x), Some(y)) = (self.get(a), self.get(b)) {
            let (by, decided) = (by.cloned(), decided.cloned());
            self.joins.insert(Join { coupling: x.key, with: y.key, reason, by, decided });
        }
    }

    pub(super) fn join_all(&mut self, members: &[u32], reason: JoinReason) {
        if let [first, rest @ ..] = members {
            for i in rest {
                self.join(*i, *first, reason);
            }
        }
    }

    /// Joins `others` to the device of `owner`.
    pub(super) fn join_to(&mut self, others: &[u32], owner: u32, reason: JoinReason) {
        for i in others {
            self.join(*i, owner, reason);
        }
    }

    /// Joins couplings of several cards, except where a person split them.
    pub(super) fn join_group(&mut self, members: impl IntoIterator<Item = u32>, reason: JoinReason) {
        let members: Vec<u32> = members.into_iter().collect();
        self.join_identified(&members, reason, &BTreeMap::new());
    }

    /// Joins the couplings with one identifier, except where a person split them. Each join names the evidence of its own
    /// card.
    pub(super) fn join_identified(
        &mut self,
        members: &[u32],
        reason: JoinReason,
        said: &BTreeMap<MacAddr, &Evidence>,
    ) {
        let mut firsts: BTreeMap<Option<u64>, u32> = BTreeMap::new();
        for i in members {
            match firsts.entry(self.parts.get(i).copied()) {
                Entry::Vacant(first) => {
                    first.insert(*i);
                }
                Entry::Occupied(first) => {
                    let (first, by) =
                        (*first.get(), self.get(*i).and_then(|c| said.get(&c.key.mac)).copied());
                    self.join_by(*i, first, reason, by, None);
                }
            }
        }
    }

    /// I8(a). Keys sort IPv4 before IPv6, so the first member has the lowest IPv4 address, if any has one.
    pub(super) fn join_ipv6(&mut self, members: &[u32], first: u32) {
        for i in members {
            if self.get(*i).is_some_and(|c| matches!(c.key.ip, IpAddr::V6(_))) {
                self.join(*i, first, JoinReason::Ipv6OfMac);
            }
        }
    }

    /// The local couplings device by device, and the start of each device.
    pub(super) fn groups(&mut self, local: &[u32]) -> (Vec<u32>, Vec<u32>) {
        let mut members = local.to_vec();
        members.sort_by_key(|i| self.root(*i));
        let mut starts = Vec::new();
        let mut last = None;
        for (place, i) in (0u32..).zip(&members) {
            let root = self.root(*i);
            if last != Some(root) {
                starts.push(place);
                last = Some(root);
            }
        }
        (members, starts)
    }
}
