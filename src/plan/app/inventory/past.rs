//! Counts of past instants: what was known and decided then.
//!
//! **The end of a day with a snapshot** has the sealed numbers and devices of its newest revision, whatever facts, rules and
//! settings say today. What leaves do not hold, such as names, evidence and findings, comes from the facts of today.
//!
//! **Any other instant** is counted from the facts of today that frames before it showed ([`Inventory::until`]), under the
//! decisions that stood then. Some facts have no time of their own, so the count is made several times: with all of them,
//! with none, and with those alone that speak for or against an address, or that a zone learned ([`Undated`]). What all counts show is sure, and so
//! is a proven device that the snapshot before the instant shows alike; the rest is counted in [`Basis::Kept`].
//!
//! An instant before the subscription existed is refused. A service that counts at the newest frame
//! ([`CountAt::NewestFrame`]) replays a capture that is older than the subscription: there, an instant of the capture has
//! its facts, and the decisions of today.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use super::super::Refusal;
use super::super::leaves::{Leaves, corrupt};
use super::view::{Ground, View};
use super::zone_view::ZoneView;
use super::{CountAt, Inventories, MINUTE, Revision, SubscriptionState};
use crate::census::time::HOUR;
use crate::census::{
    Coupling, CouplingKey, Decisions, DeviceDecisions, DeviceId, Inventory, MacAddr, Policy, Standing,
    Timestamp, Undated, Verdict, Zone, verdict,
};
use crate::plan::store::{Facts, JoinedZones, Snapshot};
use crate::proof::Leaf;
use crate::wire::{Basis, DeviceRow, SubscriptionId};

/// How soon after its day a snapshot must be sealed to confirm what a later count shows, in nanoseconds.
const WITNESSED: i64 = HOUR;

/// Which instant a view shows.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) enum Tense {
    /// The default instant, or a later one.
    #[default]
    Present,
    /// An earlier one; with the number of the newest snapshot up to it.
    Past { snapshot: Option<u64> },
}

impl Tense {
    /// Whether a view of this tense is at least as new as the one that is wanted. The number of the newest snapshot up to an
    /// instant only grows.
    pub(super) fn serves(self, wanted: Self) -> bool {
        match (self, wanted) {
            (Self::Present, Self::Present) => true,
            (Self::Past { snapshot: known }, Self::Past { snapshot: wanted }) => known >= wanted,
            _ => false,
        }
    }
}

/// What is known of a past instant besides the facts.
pub(super) struct Past {
    as_of: Timestamp,
    pub(super) decisions: Arc<Decisions>,
    /// The newest snapshot up to the instant.
    snapshot: Option<Snapshot>,
    /// Its leaves by zone.
    leaves: BTreeMap<String, HashMap<DeviceId, Leaf>>,
    /// When its devices with one coupling were last seen.
    seen: HashMap<String, HashMap<CouplingKey, Timestamp>>,
}

impl Past {
    /// Facts by the names that their zones had then.
    pub(super) fn named(&self, facts: &Arc<Facts>) -> Arc<Facts> {
        facts.named(self.decisions.names(), &JoinedZones::default())
    }

    /// The facts of `facts` that were known.
    pub(super) fn facts(&self, facts: &Facts, undated: Undated) -> Facts {
        facts.past(self.until(&facts.inventory, undated))
    }

    pub(super) fn until(&self, facts: &Inventory, undated: Undated) -> Inventory {
        facts.until(self.as_of, undated, |zone, key| self.seen(zone, key))
    }

    fn seen(&self, zone: &str, key: CouplingKey) -> Option<Timestamp> {
        self.seen.get(zone)?.get(&key).copied()
    }

    /// The snapshot of the day that ends at the instant.
    fn sealed(&self) -> Option<&Snapshot> {
        self.snapshot.as_ref().filter(|snapshot| snapshot.header.as_of == self.as_of)
    }

    /// The newest snapshot up to the instant, if it was sealed soon after its day: one that was sealed later is made of the same
    /// facts as this count.
    fn witness(&self) -> Option<&Snapshot> {
        let is_timely = |s: &&Snapshot| s.header.known_until.since(s.header.as_of) <= WITNESSED;
        self.snapshot.as_ref().filter(is_timely)
    }

    fn tense(&self) -> Tense {
        Tense::Past { snapshot: self.snapshot.as_ref().map(|snapshot| snapshot.header.number) }
    }

    /// Makes a view show the sealed devices and numbers.
    fn seal(&self, view: &mut View, snapshot: &Snapshot) {
        let header = &snapshot.header;
        let mut differing = 0;
        for name in self.leaves.keys() {
            if let Err(place) = view.zones.binary_search_by(|zone| (*zone.name).cmp(name)) {
                view.zones.insert(place, Arc::new(ZoneView::unknown(name)));
            }
        }
        let none = HashMap::new();
        view.tabs = crate::listing::Tabs::default();
        for zone in &mut view.zones {
            let leaves = self.leaves.get(&*zone.name).unwrap_or(&none);
            // The view was made for this, so nobody else holds its zones.
            if let Some(zone) = Arc::get_mut(zone) {
                differing += zone.seal(leaves);
            }
            view.tabs.add(&zone.tabs);
        }
        view.census = header.census.clone();
        view.basis = Some(Basis::Snapshot {
            day: header.day.to_string(),
            revision: header.revision,
            hash: snapshot.hash.to_string(),
            differing,
        });
    }

    /// How sure a view is that was made of the facts of today; `others` were made without some that have no time.
    fn certainty(&self, view: &View, others: &[View], facts: &Facts) -> Basis {
        let (mut at_least, mut at_most, mut unsure) = (0, 0, 0);
        let mut shown: HashSet<DeviceId> = HashSet::with_capacity(view.len());
        let zones = facts.inventory.zones.iter();
        let unsettled: HashMap<&str, HashSet<MacAddr>> =
            zones.map(|(name, zone)| (name.as_str(), self.unsettled(zone))).collect();
        for row in view.rows() {
            shown.insert(row.id);
            let of_zone = unsettled.get(&*row.zone);
            let is_settled =
                row.couplings.iter().all(|c| of_zone.is_none_or(|macs| !macs.contains(&c.key.mac)));
            let is_sure = self.is_sure(row, others, facts, &view.policy, is_settled);
            let is_counted = row.verdict.is_counted();
            at_least += u64::from(is_counted && is_sure);
            at_most += u64::from(is_counted || !is_sure);
            unsure += u64::from(!is_sure);
        }
        // Devices that fewer facts show, or that the snapshot has: they may have been apart from others then.
        let fewer = others.iter().flat_map(View::rows).filter(|row| row.verdict.is_counted());
        let sealed = self.leaves.values().flatten().filter(|(_, leaf)| leaf.verdict.is_counted());
        let apart: HashSet<DeviceId> = fewer
            .map(|row| row.id)
            .chain(sealed.map(|(id, _)| *id))
            .filter(|id| !shown.contains(id))
            .collect();
        let apart = apart.len() as u64;
        Basis::Kept {
            at_least,
            at_most: at_most + apart,
            unsure: unsure + apart,
            snapshot: self.snapshot.as_ref().map(|snapshot| snapshot.header.day.to_string()),
        }
    }

    /// The cards of a zone of which addresses are known that were not proven then and were seen again later: which of their
    /// addresses were their own then is not kept.
    fn unsettled(&self, zone: &Zone) -> HashSet<MacAddr> {
        let is_unsettled = |c: &Coupling| {
            let is_proven = c.proof().is_some_and(|proof| proof.at < self.as_of);
            c.first_seen < self.as_of && c.last_seen >= self.as_of && !is_proven
        };
        let own = zone.couplings.iter().chain(zone.tunnels.values().flat_map(|t| &t.facts.couplings));
        own.filter(|(_, c)| is_unsettled(c)).map(|(key, _)| key.mac).collect()
    }

    /// Whether a device surely was what the view shows: if the snapshot before and all counts say so, or the snapshot and the
    /// times of a proven device. A device that came after the snapshot is sure if all counts say the same, and its cards are
    /// settled.
    fn is_sure(
        &self,
        row: &DeviceRow,
        others: &[View],
        facts: &Facts,
        policy: &Policy,
        is_settled: bool,
    ) -> bool {
        let all = others.iter().all(|other| other.row(row.id).is_some_and(|other| says_the_same(row, other)));
        let since = self.witness().map(|snapshot| snapshot.header.as_of);
        if since.is_none_or(|since| row.first_seen >= since) {
            return all && is_settled;
        }
        let leaf = self.leaves.get(&*row.zone).and_then(|leaves| leaves.get(&row.id));
        leaf.is_some_and(|leaf| was_the_same(row, leaf)) && (all || self.is_timely(row, facts, policy))
    }

    /// Whether the addresses of a device were proven or gone then, and its verdict does not depend on when exactly it was seen.
    fn is_timely(&self, row: &DeviceRow, facts: &Facts, policy: &Policy) -> bool {
        let zone = facts.inventory.zones.get(&*row.zone);
        let mut seen: Option<Timestamp> = None;
        for key in row.couplings.iter().map(|c| &c.key) {
            let Some(c) = zone.and_then(|zone| zone.couplings.get(key)) else { return false };
            let is_proven = c.proof().is_some_and(|proof| proof.at < self.as_of);
            if c.last_seen >= self.as_of && !is_proven {
                return false;
            }
            seen = seen.max(Some(c.surely_seen_before(self.as_of, self.seen(&row.zone, *key))));
        }
        let Some(last_seen) = seen else { return false };
        let standing = Standing {
            category: row.what.category,
            last_seen,
            tentative: row.verdict == Verdict::Tentative,
            managed: row.verdict == Verdict::Managed,
            deleted_at: row.decided.as_deref().and_then(DeviceDecisions::deleted_at),
        };
        verdict(&standing, policy, self.as_of) == row.verdict
    }
}

fn says_the_same(a: &DeviceRow, b: &DeviceRow) -> bool {
    let keys = |row: &DeviceRow| row.couplings.iter().map(|c| c.key).collect::<Vec<_>>();
    a.verdict == b.verdict && a.what.category == b.what.category && keys(a) == keys(b)
}

/// Whether a device was the same at the snapshot before, but for what time and people do to it.
fn was_the_same(row: &DeviceRow, leaf: &Leaf) -> bool {
    let is_tentative = |verdict| verdict == Verdict::Tentative;
    let is_decided = row.decided.as_deref().is_some_and(|decided| decided.category().is_some());
    (is_decided || row.what.category == leaf.category)
        && row.couplings.len() as u64 == leaf.couplings
        && is_tentative(row.verdict) == is_tentative(leaf.verdict)
}

impl Inventories {
    /// Whether an instant lies in the past of the count.
    ///
    /// # Errors
    /// [`Refusal::TooEarly`] before the subscription existed; the store's.
    pub(super) async fn tense(
        &self,
        subscription: &SubscriptionId,
        state: &SubscriptionState,
        as_of: Option<Timestamp>,
    ) -> Result<Tense, Refusal> {
        let present = state.replica.read(|facts| self.instant(facts, None, self.clock.now()));
        let Some(as_of) = as_of.filter(|at| *at < present) else { return Ok(Tense::Present) };
        let began = self.began(subscription, state).await?;
        if as_of < began {
            return Err(Refusal::TooEarly { as_of, began });
        }
        let snapshot = self.store.snapshot_before(subscription, as_of).await?;
        Ok(Tense::Past { snapshot: snapshot.map(|snapshot| snapshot.header.number) })
    }

    /// The first instant that can be asked for: the minute in which the subscription was created, because counts are made
    /// at whole minutes, or the first frame of an older capture that is replayed.
    async fn began(
        &self,
        subscription: &SubscriptionId,
        state: &SubscriptionState,
    ) -> Result<Timestamp, Refusal> {
        let created = self.store.subscription(subscription).await?.created_at;
        let created = Timestamp(created.0 - created.0.rem_euclid(MINUTE));
        if self.count_at == CountAt::Now {
            return Ok(created);
        }
        let first = state
            .replica
            .read(|facts| facts.inventory.zones.values().filter_map(|zone| zone.segment.first_frame).min());
        Ok(first.map_or(created, |first| first.min(created)))
    }

    /// What is known of a past instant besides the facts.
    ///
    /// # Errors
    /// The store's.
    pub(super) async fn past(
        &self,
        subscription: &SubscriptionId,
        state: &SubscriptionState,
        as_of: Timestamp,
    ) -> Result<Past, Refusal> {
        let created = self.store.subscription(subscription).await?.created_at;
        let decisions = if as_of < created && self.count_at == CountAt::NewestFrame {
            state.decisions().1
        } else {
            Arc::new(self.store.decisions_before(subscription, as_of).await?)
        };
        let snapshot = self.store.snapshot_before(subscription, as_of).await?;
        let mut leaves: BTreeMap<String, HashMap<DeviceId, Leaf>> = BTreeMap::new();
        let mut seen: HashMap<String, HashMap<CouplingKey, Timestamp>> = HashMap::new();
        if let Some(snapshot) = &snapshot {
            let mut parts = Leaves::new(&self.store, snapshot.clone());
            while let Some(text) = parts.next().await? {
                for line in text.lines() {
                    let mut leaf = Leaf::read(line).ok_or_else(|| corrupt(&"a leaf cannot be read"))?;
                    // Between the snapshot and the instant, the zone may have got another name.
                    leaf.zone = decisions.names().name(&leaf.zone).to_owned();
                    let id = leaf.id.parse().map_err(|_| corrupt(&"a leaf's id cannot be read"))?;
                    if leaf.couplings == 1 {
                        let key = CouplingKey { mac: leaf.mac, ip: leaf.ip };
                        seen.entry(leaf.zone.clone()).or_default().insert(key, leaf.last_seen);
                    }
                    leaves.entry(leaf.zone.clone()).or_default().insert(id, leaf);
                }
            }
        }
        Ok(Past { as_of, decisions, snapshot, leaves, seen })
    }

    /// The view of a past instant.
    pub(super) fn count_past(
        &self,
        state: &SubscriptionState,
        facts: &Arc<Facts>,
        revision: Revision,
        past: &Past,
    ) -> View {
        let facts = &past.named(facts);
        let present = state.views.of_the_present();
        let count = |undated| {
            let ground = Ground {
                facts: &past.facts(facts, undated),
                decisions: &past.decisions,
                revision,
                policy: &self.policy,
                classifier: &*self.classifier,
                questions: &self.questions,
                components: None,
                as_of: past.as_of,
            };
            View::new(&ground, &present, self.clock.now())
        };
        let mut view = count(Undated::KEPT);
        view.tense = past.tense();
        match past.sealed() {
            Some(snapshot) => past.seal(&mut view, snapshot),
            None => {
                let others: Vec<View> =
                    std::iter::once(Undated::DROPPED).chain(Undated::SOME).map(count).collect();
                view.basis = Some(past.certainty(&view, &others, facts));
            }
        }
        view
    }
}
