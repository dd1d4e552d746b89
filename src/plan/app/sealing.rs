//! Sealing: makes the count of a day that has ended a snapshot.
//!
//! The service seals a day ten minutes after midnight UTC, and later if it missed the day. People seal on request. A day is
//! sealed once, even if several services run. If later uploads concern a sealed day, the service seals a new revision of
//! the day and keeps the old one.

use std::collections::HashMap;

use super::leaves::Leaves;
use super::{App, Refusal};
use crate::census::{Census, CouplingKey, Policy, Survey, Timestamp};
use crate::plan::store::snapshots::{SealOutcome, Unsealed};
use crate::plan::store::{By, Snapshot, SnapshotError, StoreError};
use crate::proof::day::{self, REVISED};
use crate::proof::part::{Packer, Part};
use crate::proof::{Day, Digest, Due, Header, Leaf, PlanInEffect, SNAPSHOT_SCHEMA, Tally, due};
use crate::wire::SubscriptionId;

/// The most days that one run seals for a subscription. The next run seals the rest.
const AT_ONCE: usize = 8;
/// How often a day is counted again because another service sealed it meanwhile.
const ATTEMPTS: usize = 3;

/// The result of a request to seal.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Outcome {
    /// A new snapshot was sealed.
    Sealed(Snapshot),
    /// The newest snapshot of the day has the same count.
    Unchanged(Snapshot),
}

/// The count of a day.
struct Counted {
    policy: Policy,
    census: Census,
    size: u64,
    root: Digest,
    parts: Vec<Part>,
}

impl Counted {
    fn new(survey: &Survey<'_>, policy: &Policy) -> Result<Self, StoreError> {
        let (mut tally, mut packer) = (Tally::default(), Packer::default());
        for leaf in Leaf::all(survey) {
            let line = leaf.line().map_err(|e| corrupt(&e))?;
            tally.push(&leaf, &line).map_err(|e| corrupt(&e))?;
            packer.push(&leaf, &line).map_err(|e| corrupt(&e))?;
        }
        Ok(Self {
            policy: policy.clone(),
            census: survey.census.clone(),
            size: tally.tree().size(),
            root: tally.tree().root(),
            parts: packer.finish().map_err(|e| corrupt(&e))?,
        })
    }
}

/// Seals the days that are due of all subscriptions. If one subscription fails, the others are still sealed.
///
/// # Errors
/// The last of the store's errors.
pub async fn seal_due(service: App) -> Result<(), Refusal> {
    let mut outcome = Ok(());
    for subscription in service.store.subscriptions().await? {
        if let Err(error) = service.seal_due_of(&subscription.id).await {
            tracing::error!(%error, subscription = %subscription.id, "a day could not be sealed");
            outcome = Err(error);
        }
    }
    outcome
}

impl App {
    /// Seals a day, or makes a new revision of it if facts, decisions or rules now give another count.
    ///
    /// # Errors
    /// [`SnapshotError::DayNotOver`], [`SnapshotError::BeforeSubscription`], or the store's.
    pub(super) async fn seal(
        &self,
        subscription: &SubscriptionId,
        day: Day,
        by: &By,
    ) -> Result<Outcome, Refusal> {
        let created = self.store.subscription(subscription).await?.created_at;
        if day.end() > self.now() {
            return Err(StoreError::from(SnapshotError::DayNotOver { day }).into());
        }
        if day < Day::of(created) {
            return Err(StoreError::from(SnapshotError::BeforeSubscription(day)).into());
        }
        for _ in 0..ATTEMPTS {
            if let Some(outcome) = self.try_to_seal(subscription, day, by).await? {
                return Ok(outcome);
            }
        }
        // Another service was faster each time, and counted the same.
        Ok(Outcome::Unchanged(self.store.snapshot(subscription, day, None).await?))
    }

    async fn seal_due_of(&self, subscription: &SubscriptionId) -> Result<(), Refusal> {
        let now = self.now();
        let from = Day::of(now).plus(-REVISED - 1);
        let sealed = self.store.sealed_days(subscription, from).await?;
        let due = due(now, &self.store.plans(subscription).await?, &sealed);
        let by = By::service();
        for Due { day, revision } in due.into_iter().take(AT_ONCE) {
            if let Some(Outcome::Sealed(snapshot)) = self.try_to_seal(subscription, day, &by).await? {
                let (billable, number) = (snapshot.header.census.billable, snapshot.header.revision);
                tracing::info!(%subscription, %day, billable, revision, number, "sealed a day");
            }
        }
        Ok(())
    }

    /// Counts and seals; `None` if another service sealed the day meanwhile.
    async fn try_to_seal(
        &self,
        subscription: &SubscriptionId,
        day: Day,
        by: &By,
    ) -> Result<Option<Outcome>, Refusal> {
        let newest = self.store.find_snapshot(subscription, day, None).await?;
        let now = self.now();
        let (facts_revision, counted) = self.count_day(subscription, day).await?;
        let plans = self.store.plans(subscription).await?;
        let late = match &newest {
            Some(newest) => self.store.lateness(subscription, newest).await?,
            None => None,
        };
        let header = Header {
            schema: SNAPSHOT_SCHEMA.to_owned(),
            subscription: subscription.to_string(),
            number: 0,
            day,
            revision: 0,
            reason: by.reason.clone().or(late).or_else(|| newest.as_ref().map(|_| "on request".to_owned())),
            previous: None,
            policy: counted.policy,
            as_of: day.end(),
            known_until: now.max(day.end()),
            plan: day::plan_of(&plans, day).map(PlanInEffect::from),
            census: counted.census,
            size: counted.size,
            root: counted.root,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            trails: None,
        };
        let after = newest.as_ref().map(|n| n.header.revision);
        if let Some(same) = newest.filter(|n| n.header.counts_as(&header)) {
            if !by.dry_run {
                self.store.note_unchanged(subscription, day, facts_revision, now).await?;
            }
            return Ok(Some(Outcome::Unchanged(same)));
        }
        let key = self.store.signing_key(now).await?;
        let unsealed = Unsealed { header, parts: counted.parts, facts_revision, after };
        Ok(match self.store.seal(subscription, unsealed, &key, by, now).await? {
            SealOutcome::Sealed(snapshot) => Some(Outcome::Sealed(*snapshot)),
            SealOutcome::Overtaken => None,
        })
    }

    async fn count_day(&self, subscription: &SubscriptionId, day: Day) -> Result<(i64, Counted), Refusal> {
        let known = match self.store.snapshot_before(subscription, day.end()).await? {
            Some(earlier) => self.last_seen(&earlier).await?,
            None => HashMap::new(),
        };
        let known = move |zone: &str, key: CouplingKey| {
            known.get(zone).and_then(|zone: &HashMap<CouplingKey, Timestamp>| zone.get(&key)).copied()
        };
        let policy = self.settings.policy.clone();
        let count = move |survey: &Survey<'_>| Counted::new(survey, &policy);
        let (revision, counted) = self.inventories()?.count_at(subscription, day.end(), known, count).await?;
        Ok((revision, counted?))
    }

    /// When the couplings of a snapshot's devices were last seen, by zone. A leaf tells this only of a device with one
    /// coupling; most have one.
    async fn last_seen(
        &self,
        snapshot: &Snapshot,
    ) -> Result<HashMap<String, HashMap<CouplingKey, Timestamp>>, StoreError> {
        let mut out: HashMap<String, HashMap<CouplingKey, Timestamp>> = HashMap::new();
        let mut parts = Leaves::new(&self.store, snapshot.clone());
        while let Some(text) = parts.next().await? {
            for leaf in text.lines().filter_map(Leaf::read).filter(|leaf| leaf.couplings == 1) {
                let key = CouplingKey { mac: leaf.mac, ip: leaf.ip };
                out.entry(leaf.zone).or_default().insert(key, leaf.last_seen);
            }
        }
        Ok(out)
    }
}

fn corrupt(why: &dyn std::fmt::Display) -> StoreError {
    StoreError::Corrupt { table: "snapshot_part", why: why.to_string() }
}
