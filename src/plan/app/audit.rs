//! The audit trails: of a subscription, and of the installation. A page at a time, or all of it.

use futures_core::Stream;
use serde::Serialize;
use utoipa::ToSchema;

use super::{App, May, MayHere, Refusal};
use crate::plan::permission::ViewAudit;
use crate::plan::store::StoreError;
use crate::plan::store::audit::AuditEntry;
use crate::plan::store::trail::{BrokenTrail, PAGE, TrailFilter, VerifiedTrail};
use crate::wire::SubscriptionId;

/// A page of the trail.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct TrailPage {
    /// The newest first.
    pub entries: Vec<AuditEntry>,
    /// The `before` of the next page; null on the last page.
    pub next: Option<i64>,
    /// Refused requests that are only counted: the trail takes 200 rows of each kind of refusal in 24 hours. The next row
    /// has their number.
    pub unrecorded: i64,
}

/// The proof that somebody may view a trail; it names the trail.
pub trait MayViewTrail: Sync {
    /// The subscription of the trail; none for the installation's own.
    fn trail(&self) -> Option<&SubscriptionId>;
}

impl MayViewTrail for May<ViewAudit> {
    fn trail(&self) -> Option<&SubscriptionId> {
        Some(self.id())
    }
}

impl MayViewTrail for MayHere<ViewAudit> {
    fn trail(&self) -> Option<&SubscriptionId> {
        None
    }
}

/// A page of the trail, the newest entry first.
///
/// # Errors
/// [`Refusal::Invalid`] for a limit outside 1 to [`PAGE`], or the store's.
pub async fn page(
    app: &App,
    may: &dyn MayViewTrail,
    filter: TrailFilter,
    limit: i64,
) -> Result<TrailPage, Refusal> {
    if !(1..=PAGE).contains(&limit) {
        return Err(Refusal::Invalid(format!("limit must be 1 to {PAGE}")));
    }
    let entries = app.store.trail(may.trail(), &filter, limit).await?;
    let last = entries.last().map(|entry| entry.number);
    let more = match last {
        Some(number) if i64::try_from(entries.len()) == Ok(limit) => {
            let rest = TrailFilter { before: Some(number), ..filter };
            !app.store.trail(may.trail(), &rest, 1).await?.is_empty()
        }
        _ => false,
    };
    let unrecorded = app.store.unrecorded(may.trail()).await?;
    Ok(TrailPage { entries, next: last.filter(|_| more), unrecorded })
}

/// Recomputes the chain of hashes. `seen` is a row and its hash that an earlier run found: without it, the loss of the newest
/// rows cannot be found.
pub async fn verify(
    app: &App,
    may: &dyn MayViewTrail,
    seen: Option<(i64, [u8; 32])>,
) -> Result<Result<VerifiedTrail, BrokenTrail>, Refusal> {
    Ok(app.store.verify_trail(may.trail(), seen).await?)
}

/// The trail as one JSON object a line, the newest entry first, some entries at a time.
pub fn lines(
    app: &App,
    may: &dyn MayViewTrail,
    mut filter: TrailFilter,
) -> impl Stream<Item = Result<Vec<u8>, StoreError>> + Send + use<> {
    let (app, trail) = (app.clone(), may.trail().cloned());
    async_stream::try_stream! {
        loop {
            let entries = app.store.trail(trail.as_ref(), &filter, PAGE).await.inspect_err(|error| {
                tracing::error!(%error, "an export of the audit trail broke off");
            })?;
            let Some(last) = entries.last() else { break };
            filter.before = Some(last.number);
            let mut chunk = Vec::new();
            for entry in &entries {
                if serde_json::to_writer(&mut chunk, entry).is_ok() {
                    chunk.push(b'\n');
                }
            }
            yield chunk;
        }
    }
}
