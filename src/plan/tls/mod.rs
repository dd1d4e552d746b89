//! TLS: the service's certificate, its own or a configured one, and the listener.
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

/// Why TLS cannot start.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read or written.
    #[error("{}: {error}; the service's user must be able to read the certificate and its key, and nobody else the key", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// A file holds no certificate or no key.
    #[error("{}: cannot read a {what} in PEM form: {why}; name the right file, or delete it if the service created it", path.display())]
    Pem {
        /// The file.
        path: PathBuf,
        /// What is missing.
        what: &'static str,
        /// Why.
        why: String,
    },
    /// Other users can read the key.
    #[error("{}: users other than the owner can read the private key; run 'chmod 600' on the file", path.display())]
    Open {
        /// The file.
        path: PathBuf,
    },
    /// Certificate and key do not belong together, or are of an unsupported kind.
    #[error("{}: cannot use the certificate with its key: {why}; check that they belong together", path.display())]
    Unusable {
        /// The certificate's file.
        path: PathBuf,
        /// Why.
        why: String,
    },
    /// The service's own certificate cannot be made.
    #[error("cannot create the service's own certificate: {0}; name one with tls.certificate and tls.key")]
    Making(String),
    /// The configuration would send secrets in the clear, or contradicts itself.
    #[error("{0}")]
    Refused(String),
}

/// The certificate of new connections. It can be replaced while connections are open. Cheap to clone.
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

    /// Reads the certificate again, for new connections. If it is not valid, keeps the old one.
    ///
    /// # Errors
    /// [`TlsError`].
    pub fn reload(&self) -> Result<Fingerprint, TlsError> {
        let shown = show(&self.0.source)?;
        let fingerprint = shown.fingerprint;
        self.0.shown.store(Arc::new(shown));
        Ok(fingerprint)
    }

    /// The fingerprint of the certificate.
    pub fn fingerprint(&self) -> Fingerprint {
        self.0.shown.load().fingerprint
    }

    /// The fingerprint for enrolment tokens, if sensors verify the service by fingerprint.
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
