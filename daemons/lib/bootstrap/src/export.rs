//! Files of `geth db export`: an RLP list of what the file is, then `op key value` for each row of geth's database.
//!
//! geth takes the rows from its tables as they are: `a` and an account's hash leads to the account as slim RLP, `o` and the
//! hashes of account and slot to the slot's value as RLP, `c` and a hash to a code. Before the first row of a snapshot it
//! tells whoever loads the file into a geth to forget the root of the snapshot before (op 1).

use crate::error::Error;
use crate::row::{Row, slot_value};
use alloy::rlp::{Decodable, Header};
use maidenlane_chain::{Account, B256, Bytes, keccak256};
use std::io::BufRead;
use std::path::{Path, PathBuf};

/// First field of every such file.
const MAGIC: &[u8] = b"gethdbdump";
/// Version of the format.
const VERSION: u64 = 0;
/// Largest item that is taken: codes before EIP-170 had no bound, and none came near this.
const ITEM_BYTES_MAX: usize = 16 << 20;
/// Operation that adds a row.
const ADD: u64 = 0;
/// Operation that removes one.
const FORGET: u64 = 1;
/// Key of the only row that is removed.
const FORGOTTEN: &[u8] = b"SnapshotRoot";

/// Kind of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Accounts and slots.
    Snapshot,
    /// Codes.
    Code,
}

impl Kind {
    const fn name(self) -> &'static str {
        match self {
            Self::Snapshot => "snapshot",
            Self::Code => "code",
        }
    }
}

/// A file that is read.
pub(crate) struct Export<R> {
    path: PathBuf,
    kind: Kind,
    input: R,
    /// Content of the item read last.
    item: Vec<u8>,
    /// Bytes read so far, uncompressed.
    at: u64,
}

impl<R: BufRead> Export<R> {
    /// Reads the file's first item.
    pub(crate) fn new(path: &Path, kind: Kind, input: R) -> Result<Self, Error> {
        let mut export = Self { path: path.to_owned(), kind, input, item: Vec::new(), at: 0 };
        let is_list = export.item()?.is_some_and(|is_list| is_list);
        let mut fields = export.item.as_slice();
        let mut parse = || -> alloy::rlp::Result<(Vec<u8>, u64, Vec<u8>)> {
            let magic = Header::decode_bytes(&mut fields, false)?.to_vec();
            let version = u64::decode(&mut fields)?;
            Ok((magic, version, Header::decode_bytes(&mut fields, false)?.to_vec()))
        };
        match parse() {
            Ok((magic, version, found)) if is_list && magic == MAGIC => {
                if version != VERSION {
                    return Err(export.wrong(format!("has version {version}, this build reads {VERSION}")));
                }
                if found != kind.name().as_bytes() {
                    let found = String::from_utf8_lossy(&found).into_owned();
                    return Err(export.wrong(format!("is an export of {found:?}, not of {:?}", kind.name())));
                }
                Ok(export)
            }
            _ => Err(export.wrong(format!("is no file of `geth db export {}`", kind.name()))),
        }
    }

    /// The next row; `None` at the end.
    pub(crate) fn next(&mut self) -> Result<Option<Row>, Error> {
        loop {
            let start = self.at;
            let Some(is_list) = self.item()? else { return Ok(None) };
            let op = if is_list { None } else { number(&self.item) };
            self.string(start)?;
            let (key, forgotten) = (self.key(), self.item == FORGOTTEN);
            self.string(start)?;
            return match (op, key) {
                (Some(ADD), Some(key)) => match self.row(key) {
                    Some(row) => Ok(Some(row)),
                    None => Err(self.bad(start, "holds a row whose value does not fit its key")),
                },
                (Some(FORGET), _) if forgotten => continue,
                _ => Err(self.bad(start, "holds something else than a row of its kind")),
            };
        }
    }

    /// Key in `item`, if it is of this kind of file.
    fn key(&self) -> Option<Key> {
        let (prefix, rest) = self.item.split_first()?;
        match (self.kind, prefix, rest.as_chunks::<32>()) {
            (Kind::Snapshot, b'a', ([account], [])) => Some(Key::Account(B256::new(*account))),
            (Kind::Snapshot, b'o', ([account, slot], [])) => {
                Some(Key::Slot(B256::new(*account), B256::new(*slot)))
            }
            (Kind::Code, b'c', ([hash], [])) => Some(Key::Code(B256::new(*hash))),
            _ => None,
        }
    }

    /// Row of this key, whose value is in `item`.
    fn row(&self, key: Key) -> Option<Row> {
        match key {
            Key::Account(key) => {
                Account::decode_slim(&self.item).ok().map(|account| Row::Account(key, account))
            }
            Key::Slot(account, slot) => slot_value(&self.item).map(|value| Row::Slot(account, slot, value)),
            Key::Code(hash) => {
                (keccak256(&self.item) == hash).then(|| Row::Code(hash, Bytes::copy_from_slice(&self.item)))
            }
        }
    }

    /// Reads an item that must be there and be a string.
    fn string(&mut self, start: u64) -> Result<(), Error> {
        match self.item()? {
            Some(false) => Ok(()),
            Some(true) => Err(self.bad(start, "holds a list where a key or a value belongs")),
            None => Err(self.bad(start, "is cut off; export it again")),
        }
    }

    /// Reads the content of the next item into `item` and tells whether it is a list; `None` at the file's end.
    fn item(&mut self) -> Result<Option<bool>, Error> {
        self.item.clear();
        let mut first = [0];
        if !self.fill_or_end(&mut first)? {
            return Ok(None);
        }
        let [first] = first;
        let (length, is_list) = match first {
            0..0x80 => {
                self.item.push(first);
                return Ok(Some(false));
            }
            0x80..0xb8 => (usize::from(first - 0x80), false),
            0xb8..0xc0 => (self.length(first - 0xb7)?, false),
            0xc0..0xf8 => (usize::from(first - 0xc0), true),
            0xf8.. => (self.length(first - 0xf7)?, true),
        };
        if length > ITEM_BYTES_MAX {
            return Err(
                self.bad(self.at, &format!("holds an item of {length} bytes, more than there can be"))
            );
        }
        self.item.resize(length, 0);
        let mut item = std::mem::take(&mut self.item);
        let filled = self.fill(&mut item);
        self.item = item;
        filled.map(|()| Some(is_list))
    }

    /// Reads the length of an item in so many bytes.
    fn length(&mut self, bytes: u8) -> Result<usize, Error> {
        let mut length = [0; 8];
        let from = length.len().saturating_sub(usize::from(bytes));
        if let Some(tail) = length.get_mut(from..) {
            self.fill(tail)?;
        }
        Ok(usize::try_from(u64::from_be_bytes(length)).unwrap_or(usize::MAX))
    }

    fn fill(&mut self, to: &mut [u8]) -> Result<(), Error> {
        if to.is_empty() || self.fill_or_end(to)? {
            return Ok(());
        }
        Err(self.bad(self.at, "is cut off; export it again"))
    }

    /// Fills all of `to`; false if the file ends right here.
    fn fill_or_end(&mut self, to: &mut [u8]) -> Result<bool, Error> {
        let mut done = 0;
        while let Some(rest) = to.get_mut(done..).filter(|rest| !rest.is_empty()) {
            match self.input.read(rest) {
                Ok(0) if done == 0 => return Ok(false),
                Ok(0) => return Err(self.bad(self.at, "is cut off; export it again")),
                Ok(bytes) => done += bytes,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => return Err(crate::error::read(&self.path, error)),
            }
        }
        self.at += done as u64;
        Ok(true)
    }

    fn wrong(&self, what: String) -> Error {
        Error::File { path: self.path.clone(), what }
    }

    fn bad(&self, at: u64, what: &str) -> Error {
        self.wrong(format!("{what} (byte {at}, uncompressed)"))
    }
}

/// Key of a row.
enum Key {
    Account(B256),
    Slot(B256, B256),
    Code(B256),
}

/// A number without leading zeros.
fn number(bytes: &[u8]) -> Option<u64> {
    let mut whole = [0; 8];
    let from = whole.len().checked_sub(bytes.len())?;
    whole.get_mut(from..)?.copy_from_slice(bytes);
    Some(u64::from_be_bytes(whole))
}
