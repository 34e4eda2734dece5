//! Limits of everything that executes. A method is a function from its parameters to its answer under one budget, which
//! pays for reading the parameters, for all that the EVM does, and for writing the answer. It starts on the IO thread
//! with a small budget, because a hand-over costs more than most calls; what exceeds that starts again on the pool.

use super::Shared;
use super::call_context::failed;
use super::request_view::RequestView;
use maidenlane_evm::budget::Budget;
use maidenlane_evm::database::ReadFault;
use maidenlane_evm::pool::Refused;
use maidenlane_evm::{Failure, cost};
use maidenlane_jsonrpc::{Error, Json, codes};
use maidenlane_state::ReadError;
use serde_json::value::RawValue;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Reason for which a method that executes ended early.
pub(super) enum Stop {
    /// Failure of the execution.
    Failure(Failure),
    /// Refusal by the method, with the client's error.
    Refused(Error),
}

impl From<Failure> for Stop {
    fn from(failure: Failure) -> Self {
        Self::Failure(failure)
    }
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Self::Refused(error)
    }
}

impl From<ReadFault> for Stop {
    fn from(fault: ReadFault) -> Self {
        Self::Failure(Failure::Read(fault))
    }
}

impl From<ReadError> for Stop {
    fn from(error: ReadError) -> Self {
        ReadFault::from(error).into()
    }
}

/// Handler of a method: the same answer on every thread.
pub(super) type Method = fn(&Shared, &RequestView, Option<&RawValue>, &mut Budget) -> Result<Json, Stop>;

/// Thread on which a method starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Start {
    /// On the IO thread.
    Here,
    /// On the pool, because it hardly ever ends within what an IO thread may be held.
    OnPool,
}

/// Grace time of an overdue job, in which it may report the timeout itself.
const GRACE: Duration = Duration::from_millis(100);

/// Answers a request: runs `method` on the IO thread first, if it starts there, else on the pool.
pub(super) async fn answer(
    shared: &Arc<Shared>,
    view: &Arc<RequestView>,
    params: Option<&RawValue>,
    start: Start,
    method: Method,
) -> Result<Json, Error> {
    let settings = shared.settings.get();
    if start == Start::Here {
        match paid(shared, view, params, &mut Budget::light(settings.call_inline), method) {
            Err(Stop::Failure(Failure::Spent(_))) => (),
            done => return error_of(shared, done),
        }
    }
    let job = move |shared: &Shared, view: &RequestView, params: Option<&RawValue>, mut budget: Budget| {
        budget.look().map_err(|failure| failed(shared, failure))?;
        error_of(shared, paid(shared, view, params, &mut budget, method))
    };
    let done = on_pool(shared, view, params, settings.call_timeout, job).await;
    done.unwrap_or_else(|| Err(failed(shared, Failure::TIMEOUT)))
}

/// Runs `job` on the pool with so much time, which begins now: in the queue, too, the client waits. `None` when it is
/// not back by then: a single instruction may last, and a client need not wait for it, nor for what never ends.
pub(super) async fn on_pool(
    shared: &Arc<Shared>,
    view: &Arc<RequestView>,
    params: Option<&RawValue>,
    time: Duration,
    job: impl FnOnce(&Shared, &RequestView, Option<&RawValue>, Budget) -> Result<Json, Error> + Send + 'static,
) -> Option<Result<Json, Error>> {
    let now = Instant::now();
    let deadline = now.checked_add(time).unwrap_or(now);
    let (there, seen, params) = (Arc::clone(shared), Arc::clone(view), params.map(ToOwned::to_owned));
    let job = shared.pool.run(view.owner(), move |cancelled| {
        job(&there, &seen, params.as_deref(), Budget::until(deadline, cancelled))
    });
    let late = deadline.checked_add(GRACE).unwrap_or(deadline);
    let done = tokio::time::timeout_at(late.into(), job).await.ok()?;
    Some(done.map_err(refused).and_then(|answer| answer))
}

fn paid(
    shared: &Shared,
    view: &RequestView,
    params: Option<&RawValue>,
    budget: &mut Budget,
    method: Method,
) -> Result<Json, Stop> {
    budget.charge(cost::json(params.map_or(0, |params| params.get().len())))?;
    method(shared, view, params, budget)
}

fn error_of(shared: &Shared, done: Result<Json, Stop>) -> Result<Json, Error> {
    done.map_err(|stop| match stop {
        Stop::Refused(error) => error,
        Stop::Failure(failure) => failed(shared, failure),
    })
}

/// JSON-RPC error of a full pool, or of a job that panicked.
pub(super) fn refused(reason: Refused) -> Error {
    match reason {
        Refused::Full => Error::new(codes::LIMIT_EXCEEDED, "too many expensive calls at once; try again"),
        Refused::Panicked => Error::internal("the call failed inside this replica"),
    }
}

#[cfg(test)]
mod tests;
