//! The socket over which a running replica is asked for a snapshot: no other process can make one, for its database is
//! locked. One line of JSON is the question, one the answer.
//!
//! # Why a socket of its own
//! Whoever may ask for a snapshot can load the disk and fill the repository. No client of the JSON-RPC may, and the admin
//! listener has no access control: here, the file system has it, for root and for the group that the service is given.

use super::Settings;
use maidenlane_jsonrpc::ipc;
use maidenlane_service::{Addresses, Exit, Failure, Health, Shutdown, TaskGroup, with_causes};
use maidenlane_snapshot::{Made, Pace, Source, Workshop, progress::Progress};
use maidenlane_store::Store;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::oneshot;
use tokio::task::JoinSet;

/// Name of the socket in `addresses.json`.
pub const NAME: &str = "control";
/// Name of its file.
const FILE: &str = "control.sock";
/// Root and the group, which is that of the process unless the service manager has given it another.
const MODE: u32 = 0o660;
/// Maximum size of a question.
const QUESTION_BYTES_MAX: u64 = 4_096;
/// Time that a client has for its question.
const QUESTION_TIMEOUT: Duration = Duration::from_secs(10);
/// Interval at which the worker looks for a shutdown.
const LOOK: Duration = Duration::from_millis(100);
/// Maximum number of open connections; more wait.
const CONNECTIONS_MAX: usize = 8;
/// Interval of attempts to accept after a failure, of descriptors mostly.
const ACCEPT_AGAIN: Duration = Duration::from_secs(1);

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
    let runtime_dir = maidenlane_service::env("RUNTIME_DIRECTORY").map(PathBuf::from);
    let path = runtime_dir.as_deref().unwrap_or(state_dir).join(FILE);
    let listener = ipc::bind(&path, MODE)
        .and_then(|listener| runtime_dir.map_or(Ok(()), |_| give(&path)).map(|()| listener))
        .map_err(|error| Failure::file(format_args!("bind {}", path.display()), &error))?;
    addresses.add(NAME, path.display())?;
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
    let shutdown = tasks.shutdown().clone();
    tasks.spawn(NAME, async move {
        let mut open = JoinSet::new();
        loop {
            tokio::select! {
                () = shutdown.triggered() => break,
                stream = accept(&listener), if open.len() < CONNECTIONS_MAX => {
                    open.spawn(answer(stream, ask.clone()));
                }
                Some(Ok(Err(error))) = open.join_next() => tracing::warn!("{NAME}: {error}"),
            }
        }
        // Whoever looks for a replica that runs should not find it until the next start.
        drop(std::fs::remove_file(&path));
        Ok(())
    });
    Ok(())
}

/// Reads a question and writes its answer.
async fn answer(stream: UnixStream, ask: SyncSender<Reply>) -> std::io::Result<()> {
    let (read, mut write) = stream.into_split();
    let (mut read, mut line) = (BufReader::new(read.take(QUESTION_BYTES_MAX)), String::new());
    tokio::time::timeout(QUESTION_TIMEOUT, read.read_line(&mut line)).await??;
    let answer = match serde_json::from_str(&line) {
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
    };
    let mut line = serde_json::to_vec(&answer)?;
    line.push(b'\n');
    write.write_all(&line).await
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

/// Gives the socket to the group that the service manager has added to the process's own.
fn give(path: &Path) -> std::io::Result<()> {
    let own = rustix::process::getegid();
    let added = rustix::process::getgroups()?.into_iter().find(|group| *group != own);
    Ok(rustix::fs::chown(path, None, Some(added.unwrap_or(own)))?)
}

async fn accept(listener: &UnixListener) -> UnixStream {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => return stream,
            Err(error) => {
                tracing::warn!("{NAME}: accept: {error}");
                tokio::time::sleep(ACCEPT_AGAIN).await;
            }
        }
    }
}
