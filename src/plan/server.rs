//! The HTTP server: all routes, the layers around them, and a graceful end.

use std::future::Future;
use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::extract::{MatchedPath, Request};
use axum::http::{HeaderName, HeaderValue, header};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use axum::serve::{Listener, ListenerExt as _};
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::request_id::{MakeRequestUuid, PropagateRequestIdLayer, SetRequestIdLayer};
use tower_http::set_header::SetResponseHeaderLayer;
use tower_http::trace::TraceLayer;

use super::http::{api, console};
use crate::plan::app::{App, freshness};
use crate::plan::http::problem::{Problem, ProblemType};

/// How long one request may take, its body included. Endless answers begin within it.
const REQUEST: Duration = Duration::from_secs(30);
/// Seconds after which a request that took too long may be sent again.
const AFTER_TIMEOUT: u64 = 10;
/// How long a stop waits for requests that run.
const GRACE: Duration = Duration::from_secs(10);

/// What pages may load: their own files only, nothing inline, nothing from elsewhere.
pub const CSP: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// All routes of the service.
pub fn router(service: App) -> Router {
    let routes = Router::new().merge(api::router(&service)).merge(console::router()).with_state(service);
    let fixed = |name: &'static str, value: &'static str| {
        SetResponseHeaderLayer::if_not_present(HeaderName::from_static(name), HeaderValue::from_static(value))
    };
    // The first is the innermost.
    routes
        .layer(from_fn(bounded))
        .layer(CatchPanicLayer::custom(panicked))
        .layer(fixed("cache-control", "no-store"))
        .layer(fixed("cross-origin-resource-policy", "same-origin"))
        .layer(fixed("cross-origin-opener-policy", "same-origin"))
        .layer(fixed("referrer-policy", "same-origin"))
        .layer(fixed("x-content-type-options", "nosniff"))
        .layer(fixed("content-security-policy", CSP))
        .layer(PropagateRequestIdLayer::x_request_id())
        .layer(TraceLayer::new_for_http().make_span_with(span))
        .layer(SetRequestIdLayer::x_request_id(MakeRequestUuid))
}

/// Serves until `stop` resolves; then ends endless answers, waits for requests that run, and closes the store. The
/// listener is a plain one, or a [`crate::plan::tls::TlsListener`].
///
/// # Errors
/// If the listener fails.
pub async fn serve(
    listener: impl Listener<Addr = SocketAddr>,
    service: App,
    stop: impl Future<Output = ()> + Send + 'static,
) -> std::io::Result<()> {
    let stopping = service.stopping.clone();
    let mut stopped = service.stopping.subscribe();
    let signal = async move {
        stop.await;
        stopping.send_replace(true);
    };
    let app = router(service.clone()).into_make_service_with_connect_info::<SocketAddr>();
    // The tap does nothing itself: axum gives the peer's address only for its own listener types, and a tap is one.
    let server = axum::serve(listener.tap_io(|_| {}), app).with_graceful_shutdown(signal);
    let late = async {
        // A connection that never ends must not hold up the stop.
        let sender_lives = stopped.wait_for(|s| *s).await.is_ok();
        if sender_lives {
            tokio::time::sleep(GRACE).await;
        }
    };
    let outcome = tokio::select! {
        outcome = server => outcome,
        () = late => Ok(()),
    };
    service.store.close().await;
    outcome
}

/// Ends a request that takes too long, and marks an answer that does not count everything: `Age` (RFC 9111) has the
/// seconds since its count was made.
async fn bounded(request: Request, next: Next) -> Response {
    match tokio::time::timeout(REQUEST, freshness::noting(next.run(request))).await {
        Ok((mut response, older)) => {
            if let Some(older) = older {
                response.headers_mut().insert(header::AGE, HeaderValue::from(older.seconds));
            }
            response
        }
        Err(_) => {
            let detail = format!(
                "the request took more than {} s; send it again in {AFTER_TIMEOUT} s",
                REQUEST.as_secs()
            );
            Problem::new(ProblemType::Timeout, detail).after(AFTER_TIMEOUT).into_response()
        }
    }
}

/// The span of a request: the route's pattern, never the path itself, which may hold a one-time secret.
fn span(request: &Request) -> tracing::Span {
    let route = request.extensions().get::<MatchedPath>().map_or("unmatched", MatchedPath::as_str);
    let id = request.headers().get("x-request-id").and_then(|v| v.to_str().ok()).unwrap_or("");
    tracing::info_span!("request", method = %request.method(), route, id)
}

fn panicked(_: Box<dyn std::any::Any + Send>) -> Response {
    tracing::error!("a request handler panicked");
    Problem::new(ProblemType::Internal, "the service failed; its log tells why").into_response()
}
