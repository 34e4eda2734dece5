//! Options of a client: bounds, credentials and trust.

use super::expiry::Expiry;
use crate::jwt;
use http::HeaderValue;
use std::fmt;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

/// Bounds, credentials and trust of a client.
#[derive(Clone, Debug)]
pub struct Options {
    /// Time to connect: TCP, TLS and WebSocket handshakes together, or TCP alone for HTTP.
    pub connect_timeout: Duration,
    /// Time from a call to its answer, with the wait for one of `requests_max` places.
    pub request_timeout: Duration,
    /// Bytes of a request, batch or not.
    pub request_bytes_max: u32,
    /// Bytes of an answer, batch or not. A larger one ends a WebSocket or IPC connection.
    pub answer_bytes_max: u32,
    /// Requests in flight at one time; more wait.
    pub requests_max: usize,
    /// Notifications of one subscription that may wait to be taken.
    pub notifications_max: usize,
    /// Period of pings on a WebSocket, a second at least; twice as long without a sign of life ends it.
    pub ping: Duration,
    /// Credential sent with every HTTP request and WebSocket handshake.
    pub credential: Option<Credential>,
    /// PEM file of certificate authorities that sign servers' certificates; `None` for the system's.
    pub ca: Option<PathBuf>,
    /// PEM files of the client's own certificate and key, for servers that want one (mutual TLS).
    pub certificate: Option<(PathBuf, PathBuf)>,
    /// Where the expiry of servers' certificates is noted.
    pub expiry: Option<Expiry>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(5),
            request_timeout: Duration::from_secs(30),
            request_bytes_max: 5 << 20,
            answer_bytes_max: 32 << 20,
            requests_max: 64,
            notifications_max: 1_024,
            ping: Duration::from_secs(30),
            credential: None,
            ca: None,
            certificate: None,
            expiry: None,
        }
    }
}

/// Credential in the `Authorization` header.
#[derive(Clone)]
pub enum Credential {
    /// `Bearer TOKEN`.
    Bearer(String),
    /// `Bearer JWT`, signed with this key (HS256) for each request or handshake, as engine-like endpoints want it.
    Jwt(Vec<u8>),
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Bearer(_) => "Bearer",
            Self::Jwt(_) => "Jwt",
        })
    }
}

impl Credential {
    /// Header value, where the credential can be written as one.
    pub(super) fn header(&self) -> Option<HeaderValue> {
        let text = match self {
            Self::Bearer(token) => format!("Bearer {token}"),
            Self::Jwt(key) => format!("Bearer {}", jwt::sign(key, SystemTime::now())?),
        };
        let mut value = HeaderValue::try_from(text).ok()?;
        value.set_sensitive(true);
        Some(value)
    }
}
