//! The tunnels of one worker: which one the present facts come from, and how much of the interface's frames each carries
//! (I13).

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use foldhash::fast::RandomState;
use smallvec::SmallVec;

use super::rows::Recorder;
use super::stretch::Recent;
use super::table::{Table, TunnelRows};
use crate::census::time::MINUTE;
use crate::census::{Timestamp, TunnelKey, TunnelKind, TunnelKinds, TunnelMarks};

/// The number of the link itself.
pub(super) const LINK: u16 = 0;
/// The number of a tunnel for which there is no room: what it carries is dropped.
pub(super) const CLOSED: u16 = u16::MAX;
/// Minutes of frames that are remembered: a day. The newest stay.
const MINUTES: usize = 1_440;
/// A live capture judges from this many frames on.
const ENOUGH: u64 = 1_000;

#[derive(Debug)]
pub(super) struct Tunnels<'t> {
    table: &'t Table,
    /// The tunnel with the number n is at n - 1.
    known: Vec<Known>,
    /// By the number of the tunnel around it and the source of its packets.
    numbers: HashMap<(u16, TunnelKey), u16, RandomState>,
    /// The number of the tunnel that the present facts come from.
    pub(super) within: u16,
    /// The numbers of those around it.
    around: SmallVec<[u16; 8]>,
    frames: Minutes,
}

#[derive(Debug)]
struct Known {
    path: Vec<TunnelKey>,
    rows: Arc<TunnelRows>,
    kinds: TunnelKinds,
    is_majority: bool,
    frames: Minutes,
    stretches: Recent,
}

impl<'t> Tunnels<'t> {
    pub(super) fn new(table: &'t Table) -> Self {
        Self {
            table,
            known: Vec::new(),
            numbers: HashMap::default(),
            within: LINK,
            around: SmallVec::new(),
            frames: Minutes::default(),
        }
    }

    /// Counts a frame of the interface.
    #[inline]
    pub(super) fn frame(&mut self, at: Timestamp) {
        self.frames.add(at);
    }

    /// The facts up to [`Self::leave`] come from inside a tunnel.
    pub(super) fn enter(&mut self, outer: TunnelKey, kind: TunnelKind, at: Timestamp) {
        let number = self.number(outer);
        self.around.push(self.within);
        self.within = number;
        match self.place(number) {
            Some(known) => {
                if !known.kinds.has(kind) {
                    known.kinds = known.kinds.union(kind.into());
                    known.rows.mark(TunnelMarks { kinds: known.kinds, ..TunnelMarks::default() });
                }
                known.frames.add(at);
                known.stretches.add(at);
            }
            None => self.table.leave_closed(),
        }
    }

    pub(super) fn leave(&mut self) {
        self.within = self.around.pop().unwrap_or(LINK);
    }

    /// Forgets where a dissector was that panicked.
    pub(super) fn reset(&mut self) {
        self.within = LINK;
        self.around.clear();
    }

    /// Counts memory that a worker wants to hold couplings in; returns whether the table has it.
    pub(super) fn lend(&self, bytes: usize) -> bool {
        self.table.budget.lend(bytes)
    }

    /// Where the facts of a tunnel go; `None` if there is no room for it.
    #[inline]
    pub(super) fn recorder(&self, number: u16) -> Option<Recorder<'_>> {
        if number == LINK {
            return Some(self.table.on_link());
        }
        let known = self.known.get(usize::from(number) - 1)?;
        Some(self.table.in_tunnel(&known.rows))
    }

    /// The number of the tunnel from `outer` inside the present one.
    fn number(&mut self, outer: TunnelKey) -> u16 {
        if self.within == CLOSED {
            return CLOSED;
        }
        let name = (self.within, outer);
        if let Some(number) = self.numbers.get(&name) {
            return *number;
        }
        let around = self.place(self.within).map(|known| known.path.clone()).unwrap_or_default();
        let path = [&around[..], &[outer]].concat();
        let (Some(rows), Ok(number)) = (self.table.tunnel(&path), u16::try_from(self.known.len() + 1)) else {
            return CLOSED;
        };
        let (frames, stretches) = (Minutes::default(), Recent::default());
        let kinds = TunnelKinds::default();
        self.known.push(Known { path, rows, kinds, is_majority: false, frames, stretches });
        self.numbers.insert(name, number);
        number
    }

    fn place(&mut self, number: u16) -> Option<&mut Known> {
        self.known.get_mut(usize::from(number).checked_sub(1)?)
    }

    /// Marks the tunnels that carry at least half of the interface's frames, in at least half of the minutes too, so that
    /// a burst does not. A live capture judges only once it has seen enough, a replay at its `end`.
    pub(super) fn judge(&mut self, end: bool) {
        if !end && self.frames.sum < ENOUGH {
            return;
        }
        for known in self.known.iter_mut().filter(|known| !known.is_majority) {
            if known.frames.sum * 2 >= self.frames.sum && known.frames.leads(&self.frames) {
                known.is_majority = true;
                known.rows.mark(TunnelMarks { majority: true, ..TunnelMarks::default() });
            }
        }
    }

    /// Merges the times of frames into the table.
    pub(super) fn flush(&mut self) {
        for known in &mut self.known {
            known.stretches.merge_into(self.table.in_tunnel(&known.rows));
        }
    }
}

/// Numbers of frames by minute.
#[derive(Debug, Default)]
struct Minutes {
    /// The start of the present minute, and its frames.
    present: (Timestamp, u64),
    earlier: BTreeMap<Timestamp, u64>,
    /// The frames of all minutes that are remembered.
    sum: u64,
}

impl Minutes {
    #[inline]
    fn add(&mut self, at: Timestamp) {
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

    /// Whether these are half of `all` in half of the minutes.
    fn leads(&self, all: &Self) -> bool {
        let present =
            Some(all.present.0).filter(|start| all.present.1 > 0 && !all.earlier.contains_key(start));
        let minutes = || all.earlier.keys().copied().chain(present);
        let led = minutes().filter(|start| self.of(*start) * 2 >= all.of(*start)).count();
        led * 2 >= minutes().count()
    }
}
