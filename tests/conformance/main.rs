//! The fixture chain of execution-apis through a real geth, the tap and a replica: every byte of state and every
//! answer must be what the fixtures say.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "tests")]

mod feed;
mod recorded;

use std::{collections::BTreeMap, fs};

use maidenlane_tests::{
    install::GETH,
    product, rpc_compat,
    scenario::{Carrier, Chain, Net, Plan},
};
use serde_json::{Value, json};

/// The methods of this release; the fixtures have more.
const METHODS: &[&str] = &[
    "debug_getRawBlock",
    "debug_getRawHeader",
    "debug_getRawReceipts",
    "debug_getRawTransaction",
    "eth_blockNumber",
    "eth_call",
    "eth_chainId",
    "eth_getBalance",
    "eth_getBlockByHash",
    "eth_getBlockByNumber",
    "eth_getBlockReceipts",
    "eth_getBlockTransactionCountByHash",
    "eth_getBlockTransactionCountByNumber",
    "eth_getCode",
    "eth_getLogs",
    "eth_getProof",
    "eth_getStorageAt",
    "eth_getStorageValues",
    "eth_getTransactionByBlockHashAndIndex",
    "eth_getTransactionByBlockNumberAndIndex",
    "eth_getTransactionByHash",
    "eth_getTransactionCount",
    "eth_getTransactionReceipt",
    "eth_simulateV1",
    "eth_syncing",
    "net_version",
];

#[test]
fn the_fixture_chain_is_served_as_geth_would() {
    let Some(fixtures) = product::fixtures() else { return println!("not run: no fixtures on this machine") };
    if !GETH.met() {
        return println!("not run: no Go for a real geth");
    }
    let fixtures = fixtures.join("execution-apis");
    let plan = Plan { chain: Chain::Import(fixtures.clone()), carrier: Carrier::Segment, replicas: 1 };
    let mut net = Net::proving(&plan).unwrap();
    net.start().unwrap();
    assert_eq!(net.caught_up(0).unwrap(), 54);

    let replica = net.replica(0).unwrap();
    let cases = rpc_compat::load(&fixtures.join("io")).unwrap();
    let ours = cases.iter().filter(|case| METHODS.contains(&case.method.as_str()));
    let report = rpc_compat::run(ours, |request| {
        replica.post(request).map(|(_, answer)| answer).map_err(|failure| failure.to_string())
    });
    println!("{report}");
    assert_eq!(report.failed(), 0);
    assert!(report.passed() > 50, "{} cases are suspiciously few", report.passed());

    let text = fs::read_to_string(fixtures.join("headstate.json")).unwrap();
    let wanted: Value = serde_json::from_str(&text).unwrap();
    storage(&wanted, |address, slot| {
        let answer = replica.call("eth_getStorageAt", &json!([address, slot, "latest"])).unwrap();
        answer.as_str().unwrap().to_owned()
    });
    net.stop().unwrap();
    let config = net.replica_daemon(0).unwrap().config().display().to_string();
    let verified = net.command(&["replica", "verify", "--config", &config]).unwrap();
    let verified: Value = serde_json::from_str(&verified).unwrap();
    let root = wanted.get("root").and_then(Value::as_str).unwrap().trim_start_matches("0x");
    assert!(verified.get("stateRoot").and_then(Value::as_str).unwrap().ends_with(root), "{verified}");
    accounts(&wanted, &net.dump(0).unwrap());
}

/// Every account, and no other. The storage roots compared here were computed from the slots by `replica verify`.
fn accounts(wanted: &Value, dump: &str) {
    let text = |account: &Value, field: &str| {
        account.get(field).and_then(Value::as_str).unwrap_or("0x").to_lowercase().replacen("0x", "", 1)
    };
    let number = |account: &Value, field: &str| match account.get(field) {
        Some(Value::Number(number)) => u128::from(number.as_u64().unwrap()),
        Some(Value::String(text)) => match text.strip_prefix("0x") {
            Some(digits) => u128::from_str_radix(digits, 16).unwrap(),
            None => text.parse().unwrap(),
        },
        other => panic!("no number: {other:?}"),
    };
    let comparable = |account: &Value| {
        let texts = ["root", "codeHash", "code"].map(|field| text(account, field));
        (text(account, "key"), (number(account, "nonce"), number(account, "balance"), texts))
    };
    let wanted = wanted.get("accounts").and_then(Value::as_object).unwrap();
    let wanted: BTreeMap<_, _> = wanted.values().map(comparable).collect();
    let found: BTreeMap<_, _> =
        dump.lines().map(|line| comparable(&serde_json::from_str::<Value>(line).unwrap())).collect();
    assert_eq!(found.len(), wanted.len());
    for (key, account) in &wanted {
        assert_eq!(found.get(key), Some(account), "account {key}");
    }
}

/// Every slot of every account.
fn storage(wanted: &Value, ask: impl Fn(&str, &str) -> String) {
    let digits = |text: &str| format!("{:0>64}", text.trim_start_matches("0x"));
    let mut slots = 0;
    for (address, account) in wanted.get("accounts").and_then(Value::as_object).unwrap() {
        for (slot, value) in account.get("storage").and_then(Value::as_object).into_iter().flatten() {
            let found = ask(address, slot);
            assert_eq!(digits(&found), digits(value.as_str().unwrap()), "{address} {slot}");
            slots += 1;
        }
    }
    assert!(slots > 0);
    println!("{slots} slots equal");
}
