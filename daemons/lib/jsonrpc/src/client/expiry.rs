//! Expiry of servers' certificates, as handshakes show them: who watches servers tells before clients are turned away.

use crate::tls::TlsError;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use tokio_rustls::rustls::client::WebPkiServerVerifier;
use tokio_rustls::rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use tokio_rustls::rustls::crypto::CryptoProvider;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use tokio_rustls::rustls::{DigitallySignedStruct, Error, RootCertStore, SignatureScheme};
use x509_parser::certificate::X509Certificate;
use x509_parser::prelude::FromDer as _;

/// Moment that no certificate expires at.
const NEVER_SEEN: i64 = i64::MIN;

/// Expiry of the certificate that a server showed last. Clones are the same one.
#[derive(Clone, Debug)]
pub struct Expiry(Arc<AtomicI64>);

impl Default for Expiry {
    fn default() -> Self {
        Self(Arc::new(AtomicI64::new(NEVER_SEEN)))
    }
}

impl Expiry {
    /// Unix time in seconds; `None` before the first handshake, and where there is no TLS.
    #[must_use]
    pub fn at_s(&self) -> Option<i64> {
        Some(self.0.load(Ordering::Relaxed)).filter(|at_s| *at_s != NEVER_SEEN)
    }

    /// Verifier that trusts these roots, and notes what it sees.
    pub(super) fn verifier(
        &self,
        roots: RootCertStore,
        provider: &Arc<CryptoProvider>,
    ) -> Result<Arc<Noting>, TlsError> {
        let builder = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider));
        let inner = builder.build().map_err(|error| TlsError::Unusable(error.to_string()))?;
        Ok(Arc::new(Noting { inner, expiry: self.clone() }))
    }
}

/// Verifier in front of rustls's own.
#[derive(Debug)]
pub(super) struct Noting {
    inner: Arc<WebPkiServerVerifier>,
    expiry: Expiry,
}

impl ServerCertVerifier for Noting {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let verified =
            self.inner.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)?;
        // Of one that is not trusted, nothing is believed.
        if let Ok((_, certificate)) = X509Certificate::from_der(end_entity) {
            self.expiry.0.store(certificate.validity().not_after.timestamp(), Ordering::Relaxed);
        }
        Ok(verified)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.inner.verify_tls12_signature(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.inner.verify_tls13_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.inner.supported_verify_schemes()
    }
}
