//! Control sockets of daemons: whoever may open one may ask for what no client of a network listener may. One line of JSON is the
//! question, one the answer.
//!
//! # Why a socket of its own
//! No client of the JSON-RPC may load a disk or take a server out, and admin listeners have no access control: here, the file
//! system has it, for root and for the group that the service is given.

use crate::ipc;
use maidenlane_config::Checker;
use maidenlane_service::{Addresses, Exit, Failure, Shutdown, TaskGroup};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{UnixListener, UnixStream};
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
/// Maximum number of open connections; more wait.
const CONNECTIONS_MAX: usize = 8;
/// Interval of attempts to accept after a failure, of descriptors mostly.
const ACCEPT_AGAIN: Duration = Duration::from_secs(1);

/// Answer of a daemon to an operator.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Answer {
    /// Answer to the question.
    Told(Value),
    /// Nothing was done.
    Failed {
        /// Exit code that the command should have for it.
        exit: u8,
        /// Reason.
        reason: String,
    },
}

impl Answer {
    /// Refusal of a command that a person must write differently.
    pub fn refused(reason: impl Into<String>) -> Self {
        Self::Failed { exit: Exit::Settings.number(), reason: reason.into() }
    }
}

impl From<Result<Value, String>> for Answer {
    fn from(answered: Result<Value, String>) -> Self {
        answered.map_or_else(Self::refused, Self::Told)
    }
}

/// Binds the socket, in the directory that the service manager gives for such, else in `state_dir`, and answers until the
/// shutdown. What is no question is given to `answer` as the error.
///
/// # Errors
/// When the socket cannot be bound.
pub fn start<Q, A, F, W>(
    state_dir: &Path,
    addresses: &Addresses,
    tasks: &TaskGroup,
    answer: F,
) -> Result<(), Failure>
where
    Q: DeserializeOwned + Send + 'static,
    A: Serialize + Send + 'static,
    F: Fn(Result<Q, serde_json::Error>) -> W + Send + Sync + 'static,
    W: Future<Output = A> + Send + 'static,
{
    let (path, runtime_dir) = place(state_dir);
    let listener = ipc::bind(&path, MODE)
        .and_then(|listener| runtime_dir.map_or(Ok(()), |_| give(&path)).map(|()| listener))
        .map_err(|error| Failure::file(format_args!("bind {}", path.display()), &error))?;
    addresses.add(NAME, path.display())?;
    tasks.spawn(NAME, serve(listener, path, Arc::new(answer), tasks.shutdown().clone()));
    Ok(())
}

/// Path of the socket, and the directory that the service manager gives for such.
fn place(state_dir: &Path) -> (PathBuf, Option<PathBuf>) {
    let runtime_dir = maidenlane_service::env("RUNTIME_DIRECTORY").map(PathBuf::from);
    (runtime_dir.as_deref().unwrap_or(state_dir).join(FILE), runtime_dir)
}

/// Notes a state directory whose path is too long for the socket in it.
pub fn on_machine(state_dir: &Path, checker: &mut Checker) {
    let (path, _) = place(state_dir);
    let length = path.as_os_str().len();
    if length > ipc::PATH_BYTES_MAX {
        let text = format_args!(
            "the control socket in it, {}, would have a path of {length} bytes, and sockets have at most {}: name a \
             shorter one, or start the daemon by its unit, which has a directory for sockets",
            path.display(),
            ipc::PATH_BYTES_MAX
        );
        checker.wrong("stateDir", text);
    }
}

async fn serve<Q, A, F, W>(
    listener: UnixListener,
    path: PathBuf,
    answer: Arc<F>,
    shutdown: Shutdown,
) -> Result<(), Failure>
where
    Q: DeserializeOwned + Send + 'static,
    A: Serialize + Send + 'static,
    F: Fn(Result<Q, serde_json::Error>) -> W + Send + Sync + 'static,
    W: Future<Output = A> + Send + 'static,
{
    let mut open = JoinSet::new();
    loop {
        tokio::select! {
            () = shutdown.triggered() => break,
            stream = accept(&listener), if open.len() < CONNECTIONS_MAX => {
                let answer = Arc::clone(&answer);
                open.spawn(async move { converse(stream, &*answer).await });
            }
            Some(Ok(Err(error))) = open.join_next() => tracing::warn!("{NAME}: {error}"),
        }
    }
    // Whoever looks for a daemon that runs should not find it until the next start.
    drop(std::fs::remove_file(&path));
    Ok(())
}

/// Reads a question and writes its answer.
async fn converse<Q, A, F, W>(stream: UnixStream, answer: &F) -> std::io::Result<()>
where
    Q: DeserializeOwned,
    A: Serialize,
    F: Fn(Result<Q, serde_json::Error>) -> W,
    W: Future<Output = A>,
{
    let (read, mut write) = stream.into_split();
    let (mut read, mut line) = (BufReader::new(read.take(QUESTION_BYTES_MAX)), String::new());
    tokio::time::timeout(QUESTION_TIMEOUT, read.read_line(&mut line)).await??;
    let answer = answer(serde_json::from_str(&line)).await;
    let mut line = serde_json::to_vec(&answer)?;
    line.push(b'\n');
    write.write_all(&line).await
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
