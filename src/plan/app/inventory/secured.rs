//! Alerts and recommendations of a subscription: derived in the line of surveys, and kept until something changes.

use std::collections::BTreeSet;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use tokio::runtime::Handle;

use super::super::{Refusal, feeds, freshness};
use super::holders::Holders;
use super::{Inventories, Revision};
use crate::census::time::{DAY, MINUTE, SECOND};
use crate::census::{Survey, Timestamp};
use crate::plan::store::StoreError;
use crate::security::{self, FeedHolders, Ruleset, Security};
use crate::wire::SubscriptionId;

/// For so long after its first frame, every master of industrial devices in a zone is new.
const BASELINE: i64 = 7 * DAY;

/// Alerts and recommendations of the facts and decisions of a revision.
#[derive(Clone, Debug)]
pub struct Secured {
    pub revision: Revision,
    /// The instant at which they were derived.
    pub as_of: Timestamp,
    pub security: Arc<Security>,
    /// Which devices did something.
    pub holders: Arc<Holders>,
    /// Which feeds held the indicators that were hit.
    held: Arc<Held>,
    /// Until when they serve although facts changed: to derive them takes a tenth of the time at most, and they are at most ten
    /// seconds old.
    rests: Timestamp,
}

impl Secured {
    /// The digest of the set of indicators under which they were derived; `None` if there was none.
    pub fn set(&self) -> Option<&str> {
        self.held.set.as_deref()
    }
}

/// Which feeds hold the indicators that stations hit, under a set of indicators.
#[derive(Debug, Default)]
struct Held {
    /// The digest of the set; `None` if there is none.
    set: Option<String>,
    /// Of every indicator that was hit.
    by_label: FeedHolders,
}

impl Inventories {
    /// Looks up which feeds hold the indicators that stations of an inventory hit, as far as that is not known yet.
    async fn held(
        &self,
        subscription: &SubscriptionId,
        set: Option<String>,
        hit: BTreeSet<String>,
        known: &Held,
    ) -> Result<Held, StoreError> {
        if set.is_none() {
            return Ok(Held::default());
        }
        let mut by_label = FeedHolders::new();
        let mut unknown = Vec::new();
        for label in hit {
            match known.by_label.get(&label).filter(|_| known.set == set) {
                Some(feeds) => drop(by_label.insert(label, feeds.clone())),
                None => unknown.push(label),
            }
        }
        by_label.extend(feeds::holders(&self.store, subscription, &unknown).await?);
        Ok(Held { set, by_label })
    }

    /// As [`Self::security`], or what was derived lately of the same decisions if the newest is not derived in so long, with
    /// whether it is such an older one. The newest is derived all the same, for a later reader.
    ///
    /// # Errors
    /// Those of [`Self::security`].
    pub async fn security_in(
        &self,
        subscription: &SubscriptionId,
        rules: &Arc<Ruleset>,
        now: Timestamp,
        wait: Duration,
    ) -> Result<(Secured, bool), Refusal> {
        let state = self.current(subscription).await?;
        let known = state.security.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let decided = state.revision().decisions;
        let set = self.store.indicator_digest(subscription).await?;
        let serves = |known: &Secured| {
            known.revision.decisions >= decided
                && known.held.set == set
                && now.since(known.as_of) < freshness::STALE
        };
        let Some(known) = known.filter(serves) else {
            return Ok((self.security(subscription, rules, now).await?, false));
        };
        let Ok(turn) = Arc::clone(&state.deriving).try_lock_owned() else { return Ok((known, true)) };
        let (inventories, subscription, rules) = (self.clone(), subscription.clone(), Arc::clone(rules));
        let deriving = tokio::spawn(async move {
            let derived = inventories.security(&subscription, &rules, now).await;
            drop(turn);
            derived
        });
        match tokio::time::timeout(wait, deriving).await {
            Ok(Ok(derived)) => Ok((derived?, false)),
            Ok(Err(error)) => Err(Refusal::Defect(format!("alerts were not derived: {error}"))),
            Err(_) => Ok((known, true)),
        }
    }

    /// The alerts and recommendations of the present. They are derived again if the facts or decisions changed, and after a
    /// minute, because postures age.
    ///
    /// # Errors
    /// [`Refusal::Busy`] if too many surveys are waited for; the store's.
    pub async fn security(
        &self,
        subscription: &SubscriptionId,
        rules: &Arc<Ruleset>,
        now: Timestamp,
    ) -> Result<Secured, Refusal> {
        let state = self.current(subscription).await?;
        state.usage.note_reader(now);
        let known = state.security.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let set = self.store.indicator_digest(subscription).await?;
        if let Some(known) = known.as_ref().filter(|known| {
            known.held.set == set
                && (now < known.rests
                    || known.revision == state.revision() && now.since(known.as_of) < MINUTE)
        }) {
            return Ok(known.clone());
        }
        let place = state.line.place()?;
        let (inventories, counted, rules) = (self.clone(), Arc::clone(&state), Arc::clone(rules));
        let known = known.map(|known| known.held).unwrap_or_default();
        let subscription = subscription.clone();
        let survey = move || {
            let _place = place;
            let began = inventories.clock.now();
            let (facts, revision, decisions) = counted.snapshot();
            let facts = counted.named(&facts, &decisions);
            let as_of = inventories.instant(&facts, None, now);
            let policy = &*inventories.policy;
            let inventory = facts.inventory.admitted(policy);
            let survey = Survey::new(&inventory, policy, &decisions, &*inventories.classifier, as_of);
            // Of the facts of this survey, so that what came since cannot seem to be held by no feed.
            let held = inventories.held(&subscription, set, security::indicators_hit(&inventory), &known);
            let held = Arc::new(Handle::current().block_on(held)?);
            let names = decisions.names();
            let derived =
                security::derive(&survey, &inventory, names, &rules, BASELINE, false, &held.by_label);
            let security = Arc::new(derived);
            let ended = inventories.clock.now();
            let rests = ended.plus(ended.since(began).saturating_mul(10).clamp(0, 10 * SECOND));
            let holders = Arc::new(Holders::of(&survey, &inventory, names));
            let secured = Secured { revision, as_of, security, holders, held, rests };
            *counted.security.lock().unwrap_or_else(PoisonError::into_inner) = Some(secured.clone());
            Ok(secured)
        };
        self.surveys.run(&state.line, survey).await?
    }

    /// The alerts and recommendations that were derived last, however old; `None` if none were since the start.
    ///
    /// # Errors
    /// The store's, when the facts are loaded.
    pub async fn known_security(&self, subscription: &SubscriptionId) -> Result<Option<Secured>, Refusal> {
        let state = self.current(subscription).await?;
        Ok(state.security.lock().unwrap_or_else(PoisonError::into_inner).clone())
    }
}
