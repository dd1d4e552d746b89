//! The newest time that the service's clock has shown, by which times from sensors are judged.
//!
//! A service whose clock falls back must not take a sensor's times for times ahead, because facts that are taken down cannot
//! be raised again.

use std::sync::atomic::{AtomicI64, Ordering};

use tokio::sync::OnceCell;

use super::Refusal;
use crate::census::Timestamp;
use crate::plan::store::Store;

/// The newest time; none before the first upload.
#[derive(Debug, Default)]
pub(super) struct NewestTime(OnceCell<AtomicI64>);

impl NewestTime {
    /// The newest time that the clock has shown, `now` included. After a start: that at which the last uploads came.
    ///
    /// # Errors
    /// The store's.
    pub(super) async fn at(&self, now: Timestamp, store: &Store) -> Result<Timestamp, Refusal> {
        let known = async || {
            let last = store.last_upload().await?;
            Ok::<_, Refusal>(AtomicI64::new(last.unwrap_or(now).0))
        };
        let newest = self.0.get_or_try_init(known).await?;
        Ok(now.max(Timestamp(newest.fetch_max(now.0, Ordering::Relaxed))))
    }
}
