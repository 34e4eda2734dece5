//! Time from geth's `newHeads`, as its IPC tells it, to the replica answering with that block: a client that waits
//! for the block by `X-Maidenlane-Min-Block` over one kept connection, its own round trip included.

mod stages;

use std::{
    io::{BufReader, Write},
    os::unix::net::UnixStream,
    path::Path,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use super::{
    load::address_of,
    runs::{no_broker, quantile},
};
use stages::Lag;

use crate::{
    connection::Connection,
    failure::{Doing, Failure, Outcome},
    interrupt::Interrupt,
    product::Product,
    rpc,
    scenario::{Carrier, Chain, Net, Plan},
    traffic::Traffic,
};

/// Transactions per block, fewest that count as such a block, goals in milliseconds (p50, p99).
pub(super) type Load = (u64, usize, u32, u32);
pub(super) const LARGE: Load = (250, 200, 20, 50);
const LOADS: [Load; 2] = [LARGE, (10, 1, 5, 20)];
/// A block a second, and a slow start.
const SILENCE_MAX: Duration = Duration::from_secs(30);
/// Records that a broker has carried before it is measured: half a minute of them.
const WARM_RECORDS: u32 = 30_000;

/// Takes `samples` blocks for each load over each log.
pub(super) fn run(product: &Product, samples: usize, stop: &Interrupt) -> Outcome<()> {
    println!("head lag: geth --dev, a block a second; tap, log and one replica on this machine");
    for (carrier, name) in [(Carrier::Segment, "segment log"), (Carrier::Kafka, "Kafka")] {
        if carrier == Carrier::Kafka && no_broker() {
            continue;
        }
        for load in LOADS {
            if stop.raised() {
                return Ok(());
            }
            let plan = Plan { chain: Chain::Developer, carrier, replicas: 1 };
            let mut net = Net::build_from(product.clone(), &plan)?;
            if let Some(broker) = net.broker() {
                broker.warm(WARM_RECORDS).map_err(Failure::new)?;
            }
            stages::tell(&mut net)?;
            net.start()?;
            let (lags, geth) = taken(&mut net, load, samples, stop)?;
            let stages = stages::describe(&mut net, &lags)?;
            let replica = sorted(&lags);
            net.stop()?;
            let (transactions, _, half, most) = load;
            println!(
                "  {name:<12} {transactions:>3} transactions: p50 {:>6.1} ms  p99 {:>6.1} ms  most {:>6.1} ms  (goal: {half} / {most}); geth's own answer p50 {:.1} ms; {} blocks; p50 {stages}",
                quantile(&replica, 0.5),
                quantile(&replica, 0.99),
                quantile(&replica, 1.0),
                quantile(&geth, 0.5),
                replica.len(),
            );
        }
    }
    Ok(())
}

/// Lags of the replica behind geth's announcement and the time geth itself takes for that answer, both sorted.
pub(super) fn lags(
    net: &mut Net,
    load: Load,
    samples: usize,
    stop: &Interrupt,
) -> Outcome<(Vec<f64>, Vec<f64>)> {
    let (lags, geth) = taken(net, load, samples, stop)?;
    Ok((sorted(&lags), geth))
}

fn sorted(lags: &[Lag]) -> Vec<f64> {
    let mut all: Vec<f64> = lags.iter().map(|lag| lag.ms).collect();
    all.sort_by(f64::total_cmp);
    all
}

/// Lags of the replica behind geth's announcement and, for comparison, the time geth itself takes for that answer.
fn taken(net: &mut Net, load: Load, samples: usize, stop: &Interrupt) -> Outcome<(Vec<Lag>, Vec<f64>)> {
    let (transactions, fewest, ..) = load;
    let mut traffic = Traffic::open(&net.master())?;
    let connect = |client: &rpc::Client| Connection::open(&address_of(client.url()), false);
    let (mut geth, mut replica) = (connect(&net.master())?, connect(&net.replica(0)?)?);
    let request =
        json!({"jsonrpc": "2.0", "id": 1, "method": "eth_getBlockByNumber", "params": ["latest", false]});
    let request = request.to_string();
    let heads = new_heads(&net.node().ipc())?;
    let (mut lags, mut own) = (Vec::new(), Vec::new());
    for head in heads {
        let (head, seen) = head?;
        let announced_s = stages::second_of_day() - seen.elapsed().as_secs_f64();
        let (number, hash) = place(&head)?;
        let from = format!("x-maidenlane-min-block: {number},{hash}\r\n");
        let read =
            |answer: &[u8]| serde_json::from_slice::<Value>(answer).doing(|| format!("read block {number}"));
        let (lag, block) = loop {
            match replica.ask_with(&from, &request) {
                Ok(answer) => break (seen.elapsed(), read(answer)?),
                // It waits half a second for a block; on a busy machine that is a lag as any other.
                Err(late) if seen.elapsed() > SILENCE_MAX => return Err(late),
                Err(_) => replica = connect(&net.replica(0)?)?,
            }
        };
        if block.pointer("/result/hash").and_then(Value::as_str) != Some(hash) {
            return Err(Failure::new(format!("asked for {hash}, the replica answered {block}")));
        }
        let asked = Instant::now();
        geth.ask(&request)?;
        let held = block.pointer("/result/transactions").and_then(Value::as_array).map_or(0, Vec::len);
        if held >= fewest {
            lags.push(Lag { number, announced_s, ms: lag.as_secs_f64() * 1_000.0 });
            own.push(asked.elapsed().as_secs_f64() * 1_000.0);
        }
        if lags.len() >= samples || stop.raised() {
            break;
        }
        traffic.batch(transactions)?;
    }
    own.sort_by(f64::total_cmp);
    Ok((lags, own))
}

/// Every head that geth announces, with the moment it was read.
fn new_heads(ipc: &Path) -> Outcome<impl Iterator<Item = Outcome<(Value, Instant)>> + use<>> {
    let mut socket = UnixStream::connect(ipc).doing(|| format!("connect to {}", ipc.display()))?;
    socket.set_read_timeout(Some(SILENCE_MAX))?;
    socket.write_all(br#"{"jsonrpc":"2.0","id":1,"method":"eth_subscribe","params":["newHeads"]}"#)?;
    let messages = serde_json::Deserializer::from_reader(BufReader::new(socket)).into_iter::<Value>();
    Ok(messages.filter_map(|message| {
        let seen = Instant::now();
        match message {
            Ok(mut message) => message.pointer_mut("/params/result").map(|head| Ok((head.take(), seen))),
            Err(error) => Some(Err(Failure::new(format!("geth's heads: {error}")))),
        }
    }))
}

fn place(head: &Value) -> Outcome<(u64, &str)> {
    let number = head.get("number").and_then(rpc::quantity);
    let hash = head.get("hash").and_then(Value::as_str);
    number.zip(hash).ok_or_else(|| Failure::new(format!("a head without number or hash: {head}")))
}
