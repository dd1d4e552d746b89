//! TLS: the certificate that the service shows, its own or a given one, and the listener that speaks it.
//!
//! rustls with ring, TLS 1.2 and 1.3, HTTP/1.1. Sensors know the service by the fingerprint in their enrolment token,
//! or by an authority that they trust.

mod certificate;
mod listener;

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use arc_swap::ArcSwap;
use rustls::ServerConfig;

pub use certificate::{Given, Own, Source};
pub use listener::TlsListener;

use crate::wire::Fingerprint;

/// Why there is no TLS.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read or written.
    #[error("{}: {error}; the certificate and its key must be readable by the service's user alone", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// A file holds no certificate or no key.
    #[error("{}: no {what} in PEM form: {why}; name the right file, or remove it where the service made it", path.display())]
    Pem {
        /// The file.
        path: PathBuf,
        /// What is missing.
        what: &'static str,
        /// Why.
        why: String,
    },
    /// The key is readable by others.
    #[error("{}: the private key is readable by others than its owner; run 'chmod 600' on it", path.display())]
    Open {
        /// The file.
        path: PathBuf,
    },
    /// Certificate and key do not belong together, or are of a kind that is not used.
    #[error("{}: the certificate and its key cannot be used: {why}; do they belong together?", path.display())]
    Unusable {
        /// The certificate's file.
        path: PathBuf,
        /// Why.
        why: String,
    },
    /// The service's own certificate cannot be made.
    #[error("the service's own certificate cannot be made: {0}; name one with tls.certificate and tls.key")]
    Making(String),
    /// The configuration would send secrets in the clear, or contradicts itself.
    #[error("{0}")]
    Refused(String),
}

/// The certificate that is shown, and can be exchanged for another while connections go on. Cheap to clone.
#[derive(Clone)]
pub struct Tls(Arc<Inner>);

struct Inner {
    source: Source,
    shown: ArcSwap<Shown>,
}

struct Shown {
    config: Arc<ServerConfig>,
    fingerprint: Fingerprint,
}

impl Tls {
    /// TLS with the certificate from `source`. Creates the service's own certificate if it is missing.
    ///
    /// # Errors
    /// [`TlsError`].
    pub fn new(source: Source) -> Result<Self, TlsError> {
        let shown = ArcSwap::from_pointee(show(&source)?);
        Ok(Self(Arc::new(Inner { source, shown })))
    }

    /// Reads the certificate anew: new connections are shown it. Where it is not good, the old one stays.
    ///
    /// # Errors
    /// [`TlsError`].
    pub fn reload(&self) -> Result<Fingerprint, TlsError> {
        let shown = show(&self.0.source)?;
        let fingerprint = shown.fingerprint;
        self.0.shown.store(Arc::new(shown));
        Ok(fingerprint)
    }

    /// The fingerprint of the certificate that is shown.
    pub fn fingerprint(&self) -> Fingerprint {
        self.0.shown.load().fingerprint
    }

    /// The fingerprint that enrolment tokens carry, where sensors shall know the service by it.
    pub fn pin(&self) -> Option<Fingerprint> {
        self.0.source.is_pinned().then(|| self.fingerprint())
    }

    fn config(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.0.shown.load().config)
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Tls({})", self.fingerprint())
    }
}

fn show(source: &Source) -> Result<Shown, TlsError> {
    let certificate = source.load()?;
    let fingerprint = certificate.fingerprint()?;
    let unusable =
        |e: rustls::Error| TlsError::Unusable { path: certificate.path.clone(), why: e.to_string() };
    let builder = ServerConfig::builder_with_provider(crate::tls::provider());
    let mut config = builder
        .with_safe_default_protocol_versions()
        .map_err(unusable)?
        .with_no_client_auth()
        .with_single_cert(certificate.chain.clone(), certificate.key.clone_key())
        .map_err(unusable)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Shown { config: Arc::new(config), fingerprint })
}
