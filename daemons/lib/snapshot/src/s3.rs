//! An S3-compatible store as a repository.
//!
//! # Why the HTTP client is not object_store's
//! Its own brings reqwest, a second TLS provider and a platform verifier. The one here is the workspace's hyper with rustls,
//! ring and the machine's authorities, or a file.

use crate::error::{Error, io};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::{self, connect::HttpConnector as Tcp};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use maidenlane_config::listeners::SecretFile;
use object_store::ObjectStore;
use object_store::aws::AmazonS3Builder;
use object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpRequestBody, HttpResponse,
    HttpResponseBody, HttpService,
};
use object_store::prefix::PrefixStore;
use object_store::{ClientOptions, RetryConfig};
use std::future::Future;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use tokio_rustls::rustls::pki_types::{CertificateDer, pem::PemObject as _};
use tokio_rustls::rustls::{ClientConfig, RootCertStore, crypto};

/// Time in which a connection must come about.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Time in which the head of an answer must come, after the request was sent: a part of 8 MiB at 64 kB/s.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(120);
/// Time in which a refused request is tried again.
const RETRY_TIMEOUT: Duration = Duration::from_secs(180);
/// Idle time after which a connection leaves the pool.
const IDLE: Duration = Duration::from_secs(30);

/// Address of a bucket, and who asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bucket {
    /// `https://host`, or `http://host:port` for a store of this machine.
    pub endpoint: String,
    /// Region, which is part of each signature.
    pub region: String,
    /// Name.
    pub bucket: String,
    /// Beginning of all keys; empty for none.
    pub prefix: String,
    /// Id of the access key.
    pub key_id: String,
    /// File with the secret of that key.
    pub secret: SecretFile,
    /// PEM file of the authorities that sign the store's certificate; `None` for those of the machine.
    pub ca: Option<SecretFile>,
}

impl Bucket {
    /// Address for people.
    pub(crate) fn name(&self) -> String {
        format!("s3://{}/{} at {}", self.bucket, self.prefix, self.endpoint)
    }

    /// The store. Nothing is asked yet.
    pub(crate) fn open(&self) -> Result<Arc<dyn ObjectStore>, Error> {
        let path = file(&self.secret)?;
        let secret = std::fs::read_to_string(&path).map_err(|error| io("read", &path, error))?;
        let ca = self.ca.as_ref().map(|ca| authorities(&file(ca)?)).transpose()?;
        let connector = Connector { ca };
        let retry = RetryConfig { retry_timeout: RETRY_TIMEOUT, ..RetryConfig::default() };
        let store = AmazonS3Builder::new()
            .with_endpoint(&self.endpoint)
            .with_allow_http(self.endpoint.starts_with("http://"))
            .with_region(&self.region)
            .with_bucket_name(&self.bucket)
            .with_access_key_id(&self.key_id)
            .with_secret_access_key(secret.trim())
            .with_http_connector(connector)
            .with_retry(retry)
            .build()
            .map_err(|source| Error::Repository {
                verb: "open",
                key: String::new(),
                repository: self.name(),
                source: Box::new(source),
            })?;
        Ok(if self.prefix.is_empty() {
            Arc::new(store)
        } else {
            Arc::new(PrefixStore::new(store, self.prefix.as_str()))
        })
    }
}

fn file(file: &SecretFile) -> Result<PathBuf, Error> {
    file.path(maidenlane_service::env("CREDENTIALS_DIRECTORY").as_deref()).map_err(Error::Credential)
}

fn authorities(file: &Path) -> Result<Vec<CertificateDer<'static>>, Error> {
    let pem = std::fs::read(file).map_err(|error| io("read", file, error))?;
    let parsed: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    parsed.ok().filter(|all| !all.is_empty()).ok_or_else(|| Error::Pem(file.to_owned()))
}

/// Maker of HTTP clients.
#[derive(Debug)]
struct Connector {
    ca: Option<Vec<CertificateDer<'static>>>,
}

impl Connector {
    fn trust(&self) -> Result<ClientConfig, tokio_rustls::rustls::Error> {
        let mut roots = RootCertStore::empty();
        match &self.ca {
            Some(own) => own.iter().try_for_each(|certificate| roots.add(certificate.clone()))?,
            // Some of a system's hundreds are always odd.
            None => {
                roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
            }
        }
        Ok(ClientConfig::builder_with_provider(Arc::new(crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth())
    }
}

impl HttpConnector for Connector {
    fn connect(&self, _: &ClientOptions) -> object_store::Result<HttpClient> {
        let mut tcp = Tcp::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_connect_timeout(Some(CONNECT_TIMEOUT));
        let trust = self
            .trust()
            .map_err(|error| object_store::Error::Generic { store: "S3", source: error.into() })?;
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(trust)
            .https_or_http()
            .enable_http1()
            .wrap_connector(tcp);
        let client = legacy::Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE)
            .build(connector);
        Ok(HttpClient::new(Hyper(client)))
    }
}

/// HTTP client.
#[derive(Debug)]
struct Hyper(legacy::Client<HttpsConnector<Tcp>, HttpRequestBody>);

impl HttpService for Hyper {
    fn call<'a, 'async_trait>(
        &'a self,
        request: HttpRequest,
    ) -> Pin<Box<dyn Future<Output = Result<HttpResponse, HttpError>> + Send + 'async_trait>>
    where
        'a: 'async_trait,
        Self: 'async_trait,
    {
        Box::pin(async move {
            let answer = tokio::time::timeout(ANSWER_TIMEOUT, self.0.request(request)).await;
            let answer = answer.map_err(|late| HttpError::new(HttpErrorKind::Timeout, late))?;
            let answer = answer.map_err(|error| HttpError::new(kind(&error), error))?;
            let body = |body| {
                http_body_util::BodyExt::map_err(body, |error: hyper::Error| {
                    HttpError::new(HttpErrorKind::Interrupted, error)
                })
            };
            Ok(answer.map(|incoming| HttpResponseBody::new(body(incoming))))
        })
    }
}

/// Kind of a failure: which are tried again depends on it.
fn kind(error: &legacy::Error) -> HttpErrorKind {
    if error.is_connect() { HttpErrorKind::Connect } else { HttpErrorKind::Request }
}
