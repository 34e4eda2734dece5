//! Snapshots of a running replica, by its control socket: no other process can make one, for its database is locked.

use super::Settings;
use maidenlane_jsonrpc::control;
use maidenlane_service::{Addresses, Exit, Failure, Health, Shutdown, TaskGroup, with_causes};
use maidenlane_snapshot::{Made, Pace, Source, Workshop, progress::Progress};
use maidenlane_store::Store;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio::sync::oneshot;

/// Interval at which the worker looks for a shutdown.
const LOOK: Duration = Duration::from_millis(100);

/// Question.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Question {
    /// Make a snapshot, and send it to the target of the settings.
    Snapshot,
}

/// Answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Answer {
    /// The snapshot, as the command prints it.
    Made(serde_json::Value),
    /// No snapshot.
    Failed {
        /// Exit code that the command would have for it.
        exit: u8,
        /// Reason.
        reason: String,
    },
}

type Reply = oneshot::Sender<Answer>;

/// Binds the socket and starts the worker, if the settings have a target.
///
/// # Errors
/// When the socket cannot be bound, or the machine gives no thread.
pub(crate) fn start(
    settings: &Settings,
    state_dir: &Path,
    store: Arc<OnceLock<Arc<Store>>>,
    tasks: &TaskGroup,
    health: &Health,
    addresses: &Addresses,
) -> Result<(), Failure> {
    let Some(target) = settings.target.clone() else { return Ok(()) };
    // One waits while one is made: for more, what they want is already on its way.
    let (ask, questions) = sync_channel(1);
    let worker = Worker {
        target,
        state_dir: state_dir.to_owned(),
        store,
        health: health.clone(),
        pace: Pace::new(settings.bytes_per_s, tasks.shutdown().clone()),
    };
    let shutdown = tasks.shutdown().clone();
    tasks.spawn_thread("snapshots", move || {
        worker.run(&questions, &shutdown);
        Ok(())
    })?;
    control::start(state_dir, addresses, tasks, move |question| answer(question, ask.clone()))
}

/// Answers a question.
async fn answer(question: Result<Question, serde_json::Error>, ask: SyncSender<Reply>) -> Answer {
    match question {
        Ok(Question::Snapshot) => {
            let (reply, made) = oneshot::channel();
            match ask.try_send(reply) {
                Ok(()) => made.await.unwrap_or_else(|_| failed(Exit::GaveUp, "the replica stops")),
                Err(TrySendError::Full(_)) => {
                    failed(Exit::GaveUp, "a snapshot is being made, and the next one waits; try again later")
                }
                Err(TrySendError::Disconnected(_)) => failed(Exit::GaveUp, "the replica stops"),
            }
        }
        Err(error) => failed(Exit::Settings, format!("no question: {error}")),
    }
}

fn failed(exit: Exit, reason: impl Into<String>) -> Answer {
    Answer::Failed { exit: exit.number(), reason: reason.into() }
}

/// Maker of snapshots, one after the other.
struct Worker {
    target: Source,
    state_dir: PathBuf,
    store: Arc<OnceLock<Arc<Store>>>,
    health: Health,
    pace: Pace,
}

impl Worker {
    fn run(&self, questions: &Receiver<Reply>, shutdown: &Shutdown) {
        // Links that a killed snapshot has left hold files that the database has dropped.
        if let Err(error) = Workshop::open(&self.state_dir) {
            tracing::warn!("{}", with_causes(&error));
        }
        while !shutdown.is_triggered() {
            match questions.recv_timeout(LOOK) {
                // A client that has gone has its snapshot all the same.
                Ok(reply) => drop(reply.send(self.answer())),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => std::thread::sleep(LOOK),
            }
        }
    }

    fn answer(&self) -> Answer {
        let Some(store) = self.store.get() else {
            return failed(Exit::GaveUp, "the replica has not opened its database yet; try again later");
        };
        match self.make(store) {
            Ok(made) => {
                tracing::info!("made snapshot {} of block {}", made.id, made.manifest.head);
                self.health.set_section("snapshot", made.to_json());
                Answer::Made(made.to_json())
            }
            Err(error) => {
                let reason = with_causes(&error);
                tracing::warn!("no snapshot: {reason}");
                failed(error.exit(), reason)
            }
        }
    }

    fn make(&self, store: &Store) -> Result<Made, maidenlane_snapshot::Error> {
        let report = |progress: Progress| tracing::info!("sends a snapshot: {progress}");
        let repository = self.target.open()?;
        Workshop::open(&self.state_dir)?.create(store, &repository, &self.pace, &report)
    }
}
