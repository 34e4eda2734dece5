//! Subscriptions of clients.

use super::{Client, ClientError, Failure, Transport, error};
use jsonrpsee_core::client::SubscriptionCloseReason;
use serde::de::DeserializeOwned;
use std::time::Duration;

/// Time for the connection to tell its end after a subscription's. A server that ends one often ends both, the reason in
/// the close frame.
const CLOSE_WAIT: Duration = Duration::from_millis(500);

/// Notifications of one subscription. Dropped, it unsubscribes.
#[derive(Debug)]
pub struct Subscription<N> {
    inner: jsonrpsee_core::client::Subscription<N>,
    client: Client,
    method: String,
}

impl<N: DeserializeOwned> Subscription<N> {
    pub(super) fn new(
        inner: jsonrpsee_core::client::Subscription<N>,
        client: Client,
        method: String,
    ) -> Self {
        Self { inner, client, method }
    }

    /// Waits for the next notification. Cancel-safe. [`Failure::Unreadable`] concerns one notification; every other error
    /// is the subscription's end.
    pub async fn next(&mut self) -> Result<N, ClientError> {
        let failure = match self.inner.next().await {
            Some(Ok(notification)) => return Ok(notification),
            Some(Err(error)) => Failure::Unreadable(error.into()),
            None => self.end().await,
        };
        Err(ClientError::new("hear", &self.method, &self.client.endpoint, failure))
    }

    async fn end(&self) -> Failure {
        let options = &self.client.options;
        if let Some(SubscriptionCloseReason::Lagged) = self.inner.close_reason() {
            return Failure::Lagged { most: options.notifications_max };
        }
        let Transport::Connection(connection) = &self.client.transport else { return Failure::Ended };
        let closed = tokio::time::timeout(CLOSE_WAIT, connection.on_disconnect()).await;
        closed.map_or(Failure::Ended, |reason| error::failure(reason, options))
    }

    /// Unsubscribes, and waits until the server has been told so.
    pub async fn unsubscribe(self) -> Result<(), ClientError> {
        let within = self.client.options.request_timeout;
        let failure = match tokio::time::timeout(within, self.inner.unsubscribe()).await {
            Ok(Ok(())) => return Ok(()),
            Ok(Err(error)) => error::failure(error, &self.client.options),
            Err(_) => Failure::Timeout(within),
        };
        Err(ClientError::new("end", &self.method, &self.client.endpoint, failure))
    }
}
