//! The verdict (`docs/rules.md`, Verdict): the one function that decides what counts.

use std::ops::RangeInclusive;

use serde::{Deserialize, Serialize};

use super::classification::Category;
use super::policy::Policy;
use super::time::Timestamp;

/// The verdict on a device, or the exclusion of a coupling that does not belong to a device.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[cfg_attr(feature = "plan", derive(utoipa::ToSchema))]
pub enum Verdict {
    /// A network device.
    #[serde(rename = "C-NET")]
    CountedNetwork,
    /// An IoT device.
    #[serde(rename = "C-IOT")]
    CountedIot,
    /// Computers & mobile.
    #[serde(rename = "X-CM")]
    ComputerMobile,
    /// Deleted by a person, and silent since then.
    #[serde(rename = "X-DEL")]
    Deleted,
    /// Silent for longer than [`Policy::idle_after`].
    #[serde(rename = "X-IDLE")]
    Idle,
    /// On the managed list.
    #[serde(rename = "X-MANAGED")]
    Managed,
    /// A coupling with the broadcast address of a sent or configured prefix (I15c).
    #[serde(rename = "X-BCAST")]
    Broadcast,
    /// A coupling with a public address that is neither proven nor on-link.
    #[serde(rename = "X-PUB")]
    Public,
    /// A coupling with an address behind a router.
    #[serde(rename = "X-ROUTED")]
    Routed,
    /// A newcomer of a flood, not confirmed yet (I11).
    #[serde(rename = "X-TENT")]
    Tentative,
    #[serde(rename = "X-UNCL")]
    Unclassified,
    /// A coupling with the MAC of a virtual router (I7).
    #[serde(rename = "X-VIRT")]
    Virtual,
}

impl Verdict {
    /// First the counted, then the excluded, each sorted by id.
    pub const ALL: [Self; 12] = [
        Self::CountedNetwork,
        Self::CountedIot,
        Self::Broadcast,
        Self::ComputerMobile,
        Self::Deleted,
        Self::Idle,
        Self::Managed,
        Self::Public,
        Self::Routed,
        Self::Tentative,
        Self::Unclassified,
        Self::Virtual,
    ];

    /// The id of the rule.
    pub const fn id(self) -> &'static str {
        match self {
            Self::CountedNetwork => "C-NET",
            Self::CountedIot => "C-IOT",
            Self::Broadcast => "X-BCAST",
            Self::ComputerMobile => "X-CM",
            Self::Deleted => "X-DEL",
            Self::Idle => "X-IDLE",
            Self::Managed => "X-MANAGED",
            Self::Public => "X-PUB",
            Self::Routed => "X-ROUTED",
            Self::Tentative => "X-TENT",
            Self::Unclassified => "X-UNCL",
            Self::Virtual => "X-VIRT",
        }
    }

    pub const fn title(self) -> &'static str {
        match self {
            Self::CountedNetwork => "counted: a network device",
            Self::CountedIot => "counted: an IoT device",
            Self::Broadcast => "not a device: the broadcast address of a network",
            Self::ComputerMobile => "not counted: the plan does not bill computers & mobile",
            Self::Deleted => "not counted: deleted, and no traffic since",
            Self::Idle => "not counted: silent for more than 30 days",
            Self::Managed => "not counted: managed elsewhere",
            Self::Public => "not a device: a public address behind a router",
            Self::Routed => "not a device: an address behind a router",
            Self::Tentative => "not counted yet: one of a flood of new devices, not seen again since",
            Self::Unclassified => "not counted: unclassified",
            Self::Virtual => "not a device: the address of a virtual router",
        }
    }

    /// Whether a device with this verdict is billed.
    pub const fn is_counted(self) -> bool {
        matches!(self, Self::CountedNetwork | Self::CountedIot)
    }

    /// Whether it excludes a coupling instead of a device.
    pub const fn is_line(self) -> bool {
        matches!(self, Self::Broadcast | Self::Public | Self::Routed | Self::Virtual)
    }
}

/// What the verdict on a device depends on.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Standing {
    pub category: Category,
    pub last_seen: Timestamp,
    /// Whether all its couplings are tentative (I11).
    pub tentative: bool,
    /// Whether it is on the managed list.
    pub managed: bool,
    /// Frames up to this instant do not bring it back; `None` unless a person deleted it.
    pub deleted_at: Option<Timestamp>,
}

impl Standing {
    /// The instants at which the verdict is the one at `as_of`: only idleness depends on the instant.
    pub(super) fn holds(&self, policy: &Policy, as_of: Timestamp) -> RangeInclusive<Timestamp> {
        let (last, first) =
            (self.last_seen.plus(policy.idle_after), self.last_seen.plus(policy.idle_after).plus(1));
        if verdict(self, policy, last) == verdict(self, policy, first) {
            Timestamp::MIN..=Timestamp::MAX
        } else if as_of <= last {
            Timestamp::MIN..=last
        } else {
            first..=Timestamp::MAX
        }
    }
}

/// The instants that both have.
pub(super) fn both(
    a: &RangeInclusive<Timestamp>,
    b: &RangeInclusive<Timestamp>,
) -> RangeInclusive<Timestamp> {
    *a.start().max(b.start())..=*a.end().min(b.end())
}

/// Decides whether a device counts at `as_of`: the first rule that applies (`docs/rules.md`, Verdict).
pub fn verdict(device: &Standing, policy: &Policy, as_of: Timestamp) -> Verdict {
    if device.deleted_at.is_some_and(|at| device.last_seen <= at) {
        Verdict::Deleted
    } else if device.tentative {
        Verdict::Tentative
    } else if device.category == Category::ComputerMobile {
        Verdict::ComputerMobile
    } else if device.managed {
        Verdict::Managed
    } else if as_of.since(device.last_seen) > policy.idle_after {
        Verdict::Idle
    } else {
        match device.category {
            Category::Network => Verdict::CountedNetwork,
            Category::Iot => Verdict::CountedIot,
            Category::ComputerMobile => Verdict::ComputerMobile,
            Category::Unclassified => Verdict::Unclassified,
        }
    }
}

/// The commitment for `billable` devices: rounded up to a multiple of 100 (P2).
pub fn commitment(billable: u64) -> u64 {
    billable.div_ceil(100).saturating_mul(100)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::census::time::DAY;

    fn standing(category: Category) -> Standing {
        Standing { category, last_seen: Timestamp(0), tentative: false, managed: false, deleted_at: None }
    }

    #[test]
    fn commitments_are_the_next_multiple_of_a_hundred() {
        let vector = [(0, 0), (1, 100), (99, 100), (100, 100), (101, 200), (1679, 1700)];
        for (billable, expected) in vector {
            assert_eq!(commitment(billable), expected);
        }
    }

    #[test]
    fn thirty_days_of_silence_count_and_a_millisecond_more_does_not() {
        let p = Policy::default();
        let d = standing(Category::Iot);
        assert_eq!(verdict(&d, &p, Timestamp(30 * DAY)), Verdict::CountedIot);
        assert_eq!(verdict(&d, &p, Timestamp(30 * DAY + 1_000_000)), Verdict::Idle);
    }

    #[test]
    fn the_first_rule_that_applies_wins() {
        let p = Policy::default();
        let late = Timestamp(31 * DAY);
        let mut d = standing(Category::ComputerMobile);
        assert_eq!(verdict(&d, &p, late), Verdict::ComputerMobile);
        d.tentative = true;
        assert_eq!(verdict(&d, &p, late), Verdict::Tentative);
        d.deleted_at = Some(Timestamp(0));
        assert_eq!(verdict(&d, &p, late), Verdict::Deleted);
        d.last_seen = Timestamp(1);
        assert_eq!(verdict(&d, &p, late), Verdict::Tentative);
        let managed = Standing { managed: true, ..standing(Category::Network) };
        assert_eq!(verdict(&managed, &p, late), Verdict::Managed);
        assert_eq!(verdict(&standing(Category::Unclassified), &p, Timestamp(0)), Verdict::Unclassified);
        assert_eq!(verdict(&standing(Category::Network), &p, Timestamp(0)), Verdict::CountedNetwork);
    }
}
