//! Limits on all that a client can cause.

use std::time::Duration;

/// Limits on sizes, counts and times that a client controls.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Bytes of a request body. geth: 5 MiB.
    pub body_bytes: usize,
    /// Calls in one batch. geth: 1,000.
    pub batch_calls: usize,
    /// Bytes of an answer body, batch or not. geth: 25 MB, batches only.
    pub answer_bytes: usize,
    /// Connections open at one time. As many more wait, but whoever has fewer than another takes a place of his.
    pub connections: usize,
    /// Read timeout: time until a request's head, and again its body, must have arrived. Also ends idle HTTP
    /// connections.
    pub read: Duration,
    /// Answer timeout of an accepted request.
    pub answer: Duration,
    /// Write timeout: a client that takes less than 16 KiB/s of what is sent to it, over so long, has gone.
    pub write: Duration,
    /// Ping interval: a WebSocket that is silent for so long is pinged, and closed when it stays silent as long again.
    pub ping: Duration,
    /// Messages of one WebSocket or IPC connection that are answered at one time, and requests of one HTTP/2 connection;
    /// more are not read.
    pub messages: usize,
    /// Subscriptions on one connection.
    pub subscriptions: usize,
    /// Drain time given to requests in progress when the server stops.
    pub drain: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            body_bytes: 5 << 20,
            batch_calls: 1_000,
            answer_bytes: 25_000_000,
            connections: 4_096,
            read: Duration::from_secs(60),
            answer: Duration::from_secs(60),
            write: Duration::from_secs(10),
            ping: Duration::from_secs(30),
            messages: 16,
            subscriptions: 1_000,
            drain: Duration::from_secs(5),
        }
    }
}
