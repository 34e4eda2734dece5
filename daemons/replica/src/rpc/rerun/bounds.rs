//! Limits of a trace, and its errors.

use crate::rpc::execute;
use crate::rpc::{Shared, request_view::RequestView};
use maidenlane_ethjson::errors;
use maidenlane_evm::Failure;
use maidenlane_evm::budget::{Budget, Spent};
use maidenlane_evm::watch::Watch;
use maidenlane_jsonrpc::{Error, Json, codes};
use serde_json::value::RawValue;
use std::sync::Arc;
use std::time::Duration;

/// Memory that a trace may hold, as a multiple of the largest answer.
const HELD_TIMES: usize = 4;

/// Limits of a trace.
pub(in crate::rpc) struct Bounds {
    pub(crate) most_bytes: usize,
    /// Budget of all that is run. As in geth, each transaction also has a timeout of its own.
    pub(crate) budget: Budget,
}

impl Bounds {
    pub(crate) fn watch(&self) -> Watch {
        Watch::new(self.most_bytes.saturating_mul(HELD_TIMES))
    }
}

/// Handler of a tracing method on the pool, from its parameters to its answer.
pub(in crate::rpc) type Method =
    fn(&Shared, &RequestView, Option<&RawValue>, &mut Bounds) -> Result<Json, Error>;

/// Runs `job` on the pool, within the limits of a trace. Looking a block up belongs there, too: it may have to be
/// decoded, and the senders of its transactions recovered.
pub(in crate::rpc) async fn on_pool(
    shared: &Arc<Shared>,
    view: &Arc<RequestView>,
    params: Option<&RawValue>,
    time: Duration,
    job: impl FnOnce(&Shared, &RequestView, Option<&RawValue>, &mut Bounds) -> Result<Json, Error>
    + Send
    + 'static,
) -> Result<Json, Error> {
    let most_bytes = shared.settings.get().limits.answer_bytes;
    let job = move |shared: &Shared, view: &RequestView, params: Option<&RawValue>, budget: Budget| {
        job(shared, view, params, &mut Bounds { most_bytes, budget })
    };
    let done = execute::on_pool(shared, view, params, time, job).await;
    done.unwrap_or_else(|| Err(fault(Failure::TIMEOUT)))
}

/// JSON-RPC error of a trace that failed.
pub(crate) fn fault(failure: Failure) -> Error {
    match failure {
        Failure::Spent(Spent::Time) => Error::server("execution timeout"),
        Failure::Spent(Spent::Cancelled) => Error::server("execution aborted"),
        Failure::Invalid(invalid) => Error::server(format!("tracing failed: {}", errors::invalid(&invalid))),
        Failure::Read(fault) => {
            tracing::error!(%fault, "state cannot be read in a trace");
            Error::internal(fault)
        }
        Failure::Other(text) => Error::internal(text),
    }
}

pub(crate) fn too_large() -> Error {
    Error::new(
        codes::RESPONSE_TOO_LARGE,
        "the trace is too large; disable stack, storage or memory, or set a limit",
    )
}
