//! The rules as data: texts, severities, scopes and numbers of alerts and recommendations.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::Severity;
use super::advised::{self, is_of_advisories};
use super::entry::{
    AlertEntry, Author, CONDITIONS, Fault, File, PostureTest, Wording, checked, needed, numbers, postures,
};
use super::posture::{bare, health};
use crate::census::{Category, Device};

const ALERTS: &str = include_str!("../../config/findings/alerts.toml");
const RECOMMENDATIONS: &str = include_str!("../../config/findings/recommendations.toml");

/// The most recommendations, those of an operator included.
const RECOMMENDATIONS_AT_MOST: usize = 200;

/// Which devices a rule is about.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    All,
    IotNetwork,
    NotComputers,
    /// Devices of industrial control.
    Industrial,
}

/// The types of devices of industrial control.
const INDUSTRIAL: [&str; 12] = [
    "ot_device",
    "plc",
    "rtu",
    "hmi",
    "drive",
    "remote_io",
    "industrial_gateway",
    "ied_relay",
    "robot",
    "cnc",
    "dcs_controller",
    "safety_system",
];

impl Scope {
    pub fn has(self, device: &Device<'_>) -> bool {
        self.has_category(device.category)
            && (self != Self::Industrial || INDUSTRIAL.contains(&device.classification().kind.as_str()))
    }

    /// Whether devices of that category and type are in the scope.
    pub(super) fn has_kind(self, category: Category, kind: &str) -> bool {
        self.has_category(category) && (self != Self::Industrial || INDUSTRIAL.contains(&kind))
    }

    /// Whether devices of that category may be in the scope.
    pub const fn has_category(self, category: Category) -> bool {
        match self {
            Self::All => true,
            Self::IotNetwork => matches!(category, Category::Iot | Category::Network),
            Self::NotComputers => !matches!(category, Category::ComputerMobile),
            Self::Industrial => matches!(category, Category::Iot),
        }
    }
}

/// What is data of an alert.
#[derive(Clone, Debug)]
pub struct AlertRule {
    pub id: String,
    pub title: String,
    pub severity: Severity,
    /// Whether it is shown.
    pub on: bool,
    pub scope: Scope,
    /// When it is raised.
    pub sees: String,
    /// What it does not see.
    pub blind: String,
    pub techniques: Vec<String>,
    pub advice: String,
    /// What the rule counts by after the sensors counted, each by its name.
    pub numbers: BTreeMap<String, u32>,
    /// The operator's file that changed it last.
    pub from: Option<String>,
}

impl AlertRule {
    /// When it is raised, with its numbers.
    pub fn sees(&self) -> String {
        self.numbers
            .iter()
            .fold(self.sees.clone(), |text, (name, n)| text.replace(&format!("{{{name}}}"), &n.to_string()))
    }
}

/// What is data of a recommendation.
#[derive(Clone, Debug)]
pub struct RecommendationRule {
    pub id: String,
    pub name: String,
    pub severity: Severity,
    /// Whether it is shown.
    pub on: bool,
    pub scope: Scope,
    /// Conditions, one of which is insecure: `a+b` needs both postures, `!c` that c was not seen, `a@2` a on two days.
    pub unhealthy: Vec<String>,
    /// Postures, one of which is secure.
    pub healthy: Vec<String>,
    /// Whether a device that is known for as long as postures count is secure if it did not show an insecure one.
    pub quiet: bool,
    pub remedy: String,
    pub numbers: BTreeMap<String, u32>,
    /// The operator's file that changed it last.
    pub from: Option<String>,
}

impl RecommendationRule {
    /// The names of the postures on which it rests.
    pub(super) fn postures(&self) -> impl Iterator<Item = &str> {
        let conditions = self.unhealthy.iter().flat_map(|all| all.split('+')).map(|part| bare(part).0);
        conditions.chain(self.healthy.iter().map(String::as_str))
    }
}

/// All rules, by their ids.
#[derive(Clone, Debug)]
pub struct Ruleset {
    pub alerts: BTreeMap<String, AlertRule>,
    pub recommendations: Vec<RecommendationRule>,
}

/// A file of rules cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{file}:{line}:{column}: {why}")]
pub struct BadRuleset {
    file: String,
    line: usize,
    column: usize,
    why: String,
}

impl BadRuleset {
    fn at(file: &str, text: &str, offset: usize, why: String) -> Self {
        let before = text.get(..offset).unwrap_or(text);
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        Self { file: file.to_owned(), line, column, why }
    }
}

impl Ruleset {
    /// The built-in rules.
    ///
    /// # Errors
    /// [`BadRuleset`]; a test holds that there is none.
    pub fn builtin() -> Result<Self, BadRuleset> {
        let mut book = Self { alerts: BTreeMap::new(), recommendations: Vec::new() };
        book.read("alerts.toml", ALERTS, Author::Project)?;
        book.read("recommendations.toml", RECOMMENDATIONS, Author::Project)?;
        Ok(book)
    }

    /// Changes the rules as an operator's file says, and adds its recommendations.
    ///
    /// # Errors
    /// [`BadRuleset`], with the place, if the file does not hold rules, names an alert that there is not, or fails one of its
    /// own tests. Then nothing changes.
    pub fn put(&mut self, file: &str, text: &str) -> Result<(), BadRuleset> {
        let mut book = self.clone();
        book.read(file, text, Author::Operator)?;
        *self = book;
        Ok(())
    }

    /// A number of a rule; 0 if there is no such number, which a test excludes.
    pub(super) fn number(&self, rule: &str, name: &str) -> i64 {
        let of_alert = self.alerts.get(rule).map(|rule| &rule.numbers);
        let of_recommendation =
            || self.recommendations.iter().find(|known| known.id == rule).map(|rule| &rule.numbers);
        of_alert.or_else(of_recommendation).and_then(|numbers| numbers.get(name)).copied().unwrap_or(0).into()
    }

    fn read(&mut self, file: &str, text: &str, author: Author) -> Result<(), BadRuleset> {
        let bad = |(at, why): Fault| BadRuleset::at(file, text, at, why);
        let read: File = toml::from_str(text).map_err(|e| {
            bad((e.span().map_or(0, |span| span.start), e.message().replace('\n', ", ").trim().to_owned()))
        })?;
        let from = (author == Author::Operator).then(|| file.to_owned());
        let mut seen = std::collections::BTreeSet::new();
        let ids = read.alert.iter().map(|e| &e.id).chain(read.recommendation.iter().map(|e| &e.id));
        for id in ids {
            if !seen.insert(id.get_ref().clone()) {
                return Err(bad((id.span().start, format!("'{}' is in the file twice", id.get_ref()))));
            }
        }
        for entry in read.alert {
            self.alert(entry, author, from.clone()).map_err(bad)?;
        }
        for entry in read.recommendation {
            self.recommendation(entry, author, from.clone()).map_err(bad)?;
        }
        Ok(())
    }

    fn alert(&mut self, entry: AlertEntry, author: Author, from: Option<String>) -> Result<(), Fault> {
        let at = entry.id.span().start;
        let id = entry.id.into_inner();
        let rule = match (self.alerts.remove(&id), author) {
            (Some(known), _) => AlertRule {
                title: checked(at, entry.title, known.title)?,
                severity: entry.severity.unwrap_or(known.severity),
                on: entry.on.unwrap_or(known.on),
                scope: entry.scope.unwrap_or(known.scope),
                sees: checked(at, entry.sees, known.sees)?,
                blind: checked(at, entry.blind, known.blind)?,
                techniques: entry.techniques.unwrap_or(known.techniques),
                advice: checked(at, entry.advice, known.advice)?,
                numbers: numbers(known.numbers, entry.numbers, author)?,
                from,
                id,
            },
            (None, Author::Operator) => {
                return Err((
                    at,
                    format!("there is no alert '{id}'; files change the alerts that there are"),
                ));
            }
            (None, Author::Project) => AlertRule {
                title: needed(at, "title", entry.title)?,
                severity: needed(at, "severity", entry.severity)?,
                on: needed(at, "on", entry.on)?,
                scope: needed(at, "scope", entry.scope)?,
                sees: needed(at, "sees", entry.sees)?,
                blind: needed(at, "blind", entry.blind)?,
                techniques: needed(at, "techniques", entry.techniques)?,
                advice: needed(at, "advice", entry.advice)?,
                numbers: numbers(BTreeMap::new(), entry.numbers, author)?,
                from,
                id,
            },
        };
        if rule.techniques.len() > CONDITIONS || rule.techniques.iter().any(|t| t.len() > 32) {
            return Err((at, format!("more than {CONDITIONS} techniques, or one longer than 32 bytes")));
        }
        self.alerts.insert(rule.id.clone(), rule);
        Ok(())
    }

    fn recommendation(
        &mut self,
        entry: super::entry::RecommendationEntry,
        author: Author,
        from: Option<String>,
    ) -> Result<(), Fault> {
        let at = entry.id.span().start;
        let id = entry.id.into_inner();
        let place = self.recommendations.iter().position(|known| known.id == id);
        let known = place.and_then(|place| self.recommendations.get(place)).cloned();
        let (unhealthy, healthy) =
            (postures(entry.unhealthy, Wording::Condition)?, postures(entry.healthy, Wording::Posture)?);
        let rule = match known {
            Some(known) => RecommendationRule {
                name: checked(at, entry.name, known.name)?,
                severity: entry.severity.unwrap_or(known.severity),
                on: entry.on.unwrap_or(known.on),
                scope: entry.scope.unwrap_or(known.scope),
                unhealthy: unhealthy.unwrap_or(known.unhealthy),
                healthy: healthy.unwrap_or(known.healthy),
                quiet: entry.quiet.unwrap_or(known.quiet),
                remedy: checked(at, entry.remedy, known.remedy)?,
                numbers: numbers(known.numbers, entry.numbers, author)?,
                from,
                id,
            },
            None => RecommendationRule {
                name: checked(at, Some(needed(at, "name", entry.name)?), String::new())?,
                severity: needed(at, "severity", entry.severity)?,
                on: entry.on.unwrap_or(true),
                scope: needed(at, "scope", entry.scope)?,
                unhealthy: needed(at, "unhealthy", unhealthy)?,
                healthy: healthy.unwrap_or_default(),
                quiet: entry.quiet.unwrap_or(false),
                remedy: checked(at, Some(needed(at, "remedy", entry.remedy)?), String::new())?,
                numbers: numbers(BTreeMap::new(), entry.numbers, author)?,
                from,
                id,
            },
        };
        let is_name = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '-';
        if !rule.id.starts_with("R-") || rule.id.len() > 32 || !rule.id.chars().all(is_name) {
            return Err((
                at,
                "an id is 'R-', then capital letters, digits and '-', 32 bytes in all".to_owned(),
            ));
        }
        if is_of_advisories(&rule) && !rule.postures().all(|name| advised::POSTURES.contains(&name)) {
            let advisories = advised::POSTURES.join(", ");
            return Err((at, format!("postures of advisories ({advisories}) stand alone in a rule")));
        }
        for test in &entry.tests {
            let PostureTest { shows, is } = test.get_ref();
            let found = health(&rule, shows);
            if found != *is {
                let shows = shows.join(", ");
                let why =
                    format!("a device that shows {shows} is {found}, and the test says that it is {is}");
                return Err((test.span().start, why));
            }
        }
        if place.is_none() && self.recommendations.len() >= RECOMMENDATIONS_AT_MOST {
            return Err((at, format!("more than {RECOMMENDATIONS_AT_MOST} recommendations")));
        }
        match place.and_then(|place| self.recommendations.get_mut(place)) {
            Some(known) => *known = rule,
            None => self.recommendations.push(rule),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(text: &str) -> Result<Ruleset, String> {
        let mut rules = Ruleset::builtin().unwrap();
        rules.put("own.toml", text).map_err(|e| e.to_string())?;
        Ok(rules)
    }

    #[test]
    fn a_file_changes_what_it_says_and_leaves_the_rest() {
        let text = "[[alert]]\nid = 'A-BRUTE-SSH'\nseverity = 'low'\non = false\nnumbers = { days = 9 }\n";
        let (rules, before) = (put(text).unwrap(), Ruleset::builtin().unwrap());
        let (new, old) = (&rules.alerts["A-BRUTE-SSH"], &before.alerts["A-BRUTE-SSH"]);
        assert_eq!((new.severity, new.on, new.from.as_deref()), (Severity::Low, false, Some("own.toml")));
        assert_eq!((&new.title, &new.advice), (&old.title, &old.advice));
        assert!(new.sees().contains("fewer than 9 days") && old.sees().contains("fewer than 3 days"));
        assert_eq!(rules.number("A-BRUTE-SSH", "days"), 9);
        assert!(
            rules.alerts.values().all(|rule| !rule.sees().contains('{')),
            "each name stands for a number"
        );
    }

    #[test]
    fn a_file_adds_a_recommendation_and_its_tests_are_run() {
        let own = "[[recommendation]]\nid = 'R-OWN'\nname = 'Own'\nseverity = 'low'\nscope = 'all'\n\
                   unhealthy = ['tftp@2+!ssh_2']\nremedy = 'Turn it off.'\n";
        let test = |is: &str| format!("{own}tests = [{{ shows = ['tftp@2'], is = '{is}' }}]\n");
        let rules = put(&test("unhealthy")).unwrap();
        assert!(rules.recommendations.iter().any(|rule| rule.id == "R-OWN" && rule.on));
        let why = put(&test("healthy")).unwrap_err();
        assert_eq!(
            why,
            "own.toml:8:10: a device that shows tftp@2 is unhealthy, and the test says that it is healthy"
        );
    }

    #[test]
    fn what_is_wrong_is_told_with_its_place_and_nothing_changes() {
        for (text, expected) in [
            ("[[alert]]\nid = 'A-NONE'\n", "own.toml:2:6: there is no alert 'A-NONE'"),
            ("[[alert]]\nid = 'A-IP'\nserious = 1\n", "own.toml:3:1: unknown field `serious`"),
            ("[[alert]]\nid = 'A-IP'\nseverity = 'urgent'\n", "own.toml:3:12: unknown variant `urgent`"),
            (
                "[[alert]]\nid = 'A-IP'\nnumbers = { days = 2 }\n",
                "own.toml:3:20: the rule has no number 'days'",
            ),
            ("[[alert]]\nid = 'A-GW'\nnumbers = { hours = 0 }\n", "'hours' is not between 1 and 10000"),
            ("[[alert]]\nid = 'A-GW'\ntitle = ' '\n", "own.toml:2:6: a text is empty"),
            ("[[alert]]\nid = 'A-GW'\n[[alert]]\nid = 'A-GW'\n", "own.toml:4:6: 'A-GW' is in the file twice"),
            ("[[recommendation]]\nid = 'R-X'\n", "own.toml:2:6: 'name' is missing"),
            (
                "[[recommendation]]\nid = 'R-FTP'\nunhealthy = ['ftp_clear+vulnerable']\n",
                "postures of advisories (exploited_flaw_possible, firmware_assessed, vulnerable) stand alone in a rule",
            ),
            (
                "[[recommendation]]\nid = 'R-FTP'\nunhealthy = ['ftp']\n",
                "own.toml:3:14: there is no posture 'ftp'",
            ),
            ("[[recommendation]]\nid = 'R-FTP'\nunhealthy = ['!tftp']\n", "needs something that was seen"),
            ("[[recommendation]]\nid = 'R-FTP'\nunhealthy = ['tftp@99']\n", "not a number of days"),
            ("[[alert\n", "own.toml:1:"),
        ] {
            let mut rules = Ruleset::builtin().unwrap();
            let why = rules.put("own.toml", text).unwrap_err().to_string();
            assert!(why.contains(expected), "{text}: {why}");
            assert!(rules.alerts.values().all(|rule| rule.from.is_none()));
        }
    }

    #[test]
    fn the_numbers_that_rules_ask_for_are_there() {
        let rules = Ruleset::builtin().unwrap();
        for (rule, name) in [
            ("A-BEACON", "devices"),
            ("A-BRUTE-OK", "minutes"),
            ("A-BRUTE-SSH", "days"),
            ("A-CLONE", "days"),
            ("A-DGA", "devices"),
            ("A-DNS-TUN", "devices"),
            ("A-EXPOSED", "days"),
            ("A-GW", "hours"),
            ("A-NEW", "quiet_days"),
            ("A-PLC-PROG", "days"),
            ("A-PORT", "days"),
            ("A-PORT", "devices"),
            ("A-S7-STOP", "days"),
            ("A-TYPE", "days"),
            ("R-CERT", "days"),
            ("R-UNAUTH", "days"),
        ] {
            assert!(rules.number(rule, name) > 0, "{rule} {name}");
        }
    }
}
