//! Findings: what a person should look at. A finding does not change the count.

use std::fmt;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::binding::{Binding, Bindings};
use super::coupling::CouplingKey;
use super::identity::Identities;
use super::mac::MacAddr;
use super::time::Timestamp;

/// The most findings of one kind in a zone; the first by address stay.
const LISTED: usize = 1_000;

#[derive(Clone, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[cfg_attr(feature = "plan", derive(utoipa::ToSchema))]
pub enum Finding {
    /// Several devices proved one address at overlapping times: a conflict, or spoofing. Each coupling stays (I1).
    AddressConflict {
        zone: String,
        #[cfg_attr(feature = "plan", schema(value_type = String))]
        ip: IpAddr,
        /// Sorted.
        macs: Vec<MacAddr>,
    },
    /// New devices above the rate wait until they are seen again (I11).
    NewcomersHeld { zone: String, devices: u64 },
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AddressConflict { ip, macs, .. } => {
                let macs: Vec<String> = macs.iter().map(ToString::to_string).collect();
                write!(f, "{ip} is used by several cards at overlapping times: {}", macs.join(", "))
            }
            Self::NewcomersHeld { devices, .. } => write!(
                f,
                "{devices} devices are not counted until they are seen again: too many new devices in one minute (I11)"
            ),
        }
    }
}

/// The address conflicts of a zone. Tentative couplings are left out: they are reported as [`Finding::NewcomersHeld`].
pub(super) fn conflicts(
    zone: &str,
    bindings: &Bindings<'_>,
    identities: &Identities,
    tentative: &[bool],
) -> Vec<Finding> {
    let mut claims: Vec<(IpAddr, Timestamp, Timestamp, MacAddr, usize)> = Vec::new();
    for (device, group) in identities.groups().enumerate() {
        for place in group.iter().map(|p| *p as usize) {
            let held = tentative.get(place).copied().unwrap_or(false);
            if let Some(c) = bindings.couplings.get(place).filter(|c| c.binding == Binding::Proven && !held) {
                let CouplingKey { mac, ip } = c.key;
                claims.push((ip, c.facts.first_seen, c.facts.last_seen, mac, device));
            }
        }
    }
    claims.sort_unstable();
    let mut found = Vec::new();
    for claims in claims.chunk_by(|a, b| a.0 == b.0).filter(|c| c.len() > 1) {
        let overlaps = |a: &(IpAddr, Timestamp, Timestamp, MacAddr, usize)| {
            claims.iter().any(|b| a.4 != b.4 && a.1 <= b.2 && b.1 <= a.2)
        };
        let mut macs: Vec<MacAddr> = claims.iter().filter(|c| overlaps(c)).map(|c| c.3).collect();
        macs.sort_unstable();
        macs.dedup();
        if let (Some(first), true) = (claims.first(), macs.len() > 1) {
            found.push(Finding::AddressConflict { zone: zone.to_owned(), ip: first.0, macs });
            if found.len() == LISTED {
                break;
            }
        }
    }
    found
}
