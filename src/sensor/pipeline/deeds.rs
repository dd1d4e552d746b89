//! Deeds on their way into the table: what a worker saw done, and what the table holds of it.
//!
//! Most deeds repeat: a printer opens the same port of the same server all day. A worker keeps the newest of them in slots,
//! and the table hears of each once a second and window. Of each thing of a crowd, it hears once a window.

use std::collections::{BTreeMap, HashMap};
use std::hash::BuildHasher as _;

use foldhash::fast::RandomState;

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
    known: BTreeMap<DeedKey, (Deed, bool)>,
    /// How many there are of a station and kind, and of a station.
    of_kind: HashMap<(CouplingKey, DeedKind), usize, RandomState>,
    of_one: HashMap<CouplingKey, usize, RandomState>,
    /// Deeds of doers that are not confirmed.
    strange: usize,
    refused: u64,
    /// Whether a deed waits for the next delta.
    changed: bool,
}

impl Deeds {
    /// Records a deed, of which `make` gives a new one, if there is room; returns by how many bytes the deeds grew. Doers
    /// that are not confirmed get half of the room: anybody can forge them.
    fn record(
        &mut self,
        key: &DeedKey,
        is_confirmed: impl FnOnce() -> bool,
        make: impl FnOnce() -> Deed,
        change: impl FnOnce(&mut Deed) -> bool,
    ) -> isize {
        let grown = |before: usize, after: usize| after.cast_signed().saturating_sub(before.cast_signed());
        // To ask whether the doer has any costs less than to look for one, and of a flood of doers most have none.
        if self.of_one.contains_key(&key.doer)
            && let Some((deed, changed)) = self.known.get_mut(key)
        {
            let before = deed.bytes();
            if change(deed) {
                *changed = true;
                self.changed = true;
            }
            return grown(before, deed.bytes());
        }
        let is_strange = !is_confirmed();
        let may_come = !is_strange || self.strange < DEEDS / 2;
        let before = self.known.len();
        let Some(left) = may_come.then(|| self.make_room(key)).flatten() else {
            self.refused += 1;
            return 0;
        };
        let deed = make();
        let bytes = deed.bytes();
        self.known.insert(key.clone(), (deed, true));
        self.strange += usize::from(is_strange && self.known.len() > before);
        self.count(key, |n| n + 1);
        self.changed = true;
        grown(left, bytes)
    }

    /// Makes room for a new deed if there may be, and returns the bytes of the deed that left for it: the largest one of the same
    /// station and kind leaves for a smaller one.
    fn make_room(&mut self, key: &DeedKey) -> Option<usize> {
        let of_kind = self.of_kind.get(&(key.doer, key.kind)).copied().unwrap_or_default();
        if of_kind >= key.kind.most() {
            let last = Some(last_of(key)).filter(|last| key <= last)?;
            let largest = self.known.range(key..=&last).next_back()?.0.clone();
            self.refused += 1;
            let left = self.known.remove(&largest).map_or(0, |(deed, _)| deed.bytes());
            self.count(key, |n| n.saturating_sub(1));
            return Some(left);
        }
        let of_one = self.of_one.get(&key.doer).copied().unwrap_or_default();
        (of_one < DEEDS_OF_ONE && self.known.len() < DEEDS).then_some(0)
    }

    /// Counts the deeds of a station, so that to ask for their number costs the same however many there are.
    fn count(&mut self, key: &DeedKey, change: impl Fn(usize) -> usize) {
        let of_kind = self.of_kind.entry((key.doer, key.kind)).or_default();
        *of_kind = change(*of_kind);
        let of_one = self.of_one.entry(key.doer).or_default();
        *of_one = change(*of_one);
    }

    /// Deeds for which there was no room.
    pub(super) const fn refused(&self) -> u64 {
        self.refused
    }

    /// Takes what changed since the last call, up to `most` deeds.
    pub(super) fn take(&mut self, most: usize) -> Conduct {
        let mut out = Conduct::default();
        if !std::mem::take(&mut self.changed) {
            return out;
        }
        for (key, (deed, changed)) in self.known.iter_mut().filter(|(_, (_, changed))| *changed) {
            if out.0.len() >= most {
                self.changed = true;
                break;
            }
            *changed = false;
            out.0.insert(key.clone(), deed.clone());
        }
        out
    }

    /// Makes deeds part of the next delta.
    pub(super) fn requeue(&mut self, delta: &Conduct) {
        for key in delta.0.keys() {
            if let Some((_, changed)) = self.known.get_mut(key) {
                *changed = true;
                self.changed = true;
            }
        }
    }

    pub(super) fn requeue_all(&mut self) {
        self.known.values_mut().for_each(|(_, changed)| *changed = true);
        self.changed = !self.known.is_empty();
    }

    /// Joins deeds of an earlier run; returns by how many bytes the deeds grew.
    pub(super) fn restore(&mut self, conduct: Conduct, pending: bool) -> isize {
        let mut bytes = 0_isize;
        for (key, deed) in conduct.0 {
            let grown = self.record(&key, || true, || deed.clone(), |known| known.merge(&deed, key.kind));
            bytes = bytes.saturating_add(grown);
            if !pending && let Some((_, changed)) = self.known.get_mut(&key) {
                *changed = false;
            }
        }
        bytes
    }

    /// All deeds: those that wait for the next delta, or the others.
    pub(super) fn part(&self, pending: bool) -> Conduct {
        let of = self.known.iter().filter(|(_, (_, changed))| *changed == pending);
        Conduct(of.map(|(key, (deed, _))| (key.clone(), deed.clone())).collect())
    }

    pub(super) fn snapshot(&self) -> Conduct {
        Conduct(self.known.iter().map(|(key, (deed, _))| (key.clone(), deed.clone())).collect())
    }

    pub(super) fn into_conduct(self) -> Conduct {
        Conduct(self.known.into_iter().map(|(key, (deed, _))| (key, deed)).collect())
    }
}

/// The largest key that a deed of the same station and kind may have.
fn last_of(key: &DeedKey) -> DeedKey {
    let peer = Some(std::net::Ipv6Addr::from_bits(u128::MAX).into());
    DeedKey { doer: key.doer, kind: key.kind, peer, port: u16::MAX, label: char::MAX.to_string().into() }
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
            |deed| deed.add(first, last, key.kind, thing.as_ref()),
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
        deeds.record(key, || is_confirmed, deed, |_| false)
    }

    #[test]
    fn the_smallest_deeds_of_a_kind_stay_in_whatever_order_they_come_and_leave_room_for_others() {
        let ports = |order: &mut dyn Iterator<Item = u16>| {
            let mut deeds = Deeds::default();
            let bytes: isize =
                order.map(|port| add(&mut deeds, &key(port, DeedKind::OpensHosts), true)).sum();
            let held: usize = deeds.known.values().map(|(deed, _)| deed.bytes()).sum();
            assert_eq!(usize::try_from(bytes).unwrap(), held, "what left gives its memory back");
            assert!(add(&mut deeds, &key(1, DeedKind::Mines), true) > 0);
            deeds.known.into_keys().map(|key| key.port).collect::<Vec<u16>>()
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
