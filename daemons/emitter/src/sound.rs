//! Entries of the topic of transactions, checked: any producer may write there.
//!
//! # Why not more
//! What depends on forks, prices and accounts is the nodes' to judge, who know all of it and say it in words that end in
//! an outcome. Here is what must hold before anything may be said of a transaction: an entry that names another hash, or
//! stands in the partition of another sender, would give somebody else's transaction a verdict.

use alloy::consensus::Transaction as _;
use maidenlane_chain::{Address, B256, Bytes};
use maidenlane_ethjson::raw;
use maidenlane_log::Entry;
use maidenlane_wire::{DecodeError, Transaction};

/// Longest transaction without blobs, and with them: geth's.
const SIZE_MAX: usize = 131_072;
const BLOB_SIZE_MAX: usize = 1 << 20;

/// A transaction that may be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sound {
    /// keccak256 of its consensus form.
    pub hash: B256,
    /// Address of the signer.
    pub sender: Address,
    /// Place in the sender's order.
    pub nonce: u64,
    /// Form in which nodes take it.
    pub raw: Bytes,
    /// Word by which a route is chosen.
    pub tag: Option<String>,
}

impl Sound {
    /// Form in which a block holds it.
    #[must_use]
    pub fn without_blobs(&self) -> Bytes {
        raw::decode(self.raw.clone()).map_or_else(|_| self.raw.clone(), |sent| sent.without_blobs())
    }
}

/// Fault of an entry.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unsound {
    /// An entry of a newer schema: passing over it would lose a transaction.
    #[error(transparent)]
    Newer(DecodeError),
    /// The entry proves nothing about any transaction, so nothing is told of one.
    #[error("an entry of the topic of transactions is none, see what writes there: {0}")]
    Foreign(String),
    /// A transaction that no node takes.
    #[error("{reason}")]
    Refused {
        /// keccak256 of its consensus form.
        hash: B256,
        /// Address of the signer.
        sender: Address,
        /// Reason, in geth's words.
        reason: String,
    },
}

/// Checks an entry: the transaction, and when it was taken by the clock of whoever took it.
///
/// # Errors
/// Naming the fault.
pub fn sound(entry: &Entry, chain_id: u64) -> Result<(Sound, u64), Unsound> {
    let foreign = |what: &dyn std::fmt::Display| Unsound::Foreign(what.to_string());
    let stated = Transaction::decode(&entry.payload).map_err(|error| match error {
        newer @ DecodeError::UnknownSchema { .. } => Unsound::Newer(newer),
        other => foreign(&other),
    })?;
    let Transaction { hash, sender, raw, taken_ms, tag, identity: _ } = stated;
    let sent = raw::stated(raw, hash, sender).map_err(|fault| foreign(&fault))?;
    if entry.key.as_deref() != Some(sender.as_slice()) {
        return Err(foreign(&format_args!("the key of {hash} is not its sender")));
    }
    let refuse = |reason: String| Err(Unsound::Refused { hash, sender, reason });
    match sent.tx.chain_id() {
        None => return refuse("only replay-protected (EIP-155) transactions allowed over RPC".to_owned()),
        Some(id) if id != chain_id => {
            return refuse(format!("invalid sender: invalid chain id for signer: have {id} want {chain_id}"));
        }
        Some(_) => {}
    }
    let (size, limit) = (sent.raw.len(), if sent.tx.is_eip4844() { BLOB_SIZE_MAX } else { SIZE_MAX });
    if size > limit {
        return refuse(format!("oversized data: transaction size {size}, limit {limit}"));
    }
    if sent.tx.is_eip4844() && sent.blobs.is_none() {
        return refuse("missing sidecar in blob transaction".to_owned());
    }
    Ok((Sound { hash, sender, nonce: sent.tx.nonce(), raw: sent.raw, tag }, taken_ms))
}

#[cfg(test)]
mod tests {
    use super::{Sound, Unsound, sound};
    use alloy::eips::eip2718::Encodable2718;
    use maidenlane_chain::{Address, B256, Bytes};
    use maidenlane_log::{Entry, Offset};
    use maidenlane_wire::Transaction;

    /// The example of EIP-155, of chain 1.
    const RAW: &str = "f86c098504a817c800825208943535353535353535353535353535353535353535880de0b6b3a76400008025a028ef61340bd939bc2195fe537567866003e1a15d3c71ff63e1590620aa636276a067cbe9d8997f761aecb703304b3800ccf555c9f3dc64214b297fb1966a3b6d83";

    fn stated(raw: &str) -> Transaction {
        let raw: Bytes = raw.parse().unwrap();
        let sent = maidenlane_ethjson::raw::decode(raw.clone()).unwrap();
        let sender = maidenlane_chain::transaction::sender(&sent.tx);
        Transaction { hash: *sent.tx.tx_hash(), sender, raw, taken_ms: 7, tag: None, identity: None }
    }

    fn check(stated: &Transaction, key: Option<Address>, chain_id: u64) -> Result<(Sound, u64), Unsound> {
        let key = key.map(|key| key.to_vec());
        sound(&Entry { offset: Offset(0), key, payload: stated.encode() }, chain_id)
    }

    #[test]
    fn what_is_sound_is_taken() {
        let stated = stated(RAW);
        let (sound, taken_ms) = check(&stated, Some(stated.sender), 1).unwrap();
        assert_eq!((sound.hash, sound.sender, sound.nonce, taken_ms), (stated.hash, stated.sender, 9, 7));
    }

    #[test]
    fn an_entry_that_names_another_s_transaction_says_nothing_of_it() {
        let good = stated(RAW);
        let (other, someone) = (B256::repeat_byte(1), Address::repeat_byte(1));
        for (bad, key) in [
            (Transaction { hash: other, ..good.clone() }, Some(good.sender)),
            (Transaction { sender: someone, ..good.clone() }, Some(someone)),
            (Transaction { raw: vec![2].into(), ..good.clone() }, Some(good.sender)),
            (good.clone(), Some(someone)),
            (good.clone(), None),
        ] {
            let refused = check(&bad, key, 1);
            assert!(matches!(refused, Err(Unsound::Foreign(_))), "{bad:?} {key:?}: {refused:?}");
        }
    }

    #[test]
    fn an_entry_of_a_newer_schema_is_not_passed_over() {
        let good = stated(RAW);
        let (mut payload, key) = (good.encode(), Some(good.sender.to_vec()));
        payload[2] ^= 1;
        let refused = sound(&Entry { offset: Offset(0), key, payload }, 1);
        assert!(matches!(refused, Err(Unsound::Newer(_))), "{refused:?}");
    }

    #[test]
    fn what_no_node_takes_is_refused_in_geth_s_words() {
        let unprotected = Bytes::from(maidenlane_testkit::feed::transfer(1).encoded_2718()).to_string();
        for (raw, chain_id, expect) in [(RAW, 5, "have 1 want 5"), (&unprotected, 1, "replay-protected")] {
            let stated = stated(raw);
            match check(&stated, Some(stated.sender), chain_id) {
                Err(Unsound::Refused { hash, sender, reason }) => {
                    assert_eq!((hash, sender), (stated.hash, stated.sender));
                    assert!(reason.contains(expect), "{reason}");
                }
                other => panic!("{other:?}"),
            }
        }
    }
}
