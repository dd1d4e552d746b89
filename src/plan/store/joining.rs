//! Joining: what uploads change, worked out in memory before anything is written.
//!
//! Several uploads are joined one after another with one state of the facts. Each sees what those before it changed. The
//! result has each changed row once, however many uploads changed it.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::StoreError;
use super::replica::Facts;
use super::room::{Room, coupling_bytes, station_bytes};
use crate::census::conduct::{DEEDS_OF_ZONE, Deed, DeedKey};
use crate::census::{
    Coupling, CouplingKey, MacAddr, Segment, Station, Timestamp, TunnelKey, TunnelMarks, Zone,
};
use crate::wire::Upload;

/// What changed in a zone, by the paths of the tunnels in it; the zone itself has the empty path.
pub(super) type Parts = BTreeMap<Vec<TunnelKey>, Part>;

/// The changed facts of a zone, or of what was seen inside a tunnel in it, as they are after the change.
#[derive(Debug, Default)]
pub(super) struct Part {
    pub(super) couplings: BTreeMap<CouplingKey, Coupling>,
    pub(super) stations: BTreeMap<MacAddr, Station>,
    pub(super) deeds: BTreeMap<DeedKey, Deed>,
    /// The segment, and the tunnel's marks; `None` if neither changed.
    pub(super) head: Option<(TunnelMarks, Segment)>,
}

/// Facts and what uploads change in them.
#[derive(Debug)]
pub(super) struct Joining {
    facts: Arc<Facts>,
    changed: BTreeMap<String, Parts>,
    /// What the facts take after the changes.
    held: Room,
}

/// An upload that was joined.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Joined {
    /// Couplings and stations that it changed.
    pub(super) rows: usize,
    /// The earliest instant about which it has something new.
    pub(super) reach: Option<Timestamp>,
    /// Deeds for which there was no room: alerts may be missing, devices are not.
    pub(super) unkept: usize,
}

/// What one upload changes.
#[derive(Default)]
struct Change {
    parts: Vec<(Vec<TunnelKey>, Part)>,
    /// Couplings, stations and tunnels that were not known.
    grown: usize,
    /// By how many bytes couplings and stations grew.
    heavier: isize,
    /// Whether there is room for what stations did, and how many deeds were left out.
    takes_deeds: bool,
    unkept: usize,
    reach: Option<Timestamp>,
}

impl Joining {
    pub(super) fn new(facts: Arc<Facts>) -> Self {
        Self { held: facts.held(), facts, changed: BTreeMap::new() }
    }

    /// Joins an upload.
    ///
    /// # Errors
    /// [`StoreError::Full`] or [`StoreError::Heavy`] if it has something for which there is not enough room. Then no part of
    /// it is joined.
    pub(super) fn add(&mut self, upload: &Upload, room: Room) -> Result<Joined, StoreError> {
        // Deeds leave room for the count: they are taken as long as a quarter of the room is left.
        let takes_deeds = self.held.bytes < room.bytes / 4 * 3;
        let mut change = Change { takes_deeds, ..Change::default() };
        self.compare(&upload.zone, &[], None, &upload.delta, &mut change);
        upload.delta.each_tunnel(&mut |path, tunnel| {
            self.compare(&upload.zone, path, Some(tunnel.marks), &tunnel.facts, &mut change);
        });
        let rows = self.held.rows.saturating_add(change.grown);
        let bytes = self.held.bytes.saturating_add_signed(change.heavier);
        if change.grown > 0 && rows > room.rows {
            return Err(StoreError::Full(room.rows));
        }
        if change.heavier > 0 && bytes > room.bytes {
            return Err(StoreError::Heavy(room.bytes));
        }
        self.held = Room { rows, bytes };
        let rows = change.parts.iter().map(|(_, part)| part.couplings.len() + part.stations.len()).sum();
        let parts = self.changed.entry(upload.zone.clone()).or_default();
        for (path, part) in change.parts {
            let known = parts.entry(path).or_default();
            known.couplings.extend(part.couplings);
            known.stations.extend(part.stations);
            known.deeds.extend(part.deeds);
            known.head = part.head.or_else(|| known.head.take());
        }
        Ok(Joined { rows, reach: change.reach, unkept: change.unkept })
    }

    /// All changes, by zone. The facts are let go.
    pub(super) fn into_changed(self) -> BTreeMap<String, Parts> {
        self.changed
    }

    /// Compares a zone, or what was seen inside the tunnels of `path`, with what is known of it.
    fn compare(
        &self,
        zone: &str,
        path: &[TunnelKey],
        marks: Option<TunnelMarks>,
        delta: &Zone,
        change: &mut Change,
    ) {
        let stored = self.facts.inventory.zones.get(zone);
        let inside = stored.and_then(|zone| zone.inside(path));
        let newer = self.changed.get(zone).and_then(|parts| parts.get(path));
        let mut part = Part::default();
        let Change { grown, heavier, takes_deeds, unkept, reach, .. } = change;
        let mut note = |news: Option<Timestamp>| *reach = [*reach, news].into_iter().flatten().min();
        for (key, new) in &delta.couplings {
            let known = newer.and_then(|part| part.couplings.get(key));
            let known = known.or_else(|| inside?.couplings.get(key));
            if let Some(now) = merged(known, new, Coupling::merge) {
                note(now.news(known, new.last_seen));
                *grown += usize::from(known.is_none());
                *heavier += growth(known.map_or(0, coupling_bytes), coupling_bytes(&now));
                part.couplings.insert(*key, now);
            }
        }
        for (mac, new) in &delta.stations {
            let known = newer.and_then(|part| part.stations.get(mac)).or_else(|| inside?.stations.get(mac));
            if let Some(now) = merged(known, new, Station::merge) {
                note(now.news(known));
                *grown += usize::from(known.is_none());
                *heavier += growth(known.map_or(0, station_bytes), station_bytes(&now));
                part.stations.insert(*mac, now);
            }
        }
        let mut deeds =
            inside.map_or(0, |inside| inside.conduct.0.len()) + newer.map_or(0, |part| part.deeds.len());
        for (key, new) in &delta.conduct.0 {
            let known = newer.and_then(|part| part.deeds.get(key)).or_else(|| inside?.conduct.0.get(key));
            if !*takes_deeds || known.is_none() && deeds >= DEEDS_OF_ZONE {
                *unkept += 1;
                continue;
            }
            // No count rests on deeds, so none was wrong before.
            if let Some(now) = merged(known, new, |deed, new| deed.merge(new, key.kind)) {
                deeds += usize::from(known.is_none());
                *heavier += growth(known.map_or(0, Deed::bytes), now.bytes());
                part.deeds.insert(key.clone(), now);
            }
        }
        let stored_head = || {
            let stored = stored?;
            let marks = match path.split_last() {
                Some((key, around)) => stored.inside(around)?.tunnels.get(key)?.marks,
                None => TunnelMarks::default(),
            };
            Some((marks, inside?.segment.clone()))
        };
        let known = newer.and_then(|part| part.head.clone()).or_else(stored_head);
        *grown += usize::from(known.is_none() && marks.is_some());
        let (mut trust, mut segment) = known.clone().unwrap_or_default();
        let before = segment.clone();
        segment.merge(&delta.segment);
        note(segment.news(&before, delta.segment.last_frame));
        let trusted = trust;
        trust.merge(marks.unwrap_or_default());
        note(trust.news(trusted, segment.first_frame));
        let head = (trust, segment);
        if known.is_none_or(|known| known != head) {
            part.head = Some(head);
        }
        change.parts.push((path.to_vec(), part));
    }
}

/// The facts joined with `new`; `None` if that adds nothing.
fn merged<F: Clone + PartialEq>(known: Option<&F>, new: &F, merge: impl Fn(&mut F, &F) -> bool) -> Option<F> {
    let Some(known) = known else { return Some(new.clone()) };
    let mut facts = known.clone();
    merge(&mut facts, new);
    (facts != *known).then_some(facts)
}

const fn growth(before: usize, after: usize) -> isize {
    after.cast_signed().saturating_sub(before.cast_signed())
}

/// Brings changes into a zone. Returns by how many bytes its couplings and stations grew.
pub(super) fn apply(zone: &mut Zone, parts: Parts) -> isize {
    let mut grown = 0;
    // Tunnels come before those that they carry.
    for (path, Part { couplings, stations, deeds, head }) in parts {
        if let (Some((marks, _)), Some((key, around))) = (&head, path.split_last()) {
            zone.within(around).tunnels.entry(*key).or_default().marks = *marks;
        }
        let inside = zone.within(&path);
        for (key, facts) in couplings {
            let after = coupling_bytes(&facts);
            let former = inside.couplings.insert(key, facts);
            grown += growth(former.as_ref().map_or(0, coupling_bytes), after);
        }
        for (mac, facts) in stations {
            let after = station_bytes(&facts);
            let former = inside.stations.insert(mac, facts);
            grown += growth(former.as_ref().map_or(0, station_bytes), after);
        }
        for (key, deed) in deeds {
            let after = deed.bytes();
            let former = inside.conduct.0.insert(key, deed);
            grown += growth(former.as_ref().map_or(0, Deed::bytes), after);
        }
        if let Some((_, segment)) = head {
            inside.segment = segment;
        }
    }
    grown
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::census::Inventory;
    use crate::census::conduct::{Conduct, DeedKind};
    use crate::census::laws::{histories, zone};
    use crate::wire::Health;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(100))]

        #[test]
        fn what_facts_take_is_the_same_counted_step_by_step_or_at_once(
            a in histories(0..30), b in histories(0..30), c in histories(0..30),
        ) {
            let mut facts = Facts::loaded(Inventory::of("hq", zone(&a)), 1);
            for (revision, delta) in (2..).zip([&b, &c]) {
                let mut joining = Joining::new(Arc::new(facts.clone()));
                let upload = Upload {
                    schema: String::new(),
                    epoch: String::new(),
                    sequence: 1,
                    zone: "hq".into(),
                    delta: zone(delta),
                    health: Health::default(),
                };
                joining.add(&upload, Room::default()).unwrap();
                let held = joining.held;
                let apply = |(name, parts)| (name, move |zone: &mut Zone| apply(zone, parts));
                facts.change(revision, joining.into_changed().into_iter().map(apply).collect());
                prop_assert_eq!(facts.held(), held);
                prop_assert_eq!(Facts::loaded(facts.inventory.clone(), revision).held(), held);
            }
        }
    }

    #[test]
    fn deeds_leave_a_quarter_of_the_room_and_never_refuse_an_upload() {
        let deed = |n: u8| {
            let doer = CouplingKey { mac: MacAddr([2, 0, 0, 0, 0, n]), ip: [10, 0, 0, n].into() };
            let kind = DeedKind::Mines;
            let key = DeedKey { doer, kind, peer: None, port: 0, label: "stratum".into() };
            (key, Deed::new(Timestamp(1), Timestamp(1), kind, None))
        };
        let upload = |n: u8| Upload {
            schema: String::new(),
            epoch: String::new(),
            sequence: 1,
            zone: "hq".into(),
            delta: Zone { conduct: Conduct([deed(n)].into()), ..Zone::default() },
            health: Health::default(),
        };
        let room = Room { rows: 0, bytes: deed(1).1.bytes() * 2 };
        let mut joining = Joining::new(Arc::new(Facts::loaded(Inventory::default(), 1)));
        let unkept: Vec<usize> = (1..5).map(|n| joining.add(&upload(n), room).unwrap().unkept).collect();
        assert_eq!(unkept, [0, 0, 1, 1]);
        assert_eq!(joining.add(&upload(1), room).unwrap().unkept, 1, "what is known does not grow either");
    }
}
