//! Requests of some never hold up those of others: known requests that did, and random programs under every method that
//! executes.

use std::{thread, time::Duration};

use maidenlane_tests::{
    interrupt::Interrupt,
    scenario::{Carrier, Chain, Net, Plan},
    stall::{self, Crowd},
};
use serde_json::{Value, json};

const PROGRAMS: u32 = 3_000;
const SEED: u64 = 1;

const HERE: &str = "0x00000000000000000000000000000000c0ffee01";
const SENDER: &str = "0x00000000000000000000000000000000c0ffee02";

#[test]
fn no_program_holds_what_others_need() {
    let mut net = stall::network().unwrap();
    let programs = if super::long() { 50_000 } else { PROGRAMS };
    let findings = stall::run_all(&mut net, SEED, Some(programs), &Interrupt::default()).unwrap();
    println!("{findings}");
    assert!(findings.slow.is_empty(), "{findings}");
    assert_eq!(findings.programs, programs);
    net.stop().unwrap();
}

#[test]
fn no_known_request_holds_what_others_need() {
    let plan = Plan { chain: Chain::Developer, carrier: Carrier::Segment, replicas: 1 };
    let mut net = Net::started(&plan).unwrap();
    let deployed = deploy(&mut net, "600054600154");
    let replica = net.replica(0).unwrap();
    let mut crowd = Crowd::at(&replica).unwrap();

    let funded = json!({"balance": "0xde0b6b3a7640000"});
    let call = |to: &str| json!({"from": SENDER, "to": to, "gas": "0x6aa4"});
    let swings = [
        json!([call(HERE), "latest", {SENDER: funded, HERE: {"code": "0x600054600154"}}]),
        json!([call(&deployed), "latest", {SENDER: funded}]),
    ];
    for params in swings {
        let answer = replica.respond("eth_createAccessList", &params).unwrap();
        let message = answer.pointer("/error/message").and_then(Value::as_str);
        assert_eq!(message, Some("execution aborted (timeout = 5s)"), "{answer}");
        check(&mut crowd, &request("eth_createAccessList", &params));
    }
    // 220 times KECCAK256 of 1 MiB.
    let hashes = format!("0x{}", "621000005f2050".repeat(220));
    let call = json!({"to": HERE, "gas": "0x2faf080"});
    let hashing = request("eth_call", &json!([call, "latest", {HERE: {"code": hashes}}]));
    check(&mut crowd, &hashing);
    let authorizations: Vec<Value> = (1..1_900).map(authorization).collect();
    let call = json!({"to": HERE, "authorizationList": authorizations});
    for method in ["eth_createAccessList", "eth_estimateGas"] {
        check(&mut crowd, &request(method, &json!([call])));
    }
    check(&mut crowd, &format!("[1{}]", ",1".repeat(2 << 20)));
    thread::scope(|scope| {
        for _ in 0..4 {
            // Cut off by the stop, which does not wait for them.
            scope.spawn(|| replica.post(&hashing).is_err());
        }
        replica.block_number().unwrap();
        net.stop().unwrap();
    });
}

fn request(method: &str, params: &Value) -> String {
    json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).to_string()
}

fn check(crowd: &mut Crowd, request: &str) {
    // A call has 5 s, and four share the threads.
    println!("{:.120}", crowd.bear(request, Duration::from_millis(5_500)).unwrap());
}

fn authorization(number: u32) -> Value {
    json!({"chainId": "0x0", "address": HERE, "nonce": "0x0", "yParity": "0x1", "r": format!("0x{number:x}"), "s": "0x7"})
}

/// Puts six bytes of code on the chain, and waits until the replica has them there.
fn deploy(net: &mut Net, code: &str) -> String {
    let (master, replica) = (net.master(), net.replica(0).unwrap());
    let from = master.call("eth_accounts", &json!([])).unwrap();
    // PUSH6 code, PUSH0, MSTORE; RETURN(26, 6)
    let input = format!("0x65{code}5f526006601af3");
    let sent = json!([{"from": from.get(0), "input": input}]);
    let hash = master.call("eth_sendTransaction", &sent).unwrap();
    let receipt = replica.receipt(&hash, Duration::from_secs(30)).unwrap();
    receipt.get("contractAddress").and_then(Value::as_str).unwrap().to_owned()
}
