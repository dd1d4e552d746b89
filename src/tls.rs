//! The one TLS implementation, rustls with ring, and the HTTP client on it.

use std::sync::Arc;

use rustls::crypto::{CryptoProvider, ring};

/// The cryptography of every TLS connection.
pub fn provider() -> Arc<CryptoProvider> {
    let installed = || {
        // If another thread installs one first, it is the same.
        ring::default_provider().install_default().ok();
        CryptoProvider::get_default().map_or_else(|| Arc::new(ring::default_provider()), Arc::clone)
    };
    CryptoProvider::get_default().map_or_else(installed, Arc::clone)
}

/// A new HTTP client. Use it instead of `reqwest::Client::builder`, which panics if no cryptography is installed.
#[expect(clippy::disallowed_methods, reason = "this is the place")]
pub fn client() -> reqwest::ClientBuilder {
    provider();
    reqwest::Client::builder()
}
