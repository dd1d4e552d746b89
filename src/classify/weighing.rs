//! What was said once does not contradict what was said often (I15b).
//!
//! Hits enter in the order of their weight in time: what the census concluded, then what was said in most windows, then
//! what the registry says of the card, then what was said in one minute only, the earliest first. A group of hits that
//! turns the category which the earlier ones decide is held if it was said in one minute, or in at most a quarter of the
//! windows. Only its hits for other categories are. What is said periodically, but was said in one minute long after the device
//! was known, decides no category either.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use super::rule::{Hit, Kind};
use super::score;
use super::taxonomy::{NodeId, Taxonomy};
use crate::census::time::MINUTE;

/// What was said in fewer windows than this part of the most is held.
const PART: u32 = 4;

/// The place of a hit in the order.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Rank {
    Concluded,
    Repeated(Reverse<u32>),
    Registry,
    /// The clock minute.
    Once(i64),
}

fn rank(hit: &Hit<'_, '_, '_>) -> Rank {
    match hit.fact.heard {
        Some(said) if said.windows.is_repeated() => Rank::Repeated(Reverse(said.windows.count())),
        Some(said) => Rank::Once(said.at.0.div_euclid(MINUTE)),
        None if hit.rule.kind == Kind::Registry => Rank::Registry,
        None => Rank::Concluded,
    }
}

/// Splits hits into those that count and those that are held.
pub(super) fn weigh<'r, 'f, 'a>(
    mut hits: Vec<Hit<'r, 'f, 'a>>,
    taxonomy: &Taxonomy,
) -> (Vec<Hit<'r, 'f, 'a>>, Vec<Hit<'r, 'f, 'a>>) {
    let named: BTreeSet<NodeId> = hits.iter().flat_map(|h| categories(h, taxonomy)).collect();
    let is_late = |h: &Hit<'_, '_, '_>| h.fact.heard.is_some_and(|said| said.late);
    if named.len() < 2 && !hits.iter().any(is_late) {
        return (hits, Vec::new());
    }
    hits.sort_by_key(rank);
    let (mut kept, mut held) = (Vec::with_capacity(hits.len()), Vec::new());
    let mut hits = hits.into_iter().peekable();
    while let Some(rank) = hits.peek().map(rank) {
        let decided = score::category(&kept, taxonomy);
        let start = kept.len();
        while let Some(hit) = hits.next_if(|hit| self::rank(hit) == rank) {
            kept.push(hit);
        }
        let Some(decided) = decided else {
            if score::category(&kept, taxonomy).is_some() {
                let late = |h: &Hit<'_, '_, '_>| is_late(h) && categories(h, taxonomy).next().is_some();
                let group = kept.split_off(start);
                let (late, timely): (Vec<_>, Vec<_>) = group.into_iter().partition(late);
                kept.extend(timely);
                held.extend(late);
            }
            continue;
        };
        if score::category(&kept, taxonomy) == Some(decided) {
            continue;
        }
        let group = kept.split_off(start);
        if is_outweighed(rank, decided, &kept, taxonomy) {
            let (agree, turn): (Vec<_>, Vec<_>) =
                group.into_iter().partition(|h| categories(h, taxonomy).all(|c| c == decided));
            kept.extend(agree);
            held.extend(turn);
        } else {
            kept.extend(group);
        }
    }
    (kept, held)
}

/// Whether a group of that rank weighs too little to turn the category that the `kept` hits decided.
fn is_outweighed(rank: Rank, decided: NodeId, kept: &[Hit<'_, '_, '_>], taxonomy: &Taxonomy) -> bool {
    let most = || {
        let own = kept.iter().filter(|h| categories(h, taxonomy).any(|c| c == decided));
        own.filter_map(|h| h.fact.heard).map(|said| said.windows.count()).max().unwrap_or(0)
    };
    match rank {
        Rank::Concluded | Rank::Registry => false,
        Rank::Repeated(Reverse(windows)) => windows.saturating_mul(PART) <= most(),
        Rank::Once(_) => true,
    }
}

fn categories<'h>(hit: &'h Hit<'_, '_, '_>, taxonomy: &'h Taxonomy) -> impl Iterator<Item = NodeId> + 'h {
    score::nodes(hit).filter_map(|node| taxonomy.lineage(node).last())
}
