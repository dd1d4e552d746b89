//! A verdict in words: the rules that led to it, and what would change it.

use std::fmt;

use serde::Serialize;

use super::binding::Forwards;
use super::policy::Policy;
use super::time::{MINUTE, Timestamp};
use super::verdict::Verdict;

/// The rules of the verdict, in the order in which they apply (`docs/rules.md`, Verdict).
pub(super) const LADDER: [Verdict; 8] = [
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
#[cfg_attr(feature = "plan", derive(utoipa::ToSchema))]
pub struct Rung {
    pub rule: Verdict,
    pub title: &'static str,
    pub outcome: RungOutcome,
}

/// The outcome of a rule of the ladder.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "plan", derive(utoipa::ToSchema))]
pub enum RungOutcome {
    /// The rule does not apply.
    Passed,
    /// The rule applies and decides the verdict.
    Decided,
    /// An earlier rule decided.
    NotReached,
}

impl RungOutcome {
    pub const fn title(self) -> &'static str {
        match self {
            Self::Passed => "does not apply",
            Self::Decided => "decides",
            Self::NotReached => "not reached",
        }
    }

    /// The name in documents.
    pub const fn key(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Decided => "decided",
            Self::NotReached => "not_reached",
        }
    }
}

/// The ladder, with the outcome of each rule, for a device whose verdict is `decided`.
pub fn ladder(decided: Verdict) -> Vec<Rung> {
    let place = LADDER.iter().position(|v| *v == decided);
    let outcome = |i: usize| match place {
        Some(p) if i == p => RungOutcome::Decided,
        Some(p) if i > p => RungOutcome::NotReached,
        _ => RungOutcome::Passed,
    };
    LADDER
        .into_iter()
        .enumerate()
        .map(|(i, v)| Rung { rule: v, title: v.title(), outcome: outcome(i) })
        .collect()
}

/// What would change the verdict, one condition a text. If a person `set` the category, evidence cannot change it.
pub fn verdict_changes(verdict: Verdict, set: bool, last_seen: Timestamp, policy: &Policy) -> Vec<String> {
    let proof = "the card proves the address by ARP, IPv6 neighbour discovery, a DHCP lease, LLDP or CDP";
    let on_link = "the address is in an on-link prefix, learned or configured in 'prefixes'";
    let reset = "a person resets the category, or sets another one";
    let removed = "a person deletes it in the plan service, or imports it as managed elsewhere";
    let texts: &[&str] = match verdict {
        Verdict::CountedNetwork | Verdict::CountedIot if set => &[reset, removed],
        Verdict::ComputerMobile | Verdict::Unclassified if set => &[reset],
        Verdict::CountedNetwork | Verdict::CountedIot => {
            &["new evidence with more weight classifies it as computers & mobile", removed]
        }
        Verdict::ComputerMobile => {
            &["new evidence with more weight classifies it as a network or an IoT device"]
        }
        Verdict::Unclassified => &[
            "it identifies itself by DHCP, LLDP, CDP, mDNS, SSDP, SNMP, HTTP or another protocol",
            "a rule is added for what it already says",
        ],
        Verdict::Deleted | Verdict::Idle => &["a sensor captures a new frame from it"],
        Verdict::Tentative => &[],
        Verdict::Managed => &["its entry is removed from the managed list"],
        Verdict::Broadcast => &[
            "one card both proves the address and sends unicast packets from it",
            "the mask of the network is corrected at the DHCP server, or named in 'prefixes'",
        ],
        Verdict::Public => &[proof, on_link],
        Verdict::Routed => &[proof, "a sensor captures on the segment of the address, before the router"],
        Verdict::Virtual => {
            &["nothing: the routers that share a virtual address are counted under their own addresses"]
        }
    };
    let mut out: Vec<String> = texts.iter().map(|t| (*t).to_owned()).collect();
    if verdict.is_counted() {
        out.insert(
            0,
            format!("no sensor captures a frame from it until after {}", last_seen.plus(policy.idle_after)),
        );
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
            Self::Carries(ip) => write!(f, "it carries tunnelled packets from {ip} (I13)"),
            Self::Public(ip) => write!(f, "it sends packets from the public address {ip} (I6)"),
            Self::ProvenElsewhere(ip) => {
                write!(f, "it sends packets from {ip}, which another card has proven (I6)")
            }
            Self::OffLink(ip) => write!(f, "it sends packets from {ip} with a lowered TTL (I6)"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::census::{Category, Standing, verdict};

    #[test]
    fn the_ladder_has_the_order_of_the_verdict() {
        let policy = Policy::default();
        let late = Timestamp(policy.idle_after + 1);
        // Everything that excludes applies at once. Each step removes the reason that decided.
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
            assert!(!verdict_changes(v, false, Timestamp(0), &Policy::default()).is_empty(), "{v:?}");
        }
        let outcomes: Vec<RungOutcome> = ladder(Verdict::Managed).iter().map(|r| r.outcome).collect();
        assert_eq!(outcomes[2..5], [RungOutcome::Passed, RungOutcome::Decided, RungOutcome::NotReached]);
    }
}
