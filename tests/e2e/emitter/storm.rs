//! Transactions through two replicas and two emitters to two geths, while all of them are killed at random:
//! each that was taken is in a block, or has a verdict that is true, and nothing is told twice.

use std::collections::{BTreeMap, BTreeSet};

use alloy::consensus::{TxEip2930, TxEip7702, TxLegacy};
use alloy::eips::eip7702::{Authorization, SignedAuthorization};
use alloy::primitives::{Address, Bytes, U256};
use fastrand::Rng;
use maidenlane_log::Backend;
use maidenlane_testkit::keys::{CHAIN_ID, Key};
use maidenlane_tests::{
    daemon::Daemon,
    failure::Outcome as Done,
    install::GETH,
    kafka,
    rpc::Client,
    scenario::{Carrier, Net, Plan},
    wait,
};
use maidenlane_wire::{Fate, Outcome};
use serde_json::{Value, json};

use super::SOON;
use super::outcomes::{log_of, outcomes};
use super::reorged::{taking, transfer};
use crate::consensus::Consensus;

const SEED: u64 = 0x7478_7374_6f72_6d00;
/// Transactions in the suite, where a broker that is killed takes seconds to be back, and in a long run.
const COUNT: usize = 300;
const COUNT_KAFKA: usize = 100;
const COUNT_LONG: usize = 5_000;
/// Transactions of a round, which ends with a block.
const ROUND: usize = 10;
/// Rounds that the end may take, when nothing is killed any more.
const LAST_ROUNDS: u32 = 400;
const GWEI: u128 = 1_000_000_000;
/// Errors of a replica that takes nothing at the moment.
const NOT_NOW: [i64; 4] = [-32_090, -32_094, -32_005, -32_603];

/// A transaction that a replica took, or may have taken.
struct Taken {
    hash: String,
    sender: Address,
    nonce: u64,
    /// False where no answer came: nobody promised anything.
    promised: bool,
}

/// The network, and what it was given.
struct Storm {
    consensus: Consensus,
    log: Backend,
    emitters: [Daemon; 2],
    keys: Vec<Key>,
    nonces: Vec<u64>,
    taken: Vec<Taken>,
    /// Transactions that no replica took, with its words.
    refused: Vec<String>,
    kills: BTreeMap<&'static str, u32>,
    rng: Rng,
    gwei: u64,
}

fn of_two(plan: &Plan) -> Done<Net> {
    taking(&Plan { replicas: 2, ..plan.clone() })
}

impl Storm {
    fn new(carrier: Carrier) -> Option<Self> {
        if let Some(missing) = kafka::missing().filter(|_| carrier == Carrier::Kafka && GETH.met()) {
            println!("not run: no {missing} for a real broker");
            return None;
        }
        let mut consensus = Consensus::on(carrier, of_two)?;
        consensus.add_peer();
        // Both kinds of chains: one that is never final, where nothing may be forgotten, and one that is soon.
        if carrier == Carrier::Kafka {
            consensus.settle();
        }
        let log = log_of(&consensus.net);
        let nodes = [consensus.net.master(), consensus.peer()].map(|node| node.url().to_owned());
        let emitters = ["emitter-0", "emitter-1"].map(|name| {
            let nodes = [("master", nodes[0].as_str()), ("peer", nodes[1].as_str())];
            let mut emitter = consensus.net.emitter(name, &nodes).unwrap();
            emitter.start().unwrap();
            emitter
        });
        let (master, mut keys) = (consensus.net.master(), Key::of_generated_chains());
        // Of an account with a delegation nodes take one transaction at a time: hundreds would outlive their time.
        keys.retain(|key| master.call("eth_getCode", &json!([key.address, "latest"])).unwrap() == "0x");
        let nonce = |key: &Key| master.quantity("eth_getTransactionCount", &json!([key.address, "latest"]));
        let nonces = keys.iter().map(|key| nonce(key).unwrap()).collect();
        let (taken, refused) = (Vec::new(), Vec::new());
        let (kills, rng) = (BTreeMap::new(), Rng::with_seed(SEED));
        Some(Self { consensus, log, emitters, keys, nonces, taken, refused, kills, rng, gwei: 1_000 })
    }

    /// A transaction of some kind; whether it uses its nonce up.
    fn made(&mut self, key: usize, tip: u128) -> (String, Bytes) {
        let (key, nonce) = (&self.keys[key], self.nonces[key]);
        let (gas_price, to) = (100 * GWEI + tip, Address::repeat_byte(7));
        let (hash, raw) = match self.rng.u8(..4) {
            0 => key.sign(TxLegacy {
                chain_id: Some(CHAIN_ID),
                nonce,
                gas_price,
                gas_limit: 21_000,
                to: to.into(),
                ..TxLegacy::default()
            }),
            1 => key.sign(TxEip2930 {
                chain_id: CHAIN_ID,
                nonce,
                gas_price,
                gas_limit: 21_000,
                to: to.into(),
                ..TxEip2930::default()
            }),
            2 => {
                let authorization = Authorization { chain_id: U256::ZERO, address: to, nonce: 0 };
                let signed =
                    SignedAuthorization::new_unchecked(authorization, 0, U256::from(1), U256::from(1));
                key.sign(TxEip7702 {
                    chain_id: CHAIN_ID,
                    nonce,
                    max_fee_per_gas: gas_price,
                    max_priority_fee_per_gas: tip,
                    gas_limit: 100_000,
                    to,
                    authorization_list: vec![signed],
                    ..TxEip7702::default()
                })
            }
            _ => key.sign(transfer(nonce, tip)),
        };
        (hash.to_string(), raw)
    }

    /// Sends one to either replica until one has answered for it.
    fn send(&mut self, key: usize, (hash, raw): (String, Bytes)) {
        let mut promised = None;
        let mut unanswered = false;
        let mut refusal = String::new();
        let answered = wait::until("a replica to answer for a transaction", SOON, || {
            let index = self.rng.usize(..2);
            let replica = self.replica(index)?;
            let sent = replica.respond("eth_sendRawTransaction", &json!([raw]));
            let answer = sent.map_err(|failure| {
                unanswered = true;
                failure.to_string()
            })?;
            let code = answer.pointer("/error/code").and_then(Value::as_i64);
            match code {
                None => promised = Some(true),
                Some(code) if NOT_NOW.contains(&code) => {
                    unanswered |= code == -32_094;
                    return Err(answer.to_string());
                }
                // Taken before, perhaps, when no answer came, and in a block by now.
                Some(_) if unanswered => promised = Some(false),
                Some(_) => refusal = answer.to_string(),
            }
            Ok(())
        });
        answered.unwrap_or_else(|failure| panic!("{failure}\n{}", self.consensus.net.last_words()));
        match promised {
            Some(promised) => {
                let (sender, nonce) = (self.keys[key].address, self.nonces[key]);
                self.taken.push(Taken { hash, sender, nonce, promised });
            }
            None => self
                .refused
                .push(format!("{hash} {} {}: {refusal}", self.keys[key].address, self.nonces[key])),
        }
    }

    /// A replica, if it runs and listens.
    fn replica(&mut self, index: usize) -> Result<Client, String> {
        let bound = self.consensus.net.replica_daemon(index).and_then(|replica| {
            replica.tend()?;
            Ok(replica.bound("rpc"))
        });
        let address = bound.map_err(|failure| failure.to_string())??;
        Ok(Client::new(format!("http://{address}")))
    }

    /// Some transactions: most are good, some no node takes, some replace one that went before.
    fn round(&mut self) {
        for _ in 0..ROUND {
            let key = self.rng.usize(..self.keys.len());
            match self.rng.u8(..10) {
                0 => {
                    let transaction = self.keys[key].sign(transfer(self.nonces[key], 0));
                    self.send(key, (transaction.0.to_string(), transaction.1));
                    continue;
                }
                1 => {
                    let (cheap, dear) = (self.made(key, GWEI), self.made(key, 50 * GWEI));
                    self.send(key, cheap);
                    self.send(key, dear);
                }
                _ => {
                    let transaction = self.made(key, 2 * GWEI);
                    self.send(key, transaction);
                }
            }
            self.nonces[key] += 1;
        }
        self.block();
    }

    fn block(&mut self) {
        self.gwei += 1;
        let block = self.consensus.try_fill(0, self.gwei).unwrap();
        self.consensus.choose(&block);
    }

    /// Kills one of all, and starts again what was killed before.
    fn strike(&mut self) {
        let victims = ["replica 0", "replica 1", "emitter 0", "emitter 1", "master", "peer", "broker"];
        let victim = victims[self.rng.usize(..victims.len())];
        let net = &mut self.consensus.net;
        match victim {
            "replica 0" | "replica 1" => {
                let replica = net.replica_daemon(usize::from(victim.ends_with('1'))).unwrap();
                replica.kill();
                replica.launch().unwrap();
            }
            "emitter 0" | "emitter 1" => {
                let emitter = &mut self.emitters[usize::from(victim.ends_with('1'))];
                emitter.kill();
                emitter.launch().unwrap();
            }
            "master" => self.consensus.kill_master(),
            "peer" => self.consensus.restart_peer(),
            _ => {
                let Some(broker) = net.broker() else { return };
                broker.kill();
                broker.restart().unwrap();
            }
        }
        *self.kills.entry(victim).or_default() += 1;
    }

    /// Starts again what has given up on something that was away, as a service manager does.
    fn tend(&mut self) {
        self.consensus.net.tend().unwrap();
        self.emitters.iter_mut().for_each(|emitter| emitter.tend().unwrap());
    }

    /// Makes blocks until each transaction has its end.
    fn settle(&mut self) -> BTreeMap<String, Vec<Outcome>> {
        let mut open = Vec::new();
        for _ in 0..LAST_ROUNDS {
            self.tend();
            self.block();
            let all = outcomes(&self.log);
            let is_open = |taken: &&Taken| {
                let told = all.get(&taken.hash).map(Vec::as_slice).unwrap_or_default();
                taken.promised && verdict(told).is_none()
            };
            open = self.taken.iter().filter(is_open).map(|taken| taken.hash.clone()).collect();
            if open.is_empty() {
                return all;
            }
        }
        panic!("{} without an end\n{}", open.len(), self.words(&open));
    }

    /// All that is known of why these have no end.
    fn words(&self, open: &[String]) -> String {
        let all = outcomes(&self.log);
        let mut lines = Vec::new();
        let mut of_sender = BTreeMap::new();
        for taken in self.taken.iter().filter(|taken| open.contains(&taken.hash)) {
            of_sender.entry(taken.sender).or_insert_with(Vec::new).push(taken.nonce);
        }
        for (sender, nonces) in of_sender {
            let lowest = *nonces.iter().min().unwrap();
            for (name, node) in [("master", self.consensus.net.master()), ("peer", self.consensus.peer())] {
                let next = node.call("eth_getTransactionCount", &json!([sender, "latest"]));
                let pool = node.call("txpool_contentFrom", &json!([sender]));
                lines
                    .push(format!("{sender} {} open from {lowest}, {name}: {next:?} {pool:?}", nonces.len()));
            }
            for taken in self
                .taken
                .iter()
                .filter(|one| one.sender == sender && (lowest.max(2) - 2..=lowest).contains(&one.nonce))
            {
                let told = all.get(&taken.hash);
                lines.push(format!(
                    "  {} nonce {} promised {}: {told:?}",
                    taken.hash, taken.nonce, taken.promised
                ));
            }
        }
        lines.extend(self.refused.iter().take(20).cloned());
        lines.extend(self.emitters.iter().map(|emitter| emitter.log_tail(8)));
        let whole = lines.join("\n");
        whole.chars().take(60_000).collect()
    }

    /// Holds what was told against the chain; counts of the ends.
    fn judge(&self, all: &BTreeMap<String, Vec<Outcome>>) -> BTreeMap<&'static str, usize> {
        let master = self.consensus.net.master();
        let mut ends = BTreeMap::new();
        let mut used = BTreeSet::new();
        for Taken { hash, sender, nonce, promised } in &self.taken {
            let told = all.get(hash).map(Vec::as_slice).unwrap_or_default();
            let Some(end) = verdict(told) else {
                assert!(!promised, "{hash} has no end");
                *ends.entry("never taken").or_default() += 1;
                continue;
            };
            *ends.entry(end.fate.name()).or_default() += 1;
            let receipt = master.call("eth_getTransactionReceipt", &json!([hash])).unwrap();
            let block = receipt.get("blockHash").and_then(Value::as_str).unwrap_or_default();
            match &end.fate {
                Fate::Mined { block: at } => {
                    assert_eq!(at.hash.to_string(), block, "{hash}: {told:?}");
                    assert!(used.insert((*sender, *nonce)), "{hash}: its nonce was used by another");
                }
                Fate::Replaced { by, block: at } => {
                    let other = master.call("eth_getTransactionReceipt", &json!([by])).unwrap();
                    assert_eq!(other["blockHash"], at.hash.to_string(), "{hash}: {told:?}");
                    assert_eq!(block, "", "{hash} is in a block");
                }
                _ => assert_eq!(block, "", "{hash} is in a block: {told:?}"),
            }
            // Each round has one end: one that is sent again after its end begins another, and so does one that a block has lost.
            let mut ends_of = BTreeMap::<u64, usize>::new();
            for outcome in told {
                use Fate::{Mined, Rejected, Replaced};
                if matches!(outcome.fate, Mined { .. } | Rejected { .. } | Replaced { .. }) {
                    *ends_of.entry(outcome.round).or_default() += 1;
                }
            }
            assert!(ends_of.values().all(|ends| *ends == 1), "{hash} is told twice: {told:?}");
        }
        ends
    }

    fn end(mut self) {
        for emitter in &mut self.emitters {
            emitter.stop().unwrap();
        }
        self.consensus.net.recovered().unwrap();
    }
}

/// The outcome that stands; of one that is final, what is final.
fn verdict(told: &[Outcome]) -> Option<&Outcome> {
    let is_fate = |outcome: &&Outcome| !matches!(outcome.fate, Fate::Sent { .. } | Fate::Final { .. });
    told.iter().rev().find(is_fate).filter(|last| {
        use Fate::{Mined, Rejected, Replaced};
        matches!(last.fate, Mined { .. } | Rejected { .. } | Replaced { .. })
    })
}

fn weathered(carrier: Carrier) {
    let Some(mut storm) = Storm::new(carrier) else { return };
    let count = match (crate::long(), carrier) {
        (true, _) => COUNT_LONG,
        (false, Carrier::Segment) => COUNT,
        (false, Carrier::Kafka) => COUNT_KAFKA,
    };
    while storm.taken.len() + storm.refused.len() < count {
        storm.round();
        storm.strike();
        storm.tend();
    }
    let all = storm.settle();
    let ends = storm.judge(&all);
    println!(
        "{carrier:?}, seed {SEED:#x}: {} taken, {} refused at a door, ends {ends:?}, kills {:?}",
        storm.taken.len(),
        storm.refused.len(),
        storm.kills
    );
    assert!(ends.get("Mined").is_some_and(|mined| *mined > count / 2), "{ends:?}");
    storm.end();
}

#[test]
fn nothing_is_lost_and_nothing_told_twice_on_the_segment_log() {
    weathered(Carrier::Segment);
}

#[test]
fn nothing_is_lost_and_nothing_told_twice_on_kafka() {
    weathered(Carrier::Kafka);
}
