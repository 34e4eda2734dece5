//! The master's pool as a replica tells it: the same questions asked of a real geth and of the replica have the same answers,
//! to the letter, while transactions come, are replaced, mined, dropped and taken back, and while the tap is away.

mod account;
mod door;
mod ear;

use std::{path::Path, time::Duration};

use account::{Account, Kind, Signed, Wish};
use alloy::{consensus::TxEip1559, primitives::U256};
use door::Door;
use ear::{Ear, same};
use maidenlane_tests::{
    failure::Outcome,
    rpc::Client,
    scenario::{Carrier, Net, Plan},
    settings,
    socket::Socket,
    wait,
};
use serde_json::{Value, json};

use crate::consensus::Consensus;

const SOON: Duration = Duration::from_secs(60);
const ACCOUNTS: u8 = 8;
/// Enough for any block of these chains.
const PRICE: u64 = 200;

/// A network whose tap publishes the pool, and whose replica keeps it.
struct World {
    consensus: Consensus,
    accounts: Vec<Account>,
    /// All that was sent, with blobs or without.
    sent: Vec<(String, bool)>,
    recipient: u8,
}

fn pooling(plan: &Plan) -> Outcome<Net> {
    let mut net = Net::build(plan)?;
    net.tap().edit(settings::pooling)?;
    net.replica_daemon(0)?.edit(settings::pooling)?;
    Ok(net)
}

impl World {
    fn new(carrier: Carrier) -> Option<Self> {
        let consensus = Consensus::on(carrier, pooling)?;
        let accounts = (0..ACCOUNTS).map(Account::new).collect();
        Some(Self { consensus, accounts, sent: Vec::new(), recipient: 1 })
    }

    fn geth(&self) -> Client {
        self.consensus.net.master()
    }

    fn account(&self, index: usize) -> Account {
        self.accounts.get(index).unwrap().clone()
    }

    /// Sends a transaction to geth.
    fn send(&mut self, from: usize, kind: Kind, wish: Wish) -> String {
        let Signed { hash, raw } = self.account(from).sign(kind, wish);
        let taken = self.geth().call("eth_sendRawTransaction", &json!([raw])).unwrap();
        assert_eq!(taken, hash.to_string());
        self.sent.push((hash.to_string(), matches!(kind, Kind::Blob)));
        hash.to_string()
    }

    /// The next nonce of an account.
    fn next(&self, from: usize) -> u64 {
        self.account(from).next(&self.geth())
    }

    /// An account with nothing in geth's pool, as one that sends blobs has to be.
    fn free(&self) -> usize {
        let geth = self.geth();
        let is_free = |account: &Account| {
            let content = geth.call("txpool_contentFrom", &json!([account.address])).unwrap();
            content == json!({"pending": {}, "queued": {}})
        };
        self.accounts.iter().rposition(is_free).unwrap()
    }

    fn questions(&self) -> Vec<(&'static str, Value)> {
        let mut questions: Vec<_> =
            ["txpool_content", "txpool_inspect", "txpool_status", "eth_pendingTransactions"]
                .map(|method| (method, json!([])))
                .to_vec();
        for account in &self.accounts {
            questions.push(("txpool_contentFrom", json!([account.address])));
            for block in ["pending", "latest"] {
                questions.push(("eth_getTransactionCount", json!([account.address, block])));
            }
        }
        for (hash, has_blobs) in &self.sent {
            questions.push(("eth_getTransactionByHash", json!([hash])));
            if !has_blobs {
                questions.push(("eth_getRawTransactionByHash", json!([hash])));
                questions.push(("debug_getRawTransaction", json!([hash])));
            }
        }
        questions
    }

    /// Waits until geth and the replica answer every question alike, to the letter.
    fn agree(&mut self, when: &str) {
        let (geth, replica) = self.consensus.sides();
        let questions = self.questions();
        let answer = |client: &Client, (method, params): &(&str, Value)| {
            let request = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
            let (_, text) = client.post(&request.to_string()).map_err(|failure| failure.to_string())?;
            Ok::<_, String>(text.trim_end().to_owned())
        };
        let agreed = wait::until(&format!("both to agree {when}"), SOON, || {
            for question in &questions {
                let (wanted, found) = (answer(&geth, question)?, answer(&replica, question)?);
                if wanted != found {
                    return Err(format!("{question:?}\ngeth    {wanted:.1500}\nreplica {found:.1500}"));
                }
            }
            Ok(())
        });
        agreed.unwrap_or_else(|failure| panic!("{failure}\n{}", self.consensus.net.last_words()));
    }

    /// A block on the head, with transactions.
    fn block(&mut self) -> String {
        let geth = self.geth();
        wait::until("a block with transactions", SOON, || {
            self.recipient = self.recipient.wrapping_add(1);
            let (recipient, gwei) = (self.recipient, u64::from(self.recipient));
            let built = self.consensus.try_fill(recipient, gwei);
            let hash = built.map_err(|failure| failure.to_string())?;
            let count = geth.quantity("eth_getBlockTransactionCountByHash", &json!([hash]));
            let count = count.map_err(|failure| failure.to_string())?;
            if count > 0 { Ok(hash) } else { Err("empty".to_owned()) }
        })
        .unwrap()
    }

    /// Makes a block the head, and waits until the replica shows it.
    fn choose(&mut self, block: &str) {
        self.consensus.choose(block);
        self.consensus.followed();
    }

    /// Blocks until geth has put a transaction into one.
    fn mine(&mut self, hash: &str) {
        let geth = self.geth();
        wait::until("a transaction to be mined", SOON, || {
            let block = self.block();
            self.choose(&block);
            let found = geth.call("eth_getTransactionByHash", &json!([hash]));
            let found = found.map_err(|failure| failure.to_string())?;
            if found.get("blockHash").is_some_and(Value::is_string) { Ok(()) } else { Err(found.to_string()) }
        })
        .unwrap();
    }
}

const fn wish(nonce: u64) -> Wish {
    Wish { nonce, value: U256::ONE, price: PRICE }
}

fn lives(carrier: Carrier) {
    let Some(mut world) = World::new(carrier) else { return };
    world.agree("on what the chain began with");
    let (geth, replica) = world.consensus.sides();
    let pending = [json!(["newPendingTransactions"]), json!(["newPendingTransactions", true])];
    let mut ears = pending.map(|params| [Ear::open(&geth, &params), Ear::open(&replica, &params)]);
    let mut drops = Ear::open(&replica, &json!(["droppedTransactions"]));

    // Executable ones of all kinds, and queued ones whose nonces sort otherwise as texts.
    let first = world.next(0);
    let kinds = [Kind::Legacy, Kind::Listed, Kind::Dynamic, Kind::Creation];
    for (nonce, kind) in (first..).zip(kinds) {
        world.send(0, kind, wish(nonce));
    }
    let gap = world.next(1);
    for nonce in [gap + 1, gap + 2, gap + 10, gap + 100] {
        world.send(1, Kind::Dynamic, wish(nonce));
    }
    let free = world.free();
    let blob = world.next(free);
    world.send(free, Kind::Blob, wish(blob));
    world.agree("on executable and queued ones");

    let old = world.send(1, Kind::Dynamic, wish(gap + 3));
    world.agree("on one more");
    let new = world.send(1, Kind::Dynamic, Wish { price: 2 * PRICE, ..wish(gap + 3) });
    world.agree("on one that was replaced");
    let dropped = drops.about("txhash", &old);
    assert_eq!((&dropped["reason"], &dropped["replacedBy"]), (&json!("replaced-txs"), &json!(new)));

    let filled = world.send(1, Kind::Dynamic, wish(gap));
    world.agree("on what is executable without the gap");
    for [geth, replica] in &mut ears {
        same(geth, replica, &world.sent);
    }
    drop(ears);

    let parent = world.consensus.head();
    world.mine(&filled);
    let mined = world.consensus.head();
    world.agree("on what is left when a block has come");
    world.choose(&parent);
    world.agree("on what came back when the block had left");
    // The block comes back, and has used the nonce of what has replaced one of its own.
    let late = world.send(1, Kind::Dynamic, Wish { price: 3 * PRICE, ..wish(gap) });
    world.agree("on what replaced one that was mined elsewhere");
    world.choose(&mined);
    world.agree("on the first block once more");
    assert_eq!(drops.about("txhash", &late)["reason"], "low-nonce-txs");

    unpayable(&mut world, &mut drops);

    // Nobody tells for a while; what leaves meanwhile is missed.
    world.consensus.net.tap().kill();
    let nonce = world.next(4);
    world.send(4, Kind::Dynamic, wish(nonce));
    let block = world.block();
    world.consensus.choose(&block);
    world.send(4, Kind::Dynamic, wish(nonce + 2));
    world.consensus.net.tap().start().unwrap();
    world.consensus.followed();
    world.agree("after the tap was away");
    let after = world.send(4, Kind::Dynamic, wish(nonce + 1));
    world.mine(&after);
    world.agree("on a block after the tap was away");
    let status = world.consensus.net.tap().status().unwrap();
    assert_eq!(status["pool"]["state"], "told", "{status}");
    let status = world.consensus.net.replica_daemon(0).unwrap().status().unwrap();
    assert_eq!((&status["pool"]["told"], &status["pool"]["evicted"]), (&json!(true), &json!(0)), "{status}");
    world.consensus.net.stop().unwrap();
}

/// A sender spends what a queued transaction of its own was to spend.
fn unpayable(world: &mut World, drops: &mut Ear) {
    let nonce = world.next(3);
    let balance = world.geth().call("eth_getBalance", &json!([world.account(3).address, "latest"])).unwrap();
    let most: U256 = balance.as_str().unwrap().parse::<U256>().unwrap() * U256::from(6) / U256::from(10);
    let poor = world.send(3, Kind::Dynamic, Wish { value: most, ..wish(nonce + 1) });
    world.agree("on one that is queued");
    let spent = world.send(3, Kind::Dynamic, Wish { value: most, ..wish(nonce) });
    world.mine(&spent);
    world.agree("on one that its sender cannot pay any more");
    assert_eq!(drops.about("txhash", &poor)["reason"], "unpayable-txs");
}

#[test]
fn a_pool_lives_on_the_segment_log() {
    lives(Carrier::Segment);
}

#[test]
fn a_pool_lives_on_kafka() {
    lives(Carrier::Kafka);
}

#[test]
fn a_connection_to_the_master_that_is_lost_is_made_good() {
    let Some(mut world) = World::new(Carrier::Segment) else { return };
    let (ipc, path) = (world.consensus.net.master_ipc(), world.consensus.net.dir().join("door.ipc"));
    let door = Door::before(Path::new(&ipc), &path);
    let tap = world.consensus.net.tap();
    tap.stop().unwrap();
    tap.edit(|text| text.replace(&ipc, &path.display().to_string())).unwrap();
    tap.start().unwrap();
    let nonce = world.next(0);
    let stays = world.send(0, Kind::Dynamic, wish(nonce));
    world.agree("through the door");
    door.slam();
    // What is announced now is collected by no filter, and what is replaced by nobody seen.
    world.send(0, Kind::Dynamic, wish(nonce + 1));
    world.send(0, Kind::Dynamic, Wish { price: 2 * PRICE, ..wish(nonce) });
    world.send(1, Kind::Dynamic, wish(nonce + 50));
    door.reopen();
    world.agree("once the door is open again");
    assert!(world.sent.iter().any(|(hash, _)| *hash == stays));
    world.consensus.net.stop().unwrap();
}

/// Texts that the guide gives in place of a reason of the first feeds.
fn told_today(reason: &str) -> Vec<&'static str> {
    let guide = include_str!("../../daemons/replica/README.md");
    let (_, section) = guide.split_once("And of rejections").unwrap();
    let row = section.lines().find(|line| line.starts_with(&format!("| `{reason}` |"))).unwrap();
    row.split('`').skip(3).step_by(2).collect()
}

#[test]
fn rejections_are_in_the_words_of_the_guide() {
    let Some(mut world) = World::new(Carrier::Segment) else { return };
    let (geth, account) = (world.geth(), world.account(0));
    let nonce = world.next(0);
    world.send(0, Kind::Dynamic, wish(nonce));
    let balance = geth.call("eth_getBalance", &json!([account.address, "latest"])).unwrap();
    let balance: U256 = balance.as_str().unwrap().parse().unwrap();
    // Below what geth lets a client pay by mistake.
    let plain = Account::dynamic(Wish { price: PRICE / 10, ..wish(nonce + 1) });
    let long = TxEip1559 { input: vec![0; 131_072].into(), gas_limit: 16_000_000, ..plain.clone() };
    let cases = [
        ("invalid sender", TxEip1559 { chain_id: 1, ..plain.clone() }),
        ("nonce too low", TxEip1559 { nonce: 0, ..plain.clone() }),
        ("transaction underpriced", TxEip1559 { max_priority_fee_per_gas: 0, ..plain.clone() }),
        ("replacement transaction underpriced", TxEip1559 { nonce, value: U256::ZERO, ..plain.clone() }),
        ("insufficient funds for gas * price + value", TxEip1559 { value: balance, ..plain.clone() }),
        ("intrinsic gas too low", TxEip1559 { gas_limit: 20_000, ..plain.clone() }),
        ("exceeds block gas limit", TxEip1559 { gas_limit: 17_000_000, ..plain.clone() }),
        ("oversized data", long),
    ];
    for (reason, tx) in cases {
        let refused = geth.respond("eth_sendRawTransaction", &json!([account.signed(tx).raw])).unwrap();
        let message = refused["error"]["message"].as_str().unwrap_or_else(|| panic!("{reason}: {refused}"));
        let told = told_today(reason);
        let fits = |text: &&str| message.starts_with(text.split('…').next().unwrap());
        assert!(told.iter().any(fits), "{reason}: {message}, not {told:?}");
    }
    assert_eq!(told_today("negative value"), Vec::<&str>::new());
    world.consensus.net.stop().unwrap();
}

#[test]
fn without_a_pool_a_replica_says_what_it_is_asked_for_in_vain() {
    let Some(mut consensus) = Consensus::new(Carrier::Segment) else { return };
    let (_, replica) = consensus.sides();
    let mut socket = Socket::connect(replica.url()).unwrap();
    let refused = socket.respond("eth_subscribe", &json!(["droppedTransactions", {"scope": "all"}])).unwrap();
    assert_eq!(refused["error"]["code"], -32_000, "{refused}");
    let empty = replica.call("txpool_content", &json!([])).unwrap();
    assert_eq!(empty, json!({"pending": {}, "queued": {}}));
    // A replica whose tap publishes no pool refuses what only the pool can tell, and nothing else.
    let daemon = consensus.net.replica_daemon(0).unwrap();
    daemon.stop().unwrap();
    daemon.edit(settings::pooling).unwrap();
    daemon.start().unwrap();
    let replica = consensus.net.replica(0).unwrap();
    for (method, params) in [
        ("txpool_status", json!([])),
        ("eth_getTransactionCount", json!([crate::consensus::ACCOUNT, "pending"])),
        ("eth_getTransactionByHash", json!([format!("0x{}", "5a".repeat(32))])),
    ] {
        let refused = replica.respond(method, &params).unwrap();
        assert_eq!(refused["error"]["code"], -32_096, "{method}: {refused}");
    }
    let mined =
        replica.call("eth_getTransactionCount", &json!([crate::consensus::ACCOUNT, "latest"])).unwrap();
    assert_eq!(mined, "0x0");
}
