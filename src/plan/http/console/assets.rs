//! Style sheet, script and pictures, embedded in the binary.

use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use rust_embed::RustEmbed;

use crate::plan::http::extract::Path;

#[derive(RustEmbed)]
#[folder = "assets/console/"]
struct Assets;

/// One file. Browsers keep it and ask whether it changed.
pub(super) async fn file(Path(name): Path<String>, headers: HeaderMap) -> Response {
    give(&name, &headers)
}

/// The picture that browsers ask for by themselves.
pub(super) async fn favicon(headers: HeaderMap) -> Response {
    give("favicon.svg", &headers)
}

fn give(name: &str, headers: &HeaderMap) -> Response {
    let Some(file) = Assets::get(name) else { return StatusCode::NOT_FOUND.into_response() };
    let digest: String = hex::encode(file.metadata.sha256_hash()).chars().take(24).collect();
    let tag = format!("\"{digest}\"");
    let cache = (header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    if headers.get(header::IF_NONE_MATCH).is_some_and(|known| known.as_bytes() == tag.as_bytes()) {
        return (StatusCode::NOT_MODIFIED, [cache]).into_response();
    }
    let kind = match name.rsplit('.').next() {
        Some("css") => "text/css; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        _ => "image/svg+xml",
    };
    let kind = (header::CONTENT_TYPE, HeaderValue::from_static(kind));
    let mut response = ([kind, cache], file.data.into_owned()).into_response();
    if let Ok(tag) = HeaderValue::try_from(tag) {
        response.headers_mut().insert(header::ETAG, tag);
    }
    response
}
