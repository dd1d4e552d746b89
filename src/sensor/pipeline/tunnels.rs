//! The tunnels of one worker: which one the present facts come from, and how much of the interface's frames each carries
//! (I13).

use std::collections::HashMap;
use std::sync::Arc;

use foldhash::fast::RandomState;
use smallvec::SmallVec;

use super::rows::Recorder;
use super::stretch::Recent;
use super::table::{Table, TunnelRows};
use super::traffic::{Minutes, Traffic};
use crate::census::{Timestamp, TunnelKey, TunnelKind, TunnelKinds, TunnelMarks};

/// The number of the link itself.
pub(super) const LINK: u16 = 0;
/// The number of a tunnel for which there is no room: what it carries is dropped.
pub(super) const CLOSED: u16 = u16::MAX;

#[derive(Debug)]
pub(super) struct Tunnels<'t> {
    table: &'t Table,
    traffic: Traffic,
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
    frames: Minutes,
    stretches: Recent,
}

impl<'t> Tunnels<'t> {
    pub(super) fn new(table: &'t Table, traffic: Traffic) -> Self {
        Self {
            table,
            traffic,
            known: Vec::new(),
            numbers: HashMap::default(),
            within: LINK,
            around: SmallVec::new(),
            frames: Minutes::default(),
        }
    }

    /// Those of a worker that is the only one.
    #[cfg(test)]
    pub(super) fn alone(table: &'t Table) -> Self {
        Self::new(table, Traffic::alone())
    }

    /// Judges which tunnels carry most of a capture, at its end.
    pub(super) fn end(&self) {
        self.traffic.end();
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
        self.known.push(Known { path, rows, kinds, frames, stretches });
        self.numbers.insert(name, number);
        number
    }

    fn place(&mut self, number: u16) -> Option<&mut Known> {
        self.known.get_mut(usize::from(number).checked_sub(1)?)
    }

    /// Merges the times of frames into the table.
    pub(super) fn flush(&mut self) {
        for known in &mut self.known {
            known.stretches.merge_into(self.table.in_tunnel(&known.rows));
        }
        let tunnels = self.known.iter_mut().map(|known| (&known.path[..], &known.rows, &mut known.frames));
        self.traffic.take(&mut self.frames, tunnels);
    }
}
