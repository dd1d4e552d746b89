//! The HTTP server: all routes, the layers around them, and a graceful end.

use std::future::Future;
use std::net::SocketAddr;
use std::pin::pin;
use std::time::Duration;

use axum::Router;
use axum::extract::{MatchedPath, Request};
use axum::http::{Extensions, HeaderMap, HeaderName, HeaderValue, StatusCode, Version, header};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use axum::serve::Listener;
use serde_json::json;
use tokio::io::{AsyncWrite, AsyncWriteExt as _};
use tokio::task::JoinSet;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::compression::CompressionLayer;
use tower_http::compression::predicate::{Predicate as _, SizeAbove};
use tower_http::request_id::{MakeRequestUuid, PropagateRequestIdLayer, SetRequestIdLayer};
use tower_http::set_header::SetResponseHeaderLayer;
use tower_http::trace::TraceLayer;

use super::connection;
use super::connections::Connections;
use super::http::{api, console};
use crate::plan::app::{App, Settings, freshness};
use crate::plan::http::problem::{Problem, ProblemType};

/// Answers of fewer bytes are not worth compressing.
const COMPRESSED: u16 = 860;
/// How long one request may take, its body included. Endless answers begin within it.
const REQUEST: Duration = Duration::from_secs(30);
/// Seconds after which a request that took too long may be sent again.
const AFTER_TIMEOUT: u64 = 10;
/// Refusals of connections that are told at once; further connections are closed without a word.
const REFUSED: usize = 64;
/// How long a refusal may take.
const TOLD: Duration = Duration::from_secs(1);
/// Seconds after which a client whose connection is refused may connect again.
const AFTER_REFUSAL: u64 = 5;
/// How long a stop waits for requests that run.
const GRACE: Duration = Duration::from_secs(10);

/// What pages may load: their own files only, nothing inline, nothing from elsewhere.
pub const CSP: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// For a year after their last visit, browsers reach this host over HTTPS only (RFC 6797). Other hosts of the domain may
/// not speak it.
const HSTS: &str = "max-age=31536000";

/// All routes of the service.
pub fn router(service: App) -> Router {
    let hsts = service.is_https().then(|| HeaderValue::from_static(HSTS));
    let routes =
        Router::new().merge(api::router(&service)).merge(console::router(&service)).with_state(service);
    let fixed = |name: &'static str, value: &'static str| {
        SetResponseHeaderLayer::if_not_present(HeaderName::from_static(name), HeaderValue::from_static(value))
    };
    // The first is the innermost.
    routes
        .layer(from_fn(bounded))
        .layer(CatchPanicLayer::custom(panicked))
        .layer(CompressionLayer::new().compress_when(SizeAbove::new(COMPRESSED).and(is_text)))
        .layer(fixed("cache-control", "no-store"))
        .layer(fixed("cross-origin-resource-policy", "same-origin"))
        .layer(fixed("cross-origin-opener-policy", "same-origin"))
        .layer(fixed("referrer-policy", "same-origin"))
        .layer(fixed("x-content-type-options", "nosniff"))
        .layer(fixed("content-security-policy", CSP))
        .layer(SetResponseHeaderLayer::if_not_present(
            header::STRICT_TRANSPORT_SECURITY,
            move |_: &Response| hsts.clone(),
        ))
        .layer(PropagateRequestIdLayer::x_request_id())
        .layer(TraceLayer::new_for_http().make_span_with(span))
        .layer(SetRequestIdLayer::x_request_id(MakeRequestUuid))
}

/// Whether an answer is text that shrinks. Events must not wait for a compressor, and bundles are compressed already.
fn is_text(_: StatusCode, _: Version, headers: &HeaderMap, _: &Extensions) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    match kind.split_once('/') {
        Some(("text", "event-stream")) => false,
        Some(("text", _)) | Some(("image", "svg+xml")) => true,
        Some(("application", form)) => form == "x-ndjson" || form == "json" || form.ends_with("+json"),
        _ => false,
    }
}

/// Serves until `stop` resolves; then ends endless answers, waits for requests that run, and closes the store. The
/// listener is a plain one, or a [`crate::plan::tls::TlsListener`]. Beyond the limits of connections, clients get 503.
///
/// # Errors
/// None at present: a listener that fails to accept tries again.
pub async fn serve(
    mut listener: impl Listener<Addr = SocketAddr>,
    service: App,
    stop: impl Future<Output = ()> + Send + 'static,
) -> std::io::Result<()> {
    let router = router(service.clone());
    let Settings { connections, access, .. } = &service.settings;
    let connections = Connections::new(*connections, access.trusted_proxies.clone());
    let (mut running, mut refused) = (JoinSet::new(), JoinSet::new());
    let mut stop = pin!(stop);
    loop {
        tokio::select! {
            () = stop.as_mut() => break,
            Some(_) = running.join_next() => {}
            Some(_) = refused.join_next() => {}
            (io, peer) = listener.accept() => match connections.admit(peer.ip()) {
                Ok(place) => {
                    let served = connection::serve(io, peer, router.clone(), service.stopping.subscribe());
                    running.spawn(async move {
                        served.await;
                        drop(place);
                    });
                }
                Err(limit) => {
                    tracing::debug!("a connection of {peer} is refused: {}", limit.key());
                    service.metrics.refused(limit.key());
                    if refused.len() < REFUSED {
                        refused.spawn(refuse(io));
                    }
                }
            }
        }
    }
    drop(listener);
    service.stopping.send_replace(true);
    // A connection that never ends must not hold up the stop.
    let ended = async { while running.join_next().await.is_some() {} };
    tokio::time::timeout(GRACE, ended).await.ok();
    drop((running, refused));
    service.store.close().await;
    Ok(())
}

/// Tells the client of a connection for which there is no place. It may not have sent its request yet.
async fn refuse(mut io: impl AsyncWrite + Unpin) {
    let kind = ProblemType::Busy;
    let body = json!({
        "type": format!("/problems/{}", kind.slug()),
        "title": kind.title(),
        "status": kind.status(),
        "detail": format!("too many connections are open; connect again in {AFTER_REFUSAL} s"),
    })
    .to_string();
    let answer = format!(
        "HTTP/1.1 503 Service Unavailable\r\ncontent-type: application/problem+json\r\nretry-after: {AFTER_REFUSAL}\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    let told = async {
        io.write_all(answer.as_bytes()).await?;
        io.shutdown().await
    };
    // It is closed anyhow.
    drop(tokio::time::timeout(TOLD, told).await);
}

/// Ends a request that takes too long, and marks an answer that does not count everything: `Age` (RFC 9111) has the
/// seconds since its count was made. `Netcensus-Basis` tells from what the count of a past instant is made.
async fn bounded(request: Request, next: Next) -> Response {
    match tokio::time::timeout(REQUEST, freshness::noting(next.run(request))).await {
        Ok((mut response, noted)) => {
            if let Some(older) = noted.older {
                response.headers_mut().insert(header::AGE, HeaderValue::from(older.seconds));
            }
            let basis = noted.past.and_then(|(_, basis)| HeaderValue::try_from(basis.to_header()).ok());
            if let Some(basis) = basis {
                response.headers_mut().insert("netcensus-basis", basis);
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
