//! Control sockets of running daemons: found by their settings, asked one question.

use std::{
    io::{BufRead as _, BufReader, ErrorKind, Write as _},
    marker::PhantomData,
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
};

use clap::Args;
use maidenlane_jsonrpc::control::{self, Answer};
use maidenlane_service::Daemon;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

use crate::error::Error;

/// Place of a running daemon of the kind `D`.
#[derive(Debug, Args)]
pub(crate) struct Place<D: Daemon> {
    /// The daemon's settings, which say where it is
    #[arg(long, value_name = "FILE", required_unless_present = "socket")]
    config: Option<PathBuf>,
    /// Control socket, for those who may not read the state directory: /run/maidenlane/DAEMON-NAME/control.sock
    #[arg(long, value_name = "PATH")]
    socket: Option<PathBuf>,
    #[arg(skip)]
    of: PhantomData<fn() -> D>,
}

impl<D: Daemon> Place<D> {
    /// Asks it, as long as the place is the same.
    pub(crate) fn ask(&self, question: &impl Serialize) -> Result<Value, Error> {
        self.open()?.ask(question)
    }

    /// Socket, which outlives restarts of the daemon.
    pub(crate) fn open(&self) -> Result<Asked, Error> {
        let (daemon, config) = (D::NAME, self.config.clone().unwrap_or_default());
        if let Some(path) = self.socket.clone() {
            return Ok(Asked { daemon, found: format!("--socket {}", path.display()), path });
        }
        let settings = maidenlane_config::load::<D::Settings>(&config)?.settings;
        let dir = &D::shared(&settings).state_dir;
        let found = format!("--config {}, stateDir {}", config.display(), dir.display());
        match noted(dir) {
            Ok(path) => Ok(Asked { daemon, path, found }),
            Err(error) if error.kind() == ErrorKind::PermissionDenied => Err(Error::Usage(format!(
                "{found} is not yours to read: name the socket, --socket /run/maidenlane/{daemon}-NAME/control.sock, \
                 or be root"
            ))),
            Err(_) => Err(absent(daemon, &found)),
        }
    }
}

/// Daemon that can be asked.
pub(crate) struct Asked {
    daemon: &'static str,
    path: PathBuf,
    /// Options that named it.
    found: String,
}

impl Asked {
    /// Asks one question, and waits for the answer.
    pub(crate) fn ask(&self, question: &impl Serialize) -> Result<Value, Error> {
        let stream = connect(&self.path)?.ok_or_else(|| absent(self.daemon, &self.found))?;
        match ask(&self.path, stream, question)? {
            Answer::Told(told) => Ok(told),
            Answer::Failed { exit, reason } => Err(Error::Asked { daemon: self.daemon, exit, reason }),
        }
    }
}

fn absent(daemon: &str, found: &str) -> Error {
    Error::Usage(format!(
        "no maidenlane-{daemon} runs at {found}: see `systemctl status maidenlane-{daemon}@NAME`"
    ))
}

/// Socket that a daemon noted when it began to run: it may have been killed since.
pub(crate) fn socket(state_dir: &Path) -> Option<PathBuf> {
    noted(state_dir).ok()
}

fn noted(state_dir: &Path) -> std::io::Result<PathBuf> {
    let addresses: Value = serde_json::from_slice(&std::fs::read(state_dir.join("addresses.json"))?)?;
    let socket = addresses.get(control::NAME).and_then(Value::as_str).map(PathBuf::from);
    socket.ok_or_else(|| ErrorKind::NotFound.into())
}

/// Connection to a daemon; none if nobody listens.
pub(crate) fn connect(path: &Path) -> Result<Option<UnixStream>, Error> {
    match UnixStream::connect(path) {
        Ok(stream) => Ok(Some(stream)),
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::ConnectionRefused) => Ok(None),
        Err(source) => Err(Error::Read { path: path.to_owned(), source }),
    }
}

/// Asks a daemon that runs, and waits for its answer.
pub(crate) fn ask<A: DeserializeOwned>(
    path: &Path,
    mut stream: UnixStream,
    question: &impl Serialize,
) -> Result<A, Error> {
    let gone = |source| Error::Read { path: path.to_owned(), source };
    let question = serde_json::to_string(question).map_err(|error| gone(error.into()))?;
    writeln!(stream, "{question}").map_err(gone)?;
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line).map_err(gone)?;
    serde_json::from_str(&line).map_err(|error| gone(error.into()))
}
