//! Tests of refused transactions, form by form; against a real geth: `tests/e2e/transactions.rs`.

use crate::admit;
use crate::raw::{self, Sent};
use alloy::consensus::{
    EthereumTxEnvelope, Header, SignableTransaction as _, TxEip1559, TxEip2930, TxEip4844, TxEip4844Variant,
    TxEip4844WithSidecar, TxEip7702, TxLegacy,
};
use alloy::eips::eip2718::Encodable2718 as _;
use alloy::eips::eip4844::env_settings::EnvKzgSettings;
use alloy::eips::eip4844::{Blob, BlobTransactionSidecar};
use alloy::eips::eip7594::BlobTransactionSidecarVariant as Blobs;
use alloy::primitives::{Address, B256, Bytes, Signature, TxKind, U256, uint};
use maidenlane_chain::Rules;
use maidenlane_state::Account;

type Pooled = EthereumTxEnvelope<TxEip4844Variant<Blobs>>;

const GWEI: u128 = 1_000_000_000;
/// The curve's base point: with it as `r`, any transaction was signed by somebody.
const R: U256 = uint!(0x79BE667EF9DCBBAC55A06295CE870B07029BFCDB2DCE28D959F2815B16F81798_U256);
/// The order of the curve.
const N: U256 = uint!(0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141_U256);
const SIGNATURE: Signature = Signature::new(R, U256::ONE, false);

/// Transactions as bytes that a client sends.
trait Signed {
    fn signed(self, with: Signature) -> Bytes;
}

macro_rules! signed {
    ($($tx:ty),*) => {
        $(impl Signed for $tx {
            fn signed(self, with: Signature) -> Bytes {
                Pooled::from(self.into_signed(with)).encoded_2718().into()
            }
        })*
    };
}

signed!(TxLegacy, TxEip2930, TxEip1559, TxEip7702);

impl Signed for TxEip4844Variant<Blobs> {
    fn signed(self, with: Signature) -> Bytes {
        Pooled::Eip4844(self.into_signed(with)).encoded_2718().into()
    }
}

/// A transfer that nothing is wrong with.
fn transfer() -> TxEip1559 {
    TxEip1559 {
        chain_id: 1_337,
        nonce: 5,
        gas_limit: 50_000,
        max_fee_per_gas: GWEI,
        to: TxKind::Call(Address::repeat_byte(7)),
        ..TxEip1559::default()
    }
}

fn blobs(count: u8, wrap: bool) -> TxEip4844Variant<Blobs> {
    let filled = |number| Box::new(Blob::repeat_byte(number));
    let filled: Vec<Blob> = (0..count).map(|number| *filled(number)).collect();
    let sidecar = BlobTransactionSidecar::try_from_blobs_with_settings(filled, EnvKzgSettings::Default.get())
        .expect("blobs");
    let tx = TxEip4844 {
        chain_id: 1_337,
        nonce: 5,
        gas_limit: 50_000,
        max_fee_per_gas: GWEI,
        max_fee_per_blob_gas: 1,
        blob_versioned_hashes: sidecar.versioned_hashes().collect(),
        ..TxEip4844::default()
    };
    let sidecar = Blobs::Eip4844(sidecar);
    let sidecar = if wrap { sidecar.try_convert_into_eip7594().expect("proofs") } else { sidecar };
    TxEip4844Variant::TxEip4844WithSidecar(TxEip4844WithSidecar { tx, sidecar })
}

/// A blob transaction with something changed.
fn blobs_with(edit: impl FnOnce(&mut TxEip4844, &mut Blobs)) -> Bytes {
    let TxEip4844Variant::TxEip4844WithSidecar(mut tx) = blobs(1, true) else { unreachable!() };
    edit(&mut tx.tx, &mut tx.sidecar);
    TxEip4844Variant::TxEip4844WithSidecar(tx).signed(SIGNATURE)
}

/// Rules of a chain with the forks up to `until`, a name in a chain config, all from the beginning.
fn rules(until: &str) -> Rules {
    let by_block = [
        "homesteadBlock",
        "eip150Block",
        "eip155Block",
        "eip158Block",
        "byzantiumBlock",
        "constantinopleBlock",
        "petersburgBlock",
        "istanbulBlock",
        "berlinBlock",
        "londonBlock",
    ];
    let by_time = ["shanghaiTime", "cancunTime", "pragueTime", "osakaTime"];
    let last = by_block.iter().chain(&by_time).position(|name| *name == until).expect("a fork");
    let mut config = serde_json::json!({"chainId": 1337});
    by_block.iter().chain(&by_time).take(last + 1).for_each(|name| config[*name] = 0.into());
    if last >= by_block.len() {
        config["terminalTotalDifficulty"] = 0.into();
        let blobs = serde_json::json!({"target": 6, "max": 9, "baseFeeUpdateFraction": 5007716});
        config["blobSchedule"] = serde_json::json!({"cancun": blobs, "prague": blobs, "osaka": blobs});
    }
    Rules::parse(&config.to_string()).expect("a config")
}

/// Result of sending `raw` to a head with the forks up to `until`, from an account with nonce 5 and one ether.
fn outcome(raw: Bytes, until: &str) -> Result<Sent, String> {
    let (rules, head) = (rules(until), Header { gas_limit: 30_000_000, ..Header::default() });
    let account = Account { nonce: 5, balance: U256::from(10).pow(U256::from(18)), code_hash: B256::ZERO };
    let all = || {
        let sent = raw::decode(raw)?.with_current_proofs(&rules, &head)?;
        admit::alone(&sent, &rules, &head)?;
        admit::against(&sent, Some(&account))?;
        sent.prove()?;
        Ok(sent)
    };
    all().map_err(|error: maidenlane_jsonrpc::Error| error.message.into_owned())
}

#[track_caller]
fn check(raw: Bytes, until: &str, expect: Result<(), &str>) {
    let got = outcome(raw, until).map(drop);
    assert_eq!(got, expect.map_err(str::to_owned));
}

#[track_caller]
fn refused(tx: impl Signed, expect: &str) {
    check(tx.signed(SIGNATURE), "osakaTime", Err(expect));
}

#[test]
fn bytes_that_are_no_transaction() {
    let osaka = "osakaTime";
    for short in [&[][..], &[2], &[0x7f]] {
        check(Bytes::copy_from_slice(short), osaka, Err("typed transaction too short"));
    }
    for unknown in [&[0, 0xc0][..], &[5, 0xc0], &[0x7f, 0xc0]] {
        check(Bytes::copy_from_slice(unknown), osaka, Err("transaction type not supported"));
    }
    let whole = transfer().signed(SIGNATURE);
    let longer = [&whole[..], &[0]].concat();
    for broken in [&whole[..whole.len() - 1], &longer, &[0xc0], &[0x80], &[2, 0xc0], &[0xf8]] {
        let got = outcome(Bytes::copy_from_slice(broken), osaka).map(drop).unwrap_err();
        assert!(got.starts_with("rlp: "), "{got}");
    }
}

#[test]
fn every_type_is_taken_from_its_fork_on() {
    let (to, gas_limit, chain_id, nonce) = (Address::repeat_byte(7), 50_000, 1_337, 5);
    let call = TxKind::Call(to);
    let legacy =
        TxLegacy { chain_id: Some(1_337), nonce, gas_limit, gas_price: 1, to: call, ..TxLegacy::default() };
    check(legacy.signed(SIGNATURE), "eip155Block", Ok(()));
    let listed = TxEip2930 { chain_id, nonce, gas_limit, gas_price: 1, to: call, ..TxEip2930::default() };
    let early = |kind: u8, fork: &str| {
        format!("transaction type not supported: type {kind} rejected, pool not yet in {fork}")
    };
    let listed = listed.signed(SIGNATURE);
    check(listed.clone(), "istanbulBlock", Err(&early(1, "Berlin")));
    check(listed, "berlinBlock", Ok(()));
    let dynamic = transfer().signed(SIGNATURE);
    check(dynamic.clone(), "istanbulBlock", Err(&early(2, "Berlin")));
    check(dynamic.clone(), "berlinBlock", Err(&early(2, "London")));
    check(dynamic, "londonBlock", Ok(()));
    let with_blobs = blobs(1, true).signed(SIGNATURE);
    check(with_blobs.clone(), "shanghaiTime", Err(&early(3, "Cancun")));
    check(with_blobs, "cancunTime", Ok(()));
    let authorization = alloy::eips::eip7702::Authorization { chain_id: U256::ZERO, address: to, nonce: 0 };
    let delegation = TxEip7702 {
        chain_id,
        nonce,
        gas_limit,
        to,
        max_fee_per_gas: 1,
        authorization_list: vec![authorization.into_signed(SIGNATURE)],
        ..TxEip7702::default()
    };
    let nobody = TxEip7702 { authorization_list: Vec::new(), ..delegation.clone() };
    refused(nobody, "set code tx must have at least one authorization tuple");
    let delegation = delegation.signed(SIGNATURE);
    check(delegation.clone(), "cancunTime", Err(&early(4, "Prague")));
    check(delegation, "pragueTime", Ok(()));
}

#[test]
fn limits() {
    refused(
        TxEip1559 { max_fee_per_gas: 30_000 * GWEI, ..transfer() },
        "tx fee (1.50 ether) exceeds the configured cap (1.00 ether)",
    );
    let unprotected = TxLegacy { chain_id: None, nonce: 5, gas_limit: 50_000, ..TxLegacy::default() };
    refused(unprotected, "only replay-protected (EIP-155) transactions allowed over RPC");
    let input: Bytes = vec![0; 131_072].into();
    let size = TxEip1559 { input: input.clone(), ..transfer() }.signed(SIGNATURE).len();
    let text = format!("oversized data: transaction size {size}, limit 131072");
    refused(TxEip1559 { input, ..transfer() }, &text);
    refused(
        TxEip1559 { to: TxKind::Create, input: vec![0; 49_153].into(), ..transfer() },
        "max initcode size exceeded: code size 49153 limit 49152",
    );
    let greedy = TxEip1559 { gas_limit: 16_777_217, max_fee_per_gas: 1, ..transfer() };
    refused(greedy.clone(), "transaction gas limit too high (cap: 16777216, tx: 16777217)");
    check(greedy.signed(SIGNATURE), "pragueTime", Ok(()));
    let greedier = TxEip1559 { gas_limit: 30_000_001, max_fee_per_gas: 1, ..transfer() };
    check(greedier.signed(SIGNATURE), "pragueTime", Err("exceeds block gas limit"));
    refused(
        TxEip1559 { max_priority_fee_per_gas: GWEI + 1, ..transfer() },
        "max priority fee per gas higher than max fee per gas",
    );
    refused(
        TxEip1559 { gas_limit: 20_999, ..transfer() },
        "intrinsic gas too low: gas 20999, minimum needed 21000",
    );
    // 100 tokens of 4 for a byte: 40 in the floor, 16 before it.
    refused(
        TxEip1559 { gas_limit: 24_999, input: vec![1; 100].into(), ..transfer() },
        "insufficient gas for floor data gas cost: gas 24999, minimum needed 25000",
    );
    refused(TxEip1559 { nonce: u64::MAX, ..transfer() }, "nonce has max value");
}

#[test]
fn senders() {
    refused(
        TxEip1559 { chain_id: 1, ..transfer() },
        "invalid sender: invalid chain id for signer: have 1 want 1337",
    );
    let invalid = Err("invalid sender: invalid transaction v, r, s values");
    check(transfer().signed(Signature::new(R, N - U256::ONE, true)), "osakaTime", invalid);
    check(transfer().signed(Signature::new(U256::ZERO, U256::ONE, true)), "osakaTime", invalid);
    refused(TxEip1559 { nonce: 4, ..transfer() }, "nonce too low: next nonce 5, tx nonce 4");
    check(TxEip1559 { nonce: 7, ..transfer() }.signed(SIGNATURE), "osakaTime", Ok(()));
    let ether = U256::from(10).pow(U256::from(18));
    refused(
        TxEip1559 { value: ether, ..transfer() },
        "insufficient funds for gas * price + value: balance 1000000000000000000, \
         tx cost 1000050000000000000, overshot 50000000000000",
    );
    let sent = raw::decode(transfer().signed(SIGNATURE)).expect("decoded");
    let nobody = admit::against(&sent, None).expect_err("no account").message;
    assert!(nobody.contains("balance 0, tx cost 50000000000000"), "{nobody}");
}

#[test]
fn blobs_and_their_proofs() {
    let osaka = "osakaTime";
    let six = outcome(blobs(6, true).signed(SIGNATURE), osaka).expect("six");
    let entry = maidenlane_wire::transaction::ENTRY_MAX_BYTES;
    assert!(six.raw.len() < entry - 100, "six blobs fit into an entry");
    // Older clients send one proof per blob.
    let old = blobs(1, false).signed(SIGNATURE);
    let sent = outcome(old.clone(), osaka).expect("converted");
    assert_eq!(sent.raw, blobs(1, true).signed(SIGNATURE));
    check(old, "pragueTime", Err("Wrong sidecar format: unexpected sidecar version, want: 1, got: 0"));

    let bare = |tx: &TxEip4844| TxEip4844Variant::<Blobs>::TxEip4844(tx.clone()).signed(SIGNATURE);
    let TxEip4844Variant::TxEip4844WithSidecar(tx) = blobs(1, true) else { unreachable!() };
    check(bare(&tx.tx), osaka, Err("missing sidecar in blob transaction"));
    let unpaid = blobs_with(|tx, _| tx.max_fee_per_blob_gas = 0);
    let text = "transaction gas price below minimum: blob fee cap 0, minimum needed 1";
    check(unpaid, osaka, Err(text));
    let more = blobs_with(|tx, _| tx.blob_versioned_hashes.push(B256::ZERO));
    check(more, osaka, Err("invalid number of 1 blob commitments compared to 2 blob hashes"));
    let other = blobs_with(|tx, _| tx.blob_versioned_hashes = vec![B256::repeat_byte(1)]);
    let text = outcome(other, osaka).expect_err("another hash");
    assert!(text.starts_with("blob 0: computed hash 0x01"), "{text}");
    assert!(text.ends_with(&format!(" mismatches transaction one {}", B256::repeat_byte(1))), "{text}");
    let seven = blobs(7, true).signed(SIGNATURE);
    check(seven, osaka, Err("transaction blob limit exceeded: blob count 7, limit 6"));
    let few = blobs_with(|_, blobs| {
        let Blobs::Eip7594(blobs) = blobs else { unreachable!() };
        blobs.cell_proofs.pop();
    });
    let text = "Wrong sidecar format: invalid number of 127 blob proofs expected 128";
    check(few, osaka, Err(text));
    let false_proof = blobs_with(|_, blobs| {
        let Blobs::Eip7594(blobs) = blobs else { unreachable!() };
        blobs.cell_proofs.swap(0, 1);
        blobs.blobs[0] = Blob::repeat_byte(9);
    });
    let text = outcome(false_proof, osaka).expect_err("a false proof");
    assert!(text.starts_with("KZG verification error: "), "{text}");
}
