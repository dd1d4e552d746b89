//! The set of what one coupling or station said, bounded (I15).

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use thin_vec::ThinVec;

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
/// Values of one field that stay beyond these bounds, because they were said in the window in which the field was first
/// said: the smallest ones. What a device says first is not crowded out by what is said later in its name (I15).
const FIRST_VALUES: usize = 2;

/// A bounded set of evidence. Merging is a join: what stays at a bound depends on the values and on the window in which a
/// field was first said, so that neither order nor repetition matters (design, decision 1).
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(transparent)]
pub struct EvidenceSet(ThinVec<Evidence>);

impl EvidenceSet {
    /// Adds one value; returns whether the set changed. The value must have passed [`clean`](super::clean).
    pub fn add(&mut self, field: Field, value: &str, at: Timestamp) -> bool {
        self.add_heard(field, value, (at, Windows::ONCE), || value.into())
    }

    /// Adds one value, which `own` makes if it is new to the set; returns whether the set changed.
    fn add_heard(
        &mut self,
        field: Field,
        value: &str,
        (at, windows): (Timestamp, Windows),
        own: impl FnOnce() -> Arc<str>,
    ) -> bool {
        let known = self.place(field, value);
        let told = known.ok().and_then(|i| self.0.get(i)).map(|e| (e.at, e.windows));
        match known {
            Ok(i) => {
                if !self.0.get_mut(i).is_some_and(|e| e.heard(at, windows)) {
                    return false;
                }
            }
            Err(i) => {
                if self.0.len() == self.0.capacity() {
                    // Evidence comes in rarely and stays for days: room for one more, not for twice as many.
                    self.0.reserve_exact(1);
                }
                self.0.insert(i, Evidence { field, value: own(), at, windows });
            }
        }
        self.bound(field.family());
        let now = self.place(field, value).ok().and_then(|i| self.0.get(i)).map(|e| (e.at, e.windows));
        now != told
    }

    fn place(&self, field: Field, value: &str) -> Result<usize, usize> {
        self.0.binary_search_by(|e| (e.field, &*e.value).cmp(&(field, value)))
    }

    /// Adds what was said at `at`, as if each value were added alone, but restores the bounds only once. Returns whether
    /// that changed anything, and how many values were dropped. `share` gets the new values that stay.
    pub fn add_all<'v>(
        &mut self,
        said: impl Iterator<Item = (Field, &'v str)>,
        at: Timestamp,
        share: impl Fn(&str) -> Arc<str>,
    ) -> (bool, u64) {
        let mut said: Vec<(Field, &str)> = said.collect();
        said.sort_unstable();
        said.dedup();
        let (mut changed, mut added, mut dropped) = (false, false, 0);
        for of_field in said.chunk_by(|a, b| a.0 == b.0) {
            // No more than these can stay.
            let (first, rest) = of_field.split_at_checked(VALUES_PER_FIELD).unwrap_or((of_field, &[]));
            for (field, value) in first {
                match self.place(*field, value) {
                    Ok(i) => changed |= self.0.get_mut(i).is_some_and(|known| known.heard(at, Windows::ONCE)),
                    Err(i) => {
                        self.0.insert(i, Evidence::new(*field, *value, at));
                        added = true;
                    }
                }
            }
            dropped += rest.len();
        }
        if !added && !changed {
            return (false, dropped as u64);
        }
        let before = self.0.len();
        self.bound_all();
        dropped += before - self.0.len();
        // A value that nobody else has is new, or did not find room among the shared ones.
        for new in self.0.iter_mut().filter(|e| e.at == at && Arc::strong_count(&e.value) == 1) {
            new.value = share(&new.value);
            changed = true;
        }
        if self.0.capacity() > self.0.len() + SPARE {
            // Evidence comes in rarely and stays for days.
            self.0.shrink_to_fit();
        }
        (changed, dropped as u64)
    }

    /// Joins `other` into this set; returns whether the set changed.
    pub fn merge(&mut self, other: &Self) -> bool {
        let mut changed = false;
        if self.0.is_empty() {
            self.0.clone_from(&other.0);
            self.bound_all();
            return !self.0.is_empty();
        }
        for e in &other.0 {
            changed |= self.add_heard(e.field, &e.value, (e.at, e.windows), || Arc::clone(&e.value));
        }
        changed
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

    fn bound_all(&mut self) {
        if self.0.len() <= VALUES_PER_FIELD {
            return;
        }
        let mut families: Vec<Family> = self.0.iter().map(|e| e.field.family()).collect();
        families.sort_unstable();
        families.dedup();
        families.into_iter().for_each(|family| self.bound(family));
    }

    /// Keeps the bounds of one family.
    ///
    /// Of each field the smallest values stay, as many as the field and, taking turns, the family may have. Which stay
    /// beyond these depends on the window in which the field was first said. Of their times, only those in that window
    /// are kept: the others may be lost whenever a value was dropped and came again.
    fn bound(&mut self, family: Family) {
        let within = |e: &&Evidence| e.field.family() == family;
        if self.0.iter().filter(within).count() <= VALUES_PER_FIELD.min(VALUES_PER_FAMILY) {
            return;
        }
        let mut turns: Vec<(usize, Field)> = Vec::new();
        let mut firsts: Vec<(Field, i64)> = Vec::new();
        for said in self.0.chunk_by(|a, b| a.field == b.field).filter(|s| s.iter().any(|e| within(&e))) {
            let Some(field) = said.first().map(|e| e.field) else { continue };
            turns.extend((0..said.len().min(VALUES_PER_FIELD)).map(|turn| (turn, field)));
            firsts.extend(said.iter().map(|e| window(e.at)).min().map(|first| (field, first)));
        }
        turns.sort_unstable();
        turns.truncate(VALUES_PER_FAMILY);
        let (mut field, mut place, mut first, mut early) = (None, 0, 0, 0);
        self.0.retain_mut(|e| {
            if e.field.family() != family {
                return true;
            }
            if field != Some(e.field) {
                first = firsts.iter().find(|(f, _)| *f == e.field).map_or(0, |(_, first)| *first);
                (field, place, early) = (Some(e.field), 0, 0);
            }
            let has_turn = turns.binary_search(&(place, e.field)).is_ok();
            place += 1;
            let is_first = window(e.at) == first && early < FIRST_VALUES;
            early += usize::from(window(e.at) == first);
            if !has_turn && is_first {
                e.windows = e.windows.first_only();
            }
            has_turn || is_first
        });
    }
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
