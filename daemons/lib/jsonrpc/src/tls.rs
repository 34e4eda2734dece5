//! TLS 1.2 and later, with certificates that are read again when their files change.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::{RootCertStore, ServerConfig, crypto};

/// Period after which a new connection looks whether the files have changed.
const LOOK: Duration = Duration::from_secs(1);

/// Certificate files, all PEM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFiles {
    /// Certificate chain, leaf first.
    pub certificate: PathBuf,
    /// Private key of the certificate.
    pub key: PathBuf,
    /// Certificate authority of clients (mutual TLS): with it, clients must have a certificate.
    pub client_ca: Option<PathBuf>,
}

/// Certificate files that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// Unreadable file: not there, or not for us.
    #[error("read {file}")]
    #[expect(missing_docs, reason = "the text says it")]
    Read { file: PathBuf, source: io::Error },
    /// File without the PEM section it should hold.
    #[error("{file} holds no {what} in PEM")]
    #[expect(missing_docs, reason = "the text says it")]
    Pem { file: PathBuf, what: &'static str },
    /// Certificate and key that do not go together.
    #[error("certificate and key cannot be used: {0}")]
    Unusable(String),
    /// System without certificate authorities.
    #[error("this system trusts no certificate authority: install its certificates, or name a file")]
    NoRoots,
}

/// TLS configuration of a listener, taken over again when its files change.
pub struct Tls {
    files: TlsFiles,
    state: Mutex<State>,
}

struct State {
    config: Arc<ServerConfig>,
    read: Vec<Option<(SystemTime, u64)>>,
    looked: Instant,
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.files.fmt(f)
    }
}

impl Tls {
    /// Loads the files.
    ///
    /// # Errors
    /// When a file cannot be read or used.
    pub fn load(files: TlsFiles) -> Result<Self, TlsError> {
        let read = stamps(&files);
        let config = Arc::new(config(&files)?);
        let state = State { config, read, looked: Instant::now() };
        Ok(Self { files, state: Mutex::new(state) })
    }

    /// True for mutual TLS: clients must have a certificate.
    #[must_use]
    pub fn is_mutual(&self) -> bool {
        self.files.client_ca.is_some()
    }

    /// Configuration of new connections. Files that were changed and cannot be used leave the old ones in force.
    pub(crate) fn current(&self) -> Arc<ServerConfig> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.looked.elapsed() >= LOOK {
            state.looked = Instant::now();
            let stamps = stamps(&self.files);
            if stamps != state.read {
                match config(&self.files) {
                    Ok(config) => {
                        tracing::info!("took over {}", self.files.certificate.display());
                        state.config = Arc::new(config);
                    }
                    Err(error) => tracing::error!("certificates were changed, the old ones go on: {error}"),
                }
                // Also after a failure: one line per change.
                state.read = stamps;
            }
        }
        Arc::clone(&state.config)
    }
}

fn stamps(files: &TlsFiles) -> Vec<Option<(SystemTime, u64)>> {
    let paths = [Some(&files.certificate), Some(&files.key), files.client_ca.as_ref()];
    let stamp = |path: &PathBuf| {
        let metadata = std::fs::metadata(path).ok()?;
        Some((metadata.modified().ok()?, metadata.len()))
    };
    paths.into_iter().flatten().map(stamp).collect()
}

fn read(file: &PathBuf) -> Result<Vec<u8>, TlsError> {
    std::fs::read(file).map_err(|source| TlsError::Read { file: file.clone(), source })
}

pub(crate) fn certificates(file: &PathBuf) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let parsed: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&read(file)?).collect();
    parsed.ok().filter(|all| !all.is_empty()).ok_or(TlsError::Pem { file: file.clone(), what: "certificate" })
}

pub(crate) fn private_key(file: &PathBuf) -> Result<PrivateKeyDer<'static>, TlsError> {
    PrivateKeyDer::from_pem_slice(&read(file)?)
        .map_err(|_| TlsError::Pem { file: file.clone(), what: "private key" })
}

fn config(files: &TlsFiles) -> Result<ServerConfig, TlsError> {
    let unusable = |error: &dyn fmt::Display| TlsError::Unusable(error.to_string());
    let chain = certificates(&files.certificate)?;
    let key = private_key(&files.key)?;
    let provider = Arc::new(crypto::ring::default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| unusable(&error))?;
    let builder = match &files.client_ca {
        None => builder.with_no_client_auth(),
        Some(file) => {
            let mut roots = RootCertStore::empty();
            for certificate in certificates(file)? {
                roots.add(certificate).map_err(|error| unusable(&error))?;
            }
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build();
            builder.with_client_cert_verifier(verifier.map_err(|error| unusable(&error))?)
        }
    };
    let mut config = builder.with_single_cert(chain, key).map_err(|error| unusable(&error))?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

#[cfg(test)]
pub(crate) mod tests;
