//! A coupling as a member of a device.

use serde::{Deserialize, Serialize};

use super::binding::Binding;
use super::coupling::{Coupling, CouplingKey};

/// The state of a coupling within its device (I8b, I11).
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "plan", derive(utoipa::ToSchema))]
pub enum CouplingState {
    Active,
    /// Its MAC has moved to another address by DHCP (I8b).
    Superseded,
    /// A newcomer of a flood that was not seen again yet (I11).
    Tentative,
}

/// What a coupling is of its device (I8d, I8g).
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Part {
    /// The device's own MAC, with an address that it uses.
    Own,
    /// The MAC is that of a bridge or repeater, which passes on the device's frames.
    Bridged,
    /// The MAC only answers for the address, which another host uses, or nobody.
    Proxied,
}

/// One coupling of a device.
#[derive(Clone, Debug)]
pub struct Member<'a> {
    pub key: CouplingKey,
    pub facts: &'a Coupling,
    pub binding: Binding,
    pub state: CouplingState,
    pub part: Part,
}
