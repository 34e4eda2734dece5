//! Two replicas behind a balancer, on chains that are moved by hand and one topic in a real log.

use crate::filters::tests::Shared;
use crate::rpc::tests::ask;
use crate::rpc::tests::fake::{self, Chain};
use crate::rpc::tests::still::Still;
use crate::rpc::{Rpc, Settings, Sinks};
use maidenlane_jsonrpc::codes;
use serde_json::{Value, json};
use std::sync::Arc;

struct BlockContext {
    chain: Chain,
    shared: Shared,
    replicas: Vec<(Arc<Still>, Rpc)>,
}

impl BlockContext {
    /// Replicas at these heads. `None` without the fixtures.
    fn at(heads: &[u64]) -> Option<Self> {
        let mut scene = Self { chain: fake::chain()?, shared: Shared::new(), replicas: Vec::new() };
        heads.iter().for_each(|head| scene.add(*head));
        Some(scene)
    }

    fn add(&mut self, head: u64) {
        let live = Arc::new(Still::new(self.chain.at(head)));
        let sinks = Sinks { filters: Some(self.shared.replica()), ..Sinks::default() };
        let rpc = Rpc::with(Arc::<Still>::clone(&live), Settings::default(), sinks).expect("threads");
        self.replicas.push((live, rpc));
    }

    fn show(&self, replica: usize, head: u64) {
        self.replicas[replica].0.show(self.chain.at(head));
    }

    /// Whole answer to a request, which is repeated while the topic is being opened.
    fn ask(&self, replica: usize, method: &str, params: Value) -> Value {
        loop {
            let answer = ask(&self.replicas[replica].1, method, params.clone());
            if answer["error"]["code"] != codes::FILTERS_AWAY {
                return answer;
            }
        }
    }

    fn made(&self, replica: usize, method: &str, params: Value) -> Value {
        let answer = self.ask(replica, method, params);
        let id = answer["result"].as_str().unwrap_or_default();
        assert!(id.len() == 66 && !id.starts_with("0x0"), "some clients take it for a number: {answer}");
        answer["result"].clone()
    }

    fn poll(&self, replica: usize, id: &Value) -> Value {
        self.ask(replica, "eth_getFilterChanges", json!([id]))["result"].clone()
    }

    fn check(&self, replica: usize, method: &str, id: &Value, expect: Result<Value, (i32, &str)>) {
        let answer = self.ask(replica, method, json!([id]));
        match expect {
            Ok(result) => assert_eq!(answer["result"], result, "{answer}"),
            Err((code, text)) => {
                assert_eq!(answer["error"]["code"], code, "{answer}");
                assert_eq!(answer["error"]["message"], text);
            }
        }
    }

    fn hash(&self, number: u64) -> Value {
        self.hash_at(0, number)
    }

    fn hash_at(&self, replica: usize, number: u64) -> Value {
        let tag = format!("{number:#x}");
        self.ask(replica, "eth_getHeaderByNumber", json!([tag]))["result"]["hash"].clone()
    }

    /// The logs of these blocks, as JSON when the block is `removed` or not.
    fn logs(&self, criteria: &Value, blocks: std::ops::RangeInclusive<u64>, removed: bool) -> Vec<Value> {
        let mut wanted = criteria.clone();
        wanted["fromBlock"] = json!(format!("{:#x}", blocks.start()));
        wanted["toBlock"] = json!(format!("{:#x}", blocks.end()));
        let whole = Rpc::new(Arc::new(Still::new(self.chain.clone())), Settings::default()).expect("threads");
        let mut logs =
            ask(&whole, "eth_getLogs", json!([wanted]))["result"].as_array().expect("logs").clone();
        logs.iter_mut().for_each(|log| log["removed"] = json!(removed));
        logs
    }
}

const NOT_FOUND: Result<Value, (i32, &str)> = Err((codes::SERVER, "filter not found"));

#[test]
fn a_filter_is_polled_anywhere() {
    let Some(mut scene) = BlockContext::at(&[50, 50]) else { return };
    let id = scene.made(0, "eth_newBlockFilter", json!([]));
    assert_eq!(scene.poll(1, &id), json!([]));
    scene.show(0, 52);
    scene.show(1, 52);
    let (one, two) = (scene.hash(51), scene.hash(52));
    assert_eq!(scene.poll(1, &id), json!([one, two]));
    assert_eq!(scene.poll(0, &id), json!([]), "answered already, elsewhere");
    scene.show(0, 53);
    assert_eq!(scene.poll(0, &id), json!([scene.hash(53)]));
    let behind = Err((codes::MIN_BLOCK, "block 53 of the filter is not here yet (head 52)"));
    scene.check(1, "eth_getFilterChanges", &id, behind);
    // One that starts later, and has never seen the filter.
    scene.add(54);
    assert_eq!(scene.poll(2, &id), json!([scene.hash_at(2, 54)]));
    scene.check(0, "eth_uninstallFilter", &id, Ok(json!(true)));
    scene.check(2, "eth_uninstallFilter", &id, Ok(json!(false)));
    scene.check(2, "eth_getFilterChanges", &id, NOT_FOUND);
}

#[test]
fn logs_come_and_are_taken_back() {
    let Some(scene) = BlockContext::at(&[40, 40]) else { return };
    let everything = json!({});
    let id = scene.made(0, "eth_newFilter", json!([everything]));
    scene.show(0, 53);
    scene.show(1, 53);
    let came = scene.logs(&everything, 41..=53, false);
    assert!(came.len() > 3, "the chain has logs: {}", came.len());
    assert_eq!(scene.poll(0, &id), json!(came));
    let (shorter, _) = scene.chain.undone_to(52);
    scene.replicas[1].0.show(shorter);
    assert_eq!(scene.poll(1, &id), json!(scene.logs(&everything, 53..=53, true)));
    scene.show(1, 54);
    assert_eq!(scene.poll(1, &id), json!(scene.logs(&everything, 53..=54, false)));
    // A replica that never saw the block behind a cursor, and is past it.
    let other = scene.made(0, "eth_newBlockFilter", json!([]));
    let strange = scene.chain.at(53).with_head(|head| head.block.hash.0[0] ^= 1);
    let stranger = Arc::new(Still::new(strange));
    let sinks = Sinks { filters: Some(scene.shared.replica()), ..Sinks::default() };
    let strange = Rpc::with(stranger, Settings::default(), sinks).expect("threads");
    let lost = ask(&strange, "eth_newBlockFilter", json!([]))["result"].clone();
    scene.check(1, "eth_getFilterChanges", &lost, NOT_FOUND);
    scene.check(1, "eth_getFilterChanges", &other, Ok(json!([scene.hash_at(1, 54)])));
}

#[test]
fn random_routing_neither_repeats_nor_skips() {
    let Some(scene) = BlockContext::at(&[20, 20, 20]) else { return };
    let id = scene.made(0, "eth_newBlockFilter", json!([]));
    let mut heads = [20_u64; 3];
    let (mut answers, mut cursor, mut seed) = (Vec::new(), 20, 7_u64);
    while cursor < 54 {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let replica = usize::try_from((seed >> 33) % 3).expect("small");
        heads[replica] = (heads[replica] + (seed >> 40) % 4).min(54);
        scene.show(replica, heads[replica]);
        // The balancer routes to replicas that are not behind; others are dealt with above.
        if heads[replica] >= cursor {
            answers.extend(scene.poll(replica, &id).as_array().expect("hashes").iter().cloned());
            cursor = heads[replica];
        }
    }
    let replica = heads.iter().position(|head| *head == 54).expect("at the end");
    let expect: Vec<Value> = (21..=54).map(|number| scene.hash_at(replica, number)).collect();
    assert_eq!(answers, expect);
}

#[test]
fn polls_of_one_filter_at_once_are_told_apart() {
    let Some(scene) = BlockContext::at(&[30, 30]) else { return };
    for _ in 0..20 {
        (0..2).for_each(|replica| scene.show(replica, 30));
        let id = scene.made(0, "eth_newBlockFilter", json!([]));
        (0..2).for_each(|replica| scene.show(replica, 54));
        let together = std::sync::Barrier::new(6);
        let poll = |replica| {
            together.wait();
            scene.poll(replica, &id)
        };
        let answers: Vec<Value> = std::thread::scope(|scope| {
            let polls: Vec<_> = (0..6).map(|turn| scope.spawn(move || poll(turn % 2))).collect();
            polls.into_iter().map(|poll| poll.join().expect("no panic")).collect()
        });
        let mut lengths: Vec<_> = answers.iter().map(|each| each.as_array().expect("hashes").len()).collect();
        lengths.sort_unstable();
        assert_eq!(lengths, [0, 0, 0, 0, 0, 24]);
    }
}

#[test]
fn criteria_hold_and_may_be_long() {
    let Some(scene) = BlockContext::at(&[20, 20]) else { return };
    let some = scene.logs(&json!({}), 21..=54, false).pop().expect("a log");
    let mut addresses = vec![some["address"].clone()];
    for criteria in [1, 100].map(|count| {
        addresses.extend((0..count - 1).map(|number| json!(format!("0x{number:040x}"))));
        json!({"address": addresses, "topics": [], "fromBlock": "0x16", "toBlock": "0x36"})
    }) {
        let id = scene.made(0, "eth_newFilter", json!([criteria]));
        scene.show(0, 54);
        scene.show(1, 54);
        let expect = json!(scene.logs(&criteria, 22..=54, false));
        assert_eq!(scene.ask(1, "eth_getFilterLogs", json!([id]))["result"], expect);
        assert_eq!(scene.poll(1, &id), expect);
        assert_eq!(scene.poll(0, &id), json!([]));
        scene.show(0, 20);
        scene.show(1, 20);
    }
    let huge = json!({"topics": [], "nothing": "x".repeat(600_000)});
    assert_eq!(scene.ask(0, "eth_newFilter", json!([huge]))["error"]["code"], codes::INVALID_PARAMS);
}

#[test]
fn what_is_no_filter_is_not_found() {
    let Some(scene) = BlockContext::at(&[54]) else { return };
    let id = scene.made(0, "eth_newPendingTransactionFilter", json!([true]));
    scene.check(0, "eth_getFilterChanges", &id, Ok(json!([])));
    scene.check(0, "eth_getFilterLogs", &id, NOT_FOUND);
    for strange in ["0x1", "", "0x01ff", &format!("0x{}", "1".repeat(64)), &"0x00".repeat(5_000)] {
        scene.check(0, "eth_getFilterChanges", &json!(strange), NOT_FOUND);
        scene.check(0, "eth_getFilterLogs", &json!(strange), NOT_FOUND);
        scene.check(0, "eth_uninstallFilter", &json!(strange), Ok(json!(false)));
    }
    let wrong = scene.ask(0, "eth_newFilter", json!([{"fromBlock": "0x2", "toBlock": "0x1"}]));
    assert_eq!(wrong["error"]["code"], codes::INVALID_PARAMS, "{wrong}");
    let off = Rpc::new(Arc::new(Still::new(scene.chain.clone())), Settings::default()).expect("threads");
    let refused = ask(&off, "eth_newBlockFilter", json!([]));
    assert!(refused["error"]["message"].as_str().is_some_and(|text| text.contains("keeps no filters")));
}
