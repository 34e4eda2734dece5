//! What ends a trace, and what is said then.

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

/// What a trace may hold in memory, as a multiple of what may be answered.
const HELD_TIMES: usize = 4;

/// What ends a trace.
pub(in crate::rpc) struct Bounds {
    pub(crate) most_bytes: usize,
    /// For all that is run. As in geth, each transaction also has a time of its own.
    pub(crate) budget: Budget,
}

impl Bounds {
    pub(crate) fn watch(&self) -> Watch {
        Watch::new(self.most_bytes.saturating_mul(HELD_TIMES))
    }
}

/// Method on the pool, from its parameters to its answer.
pub(in crate::rpc) type Method =
    fn(&Shared, &RequestView, Option<&RawValue>, &mut Bounds) -> Result<Json, Error>;

/// Answers on the pool, within what may be answered: a block that is looked up may have to be decoded, and who sent its
/// transactions be found out.
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

/// Why there is no trace.
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
