//! What people decide about alerts: one alert, or a frozen selection of many, and undoing it.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::alerts::{AlertRecord, Ground};
use super::{App, May, Refusal, findings};
use crate::census::Timestamp;
use crate::census::time::rfc3339;
use crate::plan::alert_life::{
    AlertDecision, AlertState, CloseReason, DecisionScope, decision, object_id, object_ids,
};
use crate::plan::entitlement::entitlement;
use crate::plan::permission::{UpdateFindings, View};
use crate::plan::store::{AlertChange, AlertChangeSteps, AlertStep, CHANGED_AT_ONCE, Expected, tag};
use crate::security::{Alert, AlertId};

/// The schema of [`AlertChanges`].
pub const CHANGES: &str = "netcensus.alert_changes/1";
/// Changes of a page if the caller names no limit, and at most.
const PAGE: usize = 100;
const PAGE_MAX: usize = 1_000;

/// What a person decides about an alert.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AlertVerdict {
    /// `new`, `active`, `closed` or `accepted`. Left out: as it is, if `assignee` is given; what was reopened becomes `active`.
    #[serde(default)]
    pub state: Option<AlertState>,
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
    /// Who works on it: somebody with a role on the subscription; empty for nobody. Left out: as before.
    #[serde(default)]
    pub assignee: Option<String>,
    /// `object`: accepts the alert's object for its rule and zone, of whatever device and also in alerts to come; only with
    /// `accepted`.
    #[serde(default)]
    pub scope: DecisionScope,
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
    /// Checks what a person wrote, whatever alert it is about; [`Self::decision`] checks the note.
    async fn check(&self, app: &App, may: &May<UpdateFindings>, now: Timestamp) -> Result<(), Refusal> {
        let Self { state, reason, until, assignee, scope, .. } = self;
        let has = |wanted| *state == Some(wanted);
        if state.is_some_and(|state| !AlertState::DECIDED.contains(&state)) {
            return Err(Refusal::invalid(
                "state: write new, active, closed or accepted; the others follow from facts",
            ));
        }
        if state.is_none() && assignee.is_none() {
            return Err(Refusal::invalid("state: it is missing; only with an assignee it may be left out"));
        }
        if reason.is_some() && !has(AlertState::Closed) {
            return Err(Refusal::invalid("reason: only a closed alert has one"));
        }
        if until.is_some() && !has(AlertState::Accepted) {
            return Err(Refusal::invalid("until: only an accepted alert has an end"));
        }
        if until.is_some_and(|end| end <= now) {
            return Err(Refusal::invalid("until: write an instant after the present"));
        }
        if *scope == DecisionScope::Object && !has(AlertState::Accepted) {
            return Err(Refusal::invalid("scope: only an acceptance is of an object"));
        }
        if let Some(person) = assignee.as_deref().filter(|name| !name.is_empty()) {
            let bound = app.store.role_bindings(may.id()).await?;
            if !bound.iter().any(|binding| binding.person == person) {
                return Err(Refusal::invalid("assignee: name somebody who has a role on the subscription"));
            }
        }
        Ok(())
    }

    /// What is decided about an alert, and under which id.
    fn decision(
        &self,
        ground: &Ground,
        alert: &Alert,
        by: String,
        at: Timestamp,
    ) -> Result<(AlertId, AlertDecision), Refusal> {
        let known = decision(alert, &ground.decisions);
        let note = findings::checked(self.note.as_deref())?;
        let assignee = match self.assignee.as_deref() {
            Some("") => None,
            Some(person) => Some(person.to_owned()),
            None => known.and_then(|known| known.assignee.clone()),
        };
        let decided = match (self.state, known) {
            (Some(state), _) => {
                let (reason, until, scope) = (self.reason, self.until, self.scope);
                AlertDecision { state, reason, until, note, assignee, scope, by, at }
            }
            (None, Some(known)) if ground.record(alert).state != AlertState::Reopened => {
                let note = note.or_else(|| known.note.clone());
                AlertDecision { note, assignee, scope: DecisionScope::Alert, by, at, ..known.clone() }
            }
            (None, known) => {
                let state = known.map_or(AlertState::New, |_| AlertState::Active);
                let (reason, until, scope) = (None, None, DecisionScope::Alert);
                AlertDecision { state, reason, until, note, assignee, scope, by, at }
            }
        };
        if decided.scope == DecisionScope::Alert {
            return Ok((alert.id, decided));
        }
        if alert.object.is_empty() {
            return Err(Refusal::invalid(
                "scope: the alert has no object, so all of its rule would be accepted; make a mute rule",
            ));
        }
        Ok((object_id(alert), decided))
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
    let (alert, now) = (ground.find(id)?.clone(), app.now());
    verdict.check(app, may, now).await?;
    let decided = verdict.decision(&ground, &alert, may.by.actor.to_string(), now)?;
    let (decisions, covered) = ([decided], [alert.id, object_id(&alert)]);
    app.store.decide_alerts(may.id(), &decisions, (&covered, &expected), &may.by, now).await?;
    let after = Ground { decisions: decisions.into(), now: app.now(), ..ground };
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
    let now = app.now();
    verdict.decide.check(app, may, now).await?;
    let mut alerts = verdict.alerts.iter().map(|id| ground.find(id)).collect::<Result<Vec<_>, _>>()?;
    alerts.sort_by_key(|alert| alert.id);
    alerts.dedup_by_key(|alert| alert.id);
    let by = may.by.actor.to_string();
    let mut decided: Vec<(AlertId, AlertDecision)> = Vec::new();
    let mut unchanged = 0;
    for alert in alerts {
        let (id, wanted) = verdict.decide.decision(&ground, alert, by.clone(), now)?;
        let same = decision(alert, &ground.decisions).is_some_and(|before| before.says_the_same(&wanted));
        // A closed alert that was seen again can be closed again.
        let is_due = !same || (verdict.decide.state.is_some() && ground.record(alert).state != wanted.state);
        if is_due {
            decided.push((id, wanted));
        } else {
            unchanged += 1;
        }
    }
    // Several alerts may have one object.
    decided.sort_by_key(|(id, _)| *id);
    decided.dedup_by_key(|(id, _)| *id);
    let ids: Vec<AlertId> = decided.iter().map(|(id, _)| *id).collect();
    let before: Vec<Option<&AlertDecision>> = ids.iter().map(|id| ground.decisions.get(id)).collect();
    let seen = tag(&before);
    if decided.is_empty() {
        let dry_run = may.by.dry_run;
        return Ok((AlertChangeAnswer { change: None, dry_run, altered: Vec::new(), unchanged }, seen));
    }
    let done = app.store.decide_alerts(may.id(), &decided, (&ids, &expected), &may.by, now).await?;
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
    let ids: BTreeSet<AlertId> = steps.iter().map(|step| step.id).collect();
    let alerts = ground.secured.security.alerts.iter();
    let before: Vec<(AlertState, Alert)> = alerts
        .filter(|alert| ids.contains(&alert.id) || object_ids(alert).any(|id| ids.contains(&id)))
        .map(|alert| (ground.record(alert).state, alert.clone()))
        .collect();
    let after = Ground { decisions, now: change.at.max(ground.now), ..ground };
    let altered = |(before, alert): (AlertState, Alert)| AlteredAlert { before, alert: after.record(&alert) };
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
