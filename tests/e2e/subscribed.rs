//! Subscriptions of geth and of a replica, side by side over WebSocket while blocks come: the same heads and logs.

use std::collections::BTreeMap;

use maidenlane_tests::{
    rpc::{Client, quantity},
    scenario::{Carrier, Chain, Net, Plan},
    socket::Socket,
    wait,
};
use serde_json::{Value, json};

use crate::consensus::PATIENCE;

/// Logs its input with no topic up to four: 1, 2, the caller, the block's number. 44 bytes behind 12 that return them.
const LOGGER: &str = "0x61002c80600c6000396000f3366000600037366000a06001366000a160026001366000a2\
    3360026001366000a3433360026001366000a400";
/// Transactions that log, some to a block.
const CALLS: u64 = 24;

/// One side's connection, and what each of its subscriptions has told.
struct Side {
    socket: Socket,
    notified: BTreeMap<String, Vec<Value>>,
}

impl Side {
    fn open(client: &Client) -> Self {
        Self { socket: Socket::connect(client.url()).unwrap(), notified: BTreeMap::new() }
    }

    /// The subscription's id, or the error's code.
    fn subscribe(&mut self, params: &Value) -> Result<String, Value> {
        let answer = self.socket.respond("eth_subscribe", params).unwrap();
        let code = answer.pointer("/error/code").cloned().unwrap_or_default();
        answer.get("result").and_then(Value::as_str).map(str::to_owned).ok_or(code)
    }

    /// Takes what has come, until nothing comes for a moment.
    fn listen(&mut self) {
        while let Some(message) = self.socket.notification().unwrap() {
            let field = |path: &str| message.pointer(path).unwrap_or_else(|| panic!("{message}")).clone();
            let id = field("/params/subscription").as_str().unwrap().to_owned();
            self.notified.entry(id).or_default().push(field("/params/result"));
        }
    }

    /// Notifications of a subscription about the blocks after `first` and up to `last`.
    fn within(&self, id: &str, first: u64, last: u64) -> Vec<&Value> {
        let number =
            |item: &Value| item.get("blockNumber").or(item.get("number")).and_then(quantity).unwrap();
        let notified = self.notified.get(id).map(Vec::as_slice).unwrap_or_default();
        notified.iter().filter(|each| (first + 1..=last).contains(&number(each))).collect()
    }
}

/// Calls the logger from the developer's account.
struct Caller {
    geth: Client,
    from: Value,
    nonce: u64,
}

impl Caller {
    fn new(geth: &Client) -> Self {
        let from = geth.call("eth_accounts", &json!([])).unwrap().get(0).unwrap().clone();
        let nonce = geth.quantity("eth_getTransactionCount", &json!([from, "pending"])).unwrap();
        Self { geth: geth.clone(), from, nonce }
    }

    /// Waits for the receipt.
    fn send(&mut self, to: Option<&Value>, input: &str) -> Value {
        let nonce = format!("0x{:x}", self.nonce);
        // A creation has `to` null.
        let call = json!({"from": self.from, "to": to, "input": input, "gas": "0x7a120", "nonce": nonce});
        self.nonce += 1;
        let hash = self.geth.call("eth_sendTransaction", &json!([call])).unwrap();
        self.geth.receipt(&hash, PATIENCE).unwrap()
    }
}

fn wanted(logger: &Value, from: &Value) -> Vec<Value> {
    let topic = |number: u64| json!(format!("0x{number:064x}"));
    let caller = json!(format!("0x{:0>64}", from.as_str().unwrap().trim_start_matches("0x")));
    let nobody = json!(format!("0x{:040x}", 7));
    let mut wanted =
        vec![json!(["newHeads"]), json!(["logs"]), json!(["logs", {}]), json!(["logs", {"topics": []}])];
    for criteria in [
        json!({"address": logger}),
        json!({"address": [nobody, logger]}),
        json!({"address": nobody}),
        json!({"topics": [topic(1)]}),
        json!({"topics": [null, topic(2)]}),
        json!({"topics": [[topic(9), topic(1)], null, caller]}),
        json!({"topics": [null, null, null, null]}),
        json!({"topics": [null, [], [topic(3)]]}),
        json!({"address": logger, "topics": [topic(2)]}),
        json!({"fromBlock": "0x1", "toBlock": "0x2"}),
        json!({"topics": [null, null, null, null, null]}),
        json!({"topics": "0x1"}),
        json!({"address": "0x1"}),
        json!([]),
    ] {
        wanted.push(json!(["logs", criteria]));
    }
    let odd = [
        json!([]),
        json!(["newHeads", true]),
        json!(["noSuchThing"]),
        json!([7]),
        json!(["logs", null]),
        json!(["logs", {}, 1]),
    ];
    wanted.extend(odd);
    wanted
}

#[test]
fn subscriptions_tell_what_geths_tell() {
    let plan = Plan { chain: Chain::Developer, carrier: Carrier::Segment, replicas: 1 };
    let mut net = Net::started(&plan).unwrap();
    let (geth, replica) = (net.master(), net.replica(0).unwrap());
    let mut caller = Caller::new(&geth);
    let logger = caller.send(None, LOGGER)["contractAddress"].clone();
    net.caught_up(0).unwrap();

    let (mut theirs, mut ours) = (Side::open(&geth), Side::open(&replica));
    let (mut opened, mut refused) = (Vec::new(), 0);
    for params in wanted(&logger, &caller.from) {
        match (theirs.subscribe(&params), ours.subscribe(&params)) {
            (Ok(left), Ok(right)) => opened.push((params, left, right)),
            (Err(left), Err(right)) if left == right => refused += 1,
            (left, right) => panic!("{params}: geth {left:?}, replica {right:?}"),
        }
    }
    assert!(opened.len() >= 14 && refused >= 4, "{} opened, {refused} refused", opened.len());
    let first = geth.block_number().unwrap();
    let mut last = first;
    for call in 0..CALLS {
        let receipt =
            caller.send(Some(&logger), &format!("0x{}", "ab".repeat(usize::try_from(call).unwrap())));
        last = quantity(&receipt["blockNumber"]).unwrap();
    }
    let mut notified = 0;
    for (params, left, right) in &opened {
        wait::until(&format!("both to tell the same of {params}"), PATIENCE, || {
            theirs.listen();
            ours.listen();
            let [left, right] = [theirs.within(left, first, last), ours.within(right, first, last)];
            notified += left.len();
            // Heads come up to the last one; before that the lists may be equal and too short.
            let complete = params[0] != "newHeads"
                || left.last().is_some_and(|head| quantity(&head["number"]) == Some(last));
            if left == right && complete { Ok(()) } else { Err(format!("geth {left:?}, replica {right:?}")) }
        })
        .unwrap();
    }
    assert!(notified > 200, "{notified} heads and logs");
    net.stop().unwrap();
}
