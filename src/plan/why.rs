//! Why a device counts, or does not: the ladder of rules, the couplings with what showed them, joins and evidence.

use serde::Serialize;

use super::inventory::{Detail, View};
use crate::census::{JoinReason, Rung, Signs, changes, ladder};
use crate::wire::{CouplingEntry, DeviceEntry, EvidenceEntry};

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
    /// What would make the verdict another one.
    pub changes: Vec<String>,
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
            changes: changes(device.verdict, device.last_seen, &view.policy),
            couplings: couplings(device, detail),
            joins: detail
                .joins
                .iter()
                .map(|j| JoinWhy {
                    coupling: format!("{} {}", j.coupling.mac, j.coupling.ip),
                    with: format!("{} {}", j.with.mac, j.with.ip),
                    reason: j.reason,
                    title: j.reason.title(),
                })
                .collect(),
            forwards: detail.forwards.map(|why| why.to_string()),
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

fn couplings<'a>(device: &'a DeviceEntry, detail: &Detail) -> Vec<CouplingWhy<'a>> {
    let signs = detail.signs.iter().copied().chain(std::iter::repeat(Signs::default()));
    let pairs = device.couplings.iter().zip(signs);
    pairs
        .map(|(coupling, s)| CouplingWhy { coupling, signs: s.iter().map(|s| s.title()).collect() })
        .collect()
}
