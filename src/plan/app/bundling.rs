//! Bundles, written while they are read from the store: however large, one part of the leaves is held at a time.

use async_stream::try_stream;
use futures_core::Stream;

use super::App;
use crate::billing::statement::Month;
use crate::plan::store::{Snapshot, StoreError};
use crate::proof::bundle::Writer;
use crate::proof::{SigningKey, Span};

/// What a bundle is made of.
pub struct Bundle {
    service: App,
    subscription: String,
    days: Span,
    key: SigningKey,
    chain: Vec<Snapshot>,
    statements: Vec<(Month, String)>,
}

impl App {
    /// The bundle of some days: the chain that holds their snapshots, the leaves of each day's newest one, and the
    /// closed statements of their months.
    ///
    /// # Errors
    /// [`SnapshotError::NoSnapshot`](crate::plan::store::SnapshotError::NoSnapshot),
    /// [`SnapshotError::TooManyHeaders`](crate::plan::store::SnapshotError::TooManyHeaders) or the store's.
    pub async fn bundle(&self, subscription: &str, days: Span) -> Result<Bundle, StoreError> {
        let chain = self.store.chain(subscription, days).await?;
        let key = self.store.signing_key(self.now()).await?;
        let statements = self.store.closed_statements(subscription, days, self.now()).await?;
        let (service, subscription) = (self.clone(), subscription.to_owned());
        Ok(Bundle { service, subscription, days, key, chain, statements })
    }
}

impl Bundle {
    /// The file, piece by piece.
    pub fn stream(self) -> impl Stream<Item = Result<Vec<u8>, StoreError>> + Send {
        let Self { service, subscription, days, key, chain, statements } = self;
        try_stream! {
            let mut writer = Writer::new(Vec::new(), &subscription, days, &key).map_err(failed)?;
            for (place, snapshot) in chain.iter().enumerate() {
                let day = snapshot.header.day;
                let is_newest = chain.iter().skip(place + 1).all(|later| later.header.day != day);
                let leaves = days.contains(day) && is_newest;
                writer.snapshot(&snapshot.signed_form, &snapshot.signature, leaves).map_err(failed)?;
                let mut parts = service.leaves(snapshot);
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
