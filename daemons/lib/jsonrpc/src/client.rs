//! JSON-RPC clients over HTTP, WebSocket and IPC, on jsonrpsee: calls, batches and subscriptions, all bounded.
//!
//! A [`Client`] over HTTP keeps a pool of connections and outlives its server. Over WebSocket and IPC it is one
//! connection: [`Failure::Disconnected`] is its end, and the caller decides when to connect again; a [`Link`] does so at the
//! next request. [`Pages`] reads what is no JSON-RPC, pages of admin listeners and of beacon nodes, and posts requests that are
//! signed as bytes; [`Messages`] does so where there is no HTTP. A [`Breaker`] says when a server that fails is left alone, a
//! [`Pace`] how often one is asked.
//!
//! # Why TLS is not jsonrpsee's
//! Its `tls` feature brings a platform verifier and thirty crates. The connectors here use the server's rustls with the
//! ring provider, and the system's certificates or a file.

mod breaker;
mod endpoint;
mod error;
mod expiry;
mod framing;
mod http;
mod ipc;
mod link;
mod messages;
mod options;
mod pace;
mod pages;
mod subscription;
mod tls;
mod websocket;

pub use breaker::{Breaker, Seen};
pub use endpoint::{AddressError, Endpoint};
pub use error::{ClientError, Failure};
pub use expiry::Expiry;
pub use framing::Framing;
pub use link::{Link, LinkError, Remote, read};
pub use messages::Messages;
pub use options::{Credential, Options};
pub use pace::Pace;
pub use pages::{Page, Pages};
pub use subscription::Subscription;

use crate::error::Error;
use jsonrpsee_core::client::async_client::RpcService;
use jsonrpsee_core::client::{ClientT as _, SubscriptionClientT as _};
use jsonrpsee_core::params::BatchRequestBuilder;
use jsonrpsee_core::traits::ToRpcParams;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::value::{RawValue, to_raw_value};
use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::sync::Semaphore;

/// Bytes of a request besides its method and parameters.
const ENVELOPE_BYTES: usize = 80;
/// Shortest period of pings: a busy machine may take as long to answer.
const PING_MIN: Duration = Duration::from_secs(1);

/// Client of one JSON-RPC server. Cloning shares its connections and its bounds.
#[derive(Clone)]
pub struct Client {
    endpoint: Endpoint,
    options: Arc<Options>,
    transport: Transport,
    places: Arc<Semaphore>,
    /// Calls that timed out on this connection. jsonrpsee remembers each until its answer comes, which may be never.
    unanswered: Arc<AtomicUsize>,
}

#[derive(Clone)]
enum Transport {
    Http(http::HttpClient),
    Connection(Arc<jsonrpsee_core::client::Client<RpcService>>),
}

/// Parameters that are JSON already.
struct Params(Box<RawValue>);

impl ToRpcParams for Params {
    fn to_rpc_params(self) -> Result<Option<Box<RawValue>>, serde_json::Error> {
        Ok(Some(self.0))
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Client({})", self.endpoint)
    }
}

impl Client {
    /// Connects. Over HTTP nothing is sent yet: an absent server shows at the first call.
    pub async fn connect(endpoint: Endpoint, mut options: Options) -> Result<Self, ClientError> {
        // jsonrpsee and tokio panic beyond these.
        options.requests_max = options.requests_max.clamp(1, Semaphore::MAX_PERMITS);
        options.notifications_max = options.notifications_max.clamp(1, Semaphore::MAX_PERMITS);
        options.ping = options.ping.max(PING_MIN);
        let connecting = async {
            Ok(match &endpoint {
                Endpoint::Http(uri) => Transport::Http(http::client(uri, &options)?),
                Endpoint::WebSocket(uri) => {
                    Transport::Connection(Arc::new(websocket::connect(uri, &options).await?))
                }
                Endpoint::Ipc(path) => Transport::Connection(Arc::new(ipc::connect(path, &options).await?)),
            })
        };
        let connected = tokio::time::timeout(options.connect_timeout, connecting).await;
        let late = |_| Err(Failure::Timeout(options.connect_timeout));
        match connected.unwrap_or_else(late) {
            Ok(transport) => Ok(Self {
                places: Arc::new(Semaphore::new(options.requests_max)),
                options: Arc::new(options),
                unanswered: Arc::default(),
                transport,
                endpoint,
            }),
            Err(failure) => Err(ClientError::new("connect to", "server", &endpoint, failure)),
        }
    }

    /// Calls a method. `params` serialise to a list: a tuple, an array, or JSON that is ready.
    pub async fn call<R: DeserializeOwned>(
        &self,
        method: &str,
        params: impl Serialize,
    ) -> Result<R, ClientError> {
        let calling = async {
            let params = self.params(&params, method)?;
            let answered = match &self.transport {
                Transport::Http(client) => client.request(method, params).await,
                Transport::Connection(client) => client.request(method, params).await,
            };
            answered.map_err(|error| error::failure(error, &self.options))
        };
        self.bounded("call", method, calling).await
    }

    /// Calls several methods in one request. Answers come in the order of the calls.
    pub async fn batch<'a, R: DeserializeOwned + fmt::Debug>(
        &self,
        calls: impl IntoIterator<Item = (&'a str, Box<RawValue>)>,
    ) -> Result<Vec<Result<R, Error>>, ClientError> {
        let mut batch = BatchRequestBuilder::new();
        let mut bytes = 0;
        for (method, params) in calls {
            bytes += ENVELOPE_BYTES + method.len() + params.get().len();
            let _infallible = batch.insert(method, Params(params));
        }
        let calling = async {
            self.fits(bytes)?;
            let answered = match &self.transport {
                Transport::Http(client) => client.batch_request::<R>(batch).await,
                Transport::Connection(client) => client.batch_request::<R>(batch).await,
            };
            let answers = answered.map_err(|error| error::failure(error, &self.options))?;
            Ok(answers.into_iter().map(|answer| answer.map_err(|object| error::rpc_error(&object))).collect())
        };
        self.bounded("call", "a batch", calling).await
    }

    /// Subscribes by `<namespace>_subscribe`; `params` begin with the kind of subscription.
    pub async fn subscribe<N: DeserializeOwned>(
        &self,
        namespace: &str,
        params: impl Serialize,
    ) -> Result<Subscription<N>, ClientError> {
        let method = format!("{namespace}_subscribe");
        let subscribing = async {
            let params = self.params(&params, &method)?;
            let Transport::Connection(connection) = &self.transport else {
                return Err(Failure::NoSubscriptions);
            };
            let unsubscribe = format!("{namespace}_unsubscribe");
            let subscribed = connection.subscribe(&method, params, &unsubscribe).await;
            let inner = subscribed.map_err(|error| error::failure(error, &self.options))?;
            Ok(Subscription::new(inner, Arc::clone(connection), &self.endpoint, &self.options, &method))
        };
        self.bounded("call", &method, subscribing).await
    }

    /// True until the server of a WebSocket or IPC connection has gone.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        match &self.transport {
            Transport::Http(_) => true,
            Transport::Connection(connection) => connection.is_connected(),
        }
    }

    fn params(&self, params: &impl Serialize, method: &str) -> Result<Params, Failure> {
        let params = to_raw_value(params).map_err(|error| Failure::Unreadable(error.into()))?;
        self.fits(ENVELOPE_BYTES + method.len() + params.get().len())?;
        Ok(Params(params))
    }

    /// Checks a request's size before jsonrpsee does, which ends a WebSocket over it.
    fn fits(&self, bytes: usize) -> Result<(), Failure> {
        let bytes_max = self.options.request_bytes_max;
        match usize::try_from(bytes_max).is_ok_and(|most| bytes <= most) {
            true => Ok(()),
            false => Err(Failure::RequestTooLarge { bytes_max }),
        }
    }

    /// Waits for a place and the outcome, within the request timeout.
    async fn bounded<T>(
        &self,
        verb: &'static str,
        subject: &str,
        calling: impl Future<Output = Result<T, Failure>>,
    ) -> Result<T, ClientError> {
        let within = self.options.request_timeout;
        let placed = async {
            let _place = self.places.acquire().await;
            if self.unanswered.load(Ordering::Relaxed) > self.options.requests_max {
                return Err(Failure::Disconnected("it leaves calls unanswered".into()));
            }
            calling.await
        };
        let outcome = tokio::time::timeout(within, placed).await;
        let outcome = outcome.unwrap_or(Err(Failure::Timeout(within)));
        if matches!((&outcome, &self.transport), (Err(Failure::Timeout(_)), Transport::Connection(_))) {
            self.unanswered.fetch_add(1, Ordering::Relaxed);
        }
        outcome.map_err(|failure| ClientError::new(verb, subject, &self.endpoint, failure))
    }
}

#[cfg(test)]
mod tests;
