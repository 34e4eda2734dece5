//! State root, from rows as they pass: each account's storage is held against the root that the account names, and all
//! accounts against the header.

use crate::error::Error;
use crate::pending::{Pending, Place};
use crate::row::Row;
use crate::runs::{self, Runs};
use crate::series::{Series, Whole};
use alloy::rlp::Encodable;
use maidenlane_chain::{B256, U256};
use maidenlane_state::trie::{Ascending, EMPTY_ROOT_HASH, Nibbles, NodeKey, Owner};
use maidenlane_store::bulk::{Format, Table, node_key};
use serde::{Deserialize, Serialize};
use std::path::Path;

/// Nodes of one trie that are held in memory, in bytes.
const NODES_BYTES_MAX: usize = if cfg!(test) { 2_000 } else { 32 << 20 };

/// How far a check has come.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct State {
    accounts: Ascending,
    storage: Option<Storage>,
    pending: Place,
    /// Nodes of the account trie.
    account_nodes: runs::Files,
    /// Nodes of the storage trie that grows.
    storage_nodes: runs::Files,
    /// Files of nodes that are whole.
    pub(crate) files: Whole,
    pub(crate) counts: Counts,
}

/// Numbers of rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Accounts.
    pub accounts: u64,
    /// Slots.
    pub slots: u64,
    /// Codes, some of them more than once.
    pub codes: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Storage {
    account: B256,
    root: B256,
    slots: Ascending,
}

/// A check that goes on.
pub(crate) struct Check<'a> {
    accounts: Ascending,
    storage: Option<Storage>,
    pending: Pending,
    counts: Counts,
    nodes: Option<Nodes<'a>>,
    files: Whole,
    value: Vec<u8>,
}

/// Trie nodes on their way into files.
struct Nodes<'a> {
    accounts: Runs,
    storage: Runs,
    files: Series<'a>,
    /// First failure of the disk in a trie that knows of no disk.
    failed: Option<Error>,
}

impl<'a> Check<'a> {
    /// The check in `dir` from `state` on; with a format of nodes, they are kept.
    pub(crate) fn open(dir: &'a Path, state: State, nodes: Option<&'a Format>) -> Result<Self, Error> {
        let runs = |name, files| Runs::open(dir, name, NODES_BYTES_MAX, files);
        let nodes = match nodes {
            None => None,
            Some(format) => Some(Nodes {
                accounts: runs("account-nodes", &state.account_nodes)?,
                storage: runs("storage-nodes", &state.storage_nodes)?,
                files: Series::behind(dir, Table::Nodes, format, state.files),
                failed: None,
            }),
        };
        Ok(Self {
            accounts: state.accounts,
            storage: state.storage,
            pending: Pending::open(dir, state.pending)?,
            counts: state.counts,
            nodes,
            files: state.files,
            value: Vec::new(),
        })
    }

    /// Looks at the next row.
    pub(crate) fn take(&mut self, row: &Row) -> Result<(), Error> {
        self.value.clear();
        match row {
            Row::Account(key, account) => {
                self.counts.accounts += 1;
                if account.storage_root != EMPTY_ROOT_HASH {
                    self.pending.add(*key, account.storage_root)?;
                }
                account.trie().encode(&mut self.value);
                self.accounts.add(*key, &self.value, &mut emit(&mut self.nodes, None))?;
            }
            Row::Slot(account, key, value) => {
                self.counts.slots += 1;
                self.slot(*account, *key, *value)?;
            }
            Row::Code(..) => self.counts.codes += 1,
        }
        failure(&mut self.nodes)
    }

    fn slot(&mut self, account: B256, key: B256, value: U256) -> Result<(), Error> {
        if self.storage.as_ref().is_none_or(|storage| storage.account != account) {
            self.end_storage()?;
            let root = match self.pending.take()? {
                Some((next, root)) if next == account => root,
                Some((next, _)) if next < account => return Err(Error::NoSlots(next)),
                _ => return Err(Error::StraySlots(account)),
            };
            self.storage = Some(Storage { account, root, slots: Ascending::default() });
        }
        value.encode(&mut self.value);
        match &mut self.storage {
            Some(storage) => {
                let mut emit = emit(&mut self.nodes, Some(account));
                storage
                    .slots
                    .add(key, &self.value, &mut emit)
                    .map_err(|source| Error::Slots { account, source })
            }
            None => Ok(()),
        }
    }

    /// Ends the storage trie that grows.
    fn end_storage(&mut self) -> Result<(), Error> {
        let Some(Storage { account, root, slots }) = self.storage.take() else { return Ok(()) };
        let found = slots.root(&mut emit(&mut self.nodes, Some(account)));
        if found != root {
            return Err(Error::StorageRoot { account, expected: root, found });
        }
        match &mut self.nodes {
            Some(nodes) => drain(&mut nodes.storage, &mut nodes.files),
            None => Ok(()),
        }
    }

    /// Has everything on the disk, and tells how far it is.
    pub(crate) fn pause(mut self) -> Result<State, Error> {
        let (mut account_nodes, mut storage_nodes) = (runs::Files::default(), runs::Files::default());
        if let Some(nodes) = &mut self.nodes {
            (account_nodes, storage_nodes) = (nodes.accounts.sync()?, nodes.storage.sync()?);
            self.files = nodes.files.end()?;
        }
        Ok(State {
            accounts: self.accounts,
            storage: self.storage,
            pending: self.pending.sync()?,
            account_nodes,
            storage_nodes,
            files: self.files,
            counts: self.counts,
        })
    }

    /// Ends all tries: the state root, and the files of nodes.
    pub(crate) fn end(mut self) -> Result<(B256, Whole, Counts), Error> {
        self.end_storage()?;
        if let Some((account, _)) = self.pending.take()? {
            return Err(Error::NoSlots(account));
        }
        let root = self.accounts.root(&mut emit(&mut self.nodes, None));
        if let Some(nodes) = &mut self.nodes {
            // Their keys are below those of all storage tries: they need files of their own.
            nodes.files.end()?;
            drain(&mut nodes.accounts, &mut nodes.files)?;
            self.files = nodes.files.end()?;
        }
        failure(&mut self.nodes)?;
        Ok((root, self.files, self.counts))
    }
}

/// Takes the nodes of a trie.
fn emit<'a>(nodes: &'a mut Option<Nodes<'_>>, owner: Owner) -> impl FnMut(Nibbles, &[u8]) + 'a {
    move |path, node| {
        let Some(nodes) = nodes else { return };
        let runs = if owner.is_none() { &mut nodes.accounts } else { &mut nodes.storage };
        if let Err(error) = runs.add(path.len(), &node_key(&NodeKey { owner, path }), node) {
            nodes.failed.get_or_insert(error);
        }
    }
}

fn failure(nodes: &mut Option<Nodes<'_>>) -> Result<(), Error> {
    nodes.as_mut().and_then(|nodes| nodes.failed.take()).map_or(Ok(()), Err)
}

fn drain(runs: &mut Runs, files: &mut Series<'_>) -> Result<(), Error> {
    runs.drain(|key, node| Ok(files.file()?.node(key, node)?))
}
