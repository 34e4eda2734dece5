//! Output of `geth snapshot dump`: the state root as a line of JSON, then a line for each account, in the order of hashed
//! addresses, with its code and all of its slots.
//!
//! An account's own key comes behind its slots, which may be hundreds of millions: beyond [`SLOTS_MAX`] they wait in a
//! file. geth gives a slot's value as RLP, where `geth dump` gives the number.

mod line;
mod slots;

use crate::error::Error;
use crate::row::Row;
use line::Line;
use maidenlane_chain::{B256, Bytes, keccak256};
use serde::de::DeserializeSeed as _;
use serde_json::de::IoRead;
use slots::Slots;
use std::collections::HashSet;
use std::io::Read;
use std::path::{Path, PathBuf};

/// Slots of one account that are held in memory: 64 MB.
const SLOTS_MAX: usize = if cfg!(test) { 3 } else { 1 << 20 };
/// Hashes of codes that were met: most contracts share theirs.
const CODES_MAX: usize = 1 << 18;

/// A dump that is read.
pub(crate) struct Dump<R: Read> {
    path: PathBuf,
    lines: serde_json::Deserializer<IoRead<R>>,
    /// Slots of the account read last.
    slots: Slots,
    /// Account of these slots.
    account: B256,
    /// Code of the account, unless it was told before.
    code: Option<(B256, Bytes)>,
    told: HashSet<B256>,
}

impl<R: Read> Dump<R> {
    /// Reads the first line.
    pub(crate) fn new(path: &Path, input: R, dir: &Path) -> Result<Self, Error> {
        let (lines, slots) = (serde_json::Deserializer::from_reader(input), Slots::new(dir, SLOTS_MAX));
        let (account, code, told) = (B256::ZERO, None, HashSet::new());
        let mut dump = Self { path: path.to_owned(), lines, slots, account, code, told };
        match dump.line()? {
            Some(Line::Root) => Ok(dump),
            _ => {
                Err(dump
                    .wrong("is no output of `geth snapshot dump`: its first line names no root".to_owned()))
            }
        }
    }

    /// The next row; `None` at the end.
    pub(crate) fn next(&mut self) -> Result<Option<Row>, Error> {
        if let Some((key, value)) = self.slots.next()? {
            return Ok(Some(Row::Slot(self.account, key, value)));
        }
        if let Some((hash, code)) = self.code.take() {
            return Ok(Some(Row::Code(hash, code)));
        }
        let account = match self.line()? {
            None => return Ok(None),
            Some(Line::Root) => {
                return Err(self.wrong("names a second root: it is two dumps in one".to_owned()));
            }
            Some(Line::Account(account)) => account,
        };
        if let Some(code) = account.code {
            let hash = account.fields.code_hash;
            if keccak256(&code) != hash {
                return Err(
                    self.wrong(format!("holds a code of account hash {} with another hash", account.key))
                );
            }
            if self.told.len() >= CODES_MAX {
                self.told.clear();
            }
            self.code = self.told.insert(hash).then_some((hash, code));
        }
        self.account = account.key;
        Ok(Some(Row::Account(account.key, account.fields)))
    }

    fn line(&mut self) -> Result<Option<Line>, Error> {
        self.slots.clear();
        match self.lines.end() {
            Ok(()) => return Ok(None),
            // There is more.
            Err(error) if error.is_syntax() => {}
            Err(error) => return Err(self.unreadable(&error)),
        }
        match line::Seed(&mut self.slots).deserialize(&mut self.lines) {
            Ok(line) => Ok(Some(line)),
            Err(error) => match self.slots.failed() {
                Some(failed) => Err(failed),
                None => Err(self.unreadable(&error)),
            },
        }
    }

    fn unreadable(&self, error: &serde_json::Error) -> Error {
        match error.io_error_kind() {
            Some(kind) => crate::error::read(&self.path, std::io::Error::new(kind, error.to_string())),
            None if error.is_eof() => self.wrong("is cut off; dump it again".to_owned()),
            None => self.wrong(format!("cannot be read: {error}")),
        }
    }

    fn wrong(&self, what: String) -> Error {
        Error::File { path: self.path.clone(), what }
    }
}
