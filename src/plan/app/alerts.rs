//! Alerts and recommendations, as a plan buys them (P7).

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError};

use serde::Serialize;
use utoipa::ToSchema;

use super::inventory::Secured;
use super::{App, May, Refusal, alert_record, freshness};
use crate::census::Timestamp;
use crate::census::time::rfc3339;
use crate::plan::alert_life::{AlertDecision, AlertState, Life, decision, life, object_id};
use crate::plan::entitlement::entitlement;
use crate::plan::mute::Mute;
use crate::plan::permission::{Permission, View};
use crate::plan::store::StoreError;
use crate::security::ocsf::{self, Status};
use crate::security::{self, Alert, AlertId, Recommendation, Ruleset, RulesetError, Severity};

/// The schemas of [`AlertList`] and [`RecommendationList`].
pub const ALERTS: &str = "netcensus.alerts/1";
pub const RECOMMENDATIONS: &str = "netcensus.recommendations/1";
/// The most alerts of one list.
const LISTED: usize = 10_000;

/// An alert and the stage of its life.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct AlertRecord {
    #[serde(flatten)]
    pub alert: Alert,
    pub state: AlertState,
    /// Since when, if it came into its state by itself: because it was seen again, or was not seen for long.
    #[serde(skip_serializing_if = "Option::is_none", with = "rfc3339::option")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub since: Option<Timestamp>,
    /// The number of the mute rule that holds it; left out if none does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub muted_by: Option<u64>,
    /// The newest decision; left out if there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decision: Option<AlertDecision>,
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
    #[schema(value_type = Vec<Recommendation>)]
    pub recommendations: Vec<Arc<Recommendation>>,
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
    /// Who works on it; empty for those that nobody works on.
    pub assignee: Option<String>,
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
            && self.zone.as_ref().is_none_or(|zone| *zone == alert.device.zone || alert.labels.contains(zone))
            && self.device.as_ref().is_none_or(|id| *id == alert.device.id)
            && self.assignee.as_ref().is_none_or(|wanted| {
                let person = record.decision.as_ref().and_then(|d| d.assignee.as_deref());
                wanted == person.unwrap_or_default()
            })
    }
}

/// What was derived, and what people said of it.
pub(super) struct Ground {
    pub(super) secured: Secured,
    pub(super) decisions: BTreeMap<AlertId, AlertDecision>,
    pub(super) mutes: Vec<Mute>,
    /// The instant at which lives are judged.
    pub(super) now: Timestamp,
}

impl Ground {
    /// What a plan buys, if one is in effect.
    pub(super) async fn load<A: Permission>(app: &App, may: &May<A>) -> Result<Self, Refusal> {
        let now = app.now();
        entitlement(&app.store.plans(may.id()).await?, now)?;
        let (inventories, rules) = (app.inventories()?, app.alert_rules()?);
        let (secured, is_older) = match app.brevity() {
            Some(wait) => inventories.security_in(may.id(), &rules, now, wait).await?,
            None => (inventories.security(may.id(), &rules, now).await?, false),
        };
        if is_older {
            freshness::note_older(secured.as_of, secured.as_of, now);
        }
        let ground = Self::of(app, may.subscription.id.clone(), secured, now).await?;
        // What is older would seem to take back what another service recorded since.
        if !is_older {
            alert_record::record(app, may.id(), &ground).await?;
        }
        Ok(ground)
    }

    pub(super) async fn of(
        app: &App,
        subscription: crate::wire::SubscriptionId,
        secured: Secured,
        now: Timestamp,
    ) -> Result<Self, Refusal> {
        let decisions = app.store.alert_decisions(&subscription).await?;
        let mutes = app.store.mutes(&subscription).await?;
        Ok(Self { secured, decisions, mutes, now })
    }

    /// An alert and the stage of its life.
    pub(super) fn record(&self, alert: &Alert) -> AlertRecord {
        let Life { state, muted_by, since } = self.life(alert);
        let decision = decision(alert, &self.decisions).cloned();
        AlertRecord { alert: alert.clone(), state, since, muted_by, decision }
    }

    /// The stage of an alert in its life.
    pub(super) fn life(&self, alert: &Alert) -> Life {
        let present = self.secured.holders.present(&alert.device.id);
        life(alert, decision(alert, &self.decisions), &self.mutes, present, self.now)
    }

    pub(super) fn records(&self) -> impl Iterator<Item = AlertRecord> {
        self.secured.security.alerts.iter().map(|alert| self.record(alert))
    }

    /// An alert, by its id or an alias.
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    pub(super) fn find(&self, id: &str) -> Result<&Alert, Refusal> {
        let missing = || StoreError::NotFound { what: "alert", id: id.chars().take(60).collect() };
        let known: AlertId = id.parse().map_err(|_| missing())?;
        let alerts = &self.secured.security.alerts;
        let found = alerts.iter().find(|a| a.id == known || a.aliases.contains(&known));
        Ok(found.ok_or_else(missing)?)
    }
}

/// The alerts of the present.
pub async fn list(app: &App, may: &May<View>, filter: &AlertFilter) -> Result<AlertList, Refusal> {
    let mut list = whole(app, may, filter).await?;
    list.alerts.truncate(LISTED);
    Ok(list)
}

/// As [`list`], all of them.
pub(super) async fn whole<A: Permission>(
    app: &App,
    may: &May<A>,
    filter: &AlertFilter,
) -> Result<AlertList, Refusal> {
    let ground = Ground::load(app, may).await?;
    let alerts: Vec<AlertRecord> = ground.records().filter(|record| filter.takes(record)).collect();
    let total = alerts.len() as u64;
    Ok(AlertList { schema: ALERTS, as_of: ground.secured.as_of, alerts, total })
}

/// How many alerts are open by severity, severest first, as far as they were derived already; `None` if they are withheld, or
/// were not derived since the service started.
pub async fn open_by_severity(app: &App, may: &May<View>) -> Result<Option<Vec<(Severity, u64)>>, Refusal> {
    let now = app.now();
    if entitlement(&app.store.plans(may.id()).await?, now).is_err() {
        return Ok(None);
    }
    let Some(known) = app.inventories()?.known_security(may.id()).await? else { return Ok(None) };
    let ground = Ground::of(app, may.id().clone(), known, now).await?;
    let mut counts: BTreeMap<Severity, u64> = BTreeMap::new();
    ground
        .records()
        .filter(|record| record.state.is_open())
        .for_each(|record| *counts.entry(record.alert.severity).or_default() += 1);
    Ok(Some(counts.into_iter().rev().collect()))
}

/// One alert, by its id or an alias, and what an entity tag of it covers: the decisions about it and about its object.
pub async fn get(
    app: &App,
    may: &May<View>,
    id: &str,
) -> Result<(AlertRecord, [Option<AlertDecision>; 2]), Refusal> {
    let ground = Ground::load(app, may).await?;
    let alert = ground.find(id)?;
    let decided = [alert.id, object_id(alert)].map(|id| ground.decisions.get(&id).cloned());
    Ok((ground.record(alert), decided))
}

/// The recommendations of the present.
pub async fn recommendations(app: &App, may: &May<View>) -> Result<RecommendationList, Refusal> {
    let Secured { as_of, security, .. } = Ground::load(app, may).await?.secured;
    let mut recommendations = security.recommendations.clone();
    if let Some(set) = app.advisory_set().await? {
        let view = app.view(may.id(), None).await?;
        let judged = app.judged_of(may.id(), set, view).await?;
        recommendations.extend(judged.recommendations.iter().cloned());
        Recommendation::sort(&mut recommendations);
    }
    Ok(RecommendationList { schema: RECOMMENDATIONS, as_of, recommendations })
}

/// An alert as an event of OCSF.
pub fn event(record: &AlertRecord) -> serde_json::Value {
    let status = match record.state {
        AlertState::New | AlertState::Reopened => Status::New,
        AlertState::Active => Status::InProgress,
        AlertState::Closed | AlertState::Resolved => Status::Resolved,
        AlertState::Accepted | AlertState::Muted => Status::Suppressed,
    };
    ocsf::alert(&record.alert, status)
}

impl App {
    /// The rules of alerts and recommendations.
    ///
    /// # Errors
    /// [`Refusal::Defect`] if the rules cannot be read. A service reads them when it starts ([`Self::load_alert_rules`]).
    pub fn alert_rules(&self) -> Result<Arc<Ruleset>, Refusal> {
        if let Some(rules) = &*self.ruleset.lock().unwrap_or_else(PoisonError::into_inner) {
            return Ok(Arc::clone(rules));
        }
        self.load_alert_rules().map_err(|e| Refusal::Defect(e.to_string()))
    }

    /// Reads the rules of alerts and recommendations, and uses them from now on.
    ///
    /// # Errors
    /// If a file of the operator's folder does not hold rules. Those that were in use stay.
    pub fn load_alert_rules(&self) -> Result<Arc<Ruleset>, RulesetError> {
        let rules = Arc::new(security::load(&self.settings.alert_rules)?);
        *self.ruleset.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&rules));
        Ok(rules)
    }
}
