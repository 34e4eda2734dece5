//! Private orders: bundles that a relay acknowledges, each signed, decoded, known by its content and durable; and the time from a client
//! to a builder's socket.
//!
//! # Why nothing is measured without durability
//! There is no relay that acknowledges what is not durable. What that costs shows beside a log on memory: `TMPDIR=/dev/shm`.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use super::{
    load::{Server, address_of, clients},
    runs::{no_broker, quantile},
};
use crate::{
    connection::Connection,
    daemon::Daemon,
    door::Door,
    failure::{Failure, Outcome},
    interrupt::Interrupt,
    product::Product,
    rpc::Client,
    scenario::{Carrier, Chain, Net, Plan},
    wait,
};

/// Bundles that are acknowledged as fast as they are, and bundles that a builder gets.
const AT_ONCE: usize = 10_000;
const DELIVERED: usize = 1_500;
/// Most bundles a second that a builder gets: it shares the machine.
const DELIVERED_PER_S_MAX: f64 = 300.0;
const CONNECTIONS: usize = 16;
/// First of the marks by which bundles are known: timestamps that never come.
const MARK: u64 = 4_000_000_000;
const READY_WITHIN: Duration = Duration::from_secs(60);
/// Blocks until a bundle's own where nobody gets it, and where a builder gets it at once.
const FAR: u64 = 900;
const NEAR: u64 = 45;

/// Signed bundle: the line of its header, and its body.
type Signed = (String, String);

/// When each bundle came to the builder, by its mark.
type Came = Arc<Mutex<HashMap<u64, Instant>>>;

/// Measures one relay on each log, and two of them on the first.
pub(super) fn run(product: &Product, stop: &Interrupt) -> Outcome<()> {
    println!(
        "relay: bundles of two transactions, signed before by one key, {CONNECTIONS} connections; geth --dev beside it"
    );
    for (name, carrier, relays) in [
        ("segment log", Carrier::Segment, 1),
        ("segment log", Carrier::Segment, 2),
        ("Kafka", Carrier::Kafka, 1),
    ] {
        if stop.raised() || (carrier == Carrier::Kafka && no_broker()) {
            continue;
        }
        one(product, (name, carrier, relays))?;
    }
    Ok(())
}

fn one(product: &Product, (name, carrier, relays): (&str, Carrier, usize)) -> Outcome<()> {
    let mut net = Net::build_from(product.clone(), &Plan { chain: Chain::Developer, carrier, replicas: 1 })?;
    net.start()?;
    let came = Came::default();
    let builder = builder(&came)?;
    let mut all = Vec::new();
    for number in 0..relays {
        let mut relay =
            net.relay(&format!("relay-{number}"), &["builder"], &[("builder", &builder.url())])?;
        relay.edit(|text| text.replace("ordersMax = 10000", "ordersMax = 1000000"))?;
        relay.start()?;
        relay.ready(READY_WITHIN)?;
        all.push(relay);
    }
    let servers: Vec<Server> = all.iter_mut().map(server).collect::<Outcome<_>>()?;
    let signer = Signer::new(net.master())?;
    let far = signer.bundles(MARK, AT_ONCE, FAR)?;
    let taken = send(&servers, &far, None)?;
    println!(
        "  {name}, {relays} relay(s): {:.0} acknowledged/s  {:.0} us CPU each (goal: 300)  p50 {:.1} ms  p99 {:.1} ms",
        taken.per_second,
        taken.cpu_micros,
        quantile(&taken.latencies_ms, 0.5),
        quantile(&taken.latencies_ms, 0.99),
    );
    let rate = (taken.per_second / 2.0).min(DELIVERED_PER_S_MAX);
    let first = MARK + u64::try_from(AT_ONCE).unwrap_or(u64::MAX);
    let near = signer.bundles(first, DELIVERED, NEAR)?;
    let paced = send(&servers, &near, Some(rate))?;
    // Their block is far enough away for all of them.
    wait::until("the builder to have all of them", READY_WITHIN, || {
        let count = came.lock().unwrap_or_else(PoisonError::into_inner).len();
        if count >= DELIVERED { Ok(()) } else { Err(format!("{count} of {DELIVERED}")) }
    })?;
    let came = came.lock().unwrap_or_else(PoisonError::into_inner);
    let mut behind_ms = Vec::new();
    for (mark, (_, answered)) in (first..).zip(&paced.times) {
        let at = came.get(&mark).ok_or_else(|| Failure::new(format!("bundle {mark} never came")))?;
        behind_ms.push(at.saturating_duration_since(*answered).as_secs_f64() * 1_000.0);
    }
    let mut whole_ms: Vec<f64> = (first..)
        .zip(&paced.times)
        .filter_map(|(mark, (asked, _))| Some((*came.get(&mark)? - *asked).as_secs_f64() * 1_000.0))
        .collect();
    behind_ms.sort_by(f64::total_cmp);
    whole_ms.sort_by(f64::total_cmp);
    println!(
        "    at {rate:.0}/s to a builder: from the request p50 {:.1} ms, p99 {:.1} ms; behind the answer p99 {:.1} ms (goal: {})",
        quantile(&whole_ms, 0.5),
        quantile(&whole_ms, 0.99),
        quantile(&behind_ms, 0.99),
        if carrier == Carrier::Segment { 5 } else { 15 },
    );
    all.into_iter().try_for_each(|mut relay| relay.stop())?;
    net.stop()
}

/// A builder that takes everything and notes when it came.
fn builder(came: &Came) -> Outcome<Door> {
    let came = Arc::clone(came);
    Door::open(move |request| {
        let at = Instant::now();
        let call: Value = serde_json::from_slice(&request.body).unwrap_or_default();
        if let Some(mark) = call.pointer("/params/0/maxTimestamp").and_then(Value::as_u64) {
            came.lock().unwrap_or_else(PoisonError::into_inner).entry(mark).or_insert(at);
        }
        Some(("200 OK", json!({"jsonrpc": "2.0", "id": 1, "result": {}}).to_string()))
    })
}

fn server(relay: &mut Daemon) -> Outcome<Server> {
    let address = relay.address("rpc")?;
    let process = relay.process().ok_or_else(|| Failure::new("the relay is gone"))?;
    Ok(Server { address: address_of(&address), pid: process.id() })
}

/// Signer of requests: geth's own account, which signs what it is asked to.
struct Signer {
    geth: Client,
    address: String,
    txs: Vec<Value>,
}

impl Signer {
    fn new(geth: Client) -> Outcome<Self> {
        let accounts = geth.call("eth_accounts", &json!([]))?;
        let address = accounts.get(0).and_then(Value::as_str).unwrap_or_default().to_owned();
        let txs = (0..2).map(|nonce| {
            let tx = json!({
                "from": address, "to": address, "value": "0x1", "gas": "0x186a0", "nonce": format!("{nonce:#x}"),
                "maxFeePerGas": "0x4a817c800", "maxPriorityFeePerGas": "0x1",
            });
            let signed = geth.call("eth_signTransaction", &json!([tx]))?;
            Ok(signed.get("raw").cloned().unwrap_or_default())
        });
        let txs = txs.collect::<Outcome<_>>()?;
        Ok(Self { geth, address, txs })
    }

    /// So many bundles, for a block that is so many away.
    fn bundles(&self, first: u64, count: usize, ahead: u64) -> Outcome<Vec<Signed>> {
        let block = format!("{:#x}", self.geth.block_number()? + ahead);
        let last = first + u64::try_from(count).unwrap_or(u64::MAX);
        let body = |mark| {
            let bundle = json!({"txs": self.txs, "blockNumber": block, "maxTimestamp": mark});
            json!({"jsonrpc": "2.0", "id": 1, "method": "eth_sendBundle", "params": [bundle]}).to_string()
        };
        (first..last).map(|mark| self.signed(body(mark))).collect()
    }

    /// The header that other people's wallets make.
    fn signed(&self, body: String) -> Outcome<Signed> {
        let hex = |bytes: &[u8]| bytes.iter().fold("0x".to_owned(), |text, byte| format!("{text}{byte:02x}"));
        let hash = self.geth.call("web3_sha3", &json!([hex(body.as_bytes())]))?;
        let text = hash.as_str().unwrap_or_default();
        let signature = self.geth.call("eth_sign", &json!([self.address, hex(text.as_bytes())]))?;
        let signature = signature.as_str().unwrap_or_default();
        Ok((format!("x-flashbots-signature: {}:{signature}\r\n", self.address), body))
    }
}

/// Figures of one part.
struct Taken {
    per_second: f64,
    cpu_micros: f64,
    latencies_ms: Vec<f64>,
    /// When each was asked for and answered, in their order.
    times: Vec<(Instant, Instant)>,
}

/// Sends each once, in turn to each relay, as fast as they are acknowledged or so many a second.
fn send(servers: &[Server], bundles: &[Signed], per_second: Option<f64>) -> Outcome<Taken> {
    let cpu = || servers.iter().map(Server::cpu_micros).sum::<Outcome<f64>>();
    let (next, times) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    let (spent, begun) = (cpu()?, Instant::now());
    let client = || -> Outcome<()> {
        let open = |server: &Server| Connection::open(&server.address, false);
        let mut connections: Vec<Connection> = servers.iter().map(open).collect::<Outcome<_>>()?;
        let mut own = Vec::new();
        loop {
            let at = next.fetch_add(1, Ordering::Relaxed);
            let Some((header, body)) = bundles.get(at) else { break };
            if let Some(rate) = per_second {
                let after = f64::from(u32::try_from(at).unwrap_or(u32::MAX)) / rate;
                thread::sleep(
                    (begun + Duration::from_secs_f64(after)).saturating_duration_since(Instant::now()),
                );
            }
            let turn = at % connections.len();
            let Some(connection) = connections.get_mut(turn) else { break };
            let asked = Instant::now();
            let answer = connection.ask_with(header, body)?;
            own.push((at, (asked, Instant::now())));
            if !answer.windows(14).any(|word| word == b"\"durable\":true") {
                return Err(Failure::new(format!("not taken: {}", String::from_utf8_lossy(answer))));
            }
        }
        times.lock().unwrap_or_else(PoisonError::into_inner).append(&mut own);
        Ok(())
    };
    clients(CONNECTIONS, &client)?;
    let (seconds, spent) = (begun.elapsed().as_secs_f64(), cpu()? - spent);
    let count = f64::from(u32::try_from(bundles.len()).unwrap_or(u32::MAX));
    let mut times = times.into_inner().unwrap_or_else(PoisonError::into_inner);
    times.sort_by_key(|(at, _)| *at);
    let times: Vec<_> = times.into_iter().map(|(_, times)| times).collect();
    let mut latencies_ms: Vec<f64> =
        times.iter().map(|(asked, answered)| (*answered - *asked).as_secs_f64() * 1_000.0).collect();
    latencies_ms.sort_by(f64::total_cmp);
    Ok(Taken { per_second: count / seconds, cpu_micros: spent / count, latencies_ms, times })
}
