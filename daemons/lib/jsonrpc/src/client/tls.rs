//! TLS of clients: trusted authorities, and a certificate of their own for mutual TLS.

use super::error::Failure;
use super::expiry::Expiry;
use super::options::Options;
use crate::tls::{TlsError, certificates, private_key};
use ::http::Uri;
use std::io;
use std::sync::Arc;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::client::WantsClientCert;
use tokio_rustls::rustls::pki_types::ServerName;
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

/// TLS with the server of `uri`, at the port of HTTPS where it names none.
pub(super) async fn connect(uri: &Uri, config: Arc<ClientConfig>) -> Result<TlsStream<TcpStream>, Failure> {
    let connect = |error: io::Error| Failure::Connect(error.into());
    let host = uri.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
    let name = ServerName::try_from(host.to_owned()).map_err(|error| Failure::Connect(error.into()))?;
    let stream = TcpStream::connect((host, uri.port_u16().unwrap_or(443))).await.map_err(connect)?;
    stream.set_nodelay(true).map_err(connect)?;
    TlsConnector::from(config).connect(name, stream).await.map_err(connect)
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
