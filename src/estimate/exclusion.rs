//! Why a row, or a device of the inventory, does not count.

use crate::census::Verdict;

/// Why a row or a device does not count.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Exclusion {
    /// The verdict of the census.
    Verdict(Verdict),
    /// A broadcast or group address (I3).
    Group,
    /// It never has an address (I14).
    Unaddressed,
    /// Several devices with MACs have its address.
    Ambiguous,
    /// Its list says that it is not in use.
    Retired,
    /// Its list says that it is out of scope.
    OutOfScope,
}

impl Exclusion {
    /// All exclusions that a list can lead to, in the order of the report.
    pub const ALL: [Self; 13] = [
        Self::Verdict(Verdict::ComputerMobile),
        Self::Verdict(Verdict::Deleted),
        Self::Verdict(Verdict::Idle),
        Self::Verdict(Verdict::Managed),
        Self::Verdict(Verdict::Public),
        Self::Verdict(Verdict::Tentative),
        Self::Verdict(Verdict::Unclassified),
        Self::Verdict(Verdict::Virtual),
        Self::Group,
        Self::Unaddressed,
        Self::Ambiguous,
        Self::Retired,
        Self::OutOfScope,
    ];

    /// The rule's id, or a word that only estimates use.
    pub const fn id(self) -> &'static str {
        match self {
            Self::Verdict(verdict) => verdict.id(),
            Self::Group => "I3",
            Self::Unaddressed => "I14",
            Self::Ambiguous => "ambiguous",
            Self::Retired => "retired",
            Self::OutOfScope => "out-of-scope",
        }
    }

    /// The text for people.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Verdict(Verdict::Public) => "not a device: a public address without a MAC",
            Self::Verdict(verdict) => verdict.title(),
            Self::Group => "not a device: a broadcast or group address",
            Self::Unaddressed => "not counted: it never has an address of its own",
            Self::Ambiguous => "not counted: it has no MAC, and several devices with MACs have its address",
            Self::Retired => "not counted: its list says that it is not in use",
            Self::OutOfScope => "not counted: its list says that it is out of scope",
        }
    }
}
