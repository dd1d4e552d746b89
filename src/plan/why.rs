//! Why a device counts, or does not: the ladder of rules, the couplings with what showed them, joins and evidence.

use serde::Serialize;

use super::inventory::{Detail, View};
use crate::census::{Forwards, JoinReason, Signs, Verdict};
use crate::wire::{CouplingEntry, DeviceEntry, EvidenceEntry};

/// The rules of the verdict in the order in which they are asked (census rules §2).
pub const LADDER: [Verdict; 8] = [
    Verdict::Deleted,
    Verdict::Tentative,
    Verdict::ComputerMobile,
    Verdict::Managed,
    Verdict::Idle,
    Verdict::Unclassified,
    Verdict::CountedNetwork,
    Verdict::CountedIot,
];

/// The whole answer.
#[derive(Clone, Debug, Serialize)]
pub struct Why<'a> {
    /// The device.
    pub device: &'a DeviceEntry,
    /// The verdict in words.
    pub verdict: &'static str,
    /// The rules asked, in order.
    pub ladder: Vec<Rung>,
    /// Its couplings, each with what showed it.
    pub couplings: Vec<CouplingWhy<'a>>,
    /// Why they are one device.
    pub joins: Vec<JoinWhy>,
    /// Why it is held to forward, if it is.
    pub forwards: Option<String>,
    /// What was said, and which rule took it for what.
    pub reasons: Vec<ReasonWhy<'a>>,
}

/// One rule of the ladder.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
pub struct Rung {
    /// The rule's id.
    pub rule: &'static str,
    /// What it says.
    pub title: &'static str,
    /// How it went.
    pub outcome: Outcome,
}

/// How a rule of the ladder went.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It does not apply.
    Passed,
    /// It applies, and decided.
    Decided,
    /// An earlier rule had decided.
    NotReached,
}

impl Outcome {
    /// What a person reads.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Passed => "does not apply",
            Self::Decided => "decides",
            Self::NotReached => "not asked",
        }
    }

    /// The word in documents.
    pub const fn key(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Decided => "decided",
            Self::NotReached => "not_reached",
        }
    }
}

/// A coupling and what showed it.
#[derive(Clone, Debug, Serialize)]
pub struct CouplingWhy<'a> {
    /// The coupling.
    #[serde(flatten)]
    pub coupling: &'a CouplingEntry,
    /// What showed it, in words.
    pub signs: Vec<&'static str>,
}

/// A join.
#[derive(Clone, Debug, Serialize)]
pub struct JoinWhy {
    /// The coupling that was joined, `mac ip`.
    pub coupling: String,
    /// A coupling of the device that it joined.
    pub with: String,
    /// The reason's key.
    pub reason: JoinReason,
    /// The reason in words.
    pub title: &'static str,
}

/// A piece of evidence and its rule.
#[derive(Clone, Debug, Serialize)]
pub struct ReasonWhy<'a> {
    /// The evidence.
    #[serde(flatten)]
    pub evidence: &'a EvidenceEntry,
    /// The rule's title.
    pub title: &'a str,
}

impl<'a> Why<'a> {
    /// The answer for the device of that id.
    pub fn of(view: &'a View, id: &str) -> Option<Self> {
        let (device, detail) = view.device(id)?;
        Some(Self {
            device,
            verdict: device.verdict.title(),
            ladder: ladder(device.verdict),
            couplings: couplings(device, detail),
            joins: detail
                .joins
                .iter()
                .map(|j| JoinWhy {
                    coupling: format!("{} {}", j.coupling.mac, j.coupling.ip),
                    with: format!("{} {}", j.with.mac, j.with.ip),
                    reason: j.reason,
                    title: join_title(j.reason),
                })
                .collect(),
            forwards: detail.forwards.map(forwards_title),
            reasons: device
                .evidence
                .iter()
                .map(|e| ReasonWhy {
                    evidence: e,
                    title: view.titles.get(&e.rule).map_or("", String::as_str),
                })
                .collect(),
        })
    }
}

fn ladder(decided: Verdict) -> Vec<Rung> {
    let place = LADDER.iter().position(|v| *v == decided);
    let outcome = |i: usize| match place {
        Some(p) if i == p => Outcome::Decided,
        Some(p) if i > p => Outcome::NotReached,
        _ => Outcome::Passed,
    };
    LADDER
        .into_iter()
        .enumerate()
        .map(|(i, v)| Rung { rule: v.id(), title: v.title(), outcome: outcome(i) })
        .collect()
}

fn couplings<'a>(device: &'a DeviceEntry, detail: &Detail) -> Vec<CouplingWhy<'a>> {
    let signs = detail.signs.iter().copied().chain(std::iter::repeat(Signs::default()));
    let pairs = device.couplings.iter().zip(signs);
    pairs
        .map(|(coupling, s)| CouplingWhy { coupling, signs: s.iter().map(|s| s.title()).collect() })
        .collect()
}

const fn join_title(reason: JoinReason) -> &'static str {
    reason.title()
}

fn forwards_title(why: Forwards) -> String {
    match why {
        Forwards::RouterOption(ip) => format!("a DHCP server names {ip} as a router"),
        Forwards::Protocol => "it speaks a routing or first-hop protocol".to_owned(),
        Forwards::Carries(ip) => format!("it carries tunnelled packets of {ip}"),
        Forwards::Public(ip) => format!("it sends packets of the public address {ip}"),
        Forwards::ProvenElsewhere(ip) => format!("it sends packets of {ip}, which another card has proven"),
        Forwards::OffLink(ip) => format!("it sends packets of {ip} with a lowered TTL"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::census::{Category, Policy, Standing, Timestamp, verdict};

    #[test]
    fn the_ladder_has_the_order_in_which_the_verdict_asks() {
        // Everything applies at once; taking away what decided must give the next rung.
        let mut standing = Standing {
            category: Category::ComputerMobile,
            last_seen: Timestamp(0),
            tentative: true,
            managed: true,
            deleted_at: Some(Timestamp(0)),
        };
        let (policy, late) = (Policy::default(), Timestamp(i64::MAX));
        let mut seen = vec![verdict(&standing, &policy, late)];
        standing.deleted_at = None;
        seen.push(verdict(&standing, &policy, late));
        standing.tentative = false;
        seen.push(verdict(&standing, &policy, late));
        standing.category = Category::Unclassified;
        seen.push(verdict(&standing, &policy, late));
        standing.managed = false;
        seen.push(verdict(&standing, &policy, late));
        seen.push(verdict(&standing, &policy, Timestamp(0)));
        assert_eq!(seen, LADDER[..6]);
    }

    #[test]
    fn a_rung_after_the_one_that_decides_is_not_reached() {
        let outcomes: Vec<Outcome> = ladder(Verdict::Managed).iter().map(|r| r.outcome).collect();
        assert_eq!(outcomes[2..5], [Outcome::Passed, Outcome::Decided, Outcome::NotReached]);
    }
}
