//! Bounds that were hit: counted always, told at most once a minute. Nothing is given up in silence.

use std::fmt;
use std::time::{Duration, Instant};

/// How often what a bound refuses is told.
const EVERY: Duration = Duration::from_mins(1);

/// What bounds refused since the sensor started.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Refused {
    /// Sightings of couplings and stations beyond `limits.couplings`.
    pub couplings: u64,
    /// Values that a full set of evidence gave up.
    pub evidence: u64,
    /// Datagrams of which fragments were given up.
    pub fragments: u64,
    /// Whether no more prefixes, routers or half ARP exchanges are learned.
    pub learned: bool,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts = Vec::new();
        if self.couplings > 0 {
            parts.push(format!(
                "{} sightings of further couplings refused, so the census is a lower bound: raise limits.couplings",
                self.couplings
            ));
        }
        if self.learned {
            parts.push("no more prefixes or routers are learned, so the census is a lower bound: configure 'prefixes'".to_owned());
        }
        if self.evidence > 0 {
            parts.push(format!("{} values of full sets of evidence given up", self.evidence));
        }
        if self.fragments > 0 {
            parts.push(format!("{} fragmented datagrams given up", self.fragments));
        }
        f.write_str(&parts.join("; "))
    }
}

/// Decides when a bound that was hit is told.
#[derive(Debug, Default)]
pub struct Reporter {
    told: Option<(Instant, Refused)>,
}

impl Reporter {
    /// What to tell at `now`: what changed since it was told last, if that is a minute ago.
    pub fn due(&mut self, now: Instant, refused: Refused) -> Option<Refused> {
        let (at, known) = match self.told {
            Some((at, known)) => (Some(at), known),
            None => (None, Refused::default()),
        };
        if refused == known || at.is_some_and(|at| now.duration_since(at) < EVERY) {
            return None;
        }
        self.told = Some((now, refused));
        Some(refused)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bound_is_told_when_it_is_hit_and_then_once_a_minute_while_it_is() {
        let (mut reporter, start) = (Reporter::default(), Instant::now());
        let at = |seconds| start + Duration::from_secs(seconds);
        let hit = |couplings| Refused { couplings, ..Refused::default() };
        assert_eq!(reporter.due(at(0), hit(0)), None);
        assert_eq!(reporter.due(at(1), hit(5)), Some(hit(5)));
        assert_eq!(reporter.due(at(60), hit(9)), None);
        assert_eq!(reporter.due(at(61), hit(9)), Some(hit(9)));
        assert_eq!(reporter.due(at(200), hit(9)), None);
        assert!(hit(9).to_string().contains("raise limits.couplings"));
    }
}
