//! Mute rules: which alerts are listed, but told to nobody.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::alerts::Ground;
use super::{App, May, Refusal};
use crate::census::Timestamp;
use crate::census::time::rfc3339;
use crate::plan::entitlement::entitlement;
use crate::plan::mute::{Mute, MuteFilter, PREVIEW};
use crate::plan::permission::{UpdateFindings, View};

/// The schema of [`MuteList`].
pub const SCHEMA: &str = "netcensus.mutes/1";

/// A mute rule to make.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewMute {
    pub filter: MuteFilter,
    /// Why, in 1 to 300 characters.
    pub reason: String,
    /// When it ends, RFC 3339: at most a year ahead.
    #[serde(with = "rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    pub until: Timestamp,
}

/// What a mute rule holds, or would hold.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
pub struct MuteEffect {
    /// Alerts of the last 30 days that fit the rule, whatever their state.
    pub of_30_days: u64,
    /// Of all alerts of the last 30 days.
    pub alerts_of_30_days: u64,
    /// Alerts that are open or muted now and fit the rule.
    pub now: u64,
}

/// A mute rule and what it holds.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct MuteAnswer {
    #[serde(flatten)]
    pub mute: Mute,
    /// Whether it is in force.
    pub in_force: bool,
    pub effect: MuteEffect,
}

/// The mute rules of a subscription.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct MuteList {
    /// `netcensus.mutes/1`.
    pub schema: &'static str,
    /// By number; those that ended are listed for 30 days.
    pub mutes: Vec<MuteAnswer>,
}

fn effect(ground: &Ground, filter: &MuteFilter) -> MuteEffect {
    let mut effect = MuteEffect { of_30_days: 0, alerts_of_30_days: 0, now: 0 };
    for record in ground.records() {
        let is_recent = ground.now.since(record.alert.last) <= PREVIEW;
        let fits = filter.takes(&record.alert);
        effect.alerts_of_30_days += u64::from(is_recent);
        effect.of_30_days += u64::from(is_recent && fits);
        let is_due = record.state.is_open() || record.muted_by.is_some();
        effect.now += u64::from(is_due && fits);
    }
    effect
}

fn answer(ground: &Ground, mute: Mute) -> MuteAnswer {
    let effect = effect(ground, &mute.filter);
    MuteAnswer { in_force: mute.is_in_force(ground.now), mute, effect }
}

/// The mute rules, each with what it holds.
pub async fn list(app: &App, may: &May<View>) -> Result<MuteList, Refusal> {
    let ground = Ground::load(app, may).await?;
    let mutes = ground.mutes.iter().filter(|mute| mute.until > ground.now.plus(-PREVIEW));
    let mutes = mutes.map(|mute| answer(&ground, mute.clone())).collect();
    Ok(MuteList { schema: SCHEMA, mutes })
}

/// Makes a mute rule. A dry run tells what it would hold.
pub async fn make(app: &App, may: &May<UpdateFindings>, new: NewMute) -> Result<MuteAnswer, Refusal> {
    let ground = Ground::load(app, may).await?;
    let now = app.now();
    let NewMute { filter, reason, until } = new;
    let reason = reason.trim().to_owned();
    let mute = Mute { number: 0, filter, reason, by: may.by.actor.to_string(), at: now, until };
    mute.check(now).map_err(|e| Refusal::invalid(e.to_string()))?;
    let mute = app.store.make_mute(may.id(), mute, &may.by).await?;
    Ok(answer(&ground, mute))
}

/// Ends a mute rule now.
pub async fn end(app: &App, may: &May<UpdateFindings>, number: u64) -> Result<Mute, Refusal> {
    entitlement(&app.store.plans(may.id()).await?, app.now())?;
    Ok(app.store.end_mute(may.id(), number, &may.by, app.now()).await?)
}
