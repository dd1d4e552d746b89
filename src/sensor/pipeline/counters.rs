//! What a worker counts.

use std::collections::BTreeMap;

use crate::census::{MostlyUnread, Timestamp, Unread};
use crate::dissect::{Anomaly, Malformed};
use crate::wire::CaptureSummary;

/// Totals since the worker started.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Counters {
    pub frames: u64,
    /// Bytes on the wire.
    pub bytes: u64,
    /// Frames with a malformed part.
    pub malformed_frames: u64,
    /// Frames that a mirror copied twice: equal within 50 ms, apart from what a router or switch changes in an IP packet
    /// (MACs, tags and trailers, TTL, header checksum).
    pub duplicates: u64,
    /// Panics in dissectors. Each is a defect and costs one frame.
    pub panics: u64,
    /// Malformed parts by protocol and reason.
    pub malformed: BTreeMap<Malformed, u64>,
    pub anomalies: BTreeMap<Anomaly, u64>,
    pub unread: Unread,
    pub first: Option<Timestamp>,
    pub last: Option<Timestamp>,
}

impl Counters {
    /// The judgement on the capture, if most of it was not understood.
    pub fn mostly_unread(&self) -> Option<MostlyUnread> {
        self.unread.judge(self.frames, self.bytes)
    }

    /// Adds the totals of another worker.
    pub fn add(&mut self, other: &Self) {
        self.frames += other.frames;
        self.bytes += other.bytes;
        self.malformed_frames += other.malformed_frames;
        self.duplicates += other.duplicates;
        self.panics += other.panics;
        for (what, n) in &other.malformed {
            *self.malformed.entry(*what).or_default() += n;
        }
        for (what, n) in &other.anomalies {
            *self.anomalies.entry(*what).or_default() += n;
        }
        self.unread.add(&other.unread);
        self.first = [self.first, other.first].into_iter().flatten().min();
        self.last = self.last.max(other.last);
    }
}

impl From<&Counters> for CaptureSummary {
    /// The totals of frames that were captured without a loss.
    fn from(c: &Counters) -> Self {
        Self {
            frames: c.frames,
            bytes: c.bytes,
            malformed: c.malformed_frames,
            duplicates: c.duplicates,
            dropped: 0,
            drops: None,
            first: c.first,
            last: c.last,
            not_understood: c.unread.entries(),
        }
    }
}
