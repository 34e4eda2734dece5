//! Random questions to geth and a replica: the same answers, but for what is listed, and nothing is listed in vain.

use std::fs;

use maidenlane_tests::{differ, interrupt::Interrupt, product, rpc::Client};
use serde_json::{Value, json};

/// So many requests from this seed meet every line of the list.
const REQUESTS: u32 = 6_000;
const SEED: u64 = 11;

#[test]
fn random_requests_get_geths_answers() {
    let mut net = differ::network().unwrap();
    let (master, replica) = (net.master(), net.replica(0).unwrap());
    every_method_is_geths(&master);
    let choice = differ::Choice { seed: SEED, at: None };
    let findings = differ::ask_all(&master, &replica, choice, Some(REQUESTS), &Interrupt::default()).unwrap();
    assert!(findings.differences.is_empty(), "{findings}");
    let unmet: Vec<_> = findings.listed.iter().filter(|(_, met)| *met == 0).collect();
    assert!(unmet.is_empty(), "listed, and no difference any more: {unmet:?}");
    assert!(findings.equal.len() > 55, "{findings}");
    net.stop().unwrap();
}

/// The guide's table of every method says which are geth's. A replica is held to it elsewhere; here geth is, by calls
/// with so many parameters that nobody runs them.
fn every_method_is_geths(geth: &Client) {
    let guide = fs::read_to_string(product::root().join("daemons/replica/README.md")).unwrap();
    let (_, section) = guide.split_once("\n## Every method\n").unwrap();
    let lines = section.split("\n## ").next().unwrap().lines();
    let rows = lines.filter_map(|row| row.trim_matches(['|', ' ']).split_once(" | "));
    let (mut known, mut unknown, mut wrong) = (0, 0, Vec::new());
    for (what, names) in rows.filter(|(what, _)| !what.contains("WebSocket")) {
        let wanted = !what.ends_with("not in geth");
        for method in names.split('`').filter(|name| name.contains('_')) {
            let answer = geth.respond(method, &json!(vec![Value::Null; 12])).unwrap();
            match answer.pointer("/error/code").and_then(Value::as_i64) {
                Some(-32602) if wanted => known += 1,
                Some(-32601) if !wanted => unknown += 1,
                _ => wrong.push(format!("{method}, {what}: {answer}")),
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(known > 110 && unknown > 8, "{known} of geth, {unknown} not");
}
