//! Deeds on their way into the table: what a worker saw done, and what the table holds of it.
//!
//! Most deeds repeat: a printer opens the same port of the same server all day. A worker keeps the newest of them in slots,
//! and the table hears of each once a second and window. Of each thing of a crowd, it hears once a window.

use std::cmp::Ordering;
use std::collections::HashMap;
use std::hash::BuildHasher as _;
use std::net::IpAddr;

use foldhash::fast::RandomState;
use smol_str::SmolStr;

use super::tunnels::{CLOSED, Tunnels};
use crate::census::conduct::{CROWD_WINDOW, Conduct, DEEDS, DEEDS_OF_ONE, Deed, DeedKey, DeedKind, Thing};
use crate::census::{CouplingKey, Timestamp};
use crate::dissect::{Act, ActThing};

/// Slots of a worker for deeds, for what is gathered, and places for things of which the table heard; powers of two.
const SLOTS: usize = 4_096;
const GATHERED: usize = 1_024;
const TOLD: usize = 32_768;

/// The deeds of a link or tunnel, each with whether it changed since the last delta.
#[derive(Debug, Default)]
pub(super) struct Deeds {
    known: HashMap<(CouplingKey, DeedKind), Vec<Held>, RandomState>,
    len: usize,
    /// How many there are of a station.
    of_one: HashMap<CouplingKey, usize, RandomState>,
    /// Deeds of doers that are not confirmed.
    strange: usize,
    refused: u64,
    /// Whether a deed waits for the next delta.
    changed: bool,
}

/// A deed of one station and kind; they lie in the order of the rest of their keys.
#[derive(Debug)]
struct Held {
    peer: Option<IpAddr>,
    port: u16,
    label: SmolStr,
    deed: Deed,
    changed: bool,
}

impl Held {
    fn order(&self, key: &DeedKey) -> Ordering {
        (self.peer, self.port, &*self.label).cmp(&(key.peer, key.port, &*key.label))
    }

    fn key(&self, (doer, kind): (CouplingKey, DeedKind)) -> DeedKey {
        DeedKey { doer, kind, peer: self.peer, port: self.port, label: self.label.clone() }
    }
}

impl Deeds {
    /// The deed with that key, if it is held.
    fn get_mut(&mut self, key: &DeedKey) -> Option<&mut Held> {
        let of_kind = self.known.get_mut(&(key.doer, key.kind))?;
        let place = of_kind.binary_search_by(|held| held.order(key)).ok()?;
        of_kind.get_mut(place)
    }

    /// Records a deed, of which `make` gives a new one, if there is room; returns by how many bytes the deeds grew. Doers
    /// that are not confirmed get half of the room: anybody can forge them. `change` returns whether anything changed, and
    /// by how many bytes the deed grew.
    fn record(
        &mut self,
        key: &DeedKey,
        is_confirmed: impl FnOnce() -> bool,
        make: impl FnOnce() -> Deed,
        change: impl FnOnce(&mut Deed) -> (bool, isize),
    ) -> isize {
        if let Some(held) = self.get_mut(key) {
            let (changed, grown) = change(&mut held.deed);
            held.changed |= changed;
            self.changed |= changed;
            return grown;
        }
        let is_strange = !is_confirmed();
        let may_come = !is_strange || self.strange < DEEDS / 2;
        let before = self.len;
        let Some(left) = may_come.then(|| self.make_room(key)).flatten() else {
            self.refused += 1;
            return 0;
        };
        let deed = make();
        let bytes = deed.bytes();
        self.insert(key, deed);
        self.strange += usize::from(is_strange && self.len > before);
        self.changed = true;
        grown(left, bytes)
    }

    /// Adds a deed that is not held.
    fn insert(&mut self, key: &DeedKey, deed: Deed) {
        let DeedKey { doer, kind, peer, port, ref label } = *key;
        let of_kind = self.known.entry((doer, kind)).or_default();
        if let Err(place) = of_kind.binary_search_by(|held| held.order(key)) {
            if of_kind.is_empty() {
                // Most stations have one deed of a kind.
                of_kind.reserve_exact(1);
            }
            of_kind.insert(place, Held { peer, port, label: label.clone(), deed, changed: true });
            self.len += 1;
            *self.of_one.entry(doer).or_default() += 1;
        }
    }

    /// Makes room for a new deed if there may be, and returns the bytes of the deed that left for it: the largest one of the same
    /// station and kind leaves for a smaller one.
    fn make_room(&mut self, key: &DeedKey) -> Option<usize> {
        if let Some(of_kind) = self.known.get_mut(&(key.doer, key.kind))
            && of_kind.len() >= key.kind.most()
        {
            let largest = of_kind.pop_if(|largest| largest.order(key).is_gt())?;
            self.refused += 1;
            self.len -= 1;
            let of_one = self.of_one.entry(key.doer).or_default();
            *of_one = of_one.saturating_sub(1);
            return Some(largest.deed.bytes());
        }
        let of_one = self.of_one.get(&key.doer).copied().unwrap_or_default();
        (of_one < DEEDS_OF_ONE && self.len < DEEDS).then_some(0)
    }

    /// Deeds for which there was no room.
    pub(super) const fn refused(&self) -> u64 {
        self.refused
    }

    fn all(&self) -> impl Iterator<Item = (DeedKey, &Held)> {
        self.known.iter().flat_map(|(of, deeds)| deeds.iter().map(move |held| (held.key(*of), held)))
    }

    /// Takes what changed since the last call, up to `most` deeds.
    pub(super) fn take(&mut self, most: usize) -> Conduct {
        let mut out = Conduct::default();
        if !std::mem::take(&mut self.changed) {
            return out;
        }
        for (of, deeds) in &mut self.known {
            for held in deeds.iter_mut().filter(|held| held.changed) {
                if out.0.len() >= most {
                    self.changed = true;
                    return out;
                }
                held.changed = false;
                out.0.insert(held.key(*of), held.deed.clone());
            }
        }
        out
    }

    /// Makes deeds part of the next delta.
    pub(super) fn requeue(&mut self, delta: &Conduct) {
        for key in delta.0.keys() {
            if let Some(held) = self.get_mut(key) {
                held.changed = true;
                self.changed = true;
            }
        }
    }

    pub(super) fn requeue_all(&mut self) {
        self.known.values_mut().flatten().for_each(|held| held.changed = true);
        self.changed = self.len > 0;
    }

    /// Joins deeds of an earlier run; returns by how many bytes the deeds grew.
    pub(super) fn restore(&mut self, conduct: Conduct, pending: bool) -> isize {
        let mut bytes = 0_isize;
        for (key, deed) in conduct.0 {
            let merge = |known: &mut Deed| measured(known, |known| known.merge(&deed, key.kind));
            let more = self.record(&key, || true, || deed.clone(), merge);
            bytes = bytes.saturating_add(more);
            if !pending && let Some(held) = self.get_mut(&key) {
                held.changed = false;
            }
        }
        bytes
    }

    /// All deeds: those that wait for the next delta, or the others.
    pub(super) fn part(&self, pending: bool) -> Conduct {
        let of = self.all().filter(|(_, held)| held.changed == pending);
        Conduct(of.map(|(key, held)| (key, held.deed.clone())).collect())
    }

    pub(super) fn snapshot(&self) -> Conduct {
        Conduct(self.all().map(|(key, held)| (key, held.deed.clone())).collect())
    }

    pub(super) fn into_conduct(self) -> Conduct {
        let all = self.known.into_iter();
        Conduct(
            all.flat_map(|(of, deeds)| deeds.into_iter().map(move |held| (held.key(of), held.deed)))
                .collect(),
        )
    }
}

fn grown(before: usize, after: usize) -> isize {
    after.cast_signed().saturating_sub(before.cast_signed())
}

/// Changes a deed; returns what `change` does, and by how many bytes the deed grew.
fn measured(deed: &mut Deed, change: impl FnOnce(&mut Deed) -> bool) -> (bool, isize) {
    let before = deed.bytes();
    let changed = change(deed);
    (changed, grown(before, deed.bytes()))
}

/// The newest deeds that a worker saw.
#[derive(Debug)]
pub(super) struct Acts {
    slots: Vec<Option<Slot>>,
    gathered: Vec<Option<Box<Gathered>>>,
    /// Things that the table has, by a hash of them, their deed and their window.
    told: Vec<u64>,
    hasher: RandomState,
}

/// Things of one window that are not yet worth a deed ([`DeedKind::worth`]). Almost every device opens connections to the
/// Internet; those that open hundreds to one port of one host in five minutes are few.
#[derive(Debug)]
struct Gathered {
    /// Of the deed and the window.
    hash: u64,
    /// Each with its times; none once they became a deed.
    things: Vec<(Thing, Timestamp, Timestamp)>,
    is_deed: bool,
    /// How many acts with the same slot it outlives: more for one that is met again.
    credit: u32,
}

/// A deed in one window of crowds.
#[derive(Debug)]
struct Slot {
    hash: u64,
    tunnel: u16,
    key: DeedKey,
    first: Timestamp,
    last: Timestamp,
    /// Whether the table lacks it.
    is_news: bool,
}

impl Default for Acts {
    fn default() -> Self {
        Self {
            slots: (0..SLOTS).map(|_| None).collect(),
            gathered: (0..GATHERED).map(|_| None).collect(),
            told: vec![0; TOLD],
            hasher: RandomState::default(),
        }
    }
}

impl Acts {
    /// Notes what the station did at `at`.
    pub(super) fn add(&mut self, doer: CouplingKey, act: &Act<'_>, at: Timestamp, tunnels: &Tunnels<'_>) {
        if tunnels.within == CLOSED {
            return;
        }
        if act.kind.worth() > 1 {
            self.gather(doer, act, at, tunnels);
        } else {
            self.keep(doer, act, (at, at), tunnels);
        }
    }

    /// Gathers things until they are worth a deed, which then gets all of them.
    fn gather(&mut self, doer: CouplingKey, act: &Act<'_>, at: Timestamp, tunnels: &Tunnels<'_>) {
        /// Of each meeting.
        const CREDIT: u32 = 4;
        let Act { kind, peer, port, label, thing } = act;
        let Some(thing) = thing else { return };
        let window = at.0.div_euclid(CROWD_WINDOW);
        let hash = self.hasher.hash_one((tunnels.within, doer, kind, peer, port, label, window));
        #[expect(clippy::cast_possible_truncation, reason = "masked to the number of slots")]
        let Some(slot) = self.gathered.get_mut(hash as usize & (GATHERED - 1)) else { return };
        if let Some(other) = slot.as_mut().filter(|known| known.hash != hash && known.credit > 0) {
            other.credit -= 1;
            return;
        }
        let known = match slot {
            Some(known) if known.hash == hash => known,
            _ => slot.insert(Box::new(Gathered { hash, things: Vec::new(), is_deed: false, credit: 0 })),
        };
        known.credit = known.credit.saturating_add(CREDIT).min(64);
        if known.is_deed {
            self.keep(doer, act, (at, at), tunnels);
            return;
        }
        let new = thing.to_thing();
        match known.things.iter_mut().find(|(thing, ..)| *thing == new) {
            Some((_, first, last)) => (*first, *last) = (at.min(*first), at.max(*last)),
            None => known.things.push((new, at, at)),
        }
        if known.things.len() >= kind.worth() {
            known.is_deed = true;
            for (thing, first, last) in std::mem::take(&mut known.things) {
                self.keep(doer, &Act { thing: Some(act_thing(&thing)), ..*act }, (first, last), tunnels);
            }
        }
    }

    /// Keeps what was done from the first to the last of two times of one window.
    fn keep(
        &mut self,
        doer: CouplingKey,
        act: &Act<'_>,
        (first, last): (Timestamp, Timestamp),
        tunnels: &Tunnels<'_>,
    ) {
        let tunnel = tunnels.within;
        let Act { kind, peer, port, label, thing } = act;
        let hash = self.hasher.hash_one((tunnel, doer, kind, peer, port, label));
        #[expect(clippy::cast_possible_truncation, reason = "masked to the number of slots")]
        let Some(slot) = self.slots.get_mut(hash as usize & (SLOTS - 1)) else { return };
        let window = |at: Timestamp| at.0.div_euclid(CROWD_WINDOW);
        if let Some(known) = slot.as_mut().filter(|s| s.hash == hash && window(s.last) == window(last)) {
            if first < known.first || last > known.last {
                (known.first, known.last) = (known.first.min(first), known.last.max(last));
                known.is_news = true;
            }
        } else {
            let key = DeedKey { doer, kind: *kind, peer: *peer, port: *port, label: (*label).into() };
            let new = Slot { hash, tunnel, key, first, last, is_news: true };
            if let Some(old) = slot.replace(new) {
                old.merge_into(tunnels);
            }
        }
        if let (Some(thing), Some(slot), 1..) = (thing, slot, kind.enough()) {
            let hash = self.hasher.hash_one((hash, window(last), thing));
            #[expect(clippy::cast_possible_truncation, reason = "masked to the number of places")]
            let Some(told) = self.told.get_mut(hash as usize & (TOLD - 1)).filter(|told| **told != hash)
            else {
                return;
            };
            if slot.tell(first, last, Some(thing.to_thing()), tunnels) {
                *told = hash;
            }
        }
    }

    /// Tells the table what it lacks.
    pub(super) fn flush(&mut self, tunnels: &Tunnels<'_>) {
        for slot in self.slots.iter_mut().flatten() {
            slot.merge_into(tunnels);
            slot.is_news = false;
        }
    }
}

impl Slot {
    fn merge_into(&self, tunnels: &Tunnels<'_>) {
        if self.is_news {
            self.tell(self.first, self.last, None, tunnels);
        }
    }

    /// Tells the table of the deed, and returns whether the table holds it.
    fn tell(&self, first: Timestamp, last: Timestamp, thing: Option<Thing>, tunnels: &Tunnels<'_>) -> bool {
        let key = &self.key;
        let Some(recorder) = tunnels.recorder(self.tunnel) else { return false };
        let mut deeds = recorder.rows.deeds();
        let refused = deeds.refused;
        let bytes = deeds.record(
            key,
            || recorder.rows.is_confirmed(key.doer),
            || Deed::new(first, last, key.kind, thing.clone()),
            |deed| match &thing {
                Some(thing) => measured(deed, |deed| deed.add(first, last, key.kind, Some(thing))),
                // The things, which lie elsewhere, need not be fetched.
                None => (deed.add(first, last, key.kind, None), 0),
            },
        );
        let is_held = deeds.refused == refused;
        drop(deeds);
        recorder.table.budget.change(bytes);
        is_held
    }
}

/// A kept thing as an act has it.
fn act_thing(thing: &Thing) -> ActThing<'_> {
    match thing {
        Thing::Ip(ip) => ActThing::Ip(*ip),
        Thing::Port(port) => ActThing::Port(*port),
        Thing::Number(n) => ActThing::Number(*n),
        Thing::Text(text) => ActThing::Text(text),
    }
}

/// A thing as a dissector read it.
trait ToThing {
    fn to_thing(&self) -> Thing;
}

impl ToThing for ActThing<'_> {
    fn to_thing(&self) -> Thing {
        match *self {
            Self::Ip(ip) => Thing::Ip(ip),
            Self::Port(port) => Thing::Port(port),
            Self::Number(n) => Thing::Number(n),
            Self::Text(text) => Thing::Text(text.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::census::MacAddr;

    fn key(port: u16, kind: DeedKind) -> DeedKey {
        let doer = CouplingKey { mac: MacAddr([2, 0, 0, 0, 0, 1]), ip: [10, 0, 0, 1].into() };
        DeedKey { doer, kind, peer: None, port, label: "".into() }
    }

    fn add(deeds: &mut Deeds, key: &DeedKey, is_confirmed: bool) -> isize {
        let deed = || Deed::new(Timestamp(1), Timestamp(1), key.kind, Some(Thing::Port(key.port)));
        deeds.record(key, || is_confirmed, deed, |_| (false, 0))
    }

    #[test]
    fn the_smallest_deeds_of_a_kind_stay_in_whatever_order_they_come_and_leave_room_for_others() {
        let ports = |order: &mut dyn Iterator<Item = u16>| {
            let mut deeds = Deeds::default();
            let bytes: isize =
                order.map(|port| add(&mut deeds, &key(port, DeedKind::OpensHosts), true)).sum();
            let held: usize = deeds.all().map(|(_, held)| held.deed.bytes()).sum();
            assert_eq!(usize::try_from(bytes).unwrap(), held, "what left gives its memory back");
            assert!(add(&mut deeds, &key(1, DeedKind::Mines), true) > 0);
            deeds.into_conduct().0.into_keys().map(|key| key.port).collect::<Vec<u16>>()
        };
        let up = ports(&mut (0..200));
        assert_eq!(up, ports(&mut (0..200).rev()));
        assert_eq!(up.len(), DeedKind::OpensHosts.most() + 1);
    }

    #[test]
    fn a_deed_that_was_taken_comes_again_only_if_it_changes_or_could_not_be_delivered() {
        let mut deeds = Deeds::default();
        add(&mut deeds, &key(1, DeedKind::Mines), true);
        let delta = deeds.take(10);
        assert_eq!((delta.0.len(), deeds.take(10).0.len()), (1, 0));
        deeds.requeue(&delta);
        assert_eq!(deeds.take(10), delta);
    }
}
