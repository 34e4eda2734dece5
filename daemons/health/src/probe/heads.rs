//! Heads as a node announces them, over a connection that has subscriptions: a round follows each, beside those at intervals.
//!
//! # Why a whole round
//! A verdict compares what one target says at one moment. A head alone would be held against answers from before.

use super::node::Node;
use futures_util::FutureExt as _;
use maidenlane_jsonrpc::client::Subscription;
use serde::de::IgnoredAny;
use std::future::pending;
use std::time::Duration;
use tokio::time::{Instant, sleep_until};

/// Interval of attempts to subscribe. Nodes that have no subscriptions are polled.
const AGAIN: Duration = Duration::from_secs(5);

/// Announcements of one node.
pub(super) struct Heads<'a> {
    node: Option<&'a Node>,
    open: Option<Subscription<IgnoredAny>>,
    again: Instant,
}

impl<'a> Heads<'a> {
    /// Announcements of a node, or none at all.
    pub(super) fn of(node: Option<&'a Node>) -> Self {
        Self { node: node.filter(|node| node.announces()), open: None, again: Instant::now() }
    }

    /// Waits for the next one, for ever where there are none. Cancel-safe.
    pub(super) async fn next(&mut self) {
        let Some(node) = self.node else { return pending().await };
        loop {
            match &mut self.open {
                Some(open) => match open.next().await {
                    Ok(_) => return,
                    Err(_) => self.open = None,
                },
                None => {
                    sleep_until(self.again).await;
                    self.again = Instant::now() + AGAIN;
                    self.open = node.subscribe().await.ok();
                }
            }
        }
    }

    /// Passes over those that came while a round was waited for: one round answers for all of them.
    pub(super) fn skip(&mut self) {
        while let Some(open) = &mut self.open {
            match open.next().now_or_never() {
                Some(Ok(_)) => {}
                Some(Err(_)) => self.open = None,
                None => return,
            }
        }
    }

    /// Ends the subscription, and with it the connection that it holds.
    pub(super) fn close(&mut self) {
        self.open = None;
    }
}
