//! Private orders: taken by a relay that follows a real geth, durable before they are acknowledged, private wherever they lie, and
//! there again after the relay was killed.

mod blobs;
mod builders;
mod clients;
mod company;
mod delivery;
mod held;
mod hostile;
mod keys;
mod mempool;
mod nowhere;
mod operator;
mod share;
mod simulated;
mod storm;
mod stratum;
mod wallet;
mod watched;

use std::time::Duration;

use crate::transactions::Sender;
use builders::{Builder, Manner};
use maidenlane_chain::keccak256;
use maidenlane_tests::{
    daemon::Daemon,
    rpc::Client,
    scenario::{Carrier, Chain, Net, Plan},
    socket::Socket,
    wait,
};
use secp256k1::{Message, SECP256K1, SecretKey};
use serde_json::{Value, json};

const SOON: Duration = Duration::from_secs(60);

/// A network with a relay, and whoever sends it something.
struct World {
    net: Net,
    relay: Daemon,
    sender: Sender,
    builders: Vec<Builder>,
}

/// A searcher's key.
struct Searcher {
    key: SecretKey,
    address: String,
}

impl Searcher {
    fn new(number: u8) -> Self {
        let key = SecretKey::from_byte_array([number; 32]).unwrap();
        let point = key.public_key(SECP256K1).serialize_uncompressed();
        let address = format!("0x{}", &keccak256(&point[1..]).to_string()[26..]);
        Self { key, address }
    }

    /// The header that other people's wallets make.
    fn header(&self, body: &str) -> String {
        let text = keccak256(body).to_string();
        let message = keccak256(format!("\x19Ethereum Signed Message:\n{}{text}", text.len()));
        let signature = SECP256K1.sign_ecdsa_recoverable(Message::from_digest(message.0), &self.key);
        let (v, rs) = signature.serialize_compact();
        let digits: String = rs.iter().map(|byte| format!("{byte:02x}")).collect();
        format!("{}:0x{digits}{:02x}", self.address, 27 + i32::from(v))
    }
}

fn body(method: &str, params: &Value) -> String {
    json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).to_string()
}

impl World {
    fn new(carrier: Carrier) -> Self {
        Self::with(carrier, &[])
    }

    /// The same with builders that orders are sent to.
    fn with(carrier: Carrier, builders: &[(&str, Manner)]) -> Self {
        let mut net = Net::build(&Plan { chain: Chain::Developer, carrier, replicas: 1 }).unwrap();
        net.start().unwrap();
        let sender = Sender::new(net.master(), net.replica(0).unwrap());
        let names = builders.iter().map(|(name, _)| *name);
        let builders: Vec<Builder> =
            builders.iter().map(|(_, manner)| Builder::open(&net.master(), *manner)).collect();
        let urls: Vec<String> = builders.iter().map(Builder::url).collect();
        let named: Vec<(&str, &str)> = names.zip(urls.iter().map(String::as_str)).collect();
        let mut relay = net.relay("relay-0", &["builder", "searcher"], &named).unwrap();
        relay.start().unwrap();
        relay.ready(SOON).unwrap_or_else(|failure| panic!("{failure}\n{}", relay.log_tail(20)));
        Self { net, relay, sender, builders }
    }

    fn url(&mut self, listener: &str) -> String {
        format!("http://{}", self.relay.address(listener).unwrap())
    }

    fn killed(&mut self) {
        self.relay.kill();
        self.relay.start().unwrap();
        self.relay.ready(SOON).unwrap_or_else(|failure| panic!("{failure}\n{}", self.relay.log_tail(20)));
    }

    /// A transaction that nobody has sent yet.
    fn transaction(&mut self) -> String {
        let signed = self.sender.signed(&json!({"value": "0x1"}));
        self.sender.nonce += 1;
        signed.as_str().unwrap().to_owned()
    }

    fn head(&mut self) -> u64 {
        Client::new(self.url("rpc")).block_number().unwrap()
    }

    /// The answer to a body as it is, signed.
    fn post(&mut self, by: &Searcher, body: &str) -> Value {
        let header = by.header(body);
        let client = Client::new(self.url("rpc"));
        let (_, answer) = client.post_with(body, &[("X-Flashbots-Signature", &header)]).unwrap();
        serde_json::from_str(&answer).unwrap()
    }

    fn ask(&mut self, by: &Searcher, method: &str, params: &Value) -> Value {
        self.post(by, &body(method, params))
    }

    /// A bundle for a block that is far away, with more fields.
    fn bundle(&mut self, more: &Value) -> Value {
        let block = self.head() + 500;
        let mut bundle = json!({"txs": [self.transaction()], "blockNumber": format!("{block:#x}")});
        bundle.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        bundle
    }

    fn status(&mut self, by: &Searcher, taken: &Value) -> Value {
        self.ask(by, "maidenlane_bundleStatus", &json!([{"bundleHash": taken["bundleHash"]}]))["result"]
            .take()
    }

    /// Waits until a simulation of an order has ended like this.
    fn simulated(&mut self, by: &Searcher, taken: &Value, expect: &str) {
        let seen = wait::until(&format!("the order to be simulated as {expect}"), SOON, || {
            let status = self.status(by, taken);
            if status[0]["simulation"]["status"] == expect { Ok(()) } else { Err(status.to_string()) }
        });
        seen.unwrap_or_else(|failure| panic!("{failure}\n{}", self.relay.log_tail(20)));
    }

    /// Orders that the builder `one` pulls for a block.
    fn pulled(&mut self, block: u64) -> Value {
        let client = Client::new(self.url("known"));
        let params = json!([format!("{block:#x}"), "0xffffffff"]);
        let body = body("maidenlane_mevBundles", &params);
        let (_, answer) = client.post_with(&body, &[("Authorization", "Bearer builder")]).unwrap();
        serde_json::from_str(&answer).unwrap()
    }
}

fn reason(answer: &Value) -> &str {
    answer["error"]["data"]["reason"].as_str().unwrap_or_default()
}

/// Orders that were acknowledged are there after a kill: bundles, replacements, cancels.
fn kept(carrier: Carrier) {
    let mut world = World::new(carrier);
    let (one, other) = (Searcher::new(1), Searcher::new(2));
    let name = json!({"replacementUuid": "d9a3ae52-79a2-4ce9-a687-e2aa4183d5c6"});
    let bundle = world.bundle(&name);
    let taken = world.ask(&one, "eth_sendBundle", &json!([bundle]))["result"].take();
    assert_eq!(
        (&taken["durable"], &taken["applied"], &taken["known"]),
        (&json!(true), &json!(true), &json!(false))
    );
    let raw = bundle["txs"][0].as_str().unwrap().parse::<maidenlane_chain::Bytes>().unwrap();
    let hash = keccak256(keccak256(raw));
    assert_eq!(taken["bundleHash"], hash.to_string(), "as everybody computes it");
    assert_eq!(world.status(&one, &taken)[0]["status"], "early");
    assert_eq!(world.status(&other, &taken), json!([]), "nobody else's business");

    let replacing = world.bundle(&name);
    let second = world.ask(&one, "eth_sendBundle", &json!([replacing]))["result"].take();
    let others = world.bundle(&name);
    let third = world.ask(&other, "eth_sendBundle", &json!([others]))["result"].take();
    world.killed();
    assert_eq!(world.status(&one, &taken)[0]["status"], "replaced");
    assert_eq!(world.status(&one, &second)[0]["status"], "early");
    assert_eq!(world.status(&other, &third)[0]["status"], "early", "under the same name, and another's");

    let cancelled = world.ask(&one, "eth_cancelBundle", &json!([name]));
    assert_eq!(cancelled["result"]["bundleHashes"], json!([second["bundleHash"]]), "{cancelled}");
    assert_eq!(cancelled["result"]["applied"], true);
    world.killed();
    assert_eq!(world.status(&one, &second)[0]["status"], "cancelled");
    assert_eq!(world.status(&other, &third)[0]["status"], "early");
    let again = world.ask(&one, "eth_sendBundle", &json!([replacing]));
    assert_eq!(reason(&again), "cancelled", "{again}");
    let stats = world.ask(&one, "flashbots_getBundleStatsV2", &json!([{"bundleHash": taken["bundleHash"]}]));
    assert!(stats["result"]["receivedAt"].as_str().unwrap().ends_with('Z'), "{stats}");
    world.relay.stop().unwrap();
    assert_eq!(world.relay.errors(), Vec::<String>::new());
}

#[test]
fn acknowledged_orders_outlive_their_relay_on_the_segment_log() {
    kept(Carrier::Segment);
}

#[test]
fn acknowledged_orders_outlive_their_relay_on_kafka() {
    kept(Carrier::Kafka);
}

#[test]
fn builders_pull_what_is_for_them_and_due() {
    let mut world = World::new(Carrier::Segment);
    let one = Searcher::new(1);
    let tx = world.transaction();
    let sent = world.ask(&one, "eth_sendPrivateTransaction", &json!([{"tx": tx}]));
    let hash = sent["result"].as_str().unwrap_or_else(|| panic!("{sent}")).to_owned();
    let next = world.head() + 1;
    let pulled = world.pulled(next);
    assert_eq!(pulled["result"][0]["txs"], json!([tx]), "{pulled}");
    world.killed();
    let pulled = world.pulled(next);
    assert_eq!(pulled["result"].as_array().unwrap().len(), 1, "{pulled}");

    let for_two = json!({"tx": world.transaction(), "preferences": {"privacy": {"builders": ["two"]}}});
    assert!(world.ask(&one, "eth_sendPrivateTransaction", &json!([for_two]))["result"].is_string());
    assert_eq!(world.pulled(next)["result"].as_array().unwrap().len(), 1, "not for this builder");
    let unsigned = Client::new(world.url("known"));
    let body = body("maidenlane_mevBundles", &json!(["0x1", "0x1"]));
    let (_, answer) = unsigned.post_with(&body, &[("Authorization", "Bearer searcher")]).unwrap();
    assert!(answer.contains("noBuilder"), "{answer}");
    let by_signature = world.ask(&one, "maidenlane_mevBundles", &json!(["0x1", "0x1"]));
    assert_eq!(reason(&by_signature), "noBuilder");

    let cancelled = world.ask(&one, "eth_cancelPrivateTransaction", &json!([{"txHash": hash}]));
    assert_eq!(cancelled["result"], true, "{cancelled}");
    let cancelled = world.ask(&Searcher::new(2), "eth_cancelPrivateTransaction", &json!([{"txHash": hash}]));
    assert_eq!(cancelled["result"], false, "another's, or nobody's: the answer is the same");
    assert_eq!(world.pulled(next)["result"], json!([]));
}

#[test]
fn requests_are_believed_only_as_they_were_signed_and_once() {
    let mut world = World::new(Carrier::Segment);
    let (one, other) = (Searcher::new(1), Searcher::new(2));
    let bundle = world.bundle(&json!({}));
    let body = body("eth_sendBundle", &json!([bundle]));
    let client = Client::new(world.url("rpc"));
    let header = one.header(&body);
    let check = |body: &str, header: &str, expect: &str| {
        let (_, answer) = client.post_with(body, &[("X-Flashbots-Signature", header)]).unwrap();
        let answer: Value = serde_json::from_str(&answer).unwrap();
        assert_eq!(reason(&answer), expect, "{answer}");
    };
    check(&format!("{body} "), &header, "signatureMismatch");
    check(&body, &header.replace(&one.address, &other.address), "signatureMismatch");
    check(&body, &header.replace(":0x", ":"), "signatureUnmarked");
    let (_, answer) = client.post(&body).unwrap();
    assert!(answer.contains("signatureMissing"), "{answer}");

    let first = world.post(&one, &body);
    assert_eq!(first["result"]["known"], false, "{first}");
    assert_eq!(world.post(&one, &body), first, "the same bytes again, the same answer");
    let again = world.ask(&one, "eth_sendBundle", &json!([bundle,]));
    assert_eq!(again, first, "those are the same bytes, too");
    let mut spaced = bundle.clone();
    spaced["version"] = json!("v2");
    let known = world.ask(&one, "eth_sendBundle", &json!([spaced]));
    assert_eq!(
        (&known["result"]["known"], &known["result"]["contentId"]),
        (&json!(true), &first["result"]["contentId"])
    );
    let others = world.ask(&other, "eth_sendBundle", &json!([bundle]));
    assert_eq!(others["result"]["known"], false, "another signer's is another order");

    // A cancel that overtook its bundle, by a message on a WebSocket, where an identity stands in for a signature.
    let known = world.url("known");
    assert!(Socket::connect(&known).is_err(), "not without a token");
    assert!(Socket::connect_as(&known, "searcher").is_ok());
    let name = json!({"replacementUuid": "early"});
    let cancel = world.ask(&one, "eth_sendBundle", &json!([name]));
    assert_eq!(cancel["result"]["applied"], true, "{cancel}");
    let late = world.bundle(&name);
    assert_eq!(reason(&world.ask(&one, "eth_sendBundle", &json!([late]))), "cancelled");
    let wrong = world.bundle(&json!({"revertingTxHashes": [format!("0x{}", "07".repeat(32))]}));
    assert_eq!(reason(&world.ask(&one, "eth_sendBundle", &json!([wrong]))), "hashNotInBundle");
}

#[test]
fn a_relay_killed_at_any_point_takes_an_order_once() {
    let mut world = World::new(Carrier::Segment);
    let one = Searcher::new(1);
    let file = maidenlane_tests::product::root().join("daemons/relay/src/failpoints.rs");
    let text = std::fs::read_to_string(file).unwrap();
    let points: Vec<&str> = text.split('"').filter(|word| word.starts_with("relay.")).collect();
    // What stands behind those needs a builder, and has a test of its own.
    assert_eq!(points.len(), 5, "{points:?}");
    for point in &points[..3] {
        let bundle = world.bundle(&json!({}));
        let body = body("eth_sendBundle", &json!([bundle]));
        world.relay.kill();
        world.relay.environment("MAIDENLANE_FAILPOINT", point);
        world.relay.start().unwrap();
        world.relay.ready(SOON).unwrap_or_else(|failure| panic!("{failure}\n{}", world.relay.log_tail(20)));
        let client = Client::new(world.url("rpc"));
        let answer = client.post_with(&body, &[("X-Flashbots-Signature", &one.header(&body))]);
        assert!(answer.is_err(), "at {point} it was killed before it answered: {answer:?}");
        world.relay.wait(SOON).unwrap_or_else(|failure| panic!("at {point}: {failure}"));
        world.relay.environment("MAIDENLANE_FAILPOINT", "");
        world.killed();
        let taken = world.post(&one, &body);
        let stored_before = *point != "relay.before_append";
        assert_eq!(taken["result"]["known"], stored_before, "at {point}: {taken}");
        let status = world.status(&one, &taken["result"]);
        assert_eq!(status.as_array().unwrap().len(), 1, "at {point}: {status}");
    }
}
