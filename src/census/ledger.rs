//! The numbers of a survey, as a ledger that closes twice (`docs/rules.md`, Ledger).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::verdict::{Verdict, commitment};

/// The numbers of a survey. See [`Census::closes`].
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[cfg_attr(feature = "plan", derive(utoipa::ToSchema))]
pub struct Census {
    /// Counted network devices.
    pub network: u64,
    /// Counted IoT devices.
    pub iot: u64,
    /// `network + iot`.
    pub billable: u64,
    /// `billable` rounded up to a multiple of 100 (P2).
    pub commitment: u64,
    /// Couplings that pass I1 to I3.
    pub strict_couplings: u64,
    /// Exclusions by verdict id, without zeros: X-VIRT, X-PUB and X-ROUTED in couplings, the others in devices.
    pub excluded: BTreeMap<String, u64>,
    /// Whether a bound was hit, so that the true numbers may be higher.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub lower_bound: bool,
}

impl Census {
    /// Books the verdicts of all devices and coupling lines.
    pub(crate) fn book(&mut self, verdicts: impl Iterator<Item = Verdict>) {
        for verdict in verdicts {
            match verdict {
                Verdict::CountedNetwork => self.network += 1,
                Verdict::CountedIot => self.iot += 1,
                other => *self.excluded.entry(other.id().to_owned()).or_default() += 1,
            }
        }
        self.billable = self.network + self.iot;
        self.commitment = commitment(self.billable);
    }

    /// Adds the numbers of another zone.
    pub fn add(&mut self, other: &Self) {
        let Self { network, iot, billable, commitment: _, strict_couplings, excluded, lower_bound } = other;
        self.network += network;
        self.iot += iot;
        self.billable += billable;
        self.commitment = commitment(self.billable);
        self.strict_couplings += strict_couplings;
        for (verdict, number) in excluded {
            match self.excluded.get_mut(verdict) {
                Some(known) => *known += number,
                None => {
                    self.excluded.insert(verdict.clone(), *number);
                }
            }
        }
        self.lower_bound |= lower_bound;
    }

    /// Whether the ledger closes twice: the devices by verdict add up to `devices`, and `member_couplings` (the
    /// couplings of all devices) with the coupling lines add up to the strict couplings.
    pub fn closes(&self, devices: u64, member_couplings: u64) -> bool {
        let excluded = |lines: bool| -> u64 {
            Verdict::ALL
                .into_iter()
                .filter(|v| v.is_line() == lines)
                .filter_map(|v| self.excluded.get(v.id()))
                .sum()
        };
        self.billable + excluded(false) == devices
            && member_couplings + excluded(true) == self.strict_couplings
    }
}
