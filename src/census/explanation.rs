//! A verdict in words: the ladder of rules that led to it, and what would change it.

use std::fmt;

use serde::Serialize;

use super::binding::Forwards;
use super::policy::Policy;
use super::time::Timestamp;
use super::verdict::Verdict;

const MINUTE: i64 = 60 * 1_000_000_000;

/// The rules of the verdict in the order in which they are asked (`docs/rules.md`, Verdict).
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

/// One rule of the ladder.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
pub struct Rung {
    /// The rule.
    pub rule: Verdict,
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

/// The rules up to the one that decided, and those after it.
pub fn ladder(decided: Verdict) -> Vec<Rung> {
    let place = LADDER.iter().position(|v| *v == decided);
    let outcome = |i: usize| match place {
        Some(p) if i == p => Outcome::Decided,
        Some(p) if i > p => Outcome::NotReached,
        _ => Outcome::Passed,
    };
    LADDER
        .into_iter()
        .enumerate()
        .map(|(i, v)| Rung { rule: v, title: v.title(), outcome: outcome(i) })
        .collect()
}

/// What would make the verdict another one, each a sentence. `set` tells whether a person set the category: then nothing
/// that is said changes it.
pub fn changes(verdict: Verdict, set: bool, last_seen: Timestamp, policy: &Policy) -> Vec<String> {
    let proof =
        "the card itself proves the address: by ARP, IPv6 neighbour discovery, a DHCP lease, LLDP or CDP";
    let on_link = "the address lies in a network of the link: learned, or configured in 'prefixes'";
    let taken_back = "the category that a person set is taken back, or set to another one";
    let texts: &[&str] = match verdict {
        Verdict::CountedNetwork | Verdict::CountedIot if set => {
            &[taken_back, "it is deleted, or imported as managed elsewhere, in the plan service"]
        }
        Verdict::ComputerMobile | Verdict::Unclassified if set => &[taken_back],
        Verdict::CountedNetwork | Verdict::CountedIot => &[
            "it says something that a stronger rule takes for computers & mobile",
            "it is deleted, or imported as managed elsewhere, in the plan service",
        ],
        Verdict::ComputerMobile => {
            &["it says something that a stronger rule takes for a network or an IoT device"]
        }
        Verdict::Unclassified => &[
            "it says what it is: by DHCP, LLDP, CDP, mDNS, SSDP, SNMP, HTTP and others",
            "a rule is added that knows what it says",
        ],
        Verdict::Deleted | Verdict::Idle => &["a frame of it is captured again"],
        Verdict::Tentative => &[],
        Verdict::Managed => &["it is taken off the list of what is managed elsewhere"],
        Verdict::Public => &[proof, on_link],
        Verdict::Routed => {
            &[proof, "the sensor captures on the segment where the address lives, before the router"]
        }
        Verdict::Virtual => &["nothing: the routers behind a virtual address are counted by their own"],
    };
    let mut out: Vec<String> = texts.iter().map(|t| (*t).to_owned()).collect();
    if verdict.is_counted() {
        out.insert(0, format!("nothing is heard of it until after {}", last_seen.plus(policy.idle_after)));
    }
    if verdict == Verdict::Tentative {
        let minutes = policy.quarantine_confirm_after / MINUTE;
        out.push(format!("it is seen again {minutes} minutes or more after its first frame"));
    }
    out
}

impl fmt::Display for Forwards {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::RouterOption(ip) => write!(f, "a DHCP server names {ip} as a router (I6)"),
            Self::Protocol => f.write_str("it speaks a routing or first-hop protocol (I6)"),
            Self::Carries(ip) => write!(f, "it carries tunnelled packets of {ip} (I13)"),
            Self::Public(ip) => write!(f, "it sends packets of the public address {ip} (I6)"),
            Self::ProvenElsewhere(ip) => {
                write!(f, "it sends packets of {ip}, which another card has proven (I6)")
            }
            Self::OffLink(ip) => write!(f, "it sends packets of {ip} with a lowered TTL (I6)"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::census::{Category, Standing, verdict};

    #[test]
    fn the_ladder_stands_in_the_order_in_which_the_verdict_asks() {
        let policy = Policy::default();
        let late = Timestamp(policy.idle_after + 1);
        // Everything that excludes applies at once; taking away what decided lets the next rule decide.
        let mut d = Standing {
            category: Category::ComputerMobile,
            last_seen: Timestamp(0),
            tentative: true,
            managed: true,
            deleted_at: Some(late),
        };
        let mut order = vec![verdict(&d, &policy, late)];
        d.deleted_at = None;
        order.push(verdict(&d, &policy, late));
        d.tentative = false;
        order.push(verdict(&d, &policy, late));
        d.category = Category::Unclassified;
        order.push(verdict(&d, &policy, late));
        d.managed = false;
        order.push(verdict(&d, &policy, late));
        order.push(verdict(&d, &policy, Timestamp(0)));
        d.category = Category::Network;
        order.push(verdict(&d, &policy, Timestamp(0)));
        d.category = Category::Iot;
        order.push(verdict(&d, &policy, Timestamp(0)));
        assert_eq!(order, LADDER);
    }

    #[test]
    fn every_verdict_says_what_would_change_it() {
        for v in Verdict::ALL {
            assert!(!changes(v, false, Timestamp(0), &Policy::default()).is_empty(), "{v:?}");
        }
        let outcomes: Vec<Outcome> = ladder(Verdict::Managed).iter().map(|r| r.outcome).collect();
        assert_eq!(outcomes[2..5], [Outcome::Passed, Outcome::Decided, Outcome::NotReached]);
    }
}
