//! The terms and who accepted them. Rows are only added.

use super::engine::{Row, sql};
use super::{By, Store, StoreError, Work};
use crate::census::Timestamp;
use crate::plan::terms::Terms;
use crate::proof::Digest;
use crate::wire::SubscriptionId;

/// Who accepted which terms with a plan.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Acceptance {
    /// The number of the plan.
    pub plan: i64,
    /// The person, or the operator.
    pub by: String,
    pub at: Timestamp,
    /// The SHA-256 of the terms with the name of their version; `None` if the service had no text then.
    pub terms: Option<(Digest, String)>,
}

impl Store {
    /// Who accepted terms with the plans of a subscription, by the plans' numbers.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] or the database's.
    pub async fn acceptances(&self, subscription: &SubscriptionId) -> Result<Vec<Acceptance>, StoreError> {
        let text = "SELECT a.plan, a.accepted_by, a.accepted_at, a.sha256, t.version
                    FROM acceptance a LEFT JOIN terms t ON t.sha256 = a.sha256
                    WHERE a.subscription = $1 ORDER BY a.plan";
        let read = |row: &Row| {
            let terms = match (row.opt_blob("sha256")?, row.opt_text("version")?) {
                (Some(hash), Some(version)) => Some((digest(hash)?, version)),
                _ => None,
            };
            Ok(Acceptance {
                plan: row.int("plan")?,
                by: row.text("accepted_by")?,
                at: Timestamp(row.int("accepted_at")?),
                terms,
            })
        };
        self.rows(sql(text).bind(subscription)).await?.iter().map(read).collect()
    }

    /// The terms with that hash, if somebody accepted them with a plan of the subscription.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] or the database's.
    pub async fn accepted_terms(
        &self,
        subscription: &SubscriptionId,
        sha256: Digest,
    ) -> Result<Terms, StoreError> {
        let text = "SELECT t.version, t.body FROM terms t
                    WHERE t.sha256 = $2 AND EXISTS (SELECT 1 FROM acceptance a
                                                    WHERE a.subscription = $1 AND a.sha256 = t.sha256)";
        let row = self.row(sql(text).bind(subscription).bind(sha256.0)).await?;
        let missing = || StoreError::NotFound { what: "terms", id: sha256.to_string() };
        let row = row.ok_or_else(missing)?;
        Ok(Terms::new(row.str("version")?, row.text("body")?))
    }
}

/// Records that somebody accepted the terms with a plan.
pub(super) async fn accept(
    work: &mut Work,
    subscription: &SubscriptionId,
    plan: i64,
    terms: Option<&Terms>,
    by: &By,
    at: Timestamp,
) -> Result<(), StoreError> {
    if let Some(terms) = terms {
        let text = "INSERT INTO terms (sha256, version, body, stored_at) VALUES ($1, $2, $3, $4)
                    ON CONFLICT (sha256) DO NOTHING";
        let query = sql(text).bind(terms.sha256.0).bind(&terms.version).bind(&terms.text).bind(at.0);
        work.execute(query).await?;
    }
    let text = "INSERT INTO acceptance (subscription, plan, sha256, accepted_by, accepted_at)
                VALUES ($1, $2, $3, $4, $5)";
    let query = sql(text).bind(subscription).bind(plan).bind(terms.map(|t| t.sha256.0.to_vec()));
    work.execute(query.bind(by.actor.to_string()).bind(at.0)).await.map(drop)
}

fn digest(hash: Vec<u8>) -> Result<Digest, StoreError> {
    let wrong = |_| StoreError::Corrupt { table: "acceptance", why: "the hash has not 32 bytes".to_owned() };
    Ok(Digest(hash.try_into().map_err(wrong)?))
}
