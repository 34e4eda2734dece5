//! TLS of clients: trusted authorities, and a certificate of their own for mutual TLS.

use super::expiry::Expiry;
use super::options::Options;
use crate::tls::{TlsError, certificates, private_key};
use std::sync::Arc;
use tokio_rustls::rustls::client::WantsClientCert;
use tokio_rustls::rustls::{ClientConfig, ConfigBuilder, RootCertStore, crypto};

/// Configuration from the files in the options.
pub(super) fn config(options: &Options) -> Result<ClientConfig, TlsError> {
    let mut roots = RootCertStore::empty();
    match &options.ca {
        Some(file) => {
            for certificate in certificates(file)? {
                roots.add(certificate).map_err(|error| TlsError::Unusable(error.to_string()))?;
            }
        }
        None => {
            let system = rustls_native_certs::load_native_certs();
            // Some of a system's hundreds are always odd; without any, no server is trusted.
            if roots.add_parsable_certificates(system.certs).0 == 0 {
                return Err(TlsError::NoRoots);
            }
        }
    }
    let builder = trusting(roots, options.expiry.as_ref())?;
    match &options.certificate {
        None => Ok(builder.with_no_client_auth()),
        Some((certificate, key)) => builder
            .with_client_auth_cert(certificates(certificate)?, private_key(key)?)
            .map_err(|error| TlsError::Unusable(error.to_string())),
    }
}

/// Configuration that trusts nobody, for a connector that is never asked for TLS.
pub(super) fn no_trust() -> Result<ClientConfig, TlsError> {
    Ok(trusting(RootCertStore::empty(), None)?.with_no_client_auth())
}

fn trusting(
    roots: RootCertStore,
    expiry: Option<&Expiry>,
) -> Result<ConfigBuilder<ClientConfig, WantsClientCert>, TlsError> {
    let provider = Arc::new(crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| TlsError::Unusable(error.to_string()))?;
    Ok(match expiry {
        None => builder.with_root_certificates(roots),
        // Not dangerous: it asks rustls's own verifier.
        Some(expiry) => {
            builder.dangerous().with_custom_certificate_verifier(expiry.verifier(roots, &provider)?)
        }
    })
}
