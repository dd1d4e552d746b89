//! Conclusions from hits: a function of the set of hits, in whole numbers.
//!
//! Within one family of evidence only the strongest hit counts, because its values are not independent. Across families,
//! certainties combine as 1 − Π(1 − w). A node of the taxonomy has the support of all nodes below it. The search goes
//! from the categories down: it takes a node that has at least [`DECIDE`] and leads its siblings by [`MARGIN`], and else
//! stops at the parent. At each step the specific hits are tried first, then all, then all but those from registries. So
//! what a device says it is takes precedence over what it can do (a phone with a bridge inside, a computer that shares its
//! link), and who made its card never takes away what it says or does.
//!
//! Several rules may read one value differently. If they contradict each other, only the most specific one speaks.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use smallvec::SmallVec;
use smol_str::SmolStr;

use super::rule::{Attribute, Hit, Kind, Tier, Value};
use super::taxonomy::{NodeId, Taxonomy};
use crate::census::Family;

/// Certainty in millionths.
type Certainty = u32;

const ONE: u64 = 1_000_000;
/// The least certainty of a node that is taken.
pub(super) const DECIDE: Certainty = 600_000;
/// The least lead over its siblings.
pub(super) const MARGIN: Certainty = 200_000;
/// Rules whose weights differ by at most this are about equally specific.
const CLOSE: u8 = 5;
/// The least certainty of a role that is listed.
const ROLE: Certainty = 500_000;

/// The strongest weight of each family, in percent.
#[derive(Clone, Copy, Debug)]
struct Support([u8; Family::COUNT]);

impl Support {
    const NONE: Self = Self([0; Family::COUNT]);

    fn add(&mut self, hit: &Hit<'_, '_, '_>, weight: u8) {
        if let Some(known) = self.0.get_mut(hit.family as usize) {
            *known = weight.max(*known);
        }
    }

    fn certainty(&self) -> Certainty {
        let doubt = self
            .0
            .iter()
            .filter(|w| **w > 0)
            .fold(ONE, |doubt, w| doubt * u64::from(100 - (*w).min(99)) / 100);
        u32::try_from(ONE - doubt).unwrap_or(0)
    }
}

/// The deepest supported node, and the certainty of its category in percent.
pub(super) fn decide(hits: &[Hit<'_, '_, '_>], taxonomy: &Taxonomy) -> Option<(NodeId, u8)> {
    let category = category(hits, taxonomy)?;
    let mut node = category;
    while let Some(next) = step(hits, taxonomy, Some(node)) {
        node = next;
    }
    let all = Supports::of(hits.iter(), taxonomy, None);
    let certainty = all.of_node(category).certainty() / 10_000;
    Some((node, u8::try_from(certainty.min(99)).unwrap_or(99)))
}

/// The category above the node that [`decide`] takes.
pub(super) fn category(hits: &[Hit<'_, '_, '_>], taxonomy: &Taxonomy) -> Option<NodeId> {
    step(hits, taxonomy, None)
}

/// The node below `parent` that is taken, if one is.
fn step(hits: &[Hit<'_, '_, '_>], taxonomy: &Taxonomy, parent: Option<NodeId>) -> Option<NodeId> {
    let leader =
        |hits: &mut dyn Iterator<Item = &Hit<'_, '_, '_>>| Supports::of(hits, taxonomy, parent).leader();
    let specific = leader(&mut hits.iter().filter(|h| h.rule.tier == Tier::Specific));
    if let Some(certain) = specific.or_else(|| leader(&mut hits.iter())) {
        return Some(certain);
    }
    // Differs from all only if a registry and something else say what it is.
    let claims = |registry: bool| {
        let of = move |h: &&Hit<'_, '_, '_>| (h.rule.kind == Kind::Registry) == registry;
        hits.iter().filter(of)
    };
    let contested = [true, false].iter().all(|k| claims(*k).any(|h| h.nodes().next().is_some()));
    contested.then(|| leader(&mut claims(false))).flatten()
}

/// Takes from a hit what contradicts a more specific hit on the same value. What remains of the hit stays. The hits on one
/// value must stand together.
pub(super) fn settle(hits: &mut Vec<Hit<'_, '_, '_>>, taxonomy: &Taxonomy) {
    let mut beaten: Vec<(usize, NodeId)> = Vec::new();
    let mut start = 0;
    for group in hits.chunk_by(|a, b| std::ptr::eq(a.fact, b.fact)) {
        let first = start;
        start += group.len();
        // Most rules on one value agree.
        let disputed = |(i, hit): (usize, &Hit<'_, '_, '_>)| {
            let others = group.get(i + 1..).unwrap_or_default();
            others.iter().any(|other| nodes(hit).any(|n| !agrees(n, other, taxonomy)))
        };
        if group.len() < 2 || !group.iter().enumerate().any(disputed) {
            continue;
        }
        let speakers = most_specific(group.iter().filter(|h| nodes(h).next().is_some()).collect());
        for (i, hit) in (first..).zip(group) {
            if !speakers.iter().any(|s| std::ptr::eq(*s, hit)) {
                let lost = nodes(hit).filter(|n| !speakers.iter().all(|s| agrees(*n, s, taxonomy)));
                beaten.extend(lost.map(|n| (i, n)));
            }
        }
    }
    if beaten.is_empty() {
        return;
    }
    for (i, node) in beaten {
        if let Some(hit) = hits.get_mut(i) {
            let rest = hit.claims.iter().filter(|c| !matches!(c.value, Value::Node(n) if n == node));
            hit.claims = Rc::new(rest.cloned().collect::<Vec<_>>().into());
        }
    }
    hits.retain(|h| !h.claims.is_empty());
}

/// The most specific of hits on one value: by tier, by the source of the knowledge, by weight, and of those that weigh
/// about the same those that look at most of the value.
fn most_specific<'h, 'r, 'f, 'a>(mut hits: Vec<&'h Hit<'r, 'f, 'a>>) -> Vec<&'h Hit<'r, 'f, 'a>> {
    let kind = hits.iter().map(|h| (h.rule.tier, h.rule.kind)).min();
    hits.retain(|h| Some((h.rule.tier, h.rule.kind)) == kind);
    let weight = hits.iter().map(|h| h.weight()).max().unwrap_or(0);
    hits.retain(|h| h.weight() + CLOSE >= weight);
    // This costs a search.
    let reach = hits.iter().map(|h| h.reach()).max();
    hits.retain(|h| Some(h.reach()) == reach);
    hits
}

pub(super) fn nodes<'h>(hit: &'h Hit<'_, '_, '_>) -> impl Iterator<Item = NodeId> + 'h {
    hit.nodes().filter_map(|c| match c.value {
        Value::Node(node) => Some(node),
        Value::Text(_) => None,
    })
}

/// Whether a node lies above or below each node that a hit claims.
fn agrees(node: NodeId, hit: &Hit<'_, '_, '_>, taxonomy: &Taxonomy) -> bool {
    let under = |a: NodeId, b: NodeId| taxonomy.lineage(a).any(|n| n == b);
    nodes(hit).all(|other| under(node, other) || under(other, node))
}

/// The hits that may name the device: not those that take it for something of another category. If nothing is decided
/// because hits contradict each other, none of these.
pub(super) fn own<'h, 'r, 'f, 'a>(
    hits: &'h [Hit<'r, 'f, 'a>],
    decided: Option<NodeId>,
    taxonomy: &Taxonomy,
) -> Vec<&'h Hit<'r, 'f, 'a>> {
    let category = |node: NodeId| taxonomy.lineage(node).last();
    if let Some(own) = decided.map(category) {
        return hits.iter().filter(|h| nodes(h).all(|n| category(n) == own)).collect();
    }
    let said = hits.iter().filter(|h| h.rule.kind != Kind::Registry);
    let named: BTreeSet<Option<NodeId>> = said.flat_map(|h| nodes(h).map(category)).collect();
    hits.iter().filter(|h| named.len() < 2 || nodes(h).next().is_none()).collect()
}

/// The support of the nodes directly below one node that have any.
struct Supports(SmallVec<[(NodeId, Support); 8]>);

impl Supports {
    fn of<'h, 'r: 'h, 'f: 'h, 'a: 'f>(
        hits: impl Iterator<Item = &'h Hit<'r, 'f, 'a>>,
        taxonomy: &Taxonomy,
        parent: Option<NodeId>,
    ) -> Self {
        let mut found = Self(SmallVec::new());
        for hit in hits {
            for claim in hit.claims.iter() {
                let Value::Node(id) = claim.value else { continue };
                let child = taxonomy.lineage(id).find(|n| taxonomy.parent(*n) == parent);
                if let Some(child) = child {
                    found.add(child, hit, claim.weight);
                }
            }
        }
        found
    }

    fn add(&mut self, node: NodeId, hit: &Hit<'_, '_, '_>, weight: u8) {
        if let Some((_, support)) = self.0.iter_mut().find(|(known, _)| *known == node) {
            return support.add(hit, weight);
        }
        let mut support = Support::NONE;
        support.add(hit, weight);
        self.0.push((node, support));
    }

    fn of_node(&self, node: NodeId) -> Support {
        self.0.iter().find(|(known, _)| *known == node).map_or(Support::NONE, |(_, support)| *support)
    }

    /// The node that is certain enough and leads its siblings by enough.
    fn leader(&self) -> Option<NodeId> {
        let mut best: Option<(Certainty, NodeId)> = None;
        let mut second = 0;
        for (node, support) in &self.0 {
            let certainty = support.certainty();
            match best {
                Some((top, _)) if certainty <= top => second = second.max(certainty),
                _ => {
                    second = best.map_or(0, |(top, _)| top);
                    best = Some((certainty, *node));
                }
            }
        }
        best.filter(|(top, _)| *top >= DECIDE && top - second >= MARGIN).map(|(_, node)| node)
    }
}

/// The best text for an attribute: by tier, then by kind, then the most certain, then the longest, then the first by
/// letters. A text supports the longer texts that begin with it: `Windows` supports `Windows 10`.
pub(super) fn best(hits: &[&Hit<'_, '_, '_>], attribute: Attribute) -> Option<SmolStr> {
    let mut found: BTreeMap<&str, (Tier, Kind, Support)> = BTreeMap::new();
    for (hit, text, weight) in hits.iter().flat_map(|hit| texts(hit, attribute)) {
        let entry = found.entry(text).or_insert((hit.rule.tier, hit.rule.kind, Support::NONE));
        entry.0 = entry.0.min(hit.rule.tier);
        entry.1 = entry.1.min(hit.rule.kind);
        entry.2.add(hit, weight);
    }
    for (hit, shorter, weight) in hits.iter().flat_map(|hit| texts(hit, attribute)) {
        for (text, entry) in &mut found {
            if text.strip_prefix(shorter).is_some_and(|rest| rest.starts_with(' ')) {
                entry.2.add(hit, weight);
            }
        }
    }
    found
        .into_iter()
        .min_by_key(|(text, (tier, kind, support))| {
            (*tier, *kind, Reverse(support.certainty()), Reverse(text.len()), *text)
        })
        .map(|(text, _)| SmolStr::new(text))
}

/// The roles that are certain enough, sorted.
pub(super) fn roles(hits: &[Hit<'_, '_, '_>]) -> Vec<SmolStr> {
    let mut found: BTreeMap<&str, Support> = BTreeMap::new();
    for (hit, role, weight) in hits.iter().flat_map(|hit| texts(hit, Attribute::Role)) {
        found.entry(role).or_insert(Support::NONE).add(hit, weight);
    }
    found.into_iter().filter(|(_, s)| s.certainty() >= ROLE).map(|(role, _)| SmolStr::new(role)).collect()
}

fn texts<'h, 'r, 'f, 'a>(
    hit: &'h Hit<'r, 'f, 'a>,
    attribute: Attribute,
) -> impl Iterator<Item = (&'h Hit<'r, 'f, 'a>, &'h str, u8)> {
    hit.claims.iter().filter_map(move |c| match &c.value {
        Value::Text(text) if c.attribute == attribute => Some((hit, text.as_str(), c.weight)),
        _ => None,
    })
}
