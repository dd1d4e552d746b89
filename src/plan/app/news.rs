//! News of other services on the same database: what they wrote is joined with what this service has in memory as soon as
//! they tell of it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::{App, Refusal};
use crate::plan::store::{Heard, StoreError};

/// How long it takes until a service listens again whose connection to the database broke.
const AGAIN: Duration = Duration::from_secs(5);
/// How often open pages look for changes by other services whose news this service does not hear.
const LOOK: Duration = Duration::from_secs(5);
/// How often they look if it hears them.
const LOOK_SELDOM: Duration = Duration::from_secs(60);

/// Whether this service hears the others.
#[derive(Debug, Default)]
pub struct Hearing(AtomicBool);

impl Hearing {
    /// How often open pages should look for changes by other services.
    pub fn look_every(&self) -> Duration {
        if self.0.load(Ordering::Relaxed) { LOOK_SELDOM } else { LOOK }
    }
}

/// Follows the news of other services until this service stops. Returns at once if no other service can use the database.
pub async fn follow(app: App) {
    let mut stopping = app.stopping.subscribe();
    loop {
        let stopped = async { stopping.wait_for(|stop| *stop).await.map(drop) };
        let heard = tokio::select! {
            _ = stopped => return,
            heard = hear(&app) => heard,
        };
        app.hearing.0.store(false, Ordering::Relaxed);
        match heard {
            Ok(()) => return,
            Err(error) => tracing::debug!(%error, "news of other services cannot be heard; trying again"),
        }
        tokio::time::sleep(AGAIN).await;
    }
}

/// Hears news until the database is away.
async fn hear(app: &App) -> Result<(), StoreError> {
    let Some(mut news) = app.store.news().await? else { return Ok(()) };
    app.hearing.0.store(true, Ordering::Relaxed);
    // Before this, nothing was heard.
    let mut heard = Heard::Lost;
    loop {
        if let Err(error) = take(app, &heard).await {
            // The next reader meets the same error and is told.
            tracing::debug!(%error, "a change by another service could not be loaded");
        }
        heard = news.next().await?;
    }
}

async fn take(app: &App, heard: &Heard) -> Result<(), Refusal> {
    let inventories = app.inventories()?;
    match heard {
        Heard::Changed(subscription) => inventories.hear(subscription).await,
        Heard::Lost => {
            for subscription in inventories.loaded() {
                inventories.hear(&subscription).await?;
            }
            Ok(())
        }
    }
}
