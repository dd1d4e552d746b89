//! Whether the service can do its work: whether the database can be written to.

use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::Instant;

use super::{App, Refusal};

/// How long an answer is given again: many may ask, and each attempt takes a turn among the writers.
const FRESH: Duration = Duration::from_secs(1);
/// How long an attempt may take. A writer that waits for longer keeps sensors waiting too.
const PATIENCE: Duration = Duration::from_secs(3);

/// The newest attempt: when it ended, and whether it went well.
#[derive(Debug, Default)]
pub struct Readiness(Mutex<Option<(Instant, bool)>>);

/// Tries to write to the database, or says what the last attempt of this second came to.
///
/// # Errors
/// [`Refusal::NotReady`].
pub async fn check(app: &App) -> Result<(), Refusal> {
    // Whoever asks meanwhile waits for the same attempt.
    let mut newest = app.readiness.0.lock().await;
    if let Some((at, good)) = *newest
        && at.elapsed() < FRESH
    {
        return good.then_some(()).ok_or(Refusal::NotReady);
    }
    let good = match tokio::time::timeout(PATIENCE, app.store.try_writing()).await {
        Ok(Ok(())) => true,
        Ok(Err(error)) => {
            tracing::error!(%error, "not ready");
            false
        }
        Err(_) => {
            tracing::error!("not ready: the database was not ready to write for {} s", PATIENCE.as_secs());
            false
        }
    };
    *newest = Some((Instant::now(), good));
    good.then_some(()).ok_or(Refusal::NotReady)
}
