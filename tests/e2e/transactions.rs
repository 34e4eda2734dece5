//! Transactions sent to a replica: refused in geth's words, or stored, delivered to geth, mined, and answered with the
//! receipt.

#![expect(clippy::indexing_slicing, reason = "what is missing in an answer is null")]

use std::time::Duration;

use maidenlane_chain::{Bytes, keccak256};
use maidenlane_log::{Append, Backend, From, kafka, segment};
use maidenlane_tests::{
    rpc::Client,
    scenario::{Carrier, Chain, Net, Plan},
    settings::{self, Log},
    wait,
};
use maidenlane_wire::Transaction;
use serde_json::{Value, json};

const SOON: Duration = Duration::from_secs(30);

/// Hashes of all entries of the topic of transactions, whose keys are their senders.
pub(crate) fn stored(log: &Backend) -> Vec<String> {
    let topic = settings::transactions_topic();
    let mut hashes = Vec::new();
    for partition in 0..log.partitions(&topic).unwrap() {
        let mut consumer = log.consumer(&topic, partition).unwrap();
        consumer.seek(From::Earliest).unwrap();
        let (mut next, end) = (consumer.earliest().unwrap(), consumer.end().unwrap());
        while next < end {
            for entry in consumer.read(8 << 20, SOON).unwrap() {
                next.0 = entry.offset.0 + 1;
                let transaction = Transaction::decode(&entry.payload).unwrap();
                assert_eq!(entry.key.as_deref(), Some(transaction.sender.as_slice()));
                hashes.push(transaction.hash.to_string());
            }
        }
    }
    hashes
}

/// Transactions of geth's own account, sent to the replica.
pub(crate) struct Sender {
    pub(crate) geth: Client,
    pub(crate) replica: Client,
    pub(crate) from: String,
    pub(crate) nonce: u64,
}

impl Sender {
    pub(crate) fn new(geth: Client, replica: Client) -> Self {
        let accounts = geth.call("eth_accounts", &json!([])).unwrap();
        let from = accounts[0].as_str().unwrap().to_owned();
        Self { geth, replica, from, nonce: 0 }
    }

    /// The bytes of a transaction with these fields, and more where they are not given, signed by geth's own account.
    pub(crate) fn signed(&self, fields: &Value) -> Value {
        let mut tx = json!({
            "from": self.from, "to": format!("0x{}", "07".repeat(20)), "gas": "0x186a0",
            "nonce": format!("{:#x}", self.nonce), "maxFeePerGas": "0x4a817c800", "maxPriorityFeePerGas": "0x1",
        });
        for (name, value) in fields.as_object().unwrap() {
            tx[name] = value.clone();
        }
        if tx.get("gasPrice").is_some() {
            let fields = tx.as_object_mut().unwrap();
            fields.retain(|name, _| name != "maxFeePerGas" && name != "maxPriorityFeePerGas");
        }
        let mut signed = self.geth.call("eth_signTransaction", &json!([tx])).unwrap();
        signed["raw"].take()
    }

    pub(crate) fn send(&self, raw: &Value) -> Value {
        self.replica.respond("eth_sendRawTransaction", &json!([raw])).unwrap()
    }

    /// Every kind is taken, delivered, mined; sending it again is no error until then, and geth's error after.
    fn deliver(&mut self) -> Vec<String> {
        let authorization = json!({
            "chainId": "0x0", "address": self.from, "nonce": "0x0", "yParity": "0x0", "r": "0x1", "s": "0x1",
        });
        let listed = json!([{"address": self.from, "storageKeys": [format!("0x{}", "00".repeat(32))]}]);
        let blob = format!("0x{}", "05".repeat(131_072));
        let mut hashes = Vec::new();
        for fields in [
            json!({"gasPrice": "0x4a817c800"}),
            json!({"gasPrice": "0x4a817c800", "accessList": listed}),
            json!({"value": "0x7", "input": "0x00ff"}),
            json!({"blobs": [blob], "maxFeePerBlobGas": "0x3b9aca00"}),
            json!({"authorizationList": [authorization]}),
        ] {
            let raw = self.signed(&fields);
            let answer = self.send(&raw);
            let hash =
                answer["result"].as_str().unwrap_or_else(|| panic!("{fields:.300}: {answer}")).to_owned();
            assert_eq!(self.send(&raw)["result"], hash.as_str(), "the same again");
            // The receipt as soon as there is one, of a transaction that is known already.
            let receipt = self.replica.call("eth_sendRawTransactionSync", &json!([raw, 30_000])).unwrap();
            let wanted = self.geth.call("eth_getTransactionReceipt", &json!([hash])).unwrap();
            assert_eq!(receipt, wanted, "{fields:.300}");
            self.nonce += 1;
            assert_eq!(
                self.send(&raw)["error"]["message"],
                format!("nonce too low: next nonce {}, tx nonce {}", self.nonce, self.nonce - 1)
            );
            hashes.push(hash);
        }
        hashes
    }

    /// Transactions that geth refuses are refused alike, to the letter.
    fn refuse(&self) {
        let balance = self.geth.call("eth_getBalance", &json!([self.from, "latest"])).unwrap();
        let zeros = |bytes: usize| format!("0x{}", "00".repeat(bytes));
        let mut raws: Vec<Value> = [
            json!({"nonce": "0x0"}),
            json!({"gas": "0x5207"}),
            json!({"gas": "0x5209", "input": zeros(4)}),
            json!({"gas": "0x61a7", "input": format!("0x{}", "01".repeat(100))}),
            json!({"gas": "0x1000001", "maxFeePerGas": "0x1", "maxPriorityFeePerGas": "0x0"}),
            json!({"gas": "0x77359400", "maxFeePerGas": "0x1", "maxPriorityFeePerGas": "0x0"}),
            json!({"value": balance}),
            json!({"to": null, "input": zeros(49_153), "gas": "0xf42400"}),
            json!({"input": zeros(131_072), "gas": "0xf42400"}),
            json!({"authorizationList": []}),
        ]
        .iter()
        .map(|fields| self.signed(fields))
        .collect();
        // Signed by somebody else, who has nothing.
        let whole = self.signed(&json!({}));
        let (start, last) = whole.as_str().unwrap().split_at(whole.as_str().unwrap().len() - 2);
        let other = u8::from_str_radix(last, 16).unwrap() ^ 1;
        raws.push(json!(format!("{start}{other:02x}")));
        raws.extend([
            // Unprotected, as before EIP-155.
            json!("0xf86103018207d094b94f5374fce5edbc8e2a8697c15331677e6ebf0b0a8255441ca098ff921201554726367d2be8c804a7ff89ccf285ebc57dff8ae4c44b9c19ac4aa08887321be575c8095f789dd4c743dfe42c1820f9231f98a962b210e3ac2452a3"),
            // For mainnet: the example of EIP-155.
            json!("0xf86c098504a817c800825208943535353535353535353535353535353535353535880de0b6b3a76400008025a028ef61340bd939bc2195fe537567866003e1a15d3c71ff63e1590620aa636276a067cbe9d8997f761aecb703304b3800ccf555c9f3dc64214b297fb1966a3b6d83"),
            json!("0x"),
            json!("0x02"),
            json!("0x00c0"),
            json!("0x05c0"),
        ]);
        for raw in raws {
            let wanted = self.geth.respond("eth_sendRawTransaction", &json!([raw])).unwrap();
            assert!(wanted["error"]["code"].is_i64(), "geth takes it: {wanted} for {raw:.300}");
            assert_eq!(self.send(&raw)["error"], wanted["error"], "{raw:.300}");
        }
        // What is no RLP, hexadecimal or text is told in other words.
        let cut = &start[..start.len() - 2];
        for raw in [json!(cut), json!("0x02c0"), json!("0xc0"), json!("0xf8"), json!("0xabc"), json!(7)] {
            let wanted = self.geth.respond("eth_sendRawTransaction", &json!([raw])).unwrap();
            assert_eq!(self.send(&raw)["error"]["code"], wanted["error"]["code"], "{raw:.300}");
        }
    }
}

fn check(carrier: Carrier) {
    let plan = Plan { chain: Chain::Developer, carrier, replicas: 1 };
    let mut net = Net::build(&plan).unwrap();
    net.take_transactions().unwrap();
    let log = match net.carrier() {
        Log::Segment(dir) => Backend::Segment(segment::Options::new(dir)),
        Log::Kafka(broker) => Backend::Kafka(kafka::Options::new(vec![broker.clone()])),
    };
    let topic = settings::transactions_topic();
    // Half of the retention has passed since this one, and nobody has consumed it.
    let old = Transaction {
        hash: [1; 32].into(),
        sender: [2; 20].into(),
        raw: vec![3].into(),
        taken_ms: 1_000 * 60,
        tag: None,
        identity: None,
    };
    let payload = old.encode();
    let entry = Append { key: Some(old.sender.as_slice()), payload: &payload };
    log.producer(&topic).unwrap().append(&[entry]).unwrap();
    net.start().unwrap();

    let (geth, replica) = (net.master(), net.replica(0).unwrap());
    let mut sender = Sender::new(geth.clone(), replica);
    let raw = sender.signed(&json!({"value": "0x1"}));
    wait::until("transactions to be refused", SOON, || {
        let answer = sender.send(&raw);
        let text = answer["error"]["message"].as_str().unwrap_or_default();
        let named =
            text.contains("group emitter has not consumed maidenlane.test.transactions since unix time 60,");
        if answer["error"]["code"] == -32094 && named { Ok(()) } else { Err(answer.to_string()) }
    })
    .unwrap();
    let status = net.replica_daemon(0).unwrap().status().unwrap();
    assert_eq!(status["transactions"]["taken"], false, "{status}");

    let url = geth.url().to_owned();
    let mut emitter = net.emitter("emitter-0", &[("geth", &url)]).unwrap();
    emitter.start().unwrap();
    let mut answers = Vec::new();
    wait::until("transactions to be taken again", SOON, || {
        let answer = sender.send(&raw);
        let taken = answer.get("result").is_some();
        answers.push(answer.to_string());
        answers.dedup();
        if taken { Ok(()) } else { Err(answers.join("\n")) }
    })
    .unwrap();
    sender.replica.call("eth_sendRawTransactionSync", &json!([raw])).unwrap();
    sender.nonce = 1;
    let mut sent = sender.deliver();
    net.caught_up(0).unwrap();
    sender.refuse();
    emitter.stop().unwrap();
    let first = keccak256(raw.as_str().unwrap().parse::<Bytes>().unwrap()).to_string();
    let mut came = stored(&log);
    came.retain(|hash| *hash != old.hash.to_string() && *hash != first);
    came.sort();
    sent.sort();
    assert_eq!(came, sent, "each is stored once");
    net.stop().unwrap();
}

#[test]
fn transactions_go_through_the_segment_log() {
    check(Carrier::Segment);
}

#[test]
fn transactions_go_through_kafka() {
    check(Carrier::Kafka);
}
