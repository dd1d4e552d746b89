//! The rules as data: texts, severities and scopes of alerts and recommendations.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::Severity;
use crate::census::Category;

const ALERTS: &str = include_str!("../../config/findings/alerts.toml");
const RECOMMENDATIONS: &str = include_str!("../../config/findings/recommendations.toml");

/// Which devices a rule is about.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    All,
    IotNetwork,
    NotComputers,
}

impl Scope {
    pub fn has(self, category: Category) -> bool {
        match self {
            Self::All => true,
            Self::IotNetwork => matches!(category, Category::Iot | Category::Network),
            Self::NotComputers => category != Category::ComputerMobile,
        }
    }
}

/// What is data of an alert.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
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
}

/// What is data of a recommendation.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecommendationRule {
    pub id: String,
    pub name: String,
    pub severity: Severity,
    pub scope: Scope,
    /// Postures, one of which is insecure: `a+b` needs both, `!c` that c was not seen.
    pub unhealthy: Vec<String>,
    /// Postures, one of which is secure.
    pub healthy: Vec<String>,
    pub remedy: String,
}

/// All rules, by their ids.
#[derive(Clone, Debug)]
pub struct Ruleset {
    pub alerts: BTreeMap<String, AlertRule>,
    pub recommendations: Vec<RecommendationRule>,
}

/// A file of rules cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{file}: {why}")]
pub struct BadRuleset {
    file: String,
    why: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    alert: Vec<AlertRule>,
    #[serde(default)]
    recommendation: Vec<RecommendationRule>,
}

impl Ruleset {
    /// The built-in rules.
    ///
    /// # Errors
    /// [`BadRuleset`]; a test holds that there is none.
    pub fn builtin() -> Result<Self, BadRuleset> {
        let mut book = Self { alerts: BTreeMap::new(), recommendations: Vec::new() };
        book.put("alerts.toml", ALERTS)?;
        book.put("recommendations.toml", RECOMMENDATIONS)?;
        Ok(book)
    }

    /// Puts the rules of a file into the place of those with the same ids.
    ///
    /// # Errors
    /// [`BadRuleset`], with the line, if the file does not hold rules. Then none is put.
    pub fn put(&mut self, file: &str, text: &str) -> Result<(), BadRuleset> {
        let read: File = toml::from_str(text)
            .map_err(|e| BadRuleset { file: file.to_owned(), why: e.to_string().trim_end().to_owned() })?;
        for rule in read.alert {
            self.alerts.insert(rule.id.clone(), rule);
        }
        for rule in read.recommendation {
            self.recommendations.retain(|known| known.id != rule.id);
            self.recommendations.push(rule);
        }
        Ok(())
    }
}
