//! The count over time: what each sealed day counted, what was committed, and where the trend leads.
//!
//! Everything here is read from numbers that are kept: the columns of snapshots, the plans, and the view that the page
//! shows anyway. No leaf is read, and nothing is surveyed.

use super::inventory::View as Inventory;
use super::plans::PlanEntry;
use super::{App, May, Refusal};
use crate::billing::forecast::{self, Ahead, Forecast, Sample};
use crate::billing::statement::Month;
use crate::billing::timeline::{Plan, in_effect, was_in_effect};
use crate::census::Timestamp;
use crate::plan::app::statements::{self, StatementView};
use crate::plan::permission::View;
use crate::plan::store::{DayCount, StoreError};
use crate::proof::{Day, Span};

/// Days that the history looks back.
pub const BACK: i64 = 90;
/// Days that it looks ahead.
pub const AHEAD: i64 = 30;

/// The count by day, up to the instant of a view, and the forecast from there.
#[derive(Clone, Debug)]
pub struct CountHistory {
    /// The sealed days before the day of the view, in order. Days without a snapshot are missing.
    pub days: Vec<DayCount>,
    /// The count of the view itself, which is not sealed.
    pub newest: DayCount,
    /// The forecast from the instant of the view.
    pub forecast: Forecast,
    /// The band of the days to come; empty if too few days have a count.
    pub ahead: Vec<Ahead>,
    plans: Vec<Plan>,
    now: Timestamp,
}

impl CountHistory {
    /// The number that is committed at an instant; `None` without a plan, or with a trial.
    pub fn committed(&self, at: Timestamp) -> Option<u64> {
        was_in_effect(&self.plans, at)?.committed
    }

    /// The plans that begin within some time, oldest first, without those that were withdrawn.
    pub fn plans(&self, from: Timestamp, to: Timestamp) -> Vec<PlanEntry> {
        let within = |p: &&Plan| p.withdrawn_at.is_none() && (from..to).contains(&p.from);
        self.plans.iter().filter(within).map(|p| PlanEntry::new(p, self.now)).collect()
    }

    /// How many more devices the committed number covers; `None` if there is none, or if it is passed.
    pub fn headroom(&self) -> Option<u64> {
        self.forecast.committed?.checked_sub(self.newest.billable)
    }
}

/// The history that ends with a view.
pub async fn counts(app: &App, may: &May<View>, view: &Inventory) -> Result<CountHistory, Refusal> {
    let plans = app.store.plans(may.id()).await?;
    let (as_of, now) = (view.as_of, app.now());
    // The end of a day is that day's.
    let today = Day::of(as_of.plus(-1));
    let days = app.store.daily_counts(may.id(), Span { from: today.plus(1 - BACK), to: today }).await?;
    let newest = DayCount {
        day: today,
        revision: 0,
        network: view.census.network,
        iot: view.census.iot,
        billable: view.census.billable,
        devices: view.len() as u64,
        committed: committed(&plans, view, now),
    };
    let end = |s: &DayCount| Sample { at: s.day.end().plus(-1), billable: s.billable };
    let mut samples: Vec<Sample> = days.iter().map(end).collect();
    let newest_sample = Sample { at: as_of.plus(-1), billable: newest.billable };
    samples.push(newest_sample);
    let forecast = Forecast::new(&samples, newest.committed, as_of.plus(-1));
    let ahead = forecast::ahead(&samples, as_of.plus(-1), AHEAD);
    Ok(CountHistory { days, newest, forecast, ahead, plans, now })
}

fn committed(plans: &[Plan], view: &Inventory, now: Timestamp) -> Option<u64> {
    match view.basis {
        Some(_) => was_in_effect(plans, view.as_of.plus(-1))?.committed,
        None => in_effect(plans, now)?.committed,
    }
}

/// The statement of the present month so far; `None` before the first plan.
pub async fn statement_so_far(app: &App, may: &May<View>) -> Result<Option<StatementView>, Refusal> {
    match statements::show(app, may, Month::of(app.now())).await {
        Ok(view) => Ok(Some(view)),
        Err(Refusal::Store(StoreError::NotFound { .. })) => Ok(None),
        Err(refusal) => Err(refusal),
    }
}
