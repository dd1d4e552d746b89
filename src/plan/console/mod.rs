//! The console: pages for people, rendered here, live by server-sent events.

use axum::Router;

use super::service::Service;

/// All pages.
pub fn router() -> Router<Service> {
    Router::new()
}
