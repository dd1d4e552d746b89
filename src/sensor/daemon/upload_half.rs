//! The task of the upload half.

use std::num::NonZeroU64;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use crate::sensor::config::Config;
use crate::sensor::upload::delivery::{Delivery, IDLE, Pace, Step};
use crate::sensor::upload::route::Route;

/// What the delivery task shall do.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Order {
    Run(Pace, Arc<Route>),
    /// Send waiting uploads until this instant, then end.
    Finish(Instant),
}

pub(super) fn order(config: &Config) -> Order {
    Order::Run(pace(config), Arc::new(config.route()))
}

pub(super) fn pace(config: &Config) -> Pace {
    Pace {
        first: config.upload.retry_after,
        longest: config.upload.retry_at_most,
        timeout: config.upload.timeout,
        bytes_per_second: NonZeroU64::new(config.upload.max_bytes_per_second),
    }
}

/// The delivery task: sends and waits until the order to finish.
pub(super) async fn deliver(mut delivery: Delivery, mut order: watch::Receiver<Order>) {
    loop {
        let now = order.borrow_and_update().clone();
        match now {
            Order::Finish(until) => return finish(&mut delivery, until).await,
            Order::Run(pace, route) => {
                delivery.set_pace(pace);
                delivery.set_route(route.as_ref().clone());
            }
        }
        loop {
            let wait = match delivery.step().await {
                Step::Stored(_) | Step::PutAside(_) | Step::Replaced(_) => Duration::ZERO,
                Step::Idle => IDLE,
                Step::Wait(wait) => wait,
            };
            let wait = wait.max(delivery.rest());
            // Only a new order ends a wait early.
            if tokio::time::timeout(wait, order.changed()).await.is_ok() {
                break;
            }
        }
    }
}

/// Sends waiting uploads until `until`.
async fn finish(delivery: &mut Delivery, until: Instant) {
    let drain = async {
        while matches!(delivery.step().await, Step::Stored(_) | Step::PutAside(_) | Step::Replaced(_)) {
            tokio::time::sleep(delivery.rest()).await;
        }
    };
    if tokio::time::timeout_at(until, drain).await.is_err() {
        tracing::info!("the rest of the spool will be sent after the next start");
    }
}
