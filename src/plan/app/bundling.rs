//! Bundles, written while they are read from the store: only one part of the leaves is in memory at a time.

use async_stream::try_stream;
use futures_core::Stream;

use super::App;
use super::leaves::Leaves;
use crate::billing::statement::Month;
use crate::plan::store::{Snapshot, StoreError};
use crate::proof::bundle::Writer;
use crate::proof::{SigningKey, Span};
use crate::wire::SubscriptionId;

/// The contents of a bundle, except the leaves.
pub struct Bundle {
    app: App,
    subscription: String,
    days: Span,
    key: SigningKey,
    chain: Vec<Snapshot>,
    statements: Vec<(Month, String)>,
}

impl Bundle {
    /// The bundle of some days; see [`super::snapshots::bundle`].
    ///
    /// # Errors
    /// [`SnapshotError::NoSnapshot`](crate::plan::store::SnapshotError::NoSnapshot),
    /// [`SnapshotError::TooManyHeaders`](crate::plan::store::SnapshotError::TooManyHeaders) or the store's.
    pub(super) async fn new(
        app: &App,
        subscription: &SubscriptionId,
        days: Span,
    ) -> Result<Self, StoreError> {
        let chain = app.store.chain(subscription, days).await?;
        let key = app.store.signing_key(app.now()).await?;
        let statements = app.store.closed_statements(subscription, days, app.now()).await?;
        Ok(Self { app: app.clone(), subscription: subscription.to_string(), days, key, chain, statements })
    }

    /// The file, piece by piece.
    pub fn stream(self) -> impl Stream<Item = Result<Vec<u8>, StoreError>> + Send {
        let Self { app, subscription, days, key, chain, statements } = self;
        try_stream! {
            let mut writer = Writer::new(Vec::new(), &subscription, days, &key).map_err(failed)?;
            for (place, snapshot) in chain.iter().enumerate() {
                let day = snapshot.header.day;
                let is_newest = chain.iter().skip(place + 1).all(|later| later.header.day != day);
                let leaves = days.contains(day) && is_newest;
                writer.snapshot(&snapshot.signed_form, &snapshot.signature, leaves).map_err(failed)?;
                let mut parts = Leaves::new(&app.store, snapshot.clone());
                while let Some(text) = if leaves { parts.next().await? } else { None } {
                    for line in text.lines() {
                        writer.line(line).map_err(failed)?;
                    }
                    yield writer.take();
                }
            }
            for (month, text) in &statements {
                writer.statement(*month, text).map_err(failed)?;
            }
            yield writer.close(&key).map_err(failed)?;
        }
    }
}

#[expect(clippy::needless_pass_by_value, reason = "as map_err gives it")]
fn failed(error: std::io::Error) -> StoreError {
    StoreError::Corrupt { table: "snapshot", why: error.to_string() }
}
