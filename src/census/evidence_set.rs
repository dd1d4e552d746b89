//! The set of what one coupling or station said, bounded (I15).

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use smallvec::SmallVec;
use thin_vec::ThinVec;

use super::clamp::Clamp;
use super::evidence::{Evidence, Family, Field, clean};
use super::time::Timestamp;
use super::windows::{Windows, window};

/// Room in a set of evidence that is not given back.
const SPARE: usize = 4;
/// Values of one field that one coupling or station keeps: the smallest ones.
pub const VALUES_PER_FIELD: usize = 16;
/// Values of the fields of one family that one coupling or station keeps. The fields take turns, so that none of them
/// crowds out another; and one protocol never crowds out another.
const VALUES_PER_FAMILY: usize = 24;
/// So many values of one family stay, of whichever fields they are.
const UNBOUNDED: usize =
    if VALUES_PER_FIELD < VALUES_PER_FAMILY { VALUES_PER_FIELD } else { VALUES_PER_FAMILY };
/// Values of one field that stay beyond these bounds, because they were said in the window in which the field was first
/// said: the smallest ones. What a device says first is not crowded out by what is said later in its name (I15).
const FIRST_VALUES: usize = 2;

/// What one message adds: most say a few words, for which no memory need be asked.
type Few<T> = SmallVec<[T; 8]>;

/// A bounded set of evidence. Merging is a join: what stays at a bound depends on the values and on the window in which a
/// field was first said, so that neither order nor repetition matters (design, decision 1).
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(transparent)]
pub struct EvidenceSet(ThinVec<Evidence>);

impl EvidenceSet {
    /// Adds one value; returns whether the set changed. The value must have passed [`clean`](super::clean).
    pub fn add(&mut self, field: Field, value: &str, at: Timestamp) -> bool {
        self.join(&[Heard { field, value, at, windows: Windows::ONCE }], |_| value.into()).0
    }

    fn place(&self, field: Field, value: &str) -> Result<usize, usize> {
        self.0.binary_search_by(|e| (e.field, &*e.value).cmp(&(field, value)))
    }

    /// Adds what was said at `at`. Returns whether that changed anything, and how many values were dropped. `share` gets the
    /// new values that stay.
    pub fn add_all<'v>(
        &mut self,
        said: impl Iterator<Item = (Field, &'v str)>,
        at: Timestamp,
        share: impl Fn(&str) -> Arc<str>,
    ) -> (bool, u64) {
        let mut said: Few<(Field, &str)> = said.collect();
        said.sort_unstable();
        said.dedup();
        // No more of one field can stay.
        let first =
            said.chunk_by(|a, b| a.0 == b.0).flat_map(|of_field| of_field.iter().take(VALUES_PER_FIELD));
        let heard: Few<Heard<'_>> =
            first.map(|(field, value)| Heard { field: *field, value, at, windows: Windows::ONCE }).collect();
        let beyond = said.len() - heard.len();
        let (changed, dropped) = self.join(&heard, |heard| share(heard.value));
        (changed, (dropped + beyond) as u64)
    }

    /// Joins `other` into this set; returns whether the set changed.
    pub fn merge(&mut self, other: &Self) -> bool {
        if self.0.is_empty() {
            self.0.clone_from(&other.0);
            self.bound_all();
            return !self.0.is_empty();
        }
        let heard: Vec<Heard<'_>> = other.0.iter().map(Heard::from).collect();
        let own = |heard: &Heard<'_>| {
            let place = other.place(heard.field, heard.value);
            let known = place.ok().and_then(|i| other.0.get(i));
            known.map_or_else(|| heard.value.into(), |e| Arc::clone(&e.value))
        };
        self.join(&heard, own).0
    }

    /// Joins values, which are sorted by field and value. `own` makes the values that are new to the set and stay. Returns
    /// whether the set changed, and how many values were dropped.
    fn join(&mut self, said: &[Heard<'_>], own: impl Fn(&Heard<'_>) -> Arc<str>) -> (bool, usize) {
        let mut new: Few<&Heard<'_>> = Few::new();
        let mut told: Few<(&Heard<'_>, (Timestamp, Windows))> = Few::new();
        for heard in said {
            match self.place(heard.field, heard.value).map(|i| self.0.get_mut(i)) {
                Ok(Some(known)) => {
                    let before = (known.at, known.windows);
                    if known.heard(heard.at, heard.windows) {
                        told.push((heard, before));
                    }
                }
                Ok(None) | Err(_) => new.push(heard),
            }
        }
        // The other families keep their bounds.
        let mut families: Few<Family> =
            new.iter().copied().chain(told.iter().map(|t| t.0)).map(|h| h.field.family()).collect();
        families.sort_unstable();
        families.dedup();
        let (stayed, dropped) = self.bound(&families, &new, own);
        let changed = stayed
            || told.iter().any(|(heard, before)| {
                let known = self.place(heard.field, heard.value).ok().and_then(|i| self.0.get(i));
                known.is_some_and(|e| (e.at, e.windows) != *before)
            });
        (changed, dropped)
    }

    /// Drops the values at the places `gone`, and adds those that `stay`.
    fn replace(&mut self, mut gone: Vec<usize>, stay: Few<Evidence>) {
        if !gone.is_empty() {
            gone.sort_unstable();
            let (mut gone, mut places) = (gone.into_iter().peekable(), 0..);
            self.0.retain(|_| places.next().is_none_or(|place| gone.next_if_eq(&place).is_none()));
        }
        let len = self.0.len() + stay.len();
        if self.0.capacity() < len {
            // Evidence comes in rarely and stays for days: no more room than it needs.
            self.0.reserve_exact(stay.len());
        }
        for e in stay {
            let place = self.place(e.field, &e.value).unwrap_or_else(|place| place);
            self.0.insert(place, e);
        }
        if self.0.capacity() > len + SPARE {
            self.0.shrink_to_fit();
        }
    }

    fn bound_all(&mut self) {
        if self.0.len() <= VALUES_PER_FIELD {
            return;
        }
        let mut families: Vec<Family> = self.0.iter().map(|e| e.field.family()).collect();
        families.sort_unstable();
        families.dedup();
        self.bound(&families, &[], |heard| heard.value.into());
    }

    /// Adds those of `new`, sorted by field and value, that stay, and restores the bounds of `families`. Returns whether any
    /// of them stayed, and how many values were dropped.
    fn bound(
        &mut self,
        families: &[Family],
        new: &[&Heard<'_>],
        own: impl Fn(&Heard<'_>) -> Arc<str>,
    ) -> (bool, usize) {
        let mut dropped = 0;
        let mut gone: Vec<usize> = Vec::new();
        let mut stay: Few<Evidence> = Few::new();
        for family in families {
            let added = new.iter().filter(|h| h.field.family() == *family);
            let held = self.0.iter().filter(|e| e.field.family() == *family).count();
            if held + added.clone().count() <= UNBOUNDED {
                stay.extend(added.map(|heard| {
                    let Heard { field, at, windows, .. } = **heard;
                    Evidence { field, value: own(heard), at, windows }
                }));
                continue;
            }
            let known = self.0.iter().enumerate().filter(|(_, e)| e.field.family() == *family);
            // With its place in the set, if it has one.
            let mut all: Vec<(Heard<'_>, Option<usize>)> =
                known.map(|(place, e)| (Heard::from(e), Some(place))).collect();
            all.extend(added.map(|heard| (**heard, None)));
            if (1..all.len()).contains(&held) {
                all.sort_by_key(|(heard, _)| (heard.field, heard.value));
            }
            let mut shortened: Vec<usize> = Vec::new();
            for ((heard, place), fate) in all.iter().zip(fates(&all)) {
                match (place, fate) {
                    (Some(_), Fate::Stays) => {}
                    (Some(place), Fate::StaysAsFirst) => shortened.push(*place),
                    (Some(place), Fate::Goes) => gone.push(*place),
                    (None, Fate::Goes) => dropped += 1,
                    (None, fate) => {
                        let Heard { field, at, windows, .. } = *heard;
                        let windows = if fate == Fate::Stays { windows } else { windows.first_only() };
                        stay.push(Evidence { field, value: own(heard), at, windows });
                    }
                }
            }
            for place in shortened {
                if let Some(e) = self.0.get_mut(place) {
                    e.windows = e.windows.first_only();
                }
            }
        }
        dropped += gone.len();
        let stayed = !stay.is_empty();
        if stayed || !gone.is_empty() {
            self.replace(gone, stay);
        }
        (stayed, dropped)
    }

    /// Lets every value be the copy of it that `share` returns.
    pub fn share(&mut self, share: impl Fn(&str) -> Arc<str>) {
        self.0.iter_mut().for_each(|e| e.value = share(&e.value));
    }

    /// The evidence, sorted by field and value.
    pub fn iter(&self) -> std::slice::Iter<'_, Evidence> {
        self.0.iter()
    }

    /// The values of one field.
    pub fn values(&self, field: Field) -> impl Iterator<Item = &str> {
        self.0.iter().filter(move |e| e.field == field).map(|e| &*e.value)
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Drops what no frame before `as_of` said.
    pub fn retain_before(&mut self, as_of: Timestamp) {
        self.0.retain_mut(|e| {
            e.windows = e.windows.until(e.at, as_of);
            e.at < as_of
        });
    }

    /// The earliest instant at which something was said that `before` does not hold, or holds as said later.
    pub fn news(&self, before: &Self) -> Option<Timestamp> {
        let news = |e: &Evidence| {
            let place = before.0.binary_search_by(|k| k.order(e)).ok().and_then(|i| before.0.get(i));
            match place {
                Some(known) if known.at <= e.at => e.windows.news(known.windows, e.at),
                _ => Some(e.at),
            }
        };
        self.0.iter().filter_map(news).min()
    }

    /// Takes times later than the latest instant as that instant.
    pub(super) fn clamp(&mut self, clamp: &mut Clamp) {
        for e in &mut self.0 {
            e.windows = e.windows.clamp(e.at, clamp.latest());
            e.at = clamp.at(e.at);
        }
        // What stays at a bound depends on when a field was first said.
        if clamp.beyond().is_some() {
            self.bound_all();
        }
    }

    /// Restores order, bounds and cleanliness, as a set that came from outside may lack them.
    pub fn normalise(&mut self) {
        self.0.retain_mut(|e| match clean(e.value.as_bytes()) {
            Some(value) => {
                if value != *e.value {
                    e.value = value.into();
                }
                true
            }
            None => false,
        });
        self.0.sort_by(|a, b| a.order(b).then(a.at.cmp(&b.at)));
        self.0.dedup_by(|b, a| {
            let same = a.order(b).is_eq();
            if same {
                a.heard(b.at, b.windows);
            }
            same
        });
        self.bound_all();
    }
}

/// A value with when it was heard.
#[derive(Clone, Copy)]
struct Heard<'v> {
    field: Field,
    value: &'v str,
    at: Timestamp,
    windows: Windows,
}

impl<'v> From<&'v Evidence> for Heard<'v> {
    fn from(e: &'v Evidence) -> Self {
        Self { field: e.field, value: &e.value, at: e.at, windows: e.windows }
    }
}

/// What becomes of a value at the bounds of its family.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Fate {
    Stays,
    /// It stays because it was said when its field was first said. Only its times in that window are kept: the others may be
    /// lost if the value was dropped and came again.
    StaysAsFirst,
    Goes,
}

/// Which values of a family stay, of `all` in the order of fields and values.
///
/// Of each field the smallest values stay, as many as the field and, taking turns, the family may have. Which stay beyond
/// these depends on the window in which the field was first said.
fn fates(all: &[(Heard<'_>, Option<usize>)]) -> Vec<Fate> {
    let fields: Vec<&[_]> = all.chunk_by(|a, b| a.0.field == b.0.field).collect();
    let mut turns = vec![0; fields.len()];
    let mut left = VALUES_PER_FAMILY;
    for turn in 0..VALUES_PER_FIELD {
        for (turns, _) in turns.iter_mut().zip(&fields).filter(|(_, of)| of.len() > turn).take(left) {
            *turns += 1;
            left -= 1;
        }
    }
    let mut fates = Vec::with_capacity(all.len());
    for (of_field, turns) in fields.into_iter().zip(turns) {
        let first = of_field.iter().map(|(heard, _)| window(heard.at)).min();
        let mut early = 0;
        fates.extend(of_field.iter().enumerate().map(|(place, (heard, _))| {
            let is_first = Some(window(heard.at)) == first && early < FIRST_VALUES;
            early += usize::from(Some(window(heard.at)) == first);
            match (place < turns, is_first) {
                (true, _) => Fate::Stays,
                (false, true) => Fate::StaysAsFirst,
                (false, false) => Fate::Goes,
            }
        }));
    }
    fates
}

impl<'a> IntoIterator for &'a EvidenceSet {
    type Item = &'a Evidence;
    type IntoIter = std::slice::Iter<'a, Evidence>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::census::evidence::VALUE_BYTES;
    use crate::census::windows::WINDOW;

    #[test]
    fn a_set_from_outside_is_cleaned_ordered_and_bounded() {
        let wire = format!(
            r#"[{{"f":"http.server","v":"b\u001b[2J","t":9}},{{"f":"http.server","v":"{}","t":1}},{{"f":"http.server","v":"\u0000","t":1}},{{"f":"http.server","v":"b[2J","t":4}}]"#,
            "x".repeat(5_000)
        );
        let mut set: EvidenceSet = serde_json::from_str(&wire).unwrap();
        set.normalise();
        let found: Vec<(&str, i64)> = set.iter().map(|e| (&*e.value, e.at.0)).collect();
        assert_eq!(found, [("b[2J", 4), ("x".repeat(VALUE_BYTES).as_str(), 1)]);
    }

    #[test]
    fn a_full_field_keeps_its_smallest_values() {
        let mut set = EvidenceSet::default();
        for n in (0..40).rev() {
            set.add(Field::MdnsService, &format!("{n:02}"), Timestamp(n));
        }
        assert_eq!(set.len(), VALUES_PER_FIELD);
        assert_eq!(set.iter().next_back().unwrap().value.as_ref(), "15");
        assert!(!set.add(Field::MdnsService, "99", Timestamp(0)));
    }

    #[test]
    fn what_is_said_later_crowds_out_neither_another_protocol_nor_what_a_field_said_first() {
        let mut set = EvidenceSet::default();
        set.add(Field::LldpSysDescr, "honest", Timestamp(0));
        set.add(Field::DhcpVendorClass, "MSFT 5.0", Timestamp(0));
        set.add(Field::CdpPlatform, "honest", Timestamp(0));
        let neighbour = Field::ALL.iter().filter(|f| f.family() == Family::Neighbour);
        for field in neighbour {
            for n in 0..200 {
                set.add(*field, &format!("!{n:03}"), Timestamp(5 * WINDOW));
            }
        }
        for (field, value) in [
            (Field::LldpSysDescr, "honest"),
            (Field::DhcpVendorClass, "MSFT 5.0"),
            (Field::CdpPlatform, "honest"),
        ] {
            assert!(set.values(field).any(|v| v == value), "{field}");
        }
        let fields = Field::ALL.iter().filter(|f| f.family() == Family::Neighbour).count();
        assert!(set.len() <= VALUES_PER_FAMILY + 1 + fields * FIRST_VALUES);
    }

    proptest! {
        #[test]
        fn a_full_set_is_the_same_in_any_order_and_partition(
            said in prop::collection::vec((0..4_usize, 0..60_u32, 0..60_i64), 60..200), cut in 0..200_usize
        ) {
            const FIELDS: [Field; 4] =
                [Field::LldpSysDescr, Field::LldpSysName, Field::CdpPlatform, Field::DnsQuery];
            let all = |said: &[(usize, u32, i64)]| {
                let mut set = EvidenceSet::default();
                for (field, n, at) in said {
                    set.add(FIELDS[*field], &format!("{n:02}"), Timestamp(at * WINDOW / 3));
                }
                set
            };
            let whole = all(&said);
            let mut backwards = said.clone();
            backwards.reverse();
            prop_assert_eq!(&all(&backwards), &whole);
            let (a, b) = said.split_at(cut.min(said.len()));
            let (mut joined, other) = (all(a), all(b));
            joined.merge(&other);
            prop_assert_eq!(&joined, &whole);
            prop_assert!(!joined.merge(&other));
            let mut read = whole.clone();
            read.normalise();
            prop_assert_eq!(read, whole);
        }
    }
}
