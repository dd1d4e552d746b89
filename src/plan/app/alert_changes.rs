//! What people decide about alerts: one alert, or a frozen selection of many, and undoing it.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::alerts::{AlertRecord, Ground};
use super::{App, May, Refusal, findings};
use crate::census::Timestamp;
use crate::census::time::rfc3339;
use crate::plan::alert_life::{AlertDecision, AlertState, CloseReason, decision};
use crate::plan::entitlement::entitlement;
use crate::plan::permission::{UpdateFindings, View};
use crate::plan::store::{AlertChange, AlertChangeSteps, AlertStep, CHANGED_AT_ONCE, Expected, tag};

/// The schema of [`AlertChanges`].
pub const CHANGES: &str = "netcensus.alert_changes/1";
/// Changes of a page if the caller names no limit, and at most.
const PAGE: usize = 100;
const PAGE_MAX: usize = 1_000;

/// What a person decides about an alert.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AlertVerdict {
    /// `new`, `active`, `closed` or `accepted`.
    pub state: AlertState,
    /// Why it is closed; only with `closed`.
    #[serde(default)]
    pub reason: Option<CloseReason>,
    /// Until when it is accepted, RFC 3339; only with `accepted`. Left out: for ever.
    #[serde(default, with = "rfc3339::option")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub until: Option<Timestamp>,
    /// For those who look at it later: at most 500 characters.
    #[serde(default)]
    pub note: Option<String>,
}

/// What a person decides about several alerts.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ManyAlertsVerdict {
    /// The ids of the alerts: at most 1,000. These and no others are changed.
    pub alerts: Vec<String>,
    /// What is decided about each.
    pub decide: AlertVerdict,
}

/// An alert that a change alters.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct AlteredAlert {
    /// Its state before.
    pub before: AlertState,
    /// The alert after the change.
    pub alert: AlertRecord,
}

/// What a change of alerts did, or would do.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct AlertChangeAnswer {
    /// The change; null if every alert was as asked for already, so that nothing was changed.
    pub change: Option<AlertChange>,
    /// Whether nothing was stored.
    pub dry_run: bool,
    /// The alerts that it altered. An alert that is not derived any more is not listed.
    pub altered: Vec<AlteredAlert>,
    /// How many of the selected alerts were as asked for already.
    pub unchanged: u64,
}

/// Which changes.
#[derive(Clone, Copy, Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields, default)]
pub struct AlertChangesQuery {
    /// The `next` of the page before: those with a lower number.
    pub before: Option<u64>,
    /// On the page, at most 1000; 100 if it is missing.
    pub limit: Option<usize>,
}

/// A page of changes.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct AlertChanges {
    /// `netcensus.alert_changes/1`.
    pub schema: &'static str,
    /// The newest first.
    pub changes: Vec<AlertChange>,
    /// What to send as `before` for the next page; null on the last one.
    pub next: Option<u64>,
}

impl AlertVerdict {
    fn decision(&self, by: String, at: Timestamp) -> Result<AlertDecision, Refusal> {
        let Self { state, reason, until, note } = self;
        if !AlertState::DECIDED.contains(state) {
            return Err(Refusal::invalid(
                "state: write new, active, closed or accepted; the others follow from facts",
            ));
        }
        if reason.is_some() && *state != AlertState::Closed {
            return Err(Refusal::invalid("reason: only a closed alert has one"));
        }
        if until.is_some() && *state != AlertState::Accepted {
            return Err(Refusal::invalid("until: only an accepted alert has an end"));
        }
        if until.is_some_and(|end| end <= at) {
            return Err(Refusal::invalid("until: write an instant after the present"));
        }
        let note = findings::checked(note.as_deref())?;
        Ok(AlertDecision { state: *state, reason: *reason, until: *until, note, by, at })
    }
}

/// Decides about an alert. `expected` covers what [`super::alerts::get`] tells beside it.
pub async fn decide(
    app: &App,
    may: &May<UpdateFindings>,
    id: &str,
    verdict: AlertVerdict,
    expected: Expected,
) -> Result<AlertRecord, Refusal> {
    let ground = Ground::load(app, may).await?;
    let alert = ground.find(id)?.clone();
    let decision = verdict.decision(may.by.actor.to_string(), app.now())?;
    app.store.decide_alerts(may.id(), &[alert.id], &decision, &expected, &may.by).await?;
    let decisions = [(alert.id, decision)].into();
    let after = Ground { decisions, now: app.now(), ..ground };
    Ok(after.record(&alert))
}

/// Decides about the alerts of a selection, all or none. Returns what changes, and the entity tag of the decisions before.
pub async fn decide_many(
    app: &App,
    may: &May<UpdateFindings>,
    verdict: &ManyAlertsVerdict,
    expected: Expected,
) -> Result<(AlertChangeAnswer, String), Refusal> {
    if verdict.alerts.is_empty() || verdict.alerts.len() > CHANGED_AT_ONCE {
        return Err(Refusal::invalid(format!("alerts: name 1 to {CHANGED_AT_ONCE} ids")));
    }
    let ground = Ground::load(app, may).await?;
    let decided = verdict.decide.decision(may.by.actor.to_string(), app.now())?;
    let mut alerts = verdict.alerts.iter().map(|id| ground.find(id)).collect::<Result<Vec<_>, _>>()?;
    alerts.sort_by_key(|alert| alert.id);
    alerts.dedup_by_key(|alert| alert.id);
    let is_new = |alert: &&&crate::security::Alert| {
        let before = decision(alert, &ground.decisions);
        let same = before.is_some_and(|before| before.says_the_same(&decided));
        // A closed alert that was seen again can be closed again.
        !same || ground.record(alert).state != decided.state
    };
    let fresh: Vec<&crate::security::Alert> = alerts.iter().filter(is_new).copied().collect();
    let unchanged = (alerts.len() - fresh.len()) as u64;
    let ids: Vec<_> = fresh.iter().map(|alert| alert.id).collect();
    let before: Vec<Option<&AlertDecision>> = ids.iter().map(|id| ground.decisions.get(id)).collect();
    let seen = tag(&before);
    if ids.is_empty() {
        let dry_run = may.by.dry_run;
        return Ok((AlertChangeAnswer { change: None, dry_run, altered: Vec::new(), unchanged }, seen));
    }
    let done = app.store.decide_alerts(may.id(), &ids, &decided, &expected, &may.by).await?;
    Ok((answer(ground, done, may.by.dry_run, unchanged), seen))
}

/// Undoes a change of alerts by a new one. Refused if somebody decided about one of its alerts since.
pub async fn undo(app: &App, may: &May<UpdateFindings>, number: u64) -> Result<AlertChangeAnswer, Refusal> {
    let ground = Ground::load(app, may).await?;
    let done = app.store.undo_alerts(may.id(), number, &may.by, app.now()).await?;
    Ok(answer(ground, done, may.by.dry_run, 0))
}

fn answer(ground: Ground, done: AlertChangeSteps, dry_run: bool, unchanged: u64) -> AlertChangeAnswer {
    let AlertChangeSteps { change, steps } = done;
    let mut decisions = ground.decisions.clone();
    for AlertStep { id, after, .. } in &steps {
        match after {
            Some(after) => drop(decisions.insert(*id, after.clone())),
            None => drop(decisions.remove(id)),
        }
    }
    let before: Vec<(AlertState, crate::security::Alert)> = steps
        .iter()
        .filter_map(|step| ground.secured.security.alerts.iter().find(|alert| alert.id == step.id))
        .map(|alert| (ground.record(alert).state, alert.clone()))
        .collect();
    let after = Ground { decisions, now: change.at.max(ground.now), ..ground };
    let altered = |(before, alert): (AlertState, crate::security::Alert)| AlteredAlert {
        before,
        alert: after.record(&alert),
    };
    let altered = before.into_iter().map(altered).collect();
    AlertChangeAnswer { change: Some(change), dry_run, altered, unchanged }
}

/// A page of changes of alerts.
pub async fn list(app: &App, may: &May<View>, query: AlertChangesQuery) -> Result<AlertChanges, Refusal> {
    entitlement(&app.store.plans(may.id()).await?, app.now())?;
    let limit = query.limit.unwrap_or(PAGE).clamp(1, PAGE_MAX);
    let mut changes = app.store.alert_changes(may.id(), query.before, limit + 1).await?;
    let more = changes.len() > limit;
    changes.truncate(limit);
    let next = changes.last().filter(|_| more).map(|change| change.number);
    Ok(AlertChanges { schema: CHANGES, changes, next })
}
