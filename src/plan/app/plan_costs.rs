//! What plans cost: the price of each, and what a change of the plan would come to before it is confirmed.
//!
//! A preview applies the change to the rows in memory and draws the statements of the months to come from them. It stores
//! nothing, and takes no lock.

use super::plans::PlanEntry;
use super::statements::Totals;
use super::{App, May, Refusal};
use crate::billing::statement::{Month, Price, SetPrice, price_of};
use crate::billing::timeline::{History, Onboarding, PlanChange};
use crate::plan::permission::View;
use crate::plan::store::{Acceptance, StoreError};
use crate::plan::terms::Terms;
use crate::proof::Digest;

/// Months of a preview: the present one and the next two.
const MONTHS: usize = 3;

/// A change of the plan that a person considers.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Considered {
    Onboard(Onboarding),
    Replace(Onboarding),
    Cancel,
}

/// What a change would come to.
#[derive(Clone, Debug)]
pub struct PlanPreview {
    /// The plan that ends, and when.
    pub ending: Option<PlanEntry>,
    /// The plan that begins, and when.
    pub beginning: Option<PlanEntry>,
    /// Its price of a device-month.
    pub price: Option<Price>,
    /// Whole months, as they come to if nothing else changes.
    pub months: Vec<MonthPreview>,
}

/// What a month comes to.
#[derive(Clone, Debug)]
pub struct MonthPreview {
    pub month: Month,
    /// As things are.
    pub before: Totals,
    /// With the change.
    pub after: Totals,
}

/// What a change would come to. Whether the terms are accepted does not matter yet.
pub async fn preview(app: &App, may: &May<View>, considered: &Considered) -> Result<PlanPreview, Refusal> {
    let history = app.store.history(may.id(), app.now()).await?;
    let accepted = |asked: &Onboarding| Onboarding { accept_terms: true, ..asked.clone() };
    let change = match considered {
        Considered::Onboard(asked) => history.onboard(&accepted(asked)),
        Considered::Replace(asked) => history.replace(&accepted(asked)),
        Considered::Cancel => history.cancel(),
    };
    let change: PlanChange = change.map_err(StoreError::from)?;
    let plans = change.applied(history.plans());
    let prices = app.store.prices(may.id()).await?;
    let now = history.now();
    let months: Vec<Month> =
        std::iter::successors(Some(Month::of(now)), |m| Some(m.next())).take(MONTHS).collect();
    let before = app.store.statements_under(may.id(), history.plans(), &months).await?;
    let after = app.store.statements_under(may.id(), &plans, &months).await?;
    let month = |((month, before), after)| {
        Ok(MonthPreview { month, before: Totals::new(&before)?, after: Totals::new(&after)? })
    };
    let months = months.into_iter().zip(before).zip(after).map(month).collect::<Result<_, Refusal>>()?;
    let ending = change.updated.iter().find(|p| p.cancel_requested_at.is_some());
    Ok(PlanPreview {
        ending: ending.map(|p| PlanEntry::new(p, now)),
        beginning: change.added.as_ref().map(|p| PlanEntry::new(p, now)),
        price: change.added.as_ref().and_then(|p| price_of(&prices, p, p.from)),
        months,
    })
}

/// What is known of a plan besides its row.
#[derive(Clone, Debug, Default)]
pub struct PlanNote {
    /// The number of the plan.
    pub number: i64,
    /// The price of a device-month, now or when the plan began or ended.
    pub price: Option<Price>,
    /// Who accepted which terms; `None` for plans from before this was stored.
    pub acceptance: Option<Acceptance>,
}

/// The price of each plan, and who accepted the terms.
pub async fn notes(app: &App, may: &May<View>) -> Result<Vec<PlanNote>, Refusal> {
    let history: History = app.store.history(may.id(), app.now()).await?;
    let prices: Vec<SetPrice> = app.store.prices(may.id()).await?;
    let mut acceptances = app.store.acceptances(may.id()).await?;
    let mut note = |plan: &crate::billing::timeline::Plan| {
        let at = history
            .now()
            .clamp(plan.from, plan.to().map_or_else(|| history.now(), |to| to.plus(-1)).max(plan.from));
        let place = acceptances.iter().position(|a| a.plan == plan.number);
        let price = plan.committed.and_then(|_| price_of(&prices, plan, at));
        PlanNote { number: plan.number, price, acceptance: place.map(|n| acceptances.swap_remove(n)) }
    };
    Ok(history.plans().iter().map(&mut note).collect())
}

/// The terms that people accept with a plan now, or those with that hash, which somebody accepted earlier.
pub async fn terms(app: &App, may: &May<View>, sha256: Option<Digest>) -> Result<Option<Terms>, Refusal> {
    let present = app.settings.terms.as_deref();
    match sha256 {
        None => Ok(present.cloned()),
        Some(hash) if present.is_some_and(|t| t.sha256 == hash) => Ok(present.cloned()),
        Some(hash) => Ok(Some(app.store.accepted_terms(may.id(), hash).await?)),
    }
}
