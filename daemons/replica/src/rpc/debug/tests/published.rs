//! Tracer cases that go-ethereum publishes in its own module: a state, a transaction, and the answer of geth's tracer.

use super::difference;
use crate::rpc::debug::config::Raw;
use crate::rpc::rerun::bounds::Bounds;
use crate::rpc::rerun::run::TracedAt;
use alloy::consensus::Header;
use alloy::eips::eip2718::Decodable2718 as _;
use alloy::genesis::GenesisAccount;
use alloy::primitives::{Address, B256, Bytes, KECCAK256_EMPTY, U256, keccak256};
use maidenlane_chain::BlockRef;
use maidenlane_chain::Rules;
use maidenlane_chain::Transaction;
use maidenlane_chain::transaction::sender;
use maidenlane_evm::budget::Budget;
use maidenlane_evm::codes::Codes;
use maidenlane_evm::database::StateDb;
use maidenlane_evm::precompiles::Precompiles;
use maidenlane_evm::replay::{Replay, tx_env};
use maidenlane_evm::rules::EvmRules as _;
use maidenlane_state::{Account, At, Before, Head, LogQuery, ReadError, StateView};
use revm::context_interface::block::BlobExcessGasAndPrice;
use serde_json::{Value, json};
use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The module that the harness builds geth from.
const MODULE: &str = "github.com/ethereum/go-ethereum@v1.17.5";

/// Cases that differ, each with its reason. The list shrinks only.
const EXCEPTIONS: [(&str, &str); 1] =
    [("call_tracer_withLog/frontier_create_outofstorage", "revm drops code that Frontier could not pay for")];

/// A state from a genesis file, and nothing else.
struct Prestate {
    head: Head,
    accounts: HashMap<B256, Account>,
    slots: HashMap<(B256, B256), U256>,
    codes: HashMap<B256, Bytes>,
}

impl Prestate {
    fn new(alloc: &BTreeMap<Address, GenesisAccount>, rules: Arc<Rules>, header: Header) -> Self {
        let (mut accounts, mut slots, mut codes) = (HashMap::new(), HashMap::new(), HashMap::new());
        for (address, account) in alloc {
            let key = keccak256(address);
            let code = account.code.clone().unwrap_or_default();
            let code_hash = if code.is_empty() { KECCAK256_EMPTY } else { keccak256(&code) };
            codes.insert(code_hash, code);
            let nonce = account.nonce.unwrap_or_default();
            accounts.insert(key, Account { nonce, balance: account.balance, code_hash });
            for (slot, value) in account.storage.iter().flatten() {
                slots.insert((key, keccak256(slot)), (*value).into());
            }
        }
        let head = Head {
            block: BlockRef::new(header.number, B256::ZERO),
            header: Arc::new(header),
            safe: None,
            finalized: None,
            state_floor: 0,
            body_floor: 0,
            proofs_floor: None,
            rules,
            client_version: "Geth/test".into(),
            network_id: None,
        };
        Self { head, accounts, slots, codes }
    }
}

impl StateView for Prestate {
    fn head(&self) -> &Head {
        &self.head
    }
    fn account(&self, key: B256, _: At) -> Result<Option<Account>, ReadError> {
        Ok(self.accounts.get(&key).copied())
    }
    fn slot(&self, account: B256, key: B256, _: At) -> Result<U256, ReadError> {
        Ok(self.slots.get(&(account, key)).copied().unwrap_or_default())
    }
    fn accounts(
        &self,
        _: B256,
        _: At,
        _: &mut dyn FnMut(B256, maidenlane_chain::Account) -> bool,
    ) -> Result<(), ReadError> {
        panic!("a trace walks through no state")
    }

    fn slots(&self, _: B256, _: B256, _: At, _: &mut dyn FnMut(B256, U256) -> bool) -> Result<(), ReadError> {
        panic!("a trace walks through no state")
    }

    fn before(&self, _: BlockRef) -> Result<Option<Before>, ReadError> {
        panic!("no block is run")
    }

    fn node(&self, _: &maidenlane_state::trie::NodeKey, _: At) -> Result<Option<Bytes>, ReadError> {
        Ok(None)
    }
    fn code(&self, hash: B256) -> Result<Option<Bytes>, ReadError> {
        Ok(self.codes.get(&hash).cloned())
    }
    fn hash_of(&self, _: u64) -> Result<Option<B256>, ReadError> {
        Ok(None)
    }
    fn find(&self, _: B256) -> Result<Option<(u64, bool)>, ReadError> {
        Ok(None)
    }
    fn header(&self, _: BlockRef) -> Result<Option<Bytes>, ReadError> {
        Ok(None)
    }
    fn body(&self, _: BlockRef) -> Result<Option<Bytes>, ReadError> {
        Ok(None)
    }
    fn receipts(&self, _: BlockRef) -> Result<Option<Bytes>, ReadError> {
        Ok(None)
    }
    fn senders(&self, _: BlockRef) -> Result<Option<Vec<Address>>, ReadError> {
        Ok(None)
    }
    fn transaction(&self, _: B256) -> Result<Option<(BlockRef, usize)>, ReadError> {
        Ok(None)
    }
    fn logs(&self, _: &LogQuery, _: &mut dyn FnMut(u64, &[u32]) -> bool) -> Result<(), ReadError> {
        Ok(())
    }
}

/// A number as the cases write it: hexadecimal or decimal, as text or not.
fn number(value: &Value) -> U256 {
    match value {
        Value::String(text) => text.parse().expect("a number"),
        Value::Null => U256::ZERO,
        other => other.to_string().parse().expect("a number"),
    }
}

fn small(value: &Value) -> u64 {
    number(value).try_into().expect("64 bits")
}

/// The header of the block that the transaction is in.
fn header(case: &Value, config: &Value) -> Header {
    let (context, genesis) = (&case["context"], &case["genesis"]);
    let merged = config["terminalTotalDifficulty"] == json!(0);
    Header {
        number: small(&context["number"]),
        timestamp: small(&context["timestamp"]),
        gas_limit: small(&context["gasLimit"]),
        difficulty: if merged { U256::ZERO } else { number(&context["difficulty"]) },
        mix_hash: serde_json::from_value(genesis["mixHash"].clone()).unwrap_or_default(),
        beneficiary: serde_json::from_value(context["miner"].clone()).expect("a miner"),
        base_fee_per_gas: context.get("baseFeePerGas").map(small),
        excess_blob_gas: Some(genesis.get("excessBlobGas").map_or(0, small)),
        ..Header::default()
    }
}

/// Answer of the replica's tracer to a case.
fn answer_of(tracer: &str, case: &Value) -> Value {
    let mut config = case["genesis"]["config"].clone();
    // Go does not mind the case of a field's name.
    if let Some(istanbul) = config.as_object_mut().and_then(|config| config.remove("IstanbulBlock")) {
        config["istanbulBlock"] = istanbul;
    }
    let rules = Arc::new(Rules::parse(&config.to_string()).expect("a chain config"));
    let header = header(case, &config);
    let mut alloc = case["genesis"]["alloc"].clone();
    strip(&mut alloc, &["codeHash"]);
    let alloc: BTreeMap<Address, GenesisAccount> = serde_json::from_value(alloc).expect("an alloc");
    let bytes: Bytes = serde_json::from_value(case["input"].clone()).expect("bytes");
    let tx = Transaction::decode_2718(&mut &bytes[..]).expect("a transaction");
    let spec = rules.spec(&header);
    let mut cfg = maidenlane_evm::cfg(spec, rules.chain_id());
    let fraction = rules.blobs(header.timestamp).map(|blobs| blobs.update_fraction);
    cfg.blob_base_fee_update_fraction = fraction.and_then(|fraction| u64::try_from(fraction).ok());
    let source = Prestate::new(&alloc, Arc::clone(&rules), header.clone());
    let codes = Codes::new(1 << 24);
    let db = StateDb::bare(&source, At::Latest, header.number, &codes);
    let mut env = rules.block_env(&header);
    let free = BlobExcessGasAndPrice { excess_blob_gas: 0, blob_gasprice: 1 };
    // Some cases have no schedule of blobs.
    env.blob_excess_gas_and_price = env.blob_excess_gas_and_price.or(Some(free));
    let mut replay = Replay::on(db, env, cfg, Precompiles::new(spec, None));
    let wanted = json!({"tracer": tracer, "tracerConfig": case["tracerConfig"], "timeout": "60s"});
    let config = Raw::read(&wanted.to_string()).and_then(|raw| raw.checked().map_err(|e| e.to_string()));
    let far = Instant::now() + Duration::from_secs(60);
    let mut bounds = Bounds { most_bytes: 1 << 30, budget: Budget::until(far, Arc::default()) };
    let env = tx_env(&tx, sender(&tx));
    let text = config.expect("served").trace(&mut replay, env, TracedAt::default(), &mut bounds, 1 << 30);
    text.map_or_else(|error| json!(error.to_string()), |text| serde_json::from_str(&text).expect("JSON"))
}

/// Removes the fields of these names, at any depth.
fn strip(value: &mut Value, names: &[&str]) {
    match value {
        Value::Object(object) => {
            object.retain(|name, _| !names.contains(&name.as_str()));
            object.values_mut().for_each(|value| strip(value, names));
        }
        Value::Array(list) => list.iter_mut().for_each(|value| strip(value, names)),
        _ => (),
    }
}

/// Removes what is empty, null or zero.
fn prune(value: &mut Value) {
    let is_nothing = |value: &Value| match value {
        Value::Null => true,
        Value::String(text) => {
            text.strip_prefix("0x").is_some_and(|digits| digits.bytes().all(|d| d == b'0'))
        }
        Value::Object(object) => object.is_empty(),
        _ => false,
    };
    match value {
        Value::Object(object) => {
            object.values_mut().for_each(prune);
            object.retain(|_, value| !is_nothing(value));
        }
        Value::Array(list) => list.iter_mut().for_each(prune),
        _ => (),
    }
}

fn cases() -> Option<PathBuf> {
    let go = Command::new("go").args(["env", "GOMODCACHE"]).output().ok()?;
    let cache = String::from_utf8(go.stdout).ok()?;
    let dir = Path::new(cache.trim()).join(MODULE).join("eth/tracers/internal/tracetest/testdata");
    dir.is_dir().then_some(dir)
}

#[test]
fn tracers_tell_what_geth_publishes() {
    const PLACE: [&str; 4] = ["blockHash", "blockNumber", "transactionHash", "transactionPosition"];
    // Not those of the tracers in JavaScript (`*_legacy`) and of ERC-7562: they are not served.
    const GROUPS: [(&str, &str, &[&str]); 5] = [
        ("call_tracer", "callTracer", &[]),
        // The cases are older than this field.
        ("call_tracer_withLog", "callTracer", &["index"]),
        ("call_tracer_flat", "flatCallTracer", &PLACE),
        ("prestate_tracer", "prestateTracer", &[]),
        ("prestate_tracer_with_diff_mode", "prestateTracer", &[]),
    ];
    let Some(dir) = cases() else {
        println!("not run: no {MODULE} among Go's modules");
        return;
    };
    let (mut agreed, mut wrong) = (0, Vec::new());
    for (group, tracer, untold) in GROUPS {
        let files = std::fs::read_dir(dir.join(group)).expect("a directory");
        let files = files.map(|entry| entry.expect("readable").path());
        for path in files.filter(|path| path.extension().is_some_and(|ending| ending == "json")) {
            let name = format!("{group}/{}", path.file_stem().unwrap_or_default().to_string_lossy());
            let text = std::fs::read_to_string(&path).expect("readable");
            let case: Value = serde_json::from_str(&text).expect("JSON");
            let (mut want, mut got) = (case["result"].clone(), answer_of(tracer, &case));
            strip(&mut want, untold);
            strip(&mut got, untold);
            if tracer == "flatCallTracer" {
                // As geth's own test reads them: where there is nothing, nothing need stand.
                prune(&mut want);
                prune(&mut got);
            }
            match difference(&name, &want, &got) {
                None => agreed += 1,
                Some(_) if EXCEPTIONS.iter().any(|(known, _)| *known == name) => (),
                Some(difference) => wrong.push(difference),
            }
        }
    }
    assert!(wrong.is_empty(), "{agreed} agree, {} do not:\n{}", wrong.len(), wrong.join("\n"));
    assert!(agreed >= 78, "the cases have gone: {agreed}");
}
