//! Nothing of an order wherever a relay writes.

use super::{SOON, Searcher, World, builders::Manner, reason};
use maidenlane_tests::{scenario::Carrier, wait};
use serde_json::{Value, json};

/// Nothing that the relay writes says anything of an order: not its log, its metrics, its status or its files, nor the topic.
#[test]
fn what_is_private_is_nowhere() {
    let builders =
        [("prompt", Manner::Prompt), ("picky", Manner::Refusing("secret-reason")), ("liar", Manner::Lying)];
    let mut world = World::with(Carrier::Segment, &builders);
    let one = Searcher::new(1);
    world.relay.edit(|text| text.replace("filter = \"info\"", "filter = \"trace\"")).unwrap();
    world.killed();
    let (mut needles, mut last) = (vec![one.address[2..].to_lowercase()], Value::Null);
    // Simulated on each head, one whole, one that waits for others; and by a call.
    for expect in ["whole", "waits"] {
        let tx = world.transaction();
        world.sender.nonce += 5;
        needles.push(tx[tx.len() - 64..].to_owned());
        let hash = world.ask(&one, "eth_sendPrivateTransaction", &json!([{"tx": tx}]))["result"].clone();
        needles.push(hash.as_str().unwrap()[2..].to_owned());
        world.simulated(&one, &json!({"bundleHash": hash}), expect);
        let call = json!({"txs": [tx], "blockNumber": "0x1"});
        let called = world.ask(&one, "eth_callBundle", &json!([call]));
        let told = called["result"]["totalGasUsed"] == 21_000 || reason(&called) == "nonceTooHigh";
        assert!(told, "{called}");
    }
    for number in 0..20 {
        let bundle = world.bundle_for(45, &json!({"replacementUuid": format!("secret-name-{number}")}));
        let raw = bundle["txs"][0].as_str().unwrap()[2..].to_owned();
        needles.push(raw[raw.len() - 64..].to_owned());
        let taken = world.ask(&one, "eth_sendBundle", &json!([bundle]));
        assert_eq!(taken["result"]["durable"], true, "{taken}");
        last = taken["result"].clone();
        needles.extend(
            ["bundleHash", "contentId"].map(|id| taken["result"][id].as_str().unwrap()[2..].to_owned()),
        );
        let mut wrong = bundle.clone();
        wrong["revertingTxHashes"] = json!([taken["result"]["contentId"]]);
        assert_eq!(reason(&world.ask(&one, "eth_sendBundle", &json!([wrong]))), "hashNotInBundle");
    }
    needles.extend(["secret-name", "secret-reason"].map(str::to_owned));
    let told = wait::until("builders' words on the last", SOON, || {
        let status = world.status(&one, &last);
        let words = status[0]["builders"].as_array().map_or(0, Vec::len);
        if words == 2 { Ok(()) } else { Err(status.to_string()) }
    });
    told.unwrap();
    let mut said = vec![("metrics", world.relay.admin("metrics").unwrap())];
    said.push(("status", world.relay.admin("status").unwrap()));
    world.relay.stop().unwrap();
    said.push(("log", world.relay.log_tail(usize::MAX)));
    assert!(said.iter().all(|(_, text)| text.len() > 100), "all of them said something");
    for (what, text) in &said {
        let found = needles.iter().find(|needle| text.to_lowercase().contains(needle.as_str()));
        assert_eq!(found, None, "{what} tells it");
    }
    let mut files = 0;
    for place in ["log", "relay-0"] {
        for path in all_files(&world.net.dir().join(place)) {
            if !path.to_string_lossy().contains("bundle") && place == "log" {
                continue;
            }
            files += 1;
            let bytes = std::fs::read(&path).unwrap_or_default();
            for needle in &needles {
                let binary: Vec<u8> = (0..needle.len() / 2)
                    .filter_map(|at| u8::from_str_radix(&needle[at * 2..at * 2 + 2], 16).ok())
                    .collect();
                let has = |piece: &[u8]| {
                    piece.len() > 8 && bytes.windows(piece.len()).any(|window| window == piece)
                };
                assert!(!has(&binary) && !has(needle.as_bytes()), "{} has it", path.display());
            }
        }
    }
    assert!(files > 8, "only {files} files");
}

fn all_files(dir: &std::path::Path) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(all_files(&path)) } else { found.push(path) }
    }
    found
}
