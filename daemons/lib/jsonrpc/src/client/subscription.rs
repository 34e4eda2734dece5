//! Subscriptions of clients.

use super::endpoint::Endpoint;
use super::error::{self, ClientError, Failure};
use super::options::Options;
use jsonrpsee_core::client::async_client::RpcService;
use jsonrpsee_core::client::{Client, SubscriptionCloseReason};
use serde::de::DeserializeOwned;
use std::sync::Arc;
use std::time::Duration;

/// Time from a subscription's end to the connection's. A server that ends one often ends both, the reason in the close
/// frame.
const CLOSE_WAIT: Duration = Duration::from_millis(500);

/// Notifications of one subscription. Dropped, it unsubscribes.
#[derive(Debug)]
pub struct Subscription<N> {
    inner: jsonrpsee_core::client::Subscription<N>,
    connection: Arc<Client<RpcService>>,
    endpoint: Endpoint,
    options: Arc<Options>,
    method: String,
}

impl<N: DeserializeOwned> Subscription<N> {
    pub(super) fn new(
        inner: jsonrpsee_core::client::Subscription<N>,
        connection: Arc<Client<RpcService>>,
        endpoint: &Endpoint,
        options: &Arc<Options>,
        method: &str,
    ) -> Self {
        let (endpoint, options) = (endpoint.clone(), Arc::clone(options));
        Self { inner, connection, endpoint, options, method: method.to_owned() }
    }

    /// Waits for the next notification. Cancel-safe. [`Failure::Unreadable`] concerns one notification; every other
    /// error is the subscription's end.
    pub async fn next(&mut self) -> Result<N, ClientError> {
        let failure = match self.inner.next().await {
            Some(Ok(notification)) => return Ok(notification),
            Some(Err(error)) => Failure::Unreadable(error.into()),
            None => self.end().await,
        };
        Err(ClientError::new("hear", &self.method, &self.endpoint, failure))
    }

    /// Cause of the end. Over IPC a server's reason is lost: jsonrpsee keeps none.
    async fn end(&self) -> Failure {
        if let Some(SubscriptionCloseReason::Lagged) = self.inner.close_reason() {
            return Failure::Lagged { most: self.options.notifications_max };
        }
        let closed = tokio::time::timeout(CLOSE_WAIT, self.connection.on_disconnect()).await;
        closed.map_or(Failure::Ended, |reason| error::failure(reason, &self.options))
    }

    /// Unsubscribes, and waits until the server has confirmed it.
    pub async fn unsubscribe(self) -> Result<(), ClientError> {
        let within = self.options.request_timeout;
        let failure = match tokio::time::timeout(within, self.inner.unsubscribe()).await {
            Ok(Ok(())) => return Ok(()),
            Ok(Err(error)) => error::failure(error, &self.options),
            Err(_) => Failure::Timeout(within),
        };
        Err(ClientError::new("end", &self.method, &self.endpoint, failure))
    }
}
