//! Simulations that callers ask for: on threads of their own, in turn, within their time and their gas.

use super::{Front, refused, signer, stale};
use crate::caller::Caller;
use crate::redacted::Redacted;
use crate::refusal::Refusal;
use crate::simulation::next::{self, Wishes};
use crate::simulation::outcome::Outcome;
use crate::simulation::prepared::{Leave, Prepared, Unprepared};
use crate::simulation::run::Made;
use maidenlane_chain::Bytes;
use maidenlane_ethjson::params::Selector;
use maidenlane_ethjson::select::{self, StateOf};
use maidenlane_evm::Failure;
use maidenlane_evm::budget::{Budget, Spent};
use maidenlane_evm::pool::Refused;
use maidenlane_jsonrpc::{Error, Json, codes};
use maidenlane_service::with_causes;
use maidenlane_state::StateView;
use std::time::{Duration, Instant};

/// Time in which an overdue run may report that itself.
const GRACE: Duration = Duration::from_millis(100);
/// Time for runs to come back at the end.
const QUIET: Duration = Duration::from_secs(2);

/// A simulation that a caller asks for.
pub(super) struct Wanted {
    /// Transactions.
    pub(super) txs: Vec<Bytes>,
    /// Leave of each to fail.
    pub(super) leaves: Vec<Leave>,
    /// The block.
    pub(super) wishes: Wishes,
    /// Block before it.
    pub(super) state: Selector,
    /// Time.
    pub(super) timeout: Duration,
}

impl Wanted {
    /// Refuses what is larger than an order may be.
    pub(super) fn bounded(&self, bytes_max: usize) -> Result<(), Refusal> {
        let bytes: usize = self.txs.iter().map(|tx| tx.len()).sum();
        if bytes > bytes_max { Err(Refusal::TooLarge { bytes, most: bytes_max }) } else { Ok(()) }
    }
}

/// A simulation that has come to an end.
pub(super) struct Done {
    /// Number of the block before.
    pub(super) parent: u64,
    /// Base fee of the block.
    pub(super) base_fee: u64,
    /// The bundle.
    pub(super) bundle: Prepared,
    /// Account of it.
    pub(super) outcome: Outcome,
}

/// Reason for which one has not.
enum Stopped {
    Refused(Error),
    Failed(Failure),
}

impl From<Unprepared> for Stopped {
    fn from(unprepared: Unprepared) -> Self {
        match unprepared {
            Unprepared::Refused(refusal) => Self::Refused(refusal.into()),
            Unprepared::Failed(failure) => Self::Failed(failure),
        }
    }
}

impl Front {
    /// Simulates something, and answers by what came of it.
    pub(super) async fn simulate(
        &self,
        caller: &Caller,
        wanted: Wanted,
        answer: impl FnOnce(&Done) -> Result<Json, Error> + Send + 'static,
    ) -> Result<Json, Error> {
        let signer = signer(caller)?;
        let account = Redacted::new(caller.identity().map_or_else(|| signer.to_string(), str::to_owned));
        if let Some(reason) = self.0.chain.fitness().stale {
            return Err(stale(&reason));
        }
        if !self.0.simulator.allows(&account) {
            let text = "your simulations have used up their gas: ask again in some seconds";
            return Err(refused(codes::LIMIT_EXCEEDED, "gasUsedUp", text.to_owned()));
        }
        let view = self.0.chain.view();
        let state = select::state(&*view, wanted.state)?;
        let timeout = wanted.timeout.min(self.0.simulator.terms().timeout);
        let (front, owner, deadline) = (self.clone(), account.clone(), Instant::now() + timeout);
        let job = move |cancelled| {
            let simulator = &front.0.simulator;
            match front.run(&*view, &state, &wanted, &mut Budget::until(deadline, cancelled)) {
                Ok(done) => {
                    simulator.charge(&account, signer, done.outcome.gas_used());
                    answer(&done)
                }
                Err(Stopped::Refused(error)) => Err(error),
                Err(Stopped::Failed(failure)) => {
                    // What it used is not known: as much as a block has.
                    simulator.charge(&account, signer, state.header.gas_limit);
                    Err(failed(&failure, timeout))
                }
            }
        };
        let run = tokio::time::timeout_at((deadline + GRACE).into(), self.0.calls.run(&owner, job));
        match run.await {
            Ok(Ok(answer)) => answer,
            Ok(Err(Refused::Full)) => {
                let text = "too many bundles are being simulated at once: ask again";
                Err(refused(codes::LIMIT_EXCEEDED, "tooManySimulations", text.to_owned()))
            }
            Ok(Err(Refused::Panicked)) => Err(Error::internal("the simulation failed inside this relay")),
            Err(_) => Err(failed(&Failure::TIMEOUT, timeout)),
        }
    }

    /// Waits until what still runs for callers has ended.
    pub(crate) async fn quiet(&self) {
        self.0.calls.quiet(QUIET).await;
    }

    fn run(
        &self,
        view: &dyn StateView,
        state: &StateOf,
        wanted: &Wanted,
        budget: &mut Budget,
    ) -> Result<Done, Stopped> {
        let (rules, parent, simulator) = (&view.head().rules, &state.header, &self.0.simulator);
        if wanted.wishes.timestamp.is_some_and(|timestamp| timestamp <= parent.timestamp) {
            return Err(Stopped::Refused(Refusal::NotAfterParent { parent_s: parent.timestamp }.into()));
        }
        let header = next::header(rules, parent, simulator.terms().block_time_s, &wanted.wishes);
        if let Some(fork) = rules.unknown_at(&header) {
            let text =
                format!("fork {fork} is active and this build does not execute it: install a newer one");
            return Err(Stopped::Refused(refused(codes::UNKNOWN_FORK, "unknownFork", text)));
        }
        let leave = |index: usize, _: &_| wanted.leaves.get(index).copied().unwrap_or(Leave::None);
        let bundle = Prepared::new(&wanted.txs, leave, budget)?;
        let at = (state.at, parent.number.saturating_add(1));
        let block = Made::begin(&header, rules, view, at, simulator.codes(), budget);
        let outcome = block.and_then(|block| block.run(&bundle, budget)).map_err(Stopped::Failed)?;
        let base_fee = header.base_fee_per_gas.unwrap_or_default();
        Ok(Done { parent: parent.number, base_fee, bundle, outcome })
    }
}

fn failed(failure: &Failure, timeout: Duration) -> Error {
    match failure {
        Failure::Spent(Spent::Time) => {
            refused(codes::SERVER, "simulationTimeout", format!("execution aborted (timeout = {timeout:?})"))
        }
        Failure::Spent(Spent::Cancelled) => Error::server("execution aborted"),
        Failure::Read(fault) => {
            tracing::error!("the state cannot be read: {}", with_causes(fault));
            Error::internal("the state cannot be read")
        }
        Failure::Invalid(_) | Failure::Other(_) => Error::internal("the EVM refused to run the bundle"),
    }
}
