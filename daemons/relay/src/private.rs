//! Private transactions: the parameters of `eth_sendPrivateTransaction` and its kin, to a bundle of one transaction that any of
//! some blocks may hold.

use crate::bundle::{self, Asked, Checked, Circumstances};
use crate::fields::number;
use crate::refusal::Refusal;
use crate::wishes::Wishes;
use maidenlane_ethjson::params;
use maidenlane_wire::{BundleKind, Cancelled};
use serde::Deserialize;
use serde_json::value::RawValue;

/// Blocks for which a private transaction is on its way where nothing else is asked for.
pub const BLOCKS: u64 = 25;

/// The object of `eth_sendPrivateTransaction`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Object<'a> {
    #[serde(borrow)]
    tx: Option<&'a RawValue>,
    #[serde(borrow)]
    max_block_number: Option<&'a RawValue>,
    #[serde(borrow)]
    preferences: Option<&'a RawValue>,
}

/// Preferences that have a meaning here.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Preferences {
    can_revert: bool,
    /// Some clients write it here, others in `privacy`.
    use_mempool: bool,
    privacy: Privacy,
    validity: Validity,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Privacy {
    builders: Vec<String>,
    use_mempool: bool,
    mempool_rpc: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Validity {
    refund: Vec<serde::de::IgnoredAny>,
}

/// Reads the object of `eth_sendPrivateTransaction`.
///
/// # Errors
/// Naming the mistake.
pub fn read(json: &str, with: &Circumstances) -> Result<Checked, Refusal> {
    let object: Object<'_> = params::read(json).map_err(|_| Refusal::NotAnObject)?;
    let last = match object.max_block_number.map(RawValue::get) {
        None | Some("null") => None,
        Some(json) => Some(number("maxBlockNumber", json)?),
    };
    let tx = object.tx.ok_or(Refusal::Type { field: "tx", expected: "a 0x hex text" })?;
    made(tx.get(), last, object.preferences.map(RawValue::get), with)
}

/// Reads the parameters of `eth_sendPrivateRawTransaction`.
///
/// # Errors
/// Naming the mistake.
pub fn read_raw(tx: &str, preferences: Option<&str>, with: &Circumstances) -> Result<Checked, Refusal> {
    made(tx, None, preferences, with)
}

/// Reads a transaction from a wallet, with the preferences of the address that it came to.
///
/// # Errors
/// Naming the mistake.
pub fn read_from_wallet(tx: &str, wishes: &Wishes, with: &Circumstances) -> Result<Checked, Refusal> {
    let preferences = serde_json::json!({
        "canRevert": wishes.can_revert, "useMempool": wishes.mempool, "privacy": { "builders": wishes.builders },
    });
    let last = wishes.blocks.map(|blocks| with.next.saturating_add(blocks));
    made(tx, last, Some(&preferences.to_string()), with)
}

/// Reads the object of `eth_cancelPrivateTransaction`.
///
/// # Errors
/// Naming the mistake.
pub fn read_cancel(json: &str) -> Result<Cancelled, Refusal> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Object<'a> {
        #[serde(borrow)]
        tx_hash: Option<&'a RawValue>,
    }
    let object: Object<'_> = params::read(json).map_err(|_| Refusal::NotAnObject)?;
    let hash = object.tx_hash.and_then(|hash| params::hash(hash.get()).ok());
    let wrong = Refusal::Type { field: "txHash", expected: "a hash, 0x and 64 hex digits" };
    hash.map(Cancelled::Transaction).ok_or(wrong)
}

/// Blocks that may hold what is for the next one and all until `last`.
pub(crate) fn blocks(last: Option<u64>, with: &Circumstances) -> Result<(u64, u64), Refusal> {
    let last = last.unwrap_or_else(|| with.next.saturating_add(BLOCKS - 1));
    if last < with.next {
        return Err(Refusal::Past { next: with.next });
    }
    Ok((with.next, last.min(with.next.saturating_add(with.ahead_max))))
}

fn made(
    tx: &str,
    last: Option<u64>,
    preferences: Option<&str>,
    with: &Circumstances,
) -> Result<Checked, Refusal> {
    let text = params::string(tx).map_err(|_| Refusal::Type { field: "tx", expected: "a 0x hex text" })?;
    let wrong = Refusal::Type {
        field: "preferences",
        expected: "an object of canRevert, useMempool and privacy.builders",
    };
    let wanted: Preferences = match preferences {
        None | Some("null") => Preferences::default(),
        Some(json) => params::read(json).map_err(|_| wrong)?,
    };
    let mempool = wanted.use_mempool || wanted.privacy.use_mempool;
    if mempool && !with.mempool {
        return Err(Refusal::Unsupported { field: "useMempool" });
    }
    if wanted.privacy.mempool_rpc.is_some() {
        return Err(Refusal::Unsupported { field: "mempoolRpc" });
    }
    if !wanted.validity.refund.is_empty() {
        return Err(Refusal::Unsupported { field: "validity.refund" });
    }
    let fields = serde_json::json!({ "txs": [text], "builders": wanted.privacy.builders }).to_string();
    let Asked::Bundle(mut checked) = bundle::read(&fields, with)? else { return Err(Refusal::Empty) };
    let bundle = &mut checked.bundle;
    (bundle.kind, bundle.blocks, bundle.mempool) = (BundleKind::Private, blocks(last, with)?, mempool);
    if wanted.can_revert {
        bundle.reverting.clone_from(checked.hashes.reveal());
    }
    checked.content = bundle.content();
    Ok(*checked)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::{read, read_cancel, read_from_wallet, read_raw};
    use crate::bundle::Circumstances;
    use crate::refusal::Refusal;
    use crate::wishes::Wishes;
    use maidenlane_chain::{Address, B256};
    use maidenlane_wire::{BundleKind, Cancelled, Taken};
    use serde_json::json;

    pub(crate) fn circumstances() -> Circumstances {
        Circumstances {
            taken: Taken { relay: [1; 16], identity: None, at_ms: 7 },
            signer: Address::repeat_byte(1),
            chain_id: 1,
            next: 20,
            head_s: 100,
            ahead_max: 50,
            bytes_max: 100_000,
            mempool: true,
        }
    }

    pub(crate) fn transaction() -> String {
        let vectors: serde_json::Value =
            serde_json::from_str(include_str!("../golden/bundles.json")).unwrap();
        vectors["transactions"]["a"].as_str().unwrap().to_owned()
    }

    #[test]
    fn a_private_transaction_is_a_bundle_for_some_blocks() {
        let with = circumstances();
        let plain = read(&json!({ "tx": transaction() }).to_string(), &with).unwrap();
        assert_eq!((plain.bundle.kind, plain.bundle.blocks), (BundleKind::Private, (20, 44)));
        assert_eq!(plain.content, plain.bundle.content());
        let raw = read_raw(&format!("\"{}\"", transaction()), None, &with).unwrap();
        assert_eq!(raw, plain);
        let preferences =
            json!({ "fast": true, "canRevert": true, "privacy": { "hints": [], "builders": ["one"] } });
        let asked = json!({ "tx": transaction(), "maxBlockNumber": "0x15", "preferences": preferences });
        let asked = read(&asked.to_string(), &with).unwrap().bundle;
        assert_eq!((asked.blocks, asked.builders.len(), asked.reverting.len()), ((20, 21), 1, 1));
        let (text, wishes) = (format!("\"{}\"", transaction()), Wishes::default());
        assert_eq!(read_from_wallet(&text, &wishes, &with).unwrap(), plain);
        let builders = vec!["one".to_owned()];
        let wishes = Wishes { builders, can_revert: true, mempool: true, blocks: Some(9) };
        let asked = read_from_wallet(&text, &wishes, &with).unwrap().bundle;
        assert_eq!((asked.blocks, asked.builders.len(), asked.reverting.len()), ((20, 29), 1, 1));
        assert!(asked.mempool && !plain.bundle.mempool);
        let plain_number = json!({ "tx": transaction(), "maxBlockNumber": 21 }).to_string();
        assert_eq!(read(&plain_number, &with).unwrap().bundle.blocks, (20, 21), "as web3.py's plugin has it");
        let far = json!({ "tx": transaction(), "maxBlockNumber": "0xffff" }).to_string();
        assert_eq!(read(&far, &with).unwrap().bundle.blocks, (20, 70));
    }

    #[test]
    fn it_becomes_public_only_where_its_sender_and_the_settings_allow_it() {
        let asked = |preferences: serde_json::Value, mempool: bool| {
            let with = Circumstances { mempool, ..circumstances() };
            let asked = json!({ "tx": transaction(), "preferences": preferences }).to_string();
            read(&asked, &with).map(|checked| (checked.bundle.mempool, checked.content))
        };
        let plain = asked(json!({}), true).unwrap();
        assert!(!plain.0 && asked(json!({ "useMempool": false }), true) == Ok(plain));
        for allowing in [json!({ "useMempool": true }), json!({ "privacy": { "useMempool": true } })] {
            let (mempool, content) = asked(allowing.clone(), true).unwrap();
            assert!(mempool && content != plain.1, "another order: {allowing}");
            assert_eq!(asked(allowing, false), Err(Refusal::Unsupported { field: "useMempool" }));
        }
        let elsewhere = json!({ "privacy": { "mempoolRpc": "https://rpc.example" } });
        assert_eq!(asked(elsewhere, true), Err(Refusal::Unsupported { field: "mempoolRpc" }));
    }

    #[test]
    fn what_cannot_be_done_is_refused() {
        let check = |more: serde_json::Value, expect: Refusal| {
            let mut asked = json!({ "tx": transaction() });
            asked.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            assert_eq!(read(&asked.to_string(), &circumstances()).unwrap_err(), expect, "{more}");
        };
        check(json!({ "maxBlockNumber": "0x13" }), Refusal::Past { next: 20 });
        let refund = json!({ "refund": [{ "address": Address::ZERO, "percent": 50 }] });
        check(
            json!({ "preferences": { "validity": refund } }),
            Refusal::Unsupported { field: "validity.refund" },
        );
        check(
            json!({ "tx": "0x02c0" }),
            Refusal::Transaction { index: 0, problem: "rlp: input too short".to_owned() },
        );
        let hash = B256::repeat_byte(3);
        let cancel = read_cancel(&json!({ "txHash": hash }).to_string());
        assert!(cancel == Ok(Cancelled::Transaction(hash)));
        assert_eq!(read_cancel("{}").unwrap_err().field(), Some("txHash"));
    }
}
