//! The kinds of findings.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What a finding is about. The order of the variants is the order of the list.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "plan", derive(utoipa::ToSchema))]
pub enum FindingKind {
    /// Several devices proved one address at overlapping times: a conflict, or spoofing. Each coupling stays (I1).
    AddressConflict,
    /// New devices above the rate wait until they are seen again (I11).
    NewcomersHeld,
    /// More devices came on one day than may come without a confirmation (I15).
    NewcomersMany,
    /// Devices that only ARP or unanswered packets show wait for a confirmation (I15).
    UnconfirmedHeld,
    /// Something was said or done too seldom to move the count (I15).
    ClaimHeld,
    /// Something that moves the count was first said or done long after the device was known (I15).
    ClaimLate,
    /// Frames have times that cannot be right (I16).
    ClockJump,
    /// A sent prefix nests in others, or others nest in it (I5).
    PrefixConflict,
    /// What a tunnel carries does not count, because the tunnel is not trusted (I13).
    TunnelHeld,
    /// A large part of a capture was not understood (I13).
    NotUnderstood,
    /// A bound was hit, so that there may be more devices than the census says.
    LowerBound,
    /// Frames were dropped before they were read, so that devices of that time may be missing.
    FramesDropped,
}

impl FindingKind {
    pub const ALL: [Self; 12] = [
        Self::AddressConflict,
        Self::NewcomersHeld,
        Self::NewcomersMany,
        Self::UnconfirmedHeld,
        Self::ClaimHeld,
        Self::ClaimLate,
        Self::ClockJump,
        Self::PrefixConflict,
        Self::TunnelHeld,
        Self::NotUnderstood,
        Self::LowerBound,
        Self::FramesDropped,
    ];

    /// Its word in documents and in the API: `address_conflict`.
    pub const fn key(self) -> &'static str {
        self.row().0
    }

    /// The kind with that word.
    pub fn from_key(key: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.key() == key)
    }

    /// The id of its census rule.
    pub const fn rule(self) -> &'static str {
        self.row().1
    }

    /// A word or two for people.
    pub const fn title(self) -> &'static str {
        self.row().2
    }

    /// Whether it stays open in the plan service until a person closes it, because somebody may have attempted
    /// something (I15 d). The others describe the present, and close when a survey no longer shows them.
    pub const fn stays(self) -> bool {
        self.row().3
    }

    /// Key, rule, title, and whether it stays.
    const fn row(self) -> (&'static str, &'static str, &'static str, bool) {
        match self {
            Self::AddressConflict => ("address_conflict", "I1", "address conflict", true),
            Self::NewcomersHeld => ("newcomers_held", "I11", "newcomers held", true),
            Self::NewcomersMany => ("newcomers_many", "I15", "many newcomers", true),
            Self::UnconfirmedHeld => ("unconfirmed_held", "I15", "unconfirmed devices held", true),
            Self::ClaimHeld => ("claim_held", "I15", "claim held", true),
            Self::ClaimLate => ("claim_late", "I15", "late claim", true),
            Self::ClockJump => ("clock_jump", "I16", "clock jump", false),
            Self::PrefixConflict => ("prefix_conflict", "I5", "prefix conflict", true),
            Self::TunnelHeld => ("tunnel_held", "I13", "tunnel held", true),
            Self::NotUnderstood => ("not_understood", "I13", "not understood", false),
            Self::LowerBound => ("lower_bound", "Ledger", "lower bound", false),
            Self::FramesDropped => ("frames_dropped", "Ledger", "frames dropped", true),
        }
    }
}

impl fmt::Display for FindingKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.key())
    }
}
