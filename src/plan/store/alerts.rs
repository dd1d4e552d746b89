//! What people decided about alerts. Alerts themselves are derived from facts.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use super::audit::Entry;
use super::engine::{Bulk, sql};
use super::{By, Scope, Store, StoreError};
use crate::census::Timestamp;
use crate::census::time::rfc3339;
use crate::security::AlertId;
use crate::wire::SubscriptionId;

/// The most alerts of a subscription about which people may have decided.
const DECISIONS: usize = 100_000;

/// The state of an alert.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum AlertState {
    /// Nobody looked at it yet, or it was seen again after it was closed.
    #[default]
    New,
    /// A person looks at it.
    Active,
    /// A person closed it. If it is seen again, it is new again.
    Closed,
    /// It is expected, and stays closed whatever is seen.
    Accepted,
}

impl AlertState {
    pub const ALL: [Self; 4] = [Self::New, Self::Active, Self::Closed, Self::Accepted];

    /// The name in the API and the store.
    pub const fn key(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Active => "active",
            Self::Closed => "closed",
            Self::Accepted => "accepted",
        }
    }

    pub fn from_key(key: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|s| s.key() == key)
    }

    /// Whether a person still has to do something.
    pub const fn is_open(self) -> bool {
        matches!(self, Self::New | Self::Active)
    }
}

/// What a person decided about an alert.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
pub struct AlertDecision {
    pub state: AlertState,
    /// A note for those who look at it later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// Who decided.
    pub by: String,
    /// When.
    #[serde(with = "rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
}

impl Store {
    /// What people decided about the alerts of a subscription.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] or the database's.
    pub async fn alert_decisions(
        &self,
        subscription: &SubscriptionId,
    ) -> Result<BTreeMap<AlertId, AlertDecision>, StoreError> {
        let query = "SELECT id, decision FROM alert_decision WHERE subscription = $1";
        let corrupt = |why: String| StoreError::Corrupt { table: "alert_decision", why };
        let mut decisions = BTreeMap::new();
        for row in self.rows(sql(query).bind(subscription)).await? {
            let id = row.str("id")?.parse().map_err(|e| corrupt(format!("{e}")))?;
            let decision = serde_json::from_str(row.str("decision")?).map_err(|e| corrupt(e.to_string()))?;
            decisions.insert(id, decision);
        }
        Ok(decisions)
    }

    /// Records what a person decided about an alert, in place of what was decided before.
    ///
    /// # Errors
    /// [`StoreError::Full`] beyond the bound, or the database's.
    pub async fn decide_alert(
        &self,
        subscription: &SubscriptionId,
        id: AlertId,
        (before, decision): (Option<&AlertDecision>, &AlertDecision),
        by: &By,
    ) -> Result<(), StoreError> {
        let mut work = self.write(Scope::Subscription(subscription)).await?;
        let count = "SELECT count(*) AS n FROM alert_decision WHERE subscription = $1";
        let known = work.row(sql(count).bind(subscription)).await?.map_or(Ok(0), |row| row.int("n"))?;
        if before.is_none() && usize::try_from(known).is_ok_and(|n| n >= DECISIONS) {
            return Err(StoreError::Full(DECISIONS));
        }
        let text = serde_json::to_string(decision).unwrap_or_default();
        let fixed = [("subscription", subscription.as_str())];
        let values = vec![vec![id.to_string()], vec![text]];
        let columns: &[&str] = &["id", "decision"];
        work.upsert(Bulk { table: "alert_decision", fixed: &fixed, columns, values }).await?;
        let trace = |d: &AlertDecision| json!({"state": d.state, "note": d.note});
        let entry = Entry {
            action: "alert.decide",
            object: format!("alert/{id}"),
            before: before.map(trace),
            after: Some(trace(decision)),
            count_delta: None,
        };
        work.audit(Some(subscription), by, entry, decision.at).await?;
        work.finish(by).await
    }
}
