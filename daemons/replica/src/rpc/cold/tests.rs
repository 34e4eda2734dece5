//! Threads of look-ups: a replica whose pool takes nothing answers what it has ready, and refuses the rest.

use crate::rpc::tests::still::Still;
use crate::rpc::tests::{ask, fake};
use crate::rpc::{Rpc, Settings};
use futures_util::FutureExt as _;
use maidenlane_evm::pool::Refused;
use maidenlane_jsonrpc::{Owner, codes};
use maidenlane_state::StateView as _;
use serde_json::{Value, json};
use std::pin::Pin;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, Mutex};

/// Replica with one pool thread, and one place in its queue.
fn replica(chain: &fake::Chain) -> Rpc {
    let settings = Settings { pool_threads: 1, pool_queue: 1, ..Settings::default() };
    Rpc::new(Arc::new(Still::new(chain.clone())), settings).expect("threads")
}

type Job<'a> = Pin<Box<dyn Future<Output = Result<(), Refused>> + 'a>>;

/// Jobs that keep a pool busy until they are dropped.
struct Busy<'a> {
    _jobs: [Job<'a>; 2],
    _release: SyncSender<()>,
}

/// Keeps the pool's thread busy, and its queue full.
fn occupy(rpc: &Rpc) -> Busy<'_> {
    let (release, held) = sync_channel::<()>(0);
    let held = Arc::new(Mutex::new(held));
    let (started, running) = sync_channel(2);
    let mut first = true;
    let jobs = [(), ()].map(|()| {
        let (held, started) = (Arc::clone(&held), started.clone());
        let work = move |_| {
            // Gone only when the test has ended.
            let _ = started.send(());
            let _ = held.lock().map(|held| held.recv());
        };
        let mut job = Box::pin(async move { rpc.shared.pool.run(&Owner::default(), work).await });
        assert!(job.as_mut().now_or_never().is_none(), "it never ends");
        if std::mem::take(&mut first) {
            // The queue has one place: the second takes it once the first has left it.
            running.recv().expect("the first has begun");
        }
        job as Job<'_>
    });
    Busy { _jobs: jobs, _release: release }
}

/// Block of the chain whose transactions take more, or less, than an IO thread may be held.
fn block(chain: &fake::Chain, large: bool) -> u64 {
    let gas = |number: u64| {
        let hash = chain.hash_of(number).expect("readable").expect("a block");
        let at = maidenlane_chain::BlockRef::new(number, hash);
        maidenlane_ethjson::select::header(chain, at).expect("a header").gas_used
    };
    let fits = |number: &u64| {
        if large { gas(*number) > 105_000 } else { (21_000..=105_000).contains(&gas(*number)) }
    };
    (1..=chain.head().block.number).find(fits).expect("such a block")
}

/// Every kind of look-up of one block.
fn look_ups(rpc: &Rpc, number: u64) -> Vec<(&'static str, Value)> {
    let tag = json!(format!("{number:#x}"));
    let block = ask(rpc, "eth_getBlockByNumber", json!([tag, false]));
    let (hash, tx) = (block["result"]["hash"].clone(), block["result"]["transactions"][0].clone());
    vec![
        ("eth_getBlockByNumber", json!([tag, true])),
        ("eth_getBlockByHash", json!([hash, false])),
        ("eth_getBlockReceipts", json!([tag])),
        ("eth_getBlockTransactionCountByHash", json!([hash])),
        ("eth_getUncleCountByBlockNumber", json!([tag])),
        ("eth_getTransactionByBlockNumberAndIndex", json!([tag, "0x0"])),
        ("eth_getRawTransactionByBlockHashAndIndex", json!([hash, "0x0"])),
        ("eth_getTransactionByHash", json!([tx])),
        ("eth_getTransactionReceipt", json!([tx])),
        ("eth_getRawTransactionByHash", json!([tx])),
    ]
}

#[test]
fn what_is_cold_and_large_is_looked_up_on_the_pool() {
    let Some(chain) = fake::chain() else { return };
    let warm = replica(&chain);
    let (large, small) = (look_ups(&warm, block(&chain, true)), look_ups(&warm, block(&chain, false)));
    let gas_price = ("eth_gasPrice", json!([]));
    let expected: Vec<Value> =
        large.iter().chain([&gas_price]).map(|(method, params)| ask(&warm, method, params.clone())).collect();
    let _busy = occupy(&warm);
    for ((method, params), expected) in large.iter().chain([&gas_price]).zip(&expected) {
        assert!(expected.get("result").is_some(), "{method}: {expected}");
        assert_eq!(ask(&warm, method, params.clone()), *expected, "{method}: hot, and at once");
    }
    for (method, params) in large.iter().chain([&gas_price]) {
        let cold = replica(&chain);
        let _busy = occupy(&cold);
        let answer = ask(&cold, method, params.clone());
        assert_eq!(answer["error"]["code"], json!(codes::LIMIT_EXCEEDED), "{method}: {answer}");
    }
    let cold = replica(&chain);
    let _busy = occupy(&cold);
    for (method, params) in small {
        assert!(ask(&cold, method, params).get("result").is_some(), "{method}: small, and at once");
    }
}
