//! Meaning of a record to a store: a pure decision. Which records there are, [`maidenlane_feed`] decides.

mod senders;

use alloy::consensus::Header;
use maidenlane_chain::block::{BlockError, block_hash, decode_header};
use maidenlane_chain::{B256, BlockRef};
use maidenlane_feed::Violation;
use maidenlane_store::Facts;
use maidenlane_wire::{Advance, DecodeError, Final, Genesis, Heartbeat, Open, Record, Rows, Start, Undo};
use std::sync::Arc;

/// Refusal of a feed that cannot be followed. Each needs a person: exit code 65.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the messages name the fields")]
pub enum Refusal {
    /// A record is missing.
    #[error("record {found} of epoch {epoch} follows record {expected_after}: the feed has a gap")]
    Gap {
        epoch: u64,
        /// Last `seq` that was read.
        expected_after: u64,
        found: u64,
    },
    /// The feed does not begin with a writer.
    #[error("the log begins in the middle of an epoch; restore a snapshot that is not older than the log")]
    NoOpen,
    /// Another chain.
    #[error(
        "the feed is of chain {found}, these settings or this database are of chain {expected}; correct `feed` or `chain`, or name another `stateDir`"
    )]
    Chain { expected: u64, found: u64 },
    /// Another genesis.
    #[error(
        "the feed's genesis is {found}, these settings or this database have {expected}; correct `feed` or `chain`, or name another `stateDir`"
    )]
    Genesis { expected: B256, found: B256 },
    /// Another feed under the same topic.
    #[error(
        "the topic holds another feed than the one this database follows; restore a snapshot or bootstrap anew"
    )]
    Feed,
    /// A block that does not fit the head.
    #[error("{what} {block} does not fit the head {head}")]
    Unfit { what: &'static str, block: BlockRef, head: BlockRef },
    /// An UNDO that takes back something else.
    #[error("the UNDO of block {block} has other rows than its ADVANCE had, first for {key}")]
    Rows {
        block: BlockRef,
        /// Address, slot or code hash.
        key: String,
    },
    /// A header that is not the block's.
    #[error("the header of block {0} has another hash")]
    Header(BlockRef),
    /// A header with another number or parent than its record.
    #[error("the header of block {0} has another number or parent than its record")]
    HeaderMismatch(BlockRef),
    /// The tap publishes no trie nodes, or did not when it published this block.
    #[error(
        "block {0} comes without trie nodes, which `proofs` wants; set `proofs` at its tap and begin a new feed, or set it to None here"
    )]
    NoNodes(BlockRef),
    /// A header that this build does not understand.
    #[error("block {block} cannot be applied")]
    Unreadable {
        block: BlockRef,
        #[source]
        source: BlockError,
    },
    /// Senders that are not those of the transactions.
    #[error(
        "the senders told of block {block} are not those of its transactions: {what}; look at the master and its hook"
    )]
    Senders { block: BlockRef, what: String },
    /// The feed begins above our head.
    #[error(
        "the feed begins at block {base}, this database stands at {head}; restore a snapshot, or import the state of that block (`maidenlane replica import`)"
    )]
    Base { base: BlockRef, head: String },
}

impl TryFrom<Violation> for Refusal {
    type Error = DecodeError;

    fn try_from(violation: Violation) -> Result<Self, DecodeError> {
        Ok(match violation {
            Violation::Gap { epoch, expected_after, found } => Self::Gap { epoch, expected_after, found },
            Violation::NoOpen => Self::NoOpen,
            Violation::OtherFeed => Self::Feed,
            Violation::Unreadable(error) => return Err(error),
        })
    }
}

/// Step that the store must take for a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Note chain and master.
    Open(Open),
    /// Write block 0, whose header this is.
    Genesis(Genesis, Arc<Header>),
    /// The feed begins at our head.
    Start(Start),
    /// Write the block, whose header this is.
    Advance(Advance, Arc<Header>),
    /// Take the block back.
    Undo(Undo),
    /// Note finality.
    Final(Final),
    /// Note a sign of life.
    Heartbeat(Heartbeat),
    /// Already in the store.
    Nothing,
}

/// Demands of the settings on a feed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Demands {
    /// EIP-155 chain id.
    pub chain_id: u64,
    /// Hash of block 0, if demanded.
    pub genesis: Option<B256>,
    /// True if every block must come with trie nodes.
    pub proofs: bool,
}

/// The step for `record` in a store with these `facts`.
///
/// # Errors
/// When it does not fit.
pub fn step(facts: &Facts, demands: Demands, record: Record) -> Result<Step, Refusal> {
    Ok(match record {
        Record::Open(open) => {
            check_open(facts, demands, &open)?;
            Step::Open(open)
        }
        Record::Genesis(record) => match facts.head {
            None => {
                let header = check_header(record.block, B256::ZERO, &record.header)?;
                Step::Genesis(record, header)
            }
            Some(_) => Step::Nothing,
        },
        Record::Start(record) => match facts.head {
            Some(head) if head == record.block => Step::Start(record),
            head => {
                let head = head.map_or_else(|| "nothing".to_owned(), |head| head.to_string());
                return Err(Refusal::Base { base: record.block, head });
            }
        },
        Record::Advance(record) => {
            let head = facts.head.unwrap_or_default();
            if facts.head.is_none() || record.parent != head.hash || record.block.number != head.number + 1 {
                return Err(Refusal::Unfit { what: "block", block: record.block, head });
            }
            let header = check_header(record.block, record.parent, &record.header)?;
            if demands.proofs && record.proofs.is_none() {
                return Err(Refusal::NoNodes(record.block));
            }
            senders::check(&record)?;
            Step::Advance(record, header)
        }
        Record::Undo(record) => {
            if facts.head != Some(record.block) {
                let head = facts.head.unwrap_or_default();
                return Err(Refusal::Unfit { what: "undo of block", block: record.block, head });
            }
            check_header(record.block, record.parent, &record.header)?;
            Step::Undo(record)
        }
        Record::Final(record) => Step::Final(record),
        Record::Heartbeat(record) => Step::Heartbeat(record),
        Record::Part(_) => Step::Nothing,
    })
}

/// Checks that a store with these `facts` is of the chain that the settings name.
///
/// # Errors
/// When it is of another one.
pub fn same_chain(facts: &Facts, demands: &Demands) -> Result<(), Refusal> {
    if facts.position.is_none() {
        return Ok(());
    }
    if facts.chain_id != demands.chain_id {
        return Err(Refusal::Chain { expected: demands.chain_id, found: facts.chain_id });
    }
    match demands.genesis {
        Some(expected) if expected != facts.genesis => {
            Err(Refusal::Genesis { expected, found: facts.genesis })
        }
        _ => Ok(()),
    }
}

fn check_open(facts: &Facts, demands: Demands, open: &Open) -> Result<(), Refusal> {
    if open.chain_id != demands.chain_id {
        return Err(Refusal::Chain { expected: demands.chain_id, found: open.chain_id });
    }
    if facts.position.is_some() && facts.chain_id != open.chain_id {
        return Err(Refusal::Chain { expected: facts.chain_id, found: open.chain_id });
    }
    let stored = facts.position.is_some().then_some(facts.genesis);
    match [demands.genesis, stored].into_iter().flatten().find(|expected| *expected != open.genesis) {
        Some(expected) => Err(Refusal::Genesis { expected, found: open.genesis }),
        None => Ok(()),
    }
}

/// Checks that the rows of an UNDO are those of our own ADVANCE, taken back.
///
/// # Errors
/// Naming the first key that differs.
pub fn same_rows(block: BlockRef, ours: &Rows, theirs: &Rows) -> Result<(), Refusal> {
    let differs = |key: String| Err(Refusal::Rows { block, key });
    if let Some(address) = other(&ours.accounts, &theirs.accounts, |row| row.address) {
        return differs(address.to_string());
    }
    if let Some(address) = other(&ours.storage, &theirs.storage, |row| row.address) {
        let of = |rows: &Rows| rows.storage.iter().find(|row| row.address == address).cloned();
        let slots = |rows: &Rows| of(rows).map(|row| row.slots).unwrap_or_default();
        let slot = other(&slots(ours), &slots(theirs), |row| row.key).unwrap_or_default();
        return differs(format!("{address}, slot hash {slot}"));
    }
    other(&ours.codes, &theirs.codes, |row| row.hash).map_or(Ok(()), |hash| differs(hash.to_string()))
}

/// Key of the first row in which two lists differ.
fn other<T: PartialEq, K>(ours: &[T], theirs: &[T], key: impl Fn(&T) -> K) -> Option<K> {
    let common = ours.iter().zip(theirs).find(|(ours, theirs)| ours != theirs).map(|(ours, _)| ours);
    let longer = if ours.len() > theirs.len() { ours } else { theirs };
    let more = || longer.get(ours.len().min(theirs.len()));
    common.or_else(more).map(key)
}

/// Decodes a header, which must say the same as the record around it: the head is moved by the record's words.
fn check_header(block: BlockRef, parent: B256, header: &[u8]) -> Result<Arc<Header>, Refusal> {
    if block_hash(header) != block.hash {
        return Err(Refusal::Header(block));
    }
    let header = decode_header(header).map_err(|source| Refusal::Unreadable { block, source })?;
    if (header.number, header.parent_hash) == (block.number, parent) {
        Ok(Arc::new(header))
    } else {
        Err(Refusal::HeaderMismatch(block))
    }
}
