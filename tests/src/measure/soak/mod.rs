//! A replica that is asked as fast as it answers while blocks come: whether serving slows applying, and whether what each
//! daemon holds grows.

mod holdings;
mod slope;

use std::{thread, time::Duration};

use serde_json::{Value, json};

use self::holdings::Ledger;
use super::{
    head_lag::{self, LARGE},
    load::Server,
    rpc::requests::{self, Row},
    runs::quantile,
};
use crate::{
    failure::{Failure, Outcome},
    interrupt::Interrupt,
    product::Product,
    scenario::{Carrier, Chain, Net, Plan},
};

/// Blocks, one a second, after each of which the figures are told.
const BLOCKS: usize = 60;
const MINUTE: Duration = Duration::from_secs(60);

/// A minute without load, then `minutes` with it. False if a daemon holds more and more.
pub(super) fn run(product: &Product, minutes: u32, seed: u64, stop: &Interrupt) -> Outcome<bool> {
    println!(
        "soak: geth --dev, a block of 250 transactions a second; 16 connections, mix of a gateway, gzip"
    );
    let plan = Plan { chain: Chain::Developer, carrier: Carrier::Segment, replicas: 1 };
    let mut net = Net::build_from(product.clone(), &plan)?;
    net.start()?;
    let (idle, _) = head_lag::lags(&mut net, LARGE, BLOCKS, stop)?;
    let replica = Server::replica(&mut net)?;
    let idle_most = tell("idle", &idle, replica.resident_mb()?, None);
    let mix = requests::gateway(&rows(&mut net)?, seed);
    let (mut ledger, over) = (Ledger::open(&mut net)?, Interrupt::default());
    thread::scope(|scope| {
        let watch = scope.spawn(|| ledger.watch(minutes, &over));
        let loaded = load(&mut net, &replica, &mix.bodies, minutes, idle_most, stop);
        over.raise();
        loaded.and(watch.join().unwrap_or_else(|_| Err(Failure::new("the watch panicked"))))
    })?;
    let is_fine = ledger.tell();
    net.stop()?;
    Ok(is_fine)
}

fn load(
    net: &mut Net,
    replica: &Server,
    bodies: &[String],
    minutes: u32,
    idle_most: f64,
    stop: &Interrupt,
) -> Outcome<()> {
    for minute in 1..=minutes {
        if stop.raised() {
            break;
        }
        let (lags, load) = thread::scope(|scope| {
            let load = scope.spawn(|| replica.saturate(bodies, true, MINUTE));
            let lags = head_lag::lags(net, LARGE, BLOCKS, stop);
            (lags, load.join())
        });
        let load = load.map_err(|_| Failure::new("the clients panicked"))??;
        let most = tell(&format!("minute {minute}"), &lags?.0, replica.resident_mb()?, Some(load.per_second));
        println!("{:>70} {:.1} of idle (goal: 2)", "p99", most / idle_most);
    }
    Ok(())
}

/// Prints one line and returns the p99.
fn tell(name: &str, lags: &[f64], resident_mb: u64, per_second: Option<f64>) -> f64 {
    let (half, most) = (quantile(lags, 0.5), quantile(lags, 0.99));
    let load = per_second.map_or_else(String::new, |rate| format!(", {rate:.0} requests/s"));
    println!("  {name:<10} lag p50 {half:>6.1} ms  p99 {most:>6.1} ms, resident {resident_mb} MB{load}");
    most
}

/// Requests over what the developer chain has by now.
fn rows(net: &mut Net) -> Outcome<Vec<Row>> {
    let master = net.master();
    let block = master.call("eth_getBlockByNumber", &json!(["latest", true]))?;
    let transactions = block.get("transactions").and_then(Value::as_array);
    let transactions = transactions.filter(|transactions| !transactions.is_empty());
    let transactions = transactions.ok_or_else(|| Failure::new("the newest block is empty"))?;
    let called = |transaction: &&Value| transaction.get("input").is_some_and(|input| input != "0x");
    let row = |method: &str, params: Vec<Value>| {
        let body =
            |params| json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).to_string();
        Row { name: method.to_owned(), bodies: params.into_iter().map(body).collect() }
    };
    let of = |name: &'static str| transactions.iter().filter_map(move |transaction| transaction.get(name));
    let call = |transaction: &Value| json!([{"to": transaction.get("to"), "input": transaction.get("input")}, "latest"]);
    Ok(vec![
        row("eth_call", transactions.iter().filter(called).map(call).collect()),
        row("eth_getBlockByNumber", vec![json!(["latest", true]), json!([block.get("number"), true])]),
        row("eth_getBalance", of("to").map(|to| json!([to, "latest"])).collect()),
        row("eth_chainId", vec![json!([])]),
        row("eth_getTransactionReceipt", of("hash").map(|hash| json!([hash])).collect()),
        row("eth_blockNumber", vec![json!([])]),
    ])
}
