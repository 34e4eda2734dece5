//! Writer of frames as the hook writes them: for golden bytes, recorded spools and tests.

use super::{Allocation, BLOCK, Frame, State, WITH_SENDERS, wrap, wrapped};
use crate::proofs::NodeRow;
use crate::rows::Rows;
use alloy::rlp::{Encodable, Header};
use maidenlane_chain::{Address, B256, Bytes};

/// Encodes one frame. Of a state's codes the account is lost in decoding, and their before: they are written under the
/// zero address as new.
#[must_use]
pub fn encode(frame: &Frame) -> Vec<u8> {
    let (kind, items) = match frame {
        Frame::Init { chain_config, client_version } => (1, cat(&[chain_config, client_version])),
        Frame::Genesis { block, alloc } => (2, [block.to_vec(), list_of(alloc, allocation)].concat()),
        Frame::Block { hash, block, senders } => {
            let items = [cat(&[hash]), block.to_vec()].concat();
            let Some(senders) = senders else { return wrap(BLOCK, &list(&items)) };
            return wrapped(WITH_SENDERS, BLOCK, &list(&[items, alloy::rlp::encode(senders)].concat()));
        }
        Frame::Receipts { hash, receipts } => (4, [cat(&[hash]), receipts.to_vec()].concat()),
        Frame::State(frame) => (5, state(frame)),
        Frame::Trie { hash, nodes } => (6, [cat(&[hash]), trie(nodes)].concat()),
        Frame::End { hash, parent, number } => (7, cat(&[hash, parent, number])),
        Frame::Failed { hash, number, error } => (8, cat(&[hash, number, error])),
        Frame::Hole { hash, number, reason } => {
            (9, cat(&[&hash.map_or_else(Bytes::new, |hash| hash.0.into()), number, reason]))
        }
    };
    wrap(kind, &list(&items))
}

fn state(frame: &State) -> Vec<u8> {
    let Rows { accounts, storage, codes } = &frame.rows;
    // One frame names its slots one way: plain if all of them are known.
    let hashed = storage.iter().flat_map(|account| &account.slots).any(|slot| slot.plain.is_none());
    let mut out = cat(&[&frame.hash, &frame.number, &frame.origin_root, &frame.root, &hashed]);
    out.extend(list_of(accounts, |row| cat(&[&row.address, &value(&row.before), &value(&row.after)])));
    out.extend(list_of(storage, |account| {
        let slots = list_of(&account.slots, |slot| {
            let key = slot.plain.filter(|_| !hashed).unwrap_or(slot.key);
            cat(&[&key, &value(&slot.before), &value(&slot.after)])
        });
        [cat(&[&account.address]), slots].concat()
    }));
    out.extend(list_of(codes, |row| {
        [cat(&[&Address::ZERO]), list(&[]), list(&cat(&[&row.hash, &row.code]))].concat()
    }));
    out
}

fn trie(nodes: &[NodeRow]) -> Vec<u8> {
    let owners: Vec<_> = nodes.chunk_by(|a, b| a.owner == b.owner).collect();
    list_of(&owners, |rows| {
        let owner = rows.first().and_then(|row| row.owner).unwrap_or_default();
        let nodes = list_of(rows, |row| cat(&[&row.path, &value(&row.before), &value(&row.after)]));
        [cat(&[&owner]), nodes].concat()
    })
}

fn allocation(account: &Allocation) -> Vec<u8> {
    let slots = list_of(&account.storage, |(slot, value): &(B256, Bytes)| cat(&[slot, value]));
    [cat(&[&account.address, &account.nonce, &account.balance, &account.code]), slots].concat()
}

fn value(value: &Option<Bytes>) -> Bytes {
    value.clone().unwrap_or_default()
}

/// Concatenates items.
fn cat(items: &[&dyn Encodable]) -> Vec<u8> {
    let mut out = Vec::new();
    for item in items {
        item.encode(&mut out);
    }
    out
}

fn list(items: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(items.len() + 9);
    Header { list: true, payload_length: items.len() }.encode(&mut out);
    out.extend_from_slice(items);
    out
}

fn list_of<T>(items: &[T], write: impl Fn(&T) -> Vec<u8>) -> Vec<u8> {
    list(&items.iter().flat_map(|item| list(&write(item))).collect::<Vec<_>>())
}
