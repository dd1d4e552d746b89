//! News: a service tells the other services on its PostgreSQL database for which subscriptions it wrote (`NOTIFY`).
//!
//! Nobody relies on news. A reader compares revisions anyway, and open pages ask now and then; news makes both quick.

use std::collections::BTreeSet;
use std::hash::{BuildHasher as _, RandomState};
use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sqlx::PgPool;
use sqlx::postgres::{PgListener, PgPoolOptions};

use super::StoreError;
use super::engine::Transaction;
use crate::wire::SubscriptionId;

/// The channel of all services on a database.
const CHANNEL: &str = "netcensus_changed";
/// The shortest time between two announcements of one service.
const PACE: Duration = Duration::from_millis(50);

/// Announces for which subscriptions this service wrote. Clones share what waits.
#[derive(Clone, Debug)]
pub(super) struct Announcer(Arc<Announcements>);

#[derive(Debug)]
struct Announcements {
    pool: PgPool,
    /// The name of this service in its announcements.
    service: String,
    written: Mutex<Written>,
}

#[derive(Debug, Default)]
struct Written {
    subscriptions: BTreeSet<String>,
    /// Whether a task announces them.
    running: bool,
}

impl Announcer {
    pub(super) fn new(pool: PgPool) -> Self {
        // Each state has a seed of its own.
        let service = format!("{:016x}", RandomState::new().hash_one(std::process::id()));
        Self(Arc::new(Announcements { pool, service, written: Mutex::default() }))
    }

    fn written(&self) -> MutexGuard<'_, Written> {
        self.0.written.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes that something was committed for a subscription. Others hear of it soon.
    pub(super) fn note(&self, subscription: &str) {
        let mut written = self.written();
        written.subscriptions.insert(subscription.to_owned());
        if !mem::replace(&mut written.running, true) {
            tokio::spawn(self.clone().run());
        }
    }

    async fn run(self) {
        while self.announce().await {
            tokio::time::sleep(PACE).await;
        }
    }

    /// Announces what waits. Returns whether there was something.
    pub(super) async fn announce(&self) -> bool {
        let waiting = {
            let mut written = self.written();
            written.running = !written.subscriptions.is_empty();
            mem::take(&mut written.subscriptions)
        };
        if waiting.is_empty() {
            return false;
        }
        let news: Vec<String> = waiting.iter().map(|id| format!("{} {id}", self.0.service)).collect();
        let notify = "SELECT pg_notify($1, news) FROM unnest($2::text[]) AS news";
        let told = sqlx::query(notify).bind(CHANNEL).bind(news).execute(&self.0.pool).await;
        if let Err(error) = told {
            tracing::debug!(%error, "other services were not told of changes; they find them when they look");
        }
        true
    }

    /// Listens to the other services, over a connection of its own.
    pub(super) async fn listen(&self) -> Result<News, StoreError> {
        let options = self.0.pool.connect_options().as_ref().clone();
        // One connection that lasts.
        let pool = PgPoolOptions::new().max_connections(1).max_lifetime(None).idle_timeout(None);
        let mut listener = PgListener::connect_with(&pool.connect_lazy_with(options)).await?;
        listener.listen(CHANNEL).await?;
        Ok(News { listener, service: self.0.service.clone() })
    }
}

/// What other services wrote.
#[derive(Debug)]
pub struct News {
    listener: PgListener,
    service: String,
}

/// What a service hears.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Heard {
    /// Another service wrote for the subscription.
    Changed(SubscriptionId),
    /// The connection was lost for a while, so something may have been missed.
    Lost,
}

impl News {
    /// Waits for the next news of another service.
    ///
    /// # Errors
    /// The database's, if it is away.
    pub async fn next(&mut self) -> Result<Heard, StoreError> {
        loop {
            let Some(told) = self.listener.try_recv().await? else { return Ok(Heard::Lost) };
            let told = told.payload().split_once(' ').filter(|(service, _)| *service != self.service);
            // Anybody who may use the database may write to the channel.
            if let Some(subscription) = told.and_then(|(_, id)| id.parse().ok()) {
                return Ok(Heard::Changed(subscription));
            }
        }
    }
}

/// The turn at work that one service does at a time. It ends when it is dropped.
pub struct Turn(pub(super) Option<Box<dyn Transaction>>);

impl std::fmt::Debug for Turn {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Turn").field(&self.0.is_some()).finish()
    }
}
