//! The topic of outcomes in a real segment log, as a replica reads it.

use super::kept::{Outcomes, Settings, Unknown};
use super::notices::{Kind, Scope};
use super::reader::{Opened, Reader};
use super::{Counted, read};
use crate::submission::{Bounds, Counts, Means, Offer};
use alloy::consensus::TxEip1559;
use alloy::primitives::{Bytes, U256};
use maidenlane_chain::{Address, B256, BlockRef};
use maidenlane_log::{Append, Backend, TopicOptions, segment};
use maidenlane_service::clock::now_ms;
use maidenlane_service::{Health, Shutdown};
use maidenlane_testkit::keys::Key;
use maidenlane_wire::{Fate, Outcome, Refusal, Transaction};
use serde_json::{Value, json};
use std::time::Duration;

const TOPIC: &str = "t.outcomes";
const HOUR: Duration = Duration::from_secs(3_600);
const A: u8 = 0xaa;
const B: u8 = 0xbb;

/// A log with the topic, and the state directory of a replica.
struct World {
    dir: tempfile::TempDir,
    log: Backend,
}

/// A replica that has read what was there.
struct Replica {
    outcomes: Outcomes,
    reader: Reader,
    opened: Opened,
}

impl World {
    fn new() -> Self {
        Self::with(TopicOptions { partitions: 3, ..TopicOptions::default() })
    }

    fn with(options: TopicOptions) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let log = Backend::Segment(segment::Options::new(dir.path().join("log")));
        log.create(TOPIC, &options).unwrap();
        Self { dir, log }
    }

    fn tell(&self, outcomes: &[Outcome]) {
        let payloads: Vec<_> = outcomes.iter().map(Outcome::encode).collect();
        let entries = outcomes.iter().zip(&payloads);
        let entries: Vec<_> = entries
            .map(|(outcome, payload)| Append { key: Some(outcome.sender.as_slice()), payload })
            .collect();
        self.log.producer(TOPIC).unwrap().append(&entries).unwrap();
    }

    fn replica(&self) -> Replica {
        self.counting(None)
    }

    /// A replica that counts what is on its way.
    fn counting(&self, counted: Option<Counted>) -> Replica {
        let settings = Settings { topic: TOPIC.to_owned(), keep: HOUR };
        let log = (self.log.clone(), counted);
        let (outcomes, reader) =
            read(&settings, self.dir.path(), log, Health::default(), Shutdown::new()).unwrap();
        let opened = reader.open().unwrap();
        let mut replica = Replica { outcomes, reader, opened };
        assert!(matches!(replica.outcomes.history(B256::ZERO), Err(Unknown::NotYet)));
        replica.read();
        replica
    }
}

impl Replica {
    fn read(&mut self) {
        while self.reader.turn(&mut self.opened, Duration::ZERO).unwrap() {}
    }

    /// Fates of a transaction, oldest first.
    fn fates(&self, of: u8) -> String {
        let history = self.outcomes.history(B256::repeat_byte(of)).unwrap();
        let fates =
            history.outcomes.iter().map(|outcome| format!("{}/{}", outcome.fate.name(), outcome.round));
        fates.collect::<Vec<_>>().join(" ")
    }
}

fn told(of: u8, round: u64, fate: Fate) -> Outcome {
    let (hash, sender) = (B256::repeat_byte(of), Address::repeat_byte(of));
    Outcome { hash, sender, round, fate, raw: None, at_ms: now_ms() }
}

fn mined(number: u64) -> Fate {
    Fate::Mined { block: BlockRef::new(number, B256::repeat_byte(1)) }
}

fn rejected(reason: &str) -> Fate {
    Fate::Rejected { class: "funds".to_owned(), reason: reason.to_owned() }
}

#[test]
fn fates_are_kept_in_order_and_once_over_a_restart() {
    let world = World::new();
    world.tell(&[told(A, 0, Fate::Received), told(B, 0, Fate::Received), told(A, 0, Fate::Accepted)]);
    let mut replica = world.replica();
    assert_eq!(replica.outcomes.history(B256::ZERO).unwrap().outcomes, []);
    assert_eq!((replica.fates(A), replica.fates(B)), ("Received/0 Accepted/0".into(), "Received/0".into()));
    world.tell(&[told(A, 0, Fate::Accepted), told(A, 0, mined(7)), told(A, 0, mined(7))]);
    replica.read();
    assert_eq!(replica.fates(A), "Received/0 Accepted/0 Mined/0");
    drop(replica);
    // In another round the same fate is another outcome.
    world.tell(&[told(A, 0, mined(7)), told(A, 1, mined(7))]);
    assert_eq!(world.replica().fates(A), "Received/0 Accepted/0 Mined/0 Mined/1");
}

#[test]
fn what_is_older_than_it_is_kept_is_not_taken() {
    let world = World::new();
    let old = Outcome { at_ms: now_ms() - 3_601_000, ..told(A, 0, Fate::Received) };
    world.tell(&[old, told(A, 0, Fate::Accepted)]);
    let replica = world.replica();
    assert_eq!(replica.fates(A), "Accepted/0");
    let since_ms = replica.outcomes.history(B256::ZERO).unwrap().since_ms;
    let age_s = (now_ms() - since_ms) / 1_000;
    assert!((3_599..=3_601).contains(&age_s), "all is known from {age_s} s ago on");
}

#[test]
fn a_log_that_has_dropped_entries_is_known_from_its_oldest_on() {
    let options = TopicOptions {
        partitions: 1,
        segment_max_bytes: 1_000,
        retention_max_bytes: Some(2_000),
        ..TopicOptions::default()
    };
    let world = World::with(options);
    let begun_ms = now_ms();
    for _ in 0..50 {
        world.tell(&[told(B, 0, Fate::Received)]);
    }
    let replica = world.replica();
    let since_ms = replica.outcomes.history(B256::ZERO).unwrap().since_ms;
    assert!((begun_ms..=now_ms()).contains(&since_ms), "{since_ms}");
}

#[tokio::test]
async fn news_goes_to_those_who_want_it_and_old_news_to_nobody() {
    let world = World::new();
    world.tell(&[told(A, 0, rejected("before anybody asked"))]);
    let mut replica = world.replica();
    let mut rejections = replica.outcomes.notices().add(Kind::Rejected, Scope::All);
    let mut drops = replica.outcomes.notices().add(Kind::Dropped, Scope::All);
    let by = B256::repeat_byte(2);
    let replaced = Fate::Replaced { by, block: BlockRef::new(9, B256::repeat_byte(1)) };
    let of_b = told(B, 0, rejected("insufficient funds"));
    let of_a = told(A, 1, replaced);
    world.tell(&[told(B, 0, Fate::Received), of_b.clone(), of_b.clone(), of_a.clone()]);
    replica.read();
    // Told twice, notified once: the next is another's.
    let underpriced = Fate::Dropped { reason: "underpriced-txs".to_owned(), by: None };
    let (last, after) = (told(A, 2, rejected("again")), told(A, 2, underpriced));
    world.tell(&[of_b.clone(), last.clone(), after.clone()]);
    replica.read();
    let time = |outcome: &Outcome| format!("{:#x}", outcome.at_ms);
    let rejection = |outcome: &Outcome, reason: &str| {
        json!({
            "tx": { "hash": outcome.hash, "from": outcome.sender },
            "reason": reason,
            "class": "funds",
            "time": time(outcome),
        })
    };
    let dropped =
        json!({ "txhash": of_a.hash, "reason": "low-nonce-txs", "replacedBy": by, "time": time(&of_a) });
    let left = json!({ "txhash": after.hash, "reason": "underpriced-txs", "time": time(&after) });
    let rejected = [rejection(&of_b, "insufficient funds"), rejection(&last, "again")];
    for (events, expect) in [(&mut rejections, rejected), (&mut drops, [dropped, left])] {
        for expect in expect {
            let got: Value = serde_json::from_str(events.next().await.unwrap().as_str()).unwrap();
            assert_eq!(got, expect);
        }
    }
}

const TRANSACTIONS: &str = "t.transactions";

/// A transaction of an account, as an entry of the topic.
fn taken(key: &Key, nonce: u64, identity: Option<&str>) -> Transaction {
    let (hash, raw) = key.sign(TxEip1559 { nonce, gas_limit: 21_000, ..TxEip1559::default() });
    let (sender, identity) = (key.address, identity.map(str::to_owned));
    Transaction { hash, sender, raw, taken_ms: now_ms(), tag: None, identity }
}

impl World {
    /// Of both topics.
    fn of_both() -> Self {
        let world = Self::new();
        world.log.create(TRANSACTIONS, &TopicOptions { partitions: 3, ..TopicOptions::default() }).unwrap();
        world
    }

    fn take(&self, taken: &Transaction) {
        let payload = taken.encode();
        let entry = Append { key: Some(taken.sender.as_slice()), payload: &payload };
        self.log.producer(TRANSACTIONS).unwrap().append(&[entry]).unwrap();
    }

    /// A replica that lets one transaction of a sender wait, and its counts.
    fn door(&self) -> (Replica, Counts) {
        let counts = Counts::new(Bounds { waiting_max: 1, waiting_max_bytes: 1 << 20 });
        let counted = Counted { topic: TRANSACTIONS.to_owned(), counts: counts.clone() };
        (self.counting(Some(counted)), counts)
    }
}

/// True if another transaction of the account may come in.
fn admits(counts: &Counts, key: &Key) -> bool {
    let means = Means { nonce: 0, balance: U256::MAX };
    let (hash, sender, cost) = (B256::repeat_byte(9), key.address, U256::ZERO);
    let offer = Offer { hash, sender, nonce: 9, cost, bytes: 100, identity: None, taken_ms: now_ms() };
    let admitted = counts.admit(&offer, &means);
    counts.withdraw(&hash);
    admitted.is_ok()
}

#[test]
fn what_others_took_counts_until_its_outcome_also_after_a_restart() {
    let (world, key) = (World::of_both(), Key::new(B256::repeat_byte(1)));
    let one = taken(&key, 0, None);
    world.take(&one);
    // Whoever writes there may write anything: these are nobody's.
    world.take(&Transaction { hash: B256::repeat_byte(3), ..taken(&key, 1, None) });
    world.take(&Transaction { raw: Bytes::from_static(b"?"), ..taken(&key, 2, None) });
    let outcome = |fate| Outcome { hash: one.hash, sender: one.sender, ..told(A, 0, fate) };
    let (mut replica, counts) = world.door();
    assert!(!admits(&counts, &key));
    world.tell(&[outcome(Fate::Received)]);
    replica.read();
    assert!(!admits(&counts, &key));
    world.tell(&[outcome(Fate::Accepted)]);
    replica.read();
    assert!(admits(&counts, &key), "a node has it");
    let two = taken(&key, 1, None);
    world.take(&two);
    drop(replica);
    let (mut replica, counts) = world.door();
    assert!(!admits(&counts, &key), "the other waits");
    let rejected = rejected("insufficient funds");
    world.tell(&[Outcome { hash: two.hash, sender: two.sender, ..told(A, 0, rejected) }]);
    replica.read();
    assert!(admits(&counts, &key));
    drop(replica);
    let (_replica, counts) = world.door();
    assert!(admits(&counts, &key), "it was rejected before the restart");
}

#[tokio::test]
async fn refusals_are_told_and_each_is_told_of_its_own_alone() {
    let (world, key) = (World::of_both(), Key::new(B256::repeat_byte(1)));
    let (mut replica, _counts) = world.door();
    let notices = replica.outcomes.notices();
    let mut all = notices.add(Kind::Rejected, Scope::All);
    let mut own = notices.add(Kind::Rejected, Scope::Of("wallet".to_owned()));
    let [mine, other] = [Some("wallet"), Some("desk")].map(|who| taken(&key, 0, who));
    let refusal = |taken: &Transaction, omitted| {
        let Transaction { hash, sender, raw, identity, .. } = taken.clone();
        let (reason, at_ms) = ("nonce too high".to_owned(), now_ms());
        Refusal { hash, sender, reason, raw, identity, omitted, at_ms }.encode()
    };
    let append = |payload: &[u8]| {
        let entry = Append { key: Some(key.address.as_slice()), payload };
        world.log.producer(TOPIC).unwrap().append(&[entry]).unwrap();
    };
    append(&refusal(&other, 0));
    append(&refusal(&mine, 3));
    // What a node refuses is somebody's, too: whoever sent it is in the topic of transactions.
    world.take(&mine);
    replica.read();
    let of_node = rejected("underpriced");
    world.tell(&[Outcome { hash: mine.hash, sender: mine.sender, ..told(A, 0, of_node) }]);
    replica.read();
    for (events, expect) in
        [(&mut all, &["door -", "door 0x3", "funds -"][..]), (&mut own, &["door 0x3", "funds -"])]
    {
        for expect in expect {
            let got: Value = serde_json::from_str(events.next().await.unwrap().as_str()).unwrap();
            let omitted = got["omitted"].as_str().unwrap_or("-");
            assert_eq!(format!("{} {omitted}", got["class"].as_str().unwrap()), *expect, "{got}");
            assert_eq!(got["tx"]["hash"], json!(mine.hash), "{got}");
        }
    }
}
