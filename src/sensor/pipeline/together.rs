//! Sightings that go to the table together. A row of the table is far from the processor, and each lock lets nothing pass
//! it: so rows of one shard are looked up under one lock, and the processor fetches them side by side.

use std::hash::BuildHasher as _;
use std::hint::black_box;

use super::rows::Recorder;
use crate::census::{CouplingKey, Signs, Timestamp};
use crate::dissect::Tags;

/// The most sightings that go together.
pub(super) const TOGETHER: usize = 128;

/// Frames of a coupling; see [`Recorder::sight`].
#[derive(Clone, Copy, Debug)]
pub(super) struct Sighting {
    pub(super) key: CouplingKey,
    pub(super) first: Timestamp,
    pub(super) last: Timestamp,
    pub(super) signs: Signs,
    pub(super) tags: Tags,
}

impl Recorder<'_> {
    /// Records sightings, and takes them from the list.
    pub(super) fn sight_all(self, sightings: &mut Vec<Sighting>) {
        let couplings = &self.rows.couplings;
        let hashed = |sighting: Sighting| {
            let hash = couplings.hasher().hash_one(sighting.key);
            #[expect(clippy::cast_possible_truncation, reason = "as the map itself tells the shard")]
            let shard = couplings.determine_shard(hash as usize);
            (shard, hash, sighting)
        };
        let mut all: Vec<(usize, u64, Sighting)> = sightings.drain(..).map(hashed).collect();
        all.sort_unstable_by_key(|(shard, ..)| *shard);
        let mut new = Vec::new();
        for of_shard in all.chunk_by(|(a, ..), (b, ..)| a == b) {
            let Some((number, ..)) = of_shard.first() else { continue };
            let Some(shard) = couplings.shards().get(*number) else { continue };
            let mut rows = shard.write();
            let row = |(_, hash, sighting): &(usize, u64, Sighting)| {
                rows.get(*hash, |(key, _)| *key == sighting.key).map(|(_, row)| row.get())
            };
            // Loads that do not depend on each other run side by side.
            let mut found = [None; TOGETHER];
            found.iter_mut().zip(of_shard).for_each(|(found, sought)| *found = row(sought));
            black_box(found.iter().flatten().fold(0, |sum, row| sum ^ row.facts.last_seen.0));
            for (_, hash, sighting) in of_shard {
                match rows.get_mut(*hash, |(key, _)| *key == sighting.key) {
                    Some((_, row)) => row.get_mut().see(sighting),
                    None => new.push(*sighting),
                }
            }
        }
        for Sighting { key, first, last, signs, tags } in new {
            self.sight(key, first, last, signs, tags);
        }
    }
}
