//! The ledger of alerts: recording what is shown, and answering what was shown, told and withdrawn.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::alerts::Ground;
use super::inventory::Revision;
use super::{App, May, Refusal};
use crate::census::Timestamp;
use crate::census::time::{HOUR, rfc3339};
use crate::plan::alert_ledger::{LedgerEntry, LedgerLine, Showing, WithdrawnWhy};
use crate::plan::alert_life::{AlertDecision, AlertState, DecisionScope, object_ids};
use crate::plan::entitlement::entitlement;
use crate::plan::permission::View;
use crate::plan::store::{NumberedLine, StoreError};
use crate::security::{AlertId, Ruleset};
use crate::wire::SubscriptionId;

/// The schemas of the answers.
pub const HISTORY: &str = "netcensus.alert_history/1";
pub const LEDGER: &str = "netcensus.alert_ledger/1";
pub const WITHDRAWN: &str = "netcensus.withdrawn_alerts/1";
/// Lines of a page if the caller names no limit, and at most.
const PAGE: usize = 100;
const PAGE_MAX: usize = 1_000;
/// The most withdrawn alerts of a list.
const LISTED: usize = 10_000;

/// What happened to an alert at an instant.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct AlertEvent {
    #[serde(with = "rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// What happened, in words for people.
    pub sentence: String,
    /// Who did it: `person:NAME`, `operator`, or `service` if it followed from facts.
    pub by: String,
    /// The change of which it is a part; left out if it followed from facts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub change: Option<u64>,
    /// The decision after it; left out if it followed from facts, or if the change took the decision back.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decision: Option<AlertDecision>,
}

/// The history of an alert.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct AlertHistory {
    /// `netcensus.alert_history/1`.
    pub schema: &'static str,
    #[schema(value_type = String)]
    pub id: AlertId,
    /// Its state now; left out if it was withdrawn.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<AlertState>,
    /// As it was shown last; left out if it was never recorded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub entry: Option<LedgerEntry>,
    /// The earliest first.
    pub events: Vec<AlertEvent>,
}

/// Which lines of the ledger.
#[derive(Clone, Copy, Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields, default)]
pub struct LedgerQuery {
    /// The `next` of the page before: those with a lower number.
    pub before: Option<u64>,
    /// On the page, at most 1000; 100 if it is missing.
    pub limit: Option<usize>,
}

/// A line of the ledger, and the alert that it is about.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct LedgerRow {
    /// Counts up within the subscription.
    pub number: u64,
    #[serde(flatten)]
    pub line: LedgerLine,
    /// The alert as it was shown last; left out if it was deleted meanwhile.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub alert: Option<LedgerEntry>,
}

/// A page of the ledger.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct LedgerPage {
    /// `netcensus.alert_ledger/1`.
    pub schema: &'static str,
    /// The newest first.
    pub lines: Vec<LedgerRow>,
    /// What to send as `before` for the next page; null on the last one.
    pub next: Option<u64>,
}

/// The alerts that were shown once and are not derived any more.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct WithdrawnList {
    /// `netcensus.withdrawn_alerts/1`.
    pub schema: &'static str,
    /// Those that were withdrawn last come first; at most 10,000.
    pub alerts: Vec<LedgerEntry>,
    /// How many there are, listed or not.
    pub total: u64,
}

/// Of which derivation the ledger has the alerts, so that a reader who asks again costs nothing.
#[derive(Debug, Default)]
pub struct Recorded {
    /// By what a derivation was made of.
    read: Mutex<HashMap<SubscriptionId, Ingredients>>,
    /// By what the job derived them of, and when.
    derived: Mutex<HashMap<SubscriptionId, (Revisions, Timestamp)>>,
}

impl Recorded {
    fn has(&self, subscription: &SubscriptionId, revisions: Revisions, now: Timestamp) -> bool {
        let derived = self.derived.lock().unwrap_or_else(PoisonError::into_inner);
        derived.get(subscription).is_some_and(|(known, at)| *known == revisions && now.since(*at) < AGES)
    }

    fn keep(&self, subscription: &SubscriptionId, revisions: Revisions, now: Timestamp) {
        let mut derived = self.derived.lock().unwrap_or_else(PoisonError::into_inner);
        derived.insert(subscription.clone(), (revisions, now));
    }
}

/// What a derivation was made of: facts and decisions, its instant, and the set of indicators.
type Ingredients = (Revision, Timestamp, Option<String>);

/// Of the facts, of the decisions about devices, and of the audit trail.
type Revisions = (i64, i64, i64);

/// After so long the alerts of a subscription are derived for the ledger although nothing was uploaded or decided: they age.
const AGES: i64 = HOUR;

/// Records what is shown, if it was not recorded yet.
pub(super) async fn record(app: &App, subscription: &SubscriptionId, ground: &Ground) -> Result<(), Refusal> {
    let secured = &ground.secured;
    let mark = (secured.revision, secured.as_of, secured.set().map(str::to_owned));
    let read = || app.recorded_alerts.read.lock().unwrap_or_else(PoisonError::into_inner);
    if read().get(subscription) == Some(&mark) {
        return Ok(());
    }
    write(app, subscription, ground).await?;
    read().insert(subscription.clone(), mark);
    Ok(())
}

async fn write(app: &App, subscription: &SubscriptionId, ground: &Ground) -> Result<(), Refusal> {
    let rules = app.alert_rules()?;
    let alerts = ground.secured.security.alerts.iter();
    let showing: Vec<Showing<'_>> =
        alerts.map(|alert| Showing { alert, state: ground.life(alert).state }).collect();
    let gone = |entry: &LedgerEntry| why_gone(entry, &rules, ground);
    let recorded = app.store.record_alerts(subscription, |ledger| ledger.steps(&showing, gone, ground.now));
    let unrecorded = recorded.await?;
    if unrecorded > 0 {
        tracing::warn!(unrecorded, %subscription, "the ledger of alerts is full; alerts are shown, but not recorded");
    }
    Ok(())
}

/// Why an alert that was shown is not derived any more.
fn why_gone(entry: &LedgerEntry, rules: &Ruleset, ground: &Ground) -> WithdrawnWhy {
    let device = &entry.device;
    let Some(rule) = rules.alerts.get(&entry.rule).filter(|rule| rule.on) else { return WithdrawnWhy::Rule };
    match ground.secured.holders.device(&device.zone, device.mac, device.ip) {
        None => WithdrawnWhy::Merge,
        Some(holder) if !rule.scope.has_category(holder.category) => WithdrawnWhy::Class,
        Some(holder) if holder.device != device.id => WithdrawnWhy::Merge,
        Some(_)
            if [entry.id, entry.newest_id].iter().any(|id| ground.secured.security.delisted.contains(id)) =>
        {
            WithdrawnWhy::Feed
        }
        Some(_) => WithdrawnWhy::Facts,
    }
}

/// Derives and records the alerts of every subscription with a plan, and deletes what is too old. If one subscription fails,
/// the others are still recorded.
///
/// # Errors
/// The last of the store's errors.
pub async fn record_due(app: App) -> Result<(), Refusal> {
    let mut outcome = Ok(());
    for subscription in app.store.subscriptions().await? {
        if let Err(error) = record_one(&app, &subscription.id).await {
            tracing::error!(%error, subscription = %subscription.id, "alerts could not be recorded");
            outcome = Err(error);
        }
    }
    outcome
}

async fn record_one(app: &App, subscription: &SubscriptionId) -> Result<(), Refusal> {
    let now = app.now();
    app.store.prune_alerts(subscription, now).await?;
    let (facts, decisions) = app.store.revisions(subscription).await?;
    // Whatever people change leaves a row in the audit trail: decisions about alerts, and mute rules.
    let trail = app.store.audit_trail(Some(subscription), None, 1).await?.first().map_or(0, |row| row.number);
    let revisions = (facts, decisions, trail);
    let is_known =
        app.recorded_alerts.has(subscription, revisions, now) || !app.alert_pace.is_due(subscription, now);
    if is_known || revisions.0 == 0 || entitlement(&app.store.plans(subscription).await?, now).is_err() {
        return Ok(());
    }
    let secured = match app.inventories()?.security(subscription, &app.alert_rules()?, now).await {
        Ok(secured) => secured,
        // The next run does it.
        Err(Refusal::Busy { .. }) => return Ok(()),
        Err(error) => return Err(error),
    };
    let ground = Ground::of(app, subscription.clone(), secured, now).await?;
    write(app, subscription, &ground).await?;
    app.recorded_alerts.keep(subscription, revisions, now);
    app.alert_pace.surveyed(subscription, now, app.now());
    Ok(())
}

/// The history of an alert, by any id that it had.
pub async fn history(app: &App, may: &May<View>, id: &str) -> Result<AlertHistory, Refusal> {
    let ground = Ground::load(app, may).await?;
    let ledger = app.store.alert_ledger(may.id()).await?;
    let missing = || StoreError::NotFound { what: "alert", id: id.chars().take(60).collect() };
    let known: AlertId = id.parse().map_err(|_| missing())?;
    let shown = ground.find(id).ok();
    let entry = match shown {
        Some(alert) => ledger.of(alert),
        None => ledger.entries.values().find(|entry| entry.id == known || entry.newest_id == known),
    };
    if shown.is_none() && entry.is_none() {
        return Err(missing().into());
    }
    let mut ids: Vec<AlertId> =
        entry.map(|entry| [entry.id, entry.newest_id]).into_iter().flatten().collect();
    ids.extend(shown.iter().flat_map(|alert| std::iter::once(&alert.id).chain(&alert.aliases)));
    ids.extend(shown.into_iter().flat_map(object_ids));
    ids.sort_unstable();
    ids.dedup();
    let mut events = Vec::new();
    for id in ids {
        for line in app.store.lines_of_alert(may.id(), id).await? {
            let sentence = line.event.sentence();
            events.push(AlertEvent {
                at: line.at,
                sentence,
                by: "service".to_owned(),
                change: None,
                decision: None,
            });
        }
        for (change, step) in app.store.alert_steps(may.id(), id).await? {
            let sentence = match (&step.after, change.undoes) {
                (_, Some(undone)) => format!("change {undone} was undone"),
                (Some(after), None) => decided(after),
                (None, None) => "the decision was taken back".to_owned(),
            };
            let (at, by, change) = (change.at, change.by, Some(change.number));
            events.push(AlertEvent { at, sentence, by, change, decision: step.after });
        }
    }
    events.sort_by_key(|event| event.at);
    let state = shown.map(|alert| ground.record(alert).state);
    let id = shown.map_or(known, |alert| alert.id);
    Ok(AlertHistory { schema: HISTORY, id, state, entry: entry.cloned(), events })
}

/// A decision in words for people.
fn decided(decision: &AlertDecision) -> String {
    let reason = decision.reason.map(|reason| format!(": {}", reason.title()));
    let scope = (decision.scope == DecisionScope::Object).then_some(", for its object in the zone");
    let works = decision.assignee.as_ref().map(|person| format!(", {person} works on it"));
    let (reason, works) = (reason.unwrap_or_default(), works.unwrap_or_default());
    format!("{}{reason}{}{works}", decision.state.key(), scope.unwrap_or_default())
}

/// A page of the ledger.
pub async fn ledger(app: &App, may: &May<View>, query: LedgerQuery) -> Result<LedgerPage, Refusal> {
    entitlement(&app.store.plans(may.id()).await?, app.now())?;
    let limit = query.limit.unwrap_or(PAGE).clamp(1, PAGE_MAX);
    let mut lines = app.store.alert_lines(may.id(), query.before, limit + 1).await?;
    let more = lines.len() > limit;
    lines.truncate(limit);
    let next = lines.last().filter(|_| more).map(|line| line.number);
    let ledger = app.store.alert_ledger(may.id()).await?;
    let row = |NumberedLine { number, line }| {
        let alert = ledger.entries.get(&line.id).cloned();
        LedgerRow { number, line, alert }
    };
    Ok(LedgerPage { schema: LEDGER, lines: lines.into_iter().map(row).collect(), next })
}

/// The alerts that were shown once and are not derived any more.
pub async fn withdrawn(app: &App, may: &May<View>) -> Result<WithdrawnList, Refusal> {
    Ground::load(app, may).await?;
    let ledger = app.store.alert_ledger(may.id()).await?;
    let mut alerts: Vec<LedgerEntry> =
        ledger.entries.into_values().filter(|entry| entry.withdrawn.is_some()).collect();
    alerts.sort_by_key(|entry| (std::cmp::Reverse(entry.withdrawn.map(|w| w.at)), entry.id));
    let total = alerts.len() as u64;
    alerts.truncate(LISTED);
    Ok(WithdrawnList { schema: WITHDRAWN, alerts, total })
}
