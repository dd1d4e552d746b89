//! Hits of the sensor's limits: always counted, and logged at most once a minute.

use std::fmt;
use std::time::{Duration, Instant};

use crate::census::{Finding, Limit};

const EVERY: Duration = Duration::from_mins(1);

/// What limits refused since the sensor started.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct LimitHits {
    /// Refused sightings of couplings and stations beyond `limits.couplings`.
    pub couplings: u64,
    /// Frames in tunnels for which there was no room.
    pub tunnels: u64,
    /// Refused sightings and values beyond `limits.memory`.
    pub memory: u64,
    /// Values dropped from full sets of evidence.
    pub evidence: u64,
    /// Fragmented datagrams dropped before they were complete.
    pub fragments: u64,
    /// Messages of which a part was left out, because it would have cost too much work.
    pub over_budget: u64,
    /// Whether the segment is full: no more prefixes, routers or half ARP exchanges are learned.
    pub learned: bool,
    /// Deeds for which there was no room: alerts may be missing, devices are not.
    pub deeds: u64,
}

impl LimitHits {
    /// The limits that refused couplings, so that the census is a lower bound.
    pub fn limits(&self) -> Vec<Limit> {
        let of = [
            (Limit::Couplings, self.couplings),
            (Limit::Memory, self.memory),
            (Limit::Tunnels, self.tunnels),
        ];
        of.into_iter().filter(|(_, hits)| *hits > 0).map(|(limit, _)| limit).collect()
    }
}

impl fmt::Display for LimitHits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts = Vec::new();
        if self.couplings > 0 {
            let finding = Finding::lower_bound("", Limit::Couplings);
            parts.push(format!("{finding} ({} sightings); {}", self.couplings, finding.advice));
        }
        if self.memory > 0 {
            let finding = Finding::lower_bound("", Limit::Memory);
            parts.push(format!("{finding} ({} facts); {}", self.memory, finding.advice));
        }
        if self.tunnels > 0 {
            let finding = Finding::lower_bound("", Limit::Tunnels);
            parts.push(format!("{finding} ({} frames); {}", self.tunnels, finding.advice));
        }
        if self.learned {
            let finding = Finding::lower_bound("", Limit::Learned);
            parts.push(format!("{finding}; {}", finding.advice));
        }
        if self.evidence > 0 {
            parts.push(format!(
                "{} values of evidence dropped; the count does not change, because the sets of these devices were full: nothing to do",
                self.evidence
            ));
        }
        if self.fragments > 0 {
            parts.push(format!(
                "{} incomplete datagrams dropped; what they said of a device may be missing, but not the device: nothing to do unless it goes on",
                self.fragments
            ));
        }
        if self.deeds > 0 {
            parts.push(format!(
                "{} deeds of stations were not kept, because there are too many; alerts may be missing, but no device: look for who opens so many connections",
                self.deeds
            ));
        }
        if self.over_budget > 0 {
            parts.push(format!(
                "{} messages read in part only; their first part counts: if it goes on, look for who sends such messages",
                self.over_budget
            ));
        }
        f.write_str(&parts.join("; "))
    }
}

/// Decides when to log.
#[derive(Debug, Default)]
pub struct Reporter {
    reported: Option<(Instant, LimitHits)>,
}

impl Reporter {
    /// The hits to log at `now`: `None` if they have not changed or the last report is less than a minute ago.
    pub fn due(&mut self, now: Instant, hits: LimitHits) -> Option<LimitHits> {
        let (at, known) = match self.reported {
            Some((at, known)) => (Some(at), known),
            None => (None, LimitHits::default()),
        };
        if hits == known || at.is_some_and(|at| now.duration_since(at) < EVERY) {
            return None;
        }
        self.reported = Some((now, hits));
        Some(hits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_reported_when_it_is_hit_and_then_at_most_once_a_minute() {
        let (mut reporter, start) = (Reporter::default(), Instant::now());
        let at = |seconds| start + Duration::from_secs(seconds);
        let hit = |couplings| LimitHits { couplings, ..LimitHits::default() };
        assert_eq!(reporter.due(at(0), hit(0)), None);
        assert_eq!(reporter.due(at(1), hit(5)), Some(hit(5)));
        assert_eq!(reporter.due(at(60), hit(9)), None);
        assert_eq!(reporter.due(at(61), hit(9)), Some(hit(9)));
        assert_eq!(reporter.due(at(200), hit(9)), None);
        assert!(hit(9).to_string().contains("raise limits.couplings"));
    }
}
