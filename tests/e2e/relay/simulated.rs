//! Simulation beside a real geth, which makes blocks of exactly the same transactions on the same parent: what a relay says that
//! they do is what they do there.

mod bundles;
mod lab;

use super::{SOON, Searcher, body, reason};
use bundles::Made;
use lab::{Block, Lab, ZERO, raws};
use maidenlane_tests::{
    rpc::{Client, quantity},
    socket::Socket,
    wait,
};
use serde_json::{Value, json};

use crate::long;

/// Bundles on one head.
const ON_ONE_HEAD: usize = 10;

fn big(decimal: &Value) -> i128 {
    decimal.as_str().unwrap_or_else(|| panic!("{decimal}")).parse().unwrap()
}

impl Lab {
    /// Checks that a relay says of a bundle what geth does with it; or both have nothing of it. The block, where there is one.
    fn called(&mut self) -> Option<Block> {
        let recipient = self.maker.recipient();
        let bundle = self.maker.bundle(recipient, true);
        let time = quantity(&self.head["timestamp"]).unwrap() + 1 + self.maker.roll(24);
        let env = json!({
            "timestamp": format!("{time:#x}"), "prevRandao": self.maker.word(), "withdrawals": [],
            "suggestedFeeRecipient": recipient, "parentBeaconBlockRoot": ZERO,
        });
        let empty = self.build(&[], &env);
        let gas_limit = quantity(&empty["result"]["executionPayload"]["gasLimit"]).unwrap();
        let number = quantity(&self.head["number"]).unwrap();
        let asked = json!([{
            "txs": raws(&bundle), "blockNumber": format!("{:#x}", number + 1), "stateBlockNumber": "latest",
            "timestamp": time, "coinbase": recipient, "gasLimit": gas_limit, "difficulty": env["prevRandao"],
        }]);
        let answer = self.ask("eth_callBundle", &asked);
        let Some(block) = self.block(&raws(&bundle), &env) else {
            let text =
                answer["error"]["message"].as_str().unwrap_or_else(|| panic!("geth has none: {answer}"));
            assert!(text.starts_with("err: ") && text.contains("; txhash 0x"), "{text}");
            assert!(["notExecutable", "nonceTooHigh"].contains(&reason(&answer)), "{answer}");
            return None;
        };
        let result = &answer["result"];
        assert!(result.is_object(), "geth has {}, not {answer}", block.receipts);
        assert_eq!(result["stateBlockNumber"], number);
        for ((ran, receipt), made) in each(result, &block).zip(&bundle) {
            assert_eq!(ran["txHash"], made.hash.to_string());
            assert_eq!(ran.get("blobGasUsed").is_some(), receipt.get("blobGasUsed").is_some(), "{ran}");
            assert_eq!((&ran["fromAddress"], &ran["toAddress"]), (&receipt["from"], &receipt["to"]), "{ran}");
            let (failed, status) = (ran.get("error").is_some(), quantity(&receipt["status"]));
            assert_eq!((status, ran.get("value").is_some()), (Some(u64::from(!failed)), !failed), "{ran}");
        }
        assert_eq!(
            result["totalGasUsed"].as_u64(),
            block.payload.field("gasUsed").ok().and_then(|gas| quantity(&json!(gas)))
        );
        assert_eq!(big(&result["coinbaseDiff"]), self.gain(&json!(recipient), &block), "{result}");
        assert_eq!(big(&result["gasFees"]), block.fees, "{result}");
        let sent = big(&result["coinbaseDiff"]) - big(&result["gasFees"]);
        assert_eq!(big(&result["ethSentToCoinbase"]), sent);
        Some(block)
    }

    /// The decisions of a relay on an order in the book are those that geth's blocks lead to.
    fn ordered(&mut self) -> &'static str {
        let recipient = self.maker.address(7);
        let bundle = self.maker.bundle(recipient, false);
        let (mut reverting, mut dropping) = (Vec::new(), Vec::new());
        for made in &bundle {
            match self.maker.roll(3) {
                0 => reverting.push(made.hash),
                1 => dropping.push(made.hash),
                _ => {}
            }
        }
        let number = quantity(&self.head["number"]).unwrap() + 1;
        let order = json!({
            "txs": raws(&bundle), "blockNumber": format!("{number:#x}"), "revertingTxHashes": reverting,
            "droppingTxHashes": dropping,
        });
        let taken = self.ask("eth_sendBundle", &json!([order]));
        assert_eq!(taken["result"]["durable"], true, "{taken}");
        let simulation = self.simulation(&taken["result"]["bundleHash"]);
        let (env, mut kept) = (self.env(), Vec::new());
        let words: Vec<&str> = simulation["results"]
            .as_array()
            .unwrap()
            .iter()
            .map(|one| one["status"].as_str().unwrap())
            .collect();
        assert_eq!(words.len(), bundle.len(), "{simulation}");
        for (index, (made, word)) in bundle.iter().zip(&words).enumerate() {
            let mut with = kept.clone();
            with.push(made.raw.as_str());
            let block = self.block(&with, &env);
            let status =
                block.as_ref().map(|block| quantity(&block.receipts[kept.len()]["status"]) == Some(1));
            let (may_revert, may_go) = (reverting.contains(&made.hash), dropping.contains(&made.hash));
            let expect = match status {
                Some(true) => "succeeds",
                Some(false) if may_revert => "fails",
                _ if may_go => "dropped",
                _ => "notRun",
            };
            assert_eq!(*word, expect, "{index}: {simulation}\n{order}");
            match expect {
                "notRun" => {
                    assert_eq!(simulation["index"], index, "{simulation}");
                    let waits = simulation["error"].as_str().unwrap().starts_with("nonce too high");
                    assert_eq!(simulation["status"], if waits { "waits" } else { "failed" });
                    return "ended";
                }
                "dropped" => {}
                _ => kept = with,
            }
        }
        if kept.is_empty() {
            assert_eq!(simulation["status"], "failed", "{simulation}");
            return "empty";
        }
        let block = self.block(&kept, &env).unwrap();
        assert_eq!(simulation["status"], "whole", "{simulation}");
        assert_eq!(big(&simulation["coinbaseDiff"]), self.gain(&self.head["miner"], &block), "{simulation}");
        assert_eq!(big(&simulation["gasFees"]), block.fees, "{simulation}");
        let gas = quantity(&json!(block.payload.field("gasUsed").unwrap()));
        assert_eq!(simulation["totalGasUsed"].as_u64(), gas, "{simulation}");
        if kept.len() == bundle.len() { "whole" } else { "dropped" }
    }
}

/// Results of a relay beside the receipts of geth, with equal gas.
fn each<'a>(result: &'a Value, block: &'a Block) -> impl Iterator<Item = (&'a Value, &'a Value)> {
    let (results, receipts) = (result["results"].as_array().unwrap(), block.receipts.as_array().unwrap());
    assert_eq!(results.len(), receipts.len(), "{result}");
    results.iter().zip(receipts).inspect(|(ran, receipt)| {
        assert_eq!(ran["gasUsed"].as_u64(), quantity(&receipt["gasUsed"]), "{ran}, not {receipt}");
    })
}

#[test]
fn bundles_do_what_geth_has_them_do() {
    let Some(mut lab) = Lab::new(str::to_owned) else { return };
    let (heads, mut made, mut whole) = (if long() { 100 } else { 6 }, 0, 0);
    for _ in 0..heads {
        let mut last = None;
        for _ in 0..ON_ONE_HEAD {
            let block = lab.called();
            (made, whole) = (made + 1, whole + usize::from(block.is_some()));
            last = block.or(last);
        }
        if let Some(block) = last {
            lab.choose(&block);
        }
    }
    println!("{made} bundles, {whole} of them whole");
    assert!(whole > made / 3 && whole < made, "both kinds: {whole} of {made}");
    lab.relay.stop().unwrap();
    assert_eq!(lab.relay.errors(), Vec::<String>::new());
}

#[test]
fn orders_end_in_simulation_as_geths_blocks_have_it() {
    let Some(mut lab) = Lab::new(str::to_owned) else { return };
    let (heads, mut ends) = (if long() { 100 } else { 5 }, std::collections::BTreeMap::new());
    for _ in 0..heads {
        for _ in 0..ON_ONE_HEAD {
            *ends.entry(lab.ordered()).or_insert(0) += 1;
        }
        let bundle = lab.maker.bundle(maidenlane_chain::Address::ZERO, false);
        let env = lab.env();
        if let Some(block) = lab.block(&raws(&bundle), &env) {
            lab.choose(&block);
        }
    }
    println!("{ends:?}");
    assert!(ends.len() > 2, "all kinds of ends: {ends:?}");
}

#[test]
fn an_order_is_simulated_anew_on_each_head() {
    let Some(mut lab) = Lab::new(str::to_owned) else { return };
    let (one, env) = (lab.maker.address(1), lab.env());
    let nonce = lab.maker.nonces[1];
    let (first, second) = (lab.maker.endless(1, nonce), lab.maker.endless(1, nonce + 1));
    // For 25 blocks; the transaction before it is in none yet.
    let sent = lab
        .ask("eth_sendPrivateTransaction", &json!([{"tx": second.raw, "preferences": {"canRevert": true}}]));
    let hash = sent["result"].clone();
    let waits = lab.simulation(&hash);
    assert_eq!((&waits["status"], &waits["index"]), (&json!("waits"), &json!(0)), "{waits}");
    assert!(waits["error"].as_str().unwrap().contains(&one.to_string()), "its owner may know: {waits}");
    let stats = lab.ask("flashbots_getBundleStatsV2", &json!([{"bundleHash": hash}]));
    assert_eq!(stats["result"]["isSimulated"], true, "{stats}");
    assert!(stats["result"]["simulatedAt"].as_str().unwrap().ends_with('Z'), "{stats}");
    let block = lab.block(&[&first.raw], &env).unwrap();
    lab.choose(&block);
    let whole = lab.simulation(&hash);
    assert_eq!((&whole["status"], &whole["totalGasUsed"]), (&json!("whole"), &json!(16_777_216)), "{whole}");
    let other = lab.url("rpc");
    let (other, text) = (Client::new(other), body("maidenlane_bundleStatus", &json!([{"bundleHash": hash}])));
    let header = Searcher::new(2).header(&text);
    let (_, answer) = other.post_with(&text, &[("X-Flashbots-Signature", &header)]).unwrap();
    assert!(answer.contains("\"result\":[]"), "nobody else's business: {answer}");
}

#[test]
fn calls_are_bounded_in_time_gas_and_form() {
    let edit = |text: &str| text.replace("accountMgas_per_s = 10000", "accountMgas_per_s = 4");
    let Some(mut lab) = Lab::new(edit) else { return };
    let nonce = lab.maker.nonces[1];
    let endless: Vec<Made> = (0..20).map(|more| lab.maker.endless(1, nonce + more)).collect();
    let next = format!("{:#x}", quantity(&lab.head["number"]).unwrap() + 1);
    let asked = |txs: Vec<&str>, more: Value| {
        let mut asked = json!({"txs": txs, "blockNumber": next, "stateBlockNumber": "latest"});
        asked.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        json!([asked])
    };
    let mut refused = |txs: Vec<&str>, more: Value, reason_of: &str, text: &str| {
        let answer = lab.ask("eth_callBundle", &asked(txs, more));
        assert_eq!(reason(&answer), reason_of, "{answer}");
        assert!(answer["error"]["message"].as_str().unwrap().contains(text), "{answer}");
    };
    let one = || vec![endless[0].raw.as_str()];
    refused(vec![], json!({}), "missingTransactions", "bundle missing txs");
    refused(one(), json!({"blockNumber": null}), "missingBlock", "bundle missing blockNumber");
    refused(one(), json!({"timestamp": 1}), "timestampNotAfterParent", "raise `timestamp`");
    refused(one(), json!({"transactionIndex": 1}), "unsupported", "leave out `transactionIndex`");
    refused(one(), json!({"coinbase": 7}), "wrongType", "`coinbase`");
    refused(vec!["0x02c0"], json!({}), "invalidTransaction", "correct `txs[0]`");
    refused(vec![&endless[1].raw], json!({}), "nonceTooHigh", "err: nonce too high: address");
    refused(
        raws(&endless[..3]),
        json!({"gasLimit": 20_000_000}),
        "notExecutable",
        "err: gas limit reached; txhash ",
    );
    // More gas than can be used in a millisecond.
    let long = json!({"timeout": 1, "gasLimit": 1_000_000_000_000_u64});
    refused(raws(&endless), long, "simulationTimeout", "execution aborted (timeout = 1ms)");
    // What that has used is owed: nobody knows how much it was.
    let answer = wait::until("the gas to be used up", SOON, || {
        let answer = lab.ask("eth_callBundle", &asked(one(), json!({})));
        if answer["error"]["data"]["reason"] == "gasUsedUp" { Ok(()) } else { Err(answer.to_string()) }
    });
    answer.unwrap();

    // An identity's own, on a WebSocket.
    let mut socket = Socket::connect_as(&lab.url("known"), "searcher").unwrap();
    let answer = socket.respond("eth_callBundle", &asked(one(), json!({}))).unwrap();
    assert_eq!(answer["result"]["totalGasUsed"], 16_777_216, "{answer}");
    assert_eq!(answer["result"]["results"][0]["error"], "out of gas", "{answer}");
    assert!(answer["result"]["results"][0]["toAddress"].is_null(), "{answer}");
    let unsigned = Client::new(lab.url("rpc")).respond("eth_callBundle", &asked(one(), json!({}))).unwrap();
    assert_eq!(reason(&unsigned), "signatureMissing");
}
