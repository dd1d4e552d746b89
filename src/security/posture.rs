//! Recommendations: what the answers of a device prove about how it is administered.

use std::collections::BTreeMap;

use super::alert::{Proof, Recommendation, Unhealthy};
use super::derive::{Standings, View};
use super::ruleset::{RecommendationRule, Ruleset};
use crate::census::Timestamp;
use crate::census::conduct::{Deed, DeedKind};
use crate::census::time::DAY;

/// What was shown longer ago says nothing any more.
const FRESH: i64 = 30 * DAY;

/// The postures of one device that are fresh, by their names.
type Postures<'v> = BTreeMap<&'v str, &'v Deed>;

/// Adds what the zone's devices show.
pub(super) fn assess(
    view: &View<'_, '_>,
    rules: &Ruleset,
    as_of: Timestamp,
    standings: &mut Standings,
    out: &mut Vec<Recommendation>,
) {
    let mut shown: BTreeMap<usize, Postures<'_>> = BTreeMap::new();
    for (key, deed) in view.conduct.of(DeedKind::Shows).filter(|(_, deed)| as_of.since(deed.last) <= FRESH) {
        // What a client shows of a log-in without a name is about the server.
        let device = match key.peer {
            Some(server) => view.at(server),
            None => view.doer(key),
        };
        if let Some(device) = device {
            let known = shown.entry(device).or_default().entry(&key.label).or_insert(deed);
            if deed.last > known.last {
                *known = deed;
            }
        }
    }
    for rule in &rules.recommendations {
        let place = out.iter().position(|r| r.rule == rule.id).unwrap_or_else(|| {
            out.push(empty(rule));
            out.len() - 1
        });
        let Some(of_rule) = out.get_mut(place) else { continue };
        for (place, device) in view.devices.iter().enumerate().filter(|(_, d)| rule.scope.has(d.category)) {
            let none = BTreeMap::new();
            let postures = shown.get(&place).unwrap_or(&none);
            if let Some(proof) = rule.unhealthy.iter().find_map(|all| insecure(all, postures)) {
                of_rule.unhealthy.push(Unhealthy { device: standings.of(device), proof });
            } else if rule.healthy.iter().any(|posture| postures.contains_key(posture.as_str())) {
                of_rule.healthy.push(standings.of(device));
            } else {
                of_rule.not_assessed += 1;
            }
        }
    }
}

fn empty(rule: &RecommendationRule) -> Recommendation {
    Recommendation {
        rule: rule.id.clone(),
        name: rule.name.clone(),
        severity: rule.severity,
        unhealthy: Vec::new(),
        healthy: Vec::new(),
        not_assessed: 0,
        remedy: rule.remedy.clone(),
    }
}

/// The proof that a device shows all of `a+b`, and none of `!c`.
fn insecure(all: &str, postures: &Postures<'_>) -> Option<Proof> {
    let mut proof: Option<Proof> = None;
    for part in all.split('+') {
        if let Some(not) = part.strip_prefix('!') {
            if postures.contains_key(not) {
                return None;
            }
            continue;
        }
        let deed = postures.get(part)?;
        let known = proof.get_or_insert_with(|| Proof {
            sentence: String::new(),
            first: deed.first,
            last: deed.last,
            sample: Vec::new(),
        });
        (known.first, known.last) = (known.first.min(deed.first), known.last.max(deed.last));
        let shown = part.replace('_', " ");
        known.sentence = if known.sentence.is_empty() {
            format!("it showed {shown}")
        } else {
            format!("{} and {shown}", known.sentence)
        };
    }
    proof
}
