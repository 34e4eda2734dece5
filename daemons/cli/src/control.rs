//! Control sockets of running daemons: found by their settings, asked one question.

use std::{
    io::{BufRead as _, BufReader, ErrorKind, Write as _},
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
};

use maidenlane_jsonrpc::control;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

use crate::error::Error;

/// Socket that a daemon noted when it began to run: it may have been killed since.
pub(crate) fn socket(state_dir: &Path) -> Option<PathBuf> {
    let addresses = std::fs::read(state_dir.join("addresses.json")).ok()?;
    let addresses: Value = serde_json::from_slice(&addresses).ok()?;
    addresses.get(control::NAME)?.as_str().map(PathBuf::from)
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
