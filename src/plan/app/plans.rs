//! The plan of a subscription: show, onboard, cancel, withdraw the cancellation, replace.

use serde::Serialize;
use utoipa::ToSchema;

use super::{App, May, Refusal};
use crate::billing::timeline::{History, Onboarding, Plan, PlanKind, PlanStatus, Term, present};
use crate::census::{Timestamp, time::rfc3339};
use crate::plan::permission::{ChangePlan, ReplacePlan, View};
use crate::plan::store::Changed;

/// A plan and its state.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct PlanEntry {
    /// Counts from 1 within the subscription.
    pub number: i64,
    /// Trial, monthly or annual.
    pub kind: PlanKind,
    /// The number of devices committed to; null for a trial.
    pub committed: Option<u64>,
    /// The state of the plan at present.
    pub status: PlanStatus,
    /// When the terms were accepted.
    #[serde(with = "rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    pub accepted_terms_at: Timestamp,
    /// The first instant in effect.
    #[serde(with = "rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    pub from: Timestamp,
    /// The first instant at which it is no longer in effect; null if no end is set.
    #[serde(with = "rfc3339::option")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub to: Option<Timestamp>,
    /// The present year of an annual plan, at whose end it renews unless it was cancelled; null for other kinds.
    pub term: Option<Term>,
    /// When it was cancelled; null if it is not cancelled or the cancellation was withdrawn.
    #[serde(with = "rfc3339::option")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub cancel_requested_at: Option<Timestamp>,
    /// When the booking was withdrawn; null if it was not. A withdrawn plan is never in effect.
    #[serde(with = "rfc3339::option")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub withdrawn_at: Option<Timestamp>,
}

impl PlanEntry {
    /// The plan at `now`.
    pub fn new(plan: &Plan, now: Timestamp) -> Self {
        Self {
            number: plan.number,
            kind: plan.kind,
            committed: plan.committed,
            status: plan.status(now),
            accepted_terms_at: plan.accepted_terms_at,
            from: plan.from,
            to: plan.to(),
            term: plan.term(now),
            cancel_requested_at: plan.cancel_requested_at,
            withdrawn_at: plan.withdrawn_at,
        }
    }
}

/// The timeline of a subscription.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Timeline {
    /// The plan in effect, if any.
    pub plan: Option<PlanEntry>,
    /// The plan that is booked as its successor, if any.
    pub booked: Option<PlanEntry>,
    /// All plans, oldest first.
    pub history: Vec<PlanEntry>,
}

impl Timeline {
    /// The timeline at `now`.
    pub fn new(plans: &[Plan], now: Timestamp) -> Self {
        let now = present(plans, now);
        let history: Vec<PlanEntry> = plans.iter().map(|p| PlanEntry::new(p, now)).collect();
        let find = |wanted: fn(PlanStatus) -> bool| history.iter().find(|p| wanted(p.status)).cloned();
        Self { plan: find(PlanStatus::in_effect), booked: find(|s| s == PlanStatus::Booked), history }
    }
}

impl From<&History> for Timeline {
    fn from(history: &History) -> Self {
        Self::new(history.plans(), history.now())
    }
}

impl From<&Changed> for PlanEntry {
    fn from(changed: &Changed) -> Self {
        Self::new(&changed.plan, changed.history.now())
    }
}

/// The result of a replacement.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Replacement {
    /// The plan in effect, and when it ends.
    pub ending: Option<PlanEntry>,
    /// The plan that starts at that instant.
    pub booked: PlanEntry,
}

impl From<&Changed> for Replacement {
    fn from(changed: &Changed) -> Self {
        let ending = changed.history.in_effect().map(|p| PlanEntry::new(p, changed.history.now()));
        Self { ending, booked: changed.into() }
    }
}

/// The plan in effect, the booked one, and all plans.
pub async fn timeline(app: &App, may: &May<View>) -> Result<Timeline, Refusal> {
    Ok(Timeline::from(&app.store.history(may.id(), app.now()).await?))
}

/// Onboards a plan (P1, P2).
pub async fn onboard(app: &App, may: &May<ChangePlan>, asked: &Onboarding) -> Result<PlanEntry, Refusal> {
    let changed =
        app.store.onboard(may.id(), asked, app.settings.terms.as_deref(), &may.by, app.now()).await?;
    Ok((&changed).into())
}

/// Cancels the plan in effect: it ends one hour later (P5). If a successor is booked, takes back only that.
pub async fn cancel(app: &App, may: &May<ChangePlan>) -> Result<PlanEntry, Refusal> {
    let changed = app.store.cancel_plan(may.id(), &may.by, app.now()).await?;
    Ok((&changed).into())
}

/// Withdraws the cancellation within its hour (P5), and takes back the booked successor.
pub async fn withdraw(app: &App, may: &May<ChangePlan>) -> Result<PlanEntry, Refusal> {
    let changed = app.store.withdraw_cancellation(may.id(), &may.by, app.now()).await?;
    Ok((&changed).into())
}

/// Replaces the plan in effect: the new plan starts at the instant at which the old one ends (P4).
pub async fn replace(app: &App, may: &May<ReplacePlan>, asked: &Onboarding) -> Result<Replacement, Refusal> {
    let changed =
        app.store.replace_plan(may.id(), asked, app.settings.terms.as_deref(), &may.by, app.now()).await?;
    Ok((&changed).into())
}
