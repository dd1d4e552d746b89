//! Recommendations that rest on advisories, not on what a sensor saw.

use super::alert::{Recommendation, Standing, Unhealthy};
use super::posture::{self, FRESH, Health, Postures, Shown};
use super::ruleset::{RecommendationRule, Ruleset};
use crate::census::{Category, Timestamp};

/// What advisories say about a device.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Posture {
    /// Its firmware has a flaw that is exploited (KEV), or scored 9 or more.
    Vulnerable,
    /// Its model is named by an advisory of an exploited flaw, and nothing tells whether its firmware has it.
    ExploitedFlawPossible,
    /// Every advisory about the product could be compared with its firmware.
    FirmwareAssessed,
}

/// The names of postures that follow from advisories. A rule has these alone, or none of them.
pub(super) const POSTURES: [&str; 3] = ["exploited_flaw_possible", "firmware_assessed", "vulnerable"];

impl Posture {
    const fn key(self) -> &'static str {
        match self {
            Self::Vulnerable => "vulnerable",
            Self::ExploitedFlawPossible => "exploited_flaw_possible",
            Self::FirmwareAssessed => "firmware_assessed",
        }
    }
}

/// A device, and what advisories say about it.
#[derive(Clone, Copy, Debug)]
pub struct Advised<'a> {
    pub category: Category,
    /// Its type, as in the inventory.
    pub kind: &'a str,
    /// Each with a sentence for people.
    pub postures: &'a [(Posture, String)],
    /// When it proved what it is, and when it was seen last.
    pub first: Timestamp,
    pub last: Timestamp,
}

impl Advised<'_> {
    fn shown(&self) -> Postures<'_> {
        let shown = |(posture, sentence): &(Posture, String)| {
            // No part of a condition asks for more days.
            let days = u32::MAX;
            let shown = Shown { first: self.first, last: self.last, days, sentence: sentence.clone().into() };
            (posture.key(), shown)
        };
        self.postures.iter().map(shown).collect()
    }
}

/// Whether a rule rests on advisories.
pub(super) fn is_of_advisories(rule: &RecommendationRule) -> bool {
    rule.postures().any(|name| POSTURES.contains(&name))
}

/// The recommendations that rest on advisories, as [`derive()`](super::derive()) gives the others. Pure. A device that was not
/// seen for 30 days is not assessed.
pub fn recommend<'a, D>(
    rules: &Ruleset,
    as_of: Timestamp,
    devices: &[(D, Advised<'a>)],
    standing: impl Fn(&D) -> Standing,
) -> Vec<Recommendation> {
    let mut out = Vec::new();
    for rule in rules.recommendations.iter().filter(|rule| rule.on && is_of_advisories(rule)) {
        let mut of_rule = posture::empty(rule);
        for (device, advised) in devices.iter().filter(|(_, a)| rule.scope.has_kind(a.category, a.kind)) {
            let shown = if as_of.since(advised.last) <= FRESH { advised.shown() } else { Postures::new() };
            match posture::judge(rule, &shown, false) {
                (Health::Unhealthy, Some(proof)) => {
                    of_rule.unhealthy.push(Unhealthy { device: standing(device), proof });
                }
                (Health::Healthy, _) => of_rule.healthy.push(standing(device)),
                _ => of_rule.not_assessed += 1,
            }
        }
        out.push(of_rule);
    }
    Recommendation::sort(&mut out);
    out
}
