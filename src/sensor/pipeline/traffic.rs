//! How much of the frames of an interface each tunnel carries (I13). All workers of an interface share it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::table::TunnelRows;
use crate::census::time::MINUTE;
use crate::census::{Timestamp, TunnelKey, TunnelMarks};

/// Minutes of frames that are remembered: a day. The newest stay.
const MINUTES: usize = 1_440;
/// A live capture judges from this many frames on.
const ENOUGH: u64 = 1_000;

/// The frames of an interface or a capture, as one of its workers knows them.
#[derive(Clone, Debug)]
pub(crate) struct Traffic {
    amounts: Arc<Mutex<Amounts>>,
    /// The number of the worker.
    worker: usize,
}

#[derive(Debug)]
struct Amounts {
    frames: Minutes,
    tunnels: BTreeMap<Vec<TunnelKey>, Carried>,
    /// Which workers told of their frames since the last judgement: a part of them would mislead.
    told: Vec<bool>,
}

/// What a tunnel carries.
#[derive(Debug)]
struct Carried {
    rows: Arc<TunnelRows>,
    frames: Minutes,
    is_majority: bool,
}

impl Traffic {
    /// That of a worker which has all frames.
    pub(super) fn alone() -> Self {
        Self { amounts: Amounts::of(1), worker: 0 }
    }

    /// One for each of so many workers.
    pub(crate) fn of(workers: usize) -> impl Iterator<Item = Self> {
        let amounts = Amounts::of(workers);
        (0..workers).map(move |worker| Self { amounts: Arc::clone(&amounts), worker })
    }

    /// Adds the frames of a worker that came since the last time, and those of its tunnels. A live capture judges once all
    /// workers did so.
    pub(super) fn take<'a>(
        &self,
        frames: &mut Minutes,
        tunnels: impl Iterator<Item = (&'a [TunnelKey], &'a Arc<TunnelRows>, &'a mut Minutes)>,
    ) {
        let mut amounts = self.amounts();
        amounts.frames.take(frames);
        for (path, rows, frames) in tunnels {
            match amounts.tunnels.get_mut(path) {
                Some(carried) => carried.frames.take(frames),
                None => {
                    let mut carried =
                        Carried { rows: Arc::clone(rows), frames: Minutes::default(), is_majority: false };
                    carried.frames.take(frames);
                    amounts.tunnels.insert(path.to_vec(), carried);
                }
            }
        }
        if let Some(told) = amounts.told.get_mut(self.worker) {
            *told = true;
        }
        if amounts.told.iter().all(|told| *told) && amounts.frames.sum >= ENOUGH {
            amounts.judge();
        }
    }

    /// Judges at the end of a capture, however few frames it has.
    pub(crate) fn end(&self) {
        self.amounts().judge();
    }

    fn amounts(&self) -> MutexGuard<'_, Amounts> {
        self.amounts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Amounts {
    fn of(workers: usize) -> Arc<Mutex<Self>> {
        let told = vec![false; workers];
        Arc::new(Mutex::new(Self { frames: Minutes::default(), tunnels: BTreeMap::new(), told }))
    }

    /// Marks the tunnels that carry at least half of the frames, in at least half of the minutes too, so that a burst does
    /// not.
    fn judge(&mut self) {
        let Self { frames, tunnels, told } = self;
        told.fill(false);
        for carried in tunnels.values_mut().filter(|carried| !carried.is_majority) {
            if carried.frames.sum * 2 >= frames.sum && carried.frames.leads(frames) {
                carried.is_majority = true;
                carried.rows.mark(TunnelMarks { majority: true, ..TunnelMarks::default() });
            }
        }
    }
}

/// Numbers of frames by minute.
#[derive(Debug, Default)]
pub(super) struct Minutes {
    /// The start of the present minute, and its frames.
    present: (Timestamp, u64),
    earlier: BTreeMap<Timestamp, u64>,
    /// The frames of all minutes that are remembered.
    sum: u64,
}

impl Minutes {
    #[inline]
    pub(super) fn add(&mut self, at: Timestamp) {
        self.sum += 1;
        if at.since(self.present.0).cast_unsigned() < MINUTE.cast_unsigned() {
            self.present.1 += 1;
        } else {
            self.turn(at);
        }
    }

    #[cold]
    fn turn(&mut self, at: Timestamp) {
        self.settle();
        let start = Timestamp(at.0.div_euclid(MINUTE).saturating_mul(MINUTE));
        self.present = (start, 1);
    }

    fn settle(&mut self) {
        let (start, frames) = self.present;
        if frames > 0 {
            *self.earlier.entry(start).or_default() += frames;
            self.present.1 = 0;
        }
        if self.earlier.len() > MINUTES
            && let Some((_, oldest)) = self.earlier.pop_first()
        {
            self.sum -= oldest;
        }
    }

    fn of(&self, start: Timestamp) -> u64 {
        let present = if self.present.0 == start { self.present.1 } else { 0 };
        present + self.earlier.get(&start).copied().unwrap_or_default()
    }

    /// Moves the frames of `other` here.
    fn take(&mut self, other: &mut Self) {
        other.settle();
        for (start, frames) in std::mem::take(&mut other.earlier) {
            self.settle();
            self.present = (start, frames);
            self.sum += frames;
        }
        other.sum = 0;
    }

    /// Whether these are half of `all` in half of the minutes.
    fn leads(&self, all: &Self) -> bool {
        let present =
            Some(all.present.0).filter(|start| all.present.1 > 0 && !all.earlier.contains_key(start));
        let minutes = || all.earlier.keys().copied().chain(present);
        let led = minutes().filter(|start| self.of(*start) * 2 >= all.of(*start)).count();
        led * 2 >= minutes().count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::census::{CouplingKey, MacAddr};
    use crate::sensor::pipeline::table::Table;

    fn frames(number: u32) -> Minutes {
        let mut frames = Minutes::default();
        (0..number).for_each(|n| frames.add(Timestamp(i64::from(n) * 1_000)));
        frames
    }

    #[test]
    fn a_tunnel_is_judged_by_the_frames_of_all_workers() {
        // What the other worker hears beside 1,000 frames of which the tunnel carries 900.
        for (others, is_majority) in [(700, true), (900, false)] {
            let table = Table::new(9);
            let path = [CouplingKey { mac: MacAddr([2, 0, 0, 0, 0, 1]), ip: [192, 0, 2, 1].into() }];
            let rows = table.tunnel(&path).unwrap();
            let shares: Vec<_> = Traffic::of(2).collect();
            let mut carried = frames(900);
            shares[0].take(&mut frames(1_000), [(&path[..], &rows, &mut carried)].into_iter());
            let marks = || table.snapshot().tunnels.values().next().unwrap().marks;
            assert!(!marks().majority, "a part of the workers does not judge");
            shares[1].take(&mut frames(others), std::iter::empty());
            assert_eq!(marks().majority, is_majority, "{others}");
        }
    }
}
