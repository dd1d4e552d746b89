//! Alerts and recommendations, as a plan buys them (P7), and what people decide about them.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Serialize;
use utoipa::ToSchema;

use super::inventory::Secured;
use super::{App, May, Refusal, findings};
use crate::census::Timestamp;
use crate::census::time::rfc3339;
use crate::plan::entitlement::entitlement;
use crate::plan::permission::{Permission, UpdateFindings, View};
use crate::plan::store::{AlertDecision, AlertState, StoreError};
use crate::security::ocsf::{self, Status};
use crate::security::{Alert, AlertId, Recommendation, Ruleset, Severity};

/// The schemas of [`AlertList`] and [`RecommendationList`].
pub const ALERTS: &str = "netcensus.alerts/1";
pub const RECOMMENDATIONS: &str = "netcensus.recommendations/1";
/// The most alerts of one list.
const LISTED: usize = 10_000;

/// An alert and what people decided about it.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct AlertRecord {
    #[serde(flatten)]
    pub alert: Alert,
    pub state: AlertState,
    /// The newest decision; left out if there is none. An alert that was closed and then seen again is new.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decision: Option<AlertDecision>,
}

impl AlertRecord {
    fn new(alert: &Alert, decisions: &BTreeMap<AlertId, AlertDecision>) -> Self {
        let ids = || std::iter::once(&alert.id).chain(&alert.aliases);
        let decision = ids().filter_map(|id| decisions.get(id)).max_by_key(|d| d.at).cloned();
        let state = match &decision {
            Some(d) if d.state == AlertState::Closed && alert.last > d.at => AlertState::New,
            Some(d) => d.state,
            None => AlertState::New,
        };
        Self { alert: alert.clone(), state, decision }
    }
}

/// Alerts of a subscription.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct AlertList {
    /// `netcensus.alerts/1`.
    pub schema: &'static str,
    /// The instant at which they were derived.
    #[serde(with = "rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    pub as_of: Timestamp,
    /// Severest first, then newest; at most 10,000.
    pub alerts: Vec<AlertRecord>,
    /// How many there are, listed or not.
    pub total: u64,
}

/// Recommendations of a subscription.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct RecommendationList {
    /// `netcensus.recommendations/1`.
    pub schema: &'static str,
    /// The instant at which they were derived.
    #[serde(with = "rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    pub as_of: Timestamp,
    /// Severest first. Only those with a device that is unhealthy or healthy.
    pub recommendations: Vec<Recommendation>,
}

/// Which alerts are in a list. The default is all that are open.
#[derive(Clone, Debug, Default)]
pub struct AlertFilter {
    /// `None`: those that are open.
    pub state: Option<AlertState>,
    /// Whether alerts of every state are listed.
    pub all: bool,
    /// This severity or a higher one.
    pub severity: Option<Severity>,
    pub rule: Option<String>,
    pub zone: Option<String>,
    /// The id of a device.
    pub device: Option<String>,
}

impl AlertFilter {
    fn takes(&self, record: &AlertRecord) -> bool {
        let alert = &record.alert;
        let in_state = match self.state {
            Some(state) => record.state == state,
            None => self.all || record.state.is_open(),
        };
        in_state
            && self.severity.is_none_or(|least| alert.severity >= least)
            && self.rule.as_ref().is_none_or(|rule| *rule == alert.rule)
            && self.zone.as_ref().is_none_or(|zone| *zone == alert.device.zone)
            && self.device.as_ref().is_none_or(|id| *id == alert.device.id)
    }
}

/// What was derived, if a plan buys it.
async fn secured<A: Permission>(app: &App, may: &May<A>) -> Result<Secured, Refusal> {
    let now = app.now();
    entitlement(&app.store.plans(may.id()).await?, now)?;
    let (inventories, rules) = (app.inventories()?, app.alert_rules()?);
    match app.brevity() {
        Some(wait) => inventories.security_in(may.id(), &rules, now, wait).await,
        None => inventories.security(may.id(), &rules, now).await,
    }
}

/// The alerts of the present.
pub async fn list(app: &App, may: &May<View>, filter: &AlertFilter) -> Result<AlertList, Refusal> {
    let Secured { as_of, security, .. } = secured(app, may).await?;
    let decisions = app.store.alert_decisions(may.id()).await?;
    let records = security.alerts.iter().map(|alert| AlertRecord::new(alert, &decisions));
    let mut alerts: Vec<AlertRecord> = records.filter(|record| filter.takes(record)).collect();
    let total = alerts.len() as u64;
    alerts.truncate(LISTED);
    Ok(AlertList { schema: ALERTS, as_of, alerts, total })
}

/// How many alerts are open by severity, severest first, as far as they were derived already; `None` if they are withheld, or
/// were not derived since the service started.
pub async fn open_by_severity(app: &App, may: &May<View>) -> Result<Option<Vec<(Severity, u64)>>, Refusal> {
    if entitlement(&app.store.plans(may.id()).await?, app.now()).is_err() {
        return Ok(None);
    }
    let Some(known) = app.inventories()?.known_security(may.id()).await? else { return Ok(None) };
    let decisions = app.store.alert_decisions(may.id()).await?;
    let open =
        known.security.alerts.iter().filter(|alert| AlertRecord::new(alert, &decisions).state.is_open());
    let mut counts: BTreeMap<Severity, u64> = BTreeMap::new();
    open.for_each(|alert| *counts.entry(alert.severity).or_default() += 1);
    Ok(Some(counts.into_iter().rev().collect()))
}

/// One alert, by its id or an alias.
pub async fn get(app: &App, may: &May<View>, id: &str) -> Result<AlertRecord, Refusal> {
    let secured = secured(app, may).await?;
    let alert = find(&secured, id)?;
    Ok(AlertRecord::new(alert, &app.store.alert_decisions(may.id()).await?))
}

fn find<'s>(secured: &'s Secured, id: &str) -> Result<&'s Alert, Refusal> {
    let missing = || StoreError::NotFound { what: "alert", id: id.chars().take(60).collect() };
    let known: AlertId = id.parse().map_err(|_| missing())?;
    let found = secured.security.alerts.iter().find(|a| a.id == known || a.aliases.contains(&known));
    Ok(found.ok_or_else(missing)?)
}

/// Decides about an alert, with an optional note.
pub async fn decide(
    app: &App,
    may: &May<UpdateFindings>,
    id: &str,
    state: AlertState,
    note: Option<&str>,
) -> Result<AlertRecord, Refusal> {
    let note = findings::checked(note)?;
    let secured = secured(app, may).await?;
    let alert = find(&secured, id)?;
    let decisions = app.store.alert_decisions(may.id()).await?;
    let known = AlertRecord::new(alert, &decisions);
    let decision = AlertDecision { state, note, by: may.by.actor.to_string(), at: app.now() };
    let before = decisions.get(&alert.id);
    app.store.decide_alert(may.id(), alert.id, (before, &decision), &may.by).await?;
    Ok(AlertRecord { state, decision: Some(decision), ..known })
}

/// The recommendations of the present.
pub async fn recommendations(app: &App, may: &May<View>) -> Result<RecommendationList, Refusal> {
    let Secured { as_of, security, .. } = secured(app, may).await?;
    let recommendations = security.recommendations.clone();
    Ok(RecommendationList { schema: RECOMMENDATIONS, as_of, recommendations })
}

/// An alert as an event of OCSF.
pub fn event(record: &AlertRecord) -> serde_json::Value {
    let status = match record.state {
        AlertState::New => Status::New,
        AlertState::Active => Status::InProgress,
        AlertState::Closed => Status::Resolved,
        AlertState::Accepted => Status::Suppressed,
    };
    ocsf::alert(&record.alert, status)
}

impl App {
    /// The rules of alerts and recommendations.
    ///
    /// # Errors
    /// [`Refusal::Defect`] if the built-in rules cannot be read.
    pub fn alert_rules(&self) -> Result<Arc<Ruleset>, Refusal> {
        if let Some(rules) = self.ruleset.get() {
            return Ok(Arc::clone(rules));
        }
        let rules = Arc::new(Ruleset::builtin().map_err(|e| Refusal::Defect(e.to_string()))?);
        Ok(Arc::clone(self.ruleset.get_or_init(|| rules)))
    }
}
