//! Settings of what wallets are answered.

use maidenlane_config::credentials::{self, CredentialRaw};
use maidenlane_config::{Checker, StaticType, shapes};
use maidenlane_jsonrpc::client::{Endpoint, Remote};
use serde::Deserialize;

/// Requests to the replica at one time.
const REQUESTS_MAX: usize = 64;
/// Largest answer, which waits here until the wallet has it.
const ANSWER_BYTES_MAX: u32 = 16 << 20;

/// Replica that answers wallets what the relay does not.
#[derive(Clone, Debug, Deserialize, StaticType)]
pub struct WalletsRaw {
    /// `http://`, `https://`, `ws://` or `wss://`, or the absolute path of an IPC socket.
    pub replica: String,
    /// File with what lets us in.
    pub credential: Option<CredentialRaw>,
    /// PEM file of the authorities that sign its certificate; `None` for the system's.
    pub ca: Option<String>,
    /// Time for an answer.
    pub timeout_ms: u64,
}

pub(super) fn replica(raw: &WalletsRaw, checker: &mut Checker) -> Option<Remote> {
    let endpoint = checker.take("replica", raw.replica.parse::<Endpoint>());
    let credential = credentials::credential("credential", raw.credential.as_ref(), checker);
    let ca = credentials::file("ca", raw.ca.as_deref(), checker);
    let timeout = shapes::millis("timeout_ms", raw.timeout_ms, 100..=60_000, checker);
    let (credential, ca) = (credential?, ca?);
    let remote = Remote {
        endpoint: endpoint?,
        credential,
        ca,
        timeout: timeout?,
        requests_max: REQUESTS_MAX,
        answer_bytes_max: ANSWER_BYTES_MAX,
    };
    remote.refuse_readable("credential", checker);
    Some(remote)
}
