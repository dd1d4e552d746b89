//! Recommendations: what the answers of a device prove about how it is administered.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;

use super::alert::{Proof, Recommendation, Unhealthy};
use super::derive::{Standings, View};
use super::ruleset::{RecommendationRule, Ruleset};
use super::{advised, asking, certificate, newcomer};
use crate::census::Timestamp;
use crate::census::conduct::{Deed, DeedKind};
use crate::census::time::DAY;

/// What was shown longer ago says nothing any more.
pub(super) const FRESH: i64 = 30 * DAY;

/// The postures of what a sensor saw that rules may name.
pub(super) const POSTURES: &[&str] = &[
    "certificate_ended",
    "certificate_ends_soon",
    "certificate_valid",
    "default_password",
    "foreign_resolver",
    "ftp_clear",
    "ftp_tls",
    "http_basic",
    "http_digest",
    "imap_clear",
    "internet",
    "ldap_clear",
    "ldap_requires",
    "ldap_tls",
    "login_form",
    "mqtt_admits",
    "mqtt_anonymous",
    "mqtt_user",
    "named_resolver",
    "newcomer",
    "pop3_clear",
    "port_mapping",
    "rdp_nla",
    "rdp_plain",
    "reviewed",
    "rtsp_basic",
    "rtsp_describes",
    "rtsp_digest",
    "sip_basic",
    "sip_digest",
    "smb_1",
    "smb_2",
    "smb_signs",
    "smb_unsigned",
    "snmp_default",
    "snmp_v1",
    "snmp_v2c",
    "snmp_v3",
    "ssh_1",
    "ssh_2",
    "telnet",
    "telnet_login",
    "telnet_prompt",
    "tftp",
    "tls_new",
    "tls_old",
    "tls_weak",
    "vnc_open",
    "vnc_password",
];

/// How a device is judged.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "snake_case")]
pub(super) enum Health {
    Unhealthy,
    Healthy,
    NotAssessed,
}

impl fmt::Display for Health {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unhealthy => "unhealthy",
            Self::Healthy => "healthy",
            Self::NotAssessed => "not assessed",
        })
    }
}

/// A posture that a device showed.
#[derive(Clone, Debug)]
pub(super) struct Shown {
    pub(super) first: Timestamp,
    pub(super) last: Timestamp,
    pub(super) days: u32,
    /// What it did, for people.
    pub(super) sentence: Cow<'static, str>,
}

impl Shown {
    pub(super) fn of(deed: &Deed) -> Self {
        Self { first: deed.first, last: deed.last, days: deed.days(), sentence: Cow::default() }
    }
}

/// The postures of one device that are fresh, by their names.
pub(super) type Postures<'v> = BTreeMap<&'v str, Shown>;

/// Adds what the zone's devices show.
pub(super) fn assess(
    view: &View<'_, '_>,
    rules: &Ruleset,
    (as_of, all): (Timestamp, bool),
    standings: &mut Standings,
    out: &mut Vec<Recommendation>,
) {
    let shown = gather(view, rules, as_of);
    let none = Postures::new();
    let seen = |rule: &&RecommendationRule| (rule.on || all) && !advised::is_of_advisories(rule);
    for rule in rules.recommendations.iter().filter(seen) {
        let place = out.iter().position(|r| r.rule == rule.id).unwrap_or_else(|| {
            out.push(empty(rule));
            out.len() - 1
        });
        let Some(of_rule) = out.get_mut(place) else { continue };
        for (place, device) in view.devices.iter().enumerate().filter(|(_, d)| rule.scope.has(d)) {
            let postures = shown.get(&place).unwrap_or(&none);
            let is_known = as_of.since(device.first_seen) >= FRESH && as_of.since(device.last_seen) <= DAY;
            match judge(rule, postures, is_known) {
                (Health::Unhealthy, Some(proof)) => {
                    of_rule.unhealthy.push(Unhealthy { device: standings.of(device), proof });
                }
                (Health::Healthy, _) => of_rule.healthy.push(standings.of(device)),
                _ => of_rule.not_assessed += 1,
            }
        }
    }
}

/// The fresh postures of the devices, by their places.
fn gather<'v>(view: &View<'v, '_>, rules: &Ruleset, as_of: Timestamp) -> BTreeMap<usize, Postures<'v>> {
    let mut shown: BTreeMap<usize, Postures<'v>> = BTreeMap::new();
    let mut show = |device: Option<usize>, name: &'v str, new: Shown| {
        let Some(device) = device.filter(|_| as_of.since(new.last) <= FRESH) else { return };
        let known = shown.entry(device).or_default().entry(name).or_insert_with(|| new.clone());
        if new.last > known.last {
            *known = new;
        }
    };
    let of_peer = |key: &crate::census::conduct::DeedKey| key.peer.and_then(|ip| view.at(ip));
    for (key, deed) in view.conduct.of(DeedKind::Shows) {
        // What a client shows of a log-in without a name is about the server.
        let device = if key.peer.is_some() { of_peer(key) } else { view.doer(key) };
        show(device, &key.label, Shown::of(deed));
    }
    for (key, deed) in view.conduct.of(DeedKind::Maps) {
        show(view.doer(key), "port_mapping", Shown::of(deed));
    }
    for (key, deed, _) in view.reached(DeedKind::TriesDefault) {
        let sentence = format!("a client uses the default password of '{}' with it", key.label);
        show(of_peer(key), "default_password", Shown { sentence: sentence.into(), ..Shown::of(deed) });
    }
    certificate::judge(view, rules, as_of, &mut show);
    newcomer::review(view, rules, as_of, &mut show);
    asking::resolvers(view, &mut show);
    asking::directories(view, &mut show);
    shown
}

pub(super) fn empty(rule: &RecommendationRule) -> Recommendation {
    Recommendation {
        rule: rule.id.clone(),
        name: rule.name.clone(),
        severity: rule.severity,
        unhealthy: Vec::new(),
        healthy: Vec::new(),
        not_assessed: 0,
        remedy: rule.remedy.clone(),
    }
}

/// What a device that shows these postures is, and what proves it if it is unhealthy.
pub(super) fn judge(
    rule: &RecommendationRule,
    postures: &Postures<'_>,
    is_known: bool,
) -> (Health, Option<Proof>) {
    if let Some(proof) = rule.unhealthy.iter().find_map(|all| insecure(all, postures)) {
        return (Health::Unhealthy, Some(proof));
    }
    let is_bare = |all: &String| all.split('+').all(|part| !postures.contains_key(bare(part).0));
    let is_quiet = rule.quiet && is_known && rule.unhealthy.iter().all(is_bare);
    let is_secure = rule.healthy.iter().any(|posture| postures.contains_key(posture.as_str()));
    (if is_secure || is_quiet { Health::Healthy } else { Health::NotAssessed }, None)
}

/// As a test of a rule has it: what a device shows, `a@2` on two days.
pub(super) fn health(rule: &RecommendationRule, shows: &[String]) -> Health {
    let shown = |text: &'_ String| {
        let (name, days) = bare(text);
        (name.to_owned(), days)
    };
    let all: Vec<(String, u32)> = shows.iter().map(shown).collect();
    let at = Timestamp::from_secs(0);
    let of = |days| Shown { first: at, last: at, days, sentence: Cow::default() };
    let postures = all.iter().map(|(name, days)| (name.as_str(), of(*days))).collect();
    judge(rule, &postures, false).0
}

/// The name of a posture, and on how many days it must have been shown.
pub(super) fn bare(part: &str) -> (&str, u32) {
    let part = part.strip_prefix('!').unwrap_or(part);
    part.split_once('@').map_or((part, 1), |(name, days)| (name, days.parse().unwrap_or(1)))
}

/// The proof that a device shows all of `a+b`, and none of `!c`.
fn insecure(all: &str, postures: &Postures<'_>) -> Option<Proof> {
    let mut proof: Option<Proof> = None;
    for part in all.split('+') {
        let (name, days) = bare(part);
        let shown = postures.get(name).filter(|shown| shown.days >= days);
        if part.starts_with('!') {
            if shown.is_some() {
                return None;
            }
            continue;
        }
        let shown = shown?;
        let known = proof.get_or_insert_with(|| Proof {
            sentence: String::new(),
            first: shown.first,
            last: shown.last,
            sample: Vec::new(),
        });
        (known.first, known.last) = (known.first.min(shown.first), known.last.max(shown.last));
        let said = if shown.sentence.is_empty() {
            format!("it showed {}", name.replace('_', " "))
        } else {
            shown.sentence.to_string()
        };
        known.sentence =
            if known.sentence.is_empty() { said } else { format!("{} and {said}", known.sentence) };
    }
    proof
}
