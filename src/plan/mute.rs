//! Mute rules: which alerts are listed, but told to nobody. **Pure.**
//!
//! A rule names what an alert must be. All that it names must hold, so a rule that names more holds less. Every rule has a
//! reason and an end: a site changes, and a rule that nobody remembers hides an attack.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::census::Timestamp;
use crate::census::time::{DAY, rfc3339};
use crate::security::{Alert, Severity};

/// The most mute rules of a subscription that are in force.
pub const MUTES: usize = 1_000;
/// The latest end of a mute rule.
pub const LONGEST: i64 = 366 * DAY;
/// Over so many days before, a preview tells what a rule would have held.
pub const PREVIEW: i64 = 30 * DAY;
/// Characters of a text of a rule, and of its reason.
const TEXT: usize = 300;

/// Which alerts a mute rule holds. What is left out does not matter; at least one member is given.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct MuteFilter {
    /// The rule of the alert, such as `A-SCAN-P`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
    /// Alerts of this severity or a lower one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub severity: Option<Severity>,
    /// The zone, by its name or one of its labels.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub zone: Option<String>,
    /// The device: its id, its MAC or its address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub device: Option<String>,
    /// The device's category, as in the inventory.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub category: Option<String>,
    /// The device's vendor. `*` stands for any characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vendor: Option<String>,
    /// The device's type. `*` stands for any characters.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// What the alert is about beside the device. `*` stands for any characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub object: Option<String>,
    /// A MITRE ATT&CK technique, such as `T1046`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub technique: Option<String>,
}

/// A mute rule.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
pub struct Mute {
    /// Counts up within the subscription.
    pub number: u64,
    /// Which alerts it holds.
    pub filter: MuteFilter,
    /// Why, in a person's words.
    pub reason: String,
    /// Who made it.
    pub by: String,
    /// When it was made.
    #[serde(with = "rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// When it ends.
    #[serde(with = "rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    pub until: Timestamp,
}

/// A mute rule cannot be made so.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum BadMute {
    #[error(
        "a mute rule must name at least one of rule, severity, zone, device, category, vendor, type, object or technique"
    )]
    Everything,
    #[error("{0}: write 1 to {TEXT} characters, without control characters")]
    Text(&'static str),
    #[error("until: write an instant after the present, at most a year ahead")]
    End,
}

impl MuteFilter {
    fn texts(&self) -> [(&'static str, Option<&String>); 8] {
        [
            ("rule", self.rule.as_ref()),
            ("zone", self.zone.as_ref()),
            ("device", self.device.as_ref()),
            ("category", self.category.as_ref()),
            ("vendor", self.vendor.as_ref()),
            ("type", self.kind.as_ref()),
            ("object", self.object.as_ref()),
            ("technique", self.technique.as_ref()),
        ]
    }

    /// Checks what people wrote.
    ///
    /// # Errors
    /// [`BadMute`].
    pub fn check(&self) -> Result<(), BadMute> {
        if *self == Self::default() {
            return Err(BadMute::Everything);
        }
        for (name, text) in self.texts() {
            if let Some(text) = text {
                check_text(name, text)?;
            }
        }
        Ok(())
    }

    /// Whether an alert is one that the rule holds.
    pub fn takes(&self, alert: &Alert) -> bool {
        let device = &alert.device;
        let is = |wanted: &Option<String>, have: &str| {
            wanted.as_ref().is_none_or(|wanted| wanted.eq_ignore_ascii_case(have))
        };
        let fits = |wanted: &Option<String>, have: Option<&str>| {
            wanted.as_ref().is_none_or(|wanted| have.is_some_and(|have| is_like(wanted, have)))
        };
        let technique = |wanted: &String| {
            // A technique holds its sub-techniques, too.
            let within = |have: &String| {
                have.strip_prefix(wanted.as_str())
                    .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
            };
            alert.techniques.iter().any(within)
        };
        let is_device = |wanted: &String| {
            wanted.eq_ignore_ascii_case(&device.id)
                || wanted.parse().is_ok_and(|ip: std::net::IpAddr| ip == device.ip)
                || wanted.parse().is_ok_and(|mac: crate::census::MacAddr| mac == device.mac)
        };
        is(&self.rule, &alert.rule)
            && self.severity.is_none_or(|most| alert.severity <= most)
            && self.zone.as_ref().is_none_or(|zone| *zone == device.zone || alert.labels.contains(zone))
            && self.device.as_ref().is_none_or(is_device)
            && is(&self.category, &device.category)
            && fits(&self.vendor, device.vendor.as_deref())
            && fits(&self.kind, Some(&device.kind))
            && fits(&self.object, Some(&alert.object))
            && self.technique.as_ref().is_none_or(technique)
    }

    /// The rule in words for people: `rule A-SCAN-P, zone hq`.
    pub fn sentence(&self) -> String {
        let severity = self.severity.map(|s| format!("severity {} or lower", s.key()));
        let texts = self.texts();
        let named = texts.iter().filter_map(|(name, text)| Some(format!("{name} {}", (*text)?)));
        named.chain(severity).collect::<Vec<_>>().join(", ")
    }
}

impl Mute {
    /// Whether it holds alerts at an instant.
    pub fn is_in_force(&self, at: Timestamp) -> bool {
        at < self.until
    }

    /// Checks what people wrote of a rule that is made at `now`.
    ///
    /// # Errors
    /// [`BadMute`].
    pub fn check(&self, now: Timestamp) -> Result<(), BadMute> {
        self.filter.check()?;
        check_text("reason", &self.reason)?;
        let ahead = self.until.since(now);
        if ahead > 0 && ahead <= LONGEST { Ok(()) } else { Err(BadMute::End) }
    }
}

fn check_text(name: &'static str, text: &str) -> Result<(), BadMute> {
    let is_good =
        !text.trim().is_empty() && text.chars().count() <= TEXT && !text.chars().any(char::is_control);
    if is_good { Ok(()) } else { Err(BadMute::Text(name)) }
}

/// Whether a text is like a pattern in which `*` stands for any characters; upper and lower case are the same. Linear in
/// the text for each star, because the earliest place of each part is always right.
fn is_like(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.to_lowercase(), text.to_lowercase());
    let mut parts = pattern.split('*');
    let Some(mut rest) = parts.next().and_then(|head| text.strip_prefix(head)) else { return false };
    let Some(tail) = parts.next_back() else { return rest.is_empty() };
    for part in parts {
        match rest.split_once(part) {
            Some((_, after)) => rest = after,
            None => return false,
        }
    }
    rest.ends_with(tail)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::security::Standing;

    /// A port scan in `hq` that was seen last at `last`.
    pub(crate) fn alert(last: Timestamp) -> Alert {
        Alert {
            id: "0123456789abcdef0123456789abcdef".parse().unwrap(),
            aliases: Vec::new(),
            labels: Vec::new(),
            rule: "A-SCAN-P".into(),
            title: "Port scan".into(),
            severity: Severity::Medium,
            device: Standing {
                id: "d1".into(),
                zone: "hq".into(),
                ip: "10.0.0.1".parse().unwrap(),
                mac: "00:40:8c:00:00:01".parse().unwrap(),
                category: "iot".into(),
                kind: "camera".into(),
                vendor: Some("Axis Communications".into()),
                model: None,
                name: None,
            },
            object: "10.0.0.9".into(),
            first: last,
            last,
            sentence: String::new(),
            proofs: Vec::new(),
            advice: String::new(),
            techniques: vec!["T1046.001".into()],
            feeds: Vec::new(),
        }
    }

    #[test]
    fn all_that_a_rule_names_must_hold() {
        let alert = alert(Timestamp(0));
        let text = |text: &str| Some(text.to_owned());
        let held = [
            MuteFilter { rule: text("a-scan-p"), zone: text("hq"), ..MuteFilter::default() },
            MuteFilter { severity: Some(Severity::High), ..MuteFilter::default() },
            MuteFilter { device: text("0040.8c00.0001"), ..MuteFilter::default() },
            MuteFilter { device: text("10.0.0.1"), vendor: text("axis*"), ..MuteFilter::default() },
            MuteFilter { kind: text("camera"), object: text("10.0.*.9"), ..MuteFilter::default() },
            MuteFilter { technique: text("T1046"), category: text("iot"), ..MuteFilter::default() },
        ];
        for filter in held {
            assert!(filter.takes(&alert), "{filter:?}");
        }
        let let_go = [
            MuteFilter { rule: text("A-SCAN-P"), zone: text("HQ2"), ..MuteFilter::default() },
            MuteFilter { severity: Some(Severity::Low), ..MuteFilter::default() },
            MuteFilter { vendor: text("axis"), ..MuteFilter::default() },
            MuteFilter { technique: text("T104"), ..MuteFilter::default() },
            MuteFilter { device: text("10.0.0.2"), ..MuteFilter::default() },
        ];
        for filter in let_go {
            assert!(!filter.takes(&alert), "{filter:?}");
        }
    }

    #[test]
    fn a_star_stands_for_any_characters() {
        for (pattern, text) in
            [("*", ""), ("a*", "A"), ("*b", "ab"), ("a*c*e", "abcde"), ("a**b", "axb"), ("", "")]
        {
            assert!(is_like(pattern, text), "{pattern} {text}");
        }
        for (pattern, text) in [("", "a"), ("a", "ab"), ("a*a", "a"), ("*x*", "abc"), ("ab*bc", "abc")] {
            assert!(!is_like(pattern, text), "{pattern} {text}");
        }
    }

    #[test]
    fn a_rule_names_something_and_has_a_reason_and_an_end_within_a_year() {
        let now = Timestamp(DAY);
        let filter = MuteFilter { zone: Some("hq".into()), ..MuteFilter::default() };
        let mute = Mute {
            number: 1,
            filter,
            reason: "our scanner".into(),
            by: "x".into(),
            at: now,
            until: now.plus(DAY),
        };
        assert_eq!(mute.check(now), Ok(()));
        let bad = |change: &dyn Fn(&mut Mute)| {
            let mut mute = mute.clone();
            change(&mut mute);
            mute.check(now).unwrap_err()
        };
        assert_eq!(bad(&|m| m.filter = MuteFilter::default()), BadMute::Everything);
        assert_eq!(bad(&|m| m.filter.zone = Some("a\nb".into())), BadMute::Text("zone"));
        assert_eq!(bad(&|m| m.reason = " ".into()), BadMute::Text("reason"));
        assert_eq!(bad(&|m| m.until = now), BadMute::End);
        assert_eq!(bad(&|m| m.until = now.plus(LONGEST + 1)), BadMute::End);
    }
}
