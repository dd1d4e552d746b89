//! Which server the sensor accepts as its plan service: the holder of the certificate that the enrolment token named,
//! or, if the token named none, a server whose certificate comes from an authority that this system trusts.

use std::error::Error;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, OtherError, SignatureScheme};

use crate::tls;
use crate::wire::Fingerprint;

/// The server has another certificate than the enrolment token named.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error(
    "its certificate has the SHA-256 {shown}, but the enrolment token named {pinned}; if the service has a new certificate, enrol again with a new token, otherwise suspect an interception"
)]
pub(crate) struct OtherCertificate {
    pub(crate) pinned: Fingerprint,
    pub(crate) shown: Fingerprint,
}

/// Accepts one certificate from a server that holds its key. The certificate is compared byte by byte, so its name does
/// not matter; nor do its dates, as a sensor with a wrong clock must deliver, too.
#[derive(Debug)]
struct Pin {
    fingerprint: Fingerprint,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Pin {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let shown = Fingerprint::of(end_entity);
        if shown == self.fingerprint {
            return Ok(ServerCertVerified::assertion());
        }
        let other = OtherCertificate { pinned: self.fingerprint, shown };
        Err(CertificateError::Other(OtherError(Arc::new(other))).into())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

/// TLS that accepts only the holder of that certificate.
///
/// # Errors
/// If the cryptography lacks the protocol's versions, which is a defect.
pub(crate) fn pinned(fingerprint: Fingerprint) -> Result<ClientConfig, rustls::Error> {
    let provider = tls::provider();
    let pin = Arc::new(Pin { fingerprint, provider: Arc::clone(&provider) });
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    Ok(config.dangerous().with_custom_certificate_verifier(pin).with_no_client_auth())
}

/// Why the server's certificate was refused, if that is why a request failed.
pub(crate) fn refusal(error: &(dyn Error + 'static)) -> Option<String> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(rustls::Error::InvalidCertificate(why)) = error.downcast_ref() {
            return Some(match why {
                CertificateError::Other(other) if other.0.is::<OtherCertificate>() => other.0.to_string(),
                CertificateError::UnknownIssuer => {
                    "this system trusts no authority that issued its certificate; enrol with a token that names the certificate, or install the authority's certificate".to_owned()
                }
                CertificateError::BadSignature => {
                    "it does not have the key of the certificate that it presents; suspect an interception".to_owned()
                }
                why => format!("its certificate is invalid: {why}; renew it, and check this machine's clock"),
            });
        }
        // `source` of an I/O error skips the error that it wraps.
        let wrapped = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        next = match wrapped {
            Some(inner) => Some(inner),
            None => error.source(),
        };
    }
    None
}
