//! The cost of hook and tap to a master that a consensus client feeds: the time of `engine_newPayload` and
//! `engine_forkchoiceUpdated` beside a geth without them, while the tap works, lacks its log, or stands still.

use std::{
    fs,
    path::Path,
    thread,
    time::{Duration, Instant},
};

use rustix::process::Signal;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{
    Arguments,
    runs::{no_broker, quantile},
};
use crate::{
    failure::{Doing, Failure, Outcome},
    geth::{chaingen, engine::Engine},
    interrupt::Interrupt,
    master::{Node, Tracer},
    product::Product,
    scenario::{Carrier, Chain, Net, Plan},
};

/// Blocks that are imported before any is fed: all forks are behind them.
const IMPORTED: u32 = 60;
/// Time from one block to the next, far below that of any network.
const PERIOD: Duration = Duration::from_millis(100);

/// The state of the tap while geth is fed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Tap {
    /// There is neither tap nor hook.
    None,
    Healthy,
    /// The broker is stopped: it takes connections and answers nothing.
    WithoutLog,
    Stopped,
}

const WAYS: [(Tap, &str); 4] = [
    (Tap::None, "geth alone"),
    (Tap::Healthy, "log healthy"),
    (Tap::WithoutLog, "log away"),
    (Tap::Stopped, "tap stopped"),
];

/// Milliseconds of each call.
#[derive(Debug, Default)]
struct Times {
    payload: Vec<f64>,
    choice: Vec<f64>,
}

/// Feeds the blocks `rounds` times in each way, taking turns so that a slow moment of the machine hits all alike.
pub(super) fn run(product: &Product, geth: &Path, arguments: &Arguments, stop: &Interrupt) -> Outcome<()> {
    let Arguments { blocks, transactions, rounds, .. } = *arguments;
    println!(
        "a fed master: {blocks} blocks of {transactions} transactions, one every {} ms, {rounds} rounds each",
        PERIOD.as_millis()
    );
    let chain = chaingen::fed(IMPORTED, blocks, transactions)?;
    let fed = requests(&chain.join("payloads.jsonl"))?;
    let mut ways = WAYS.map(|way| (way, Times::default()));
    for _ in 0..rounds.max(1) {
        for ((tap, _), times) in &mut ways {
            if stop.raised() {
                return Ok(());
            }
            if *tap == Tap::WithoutLog && no_broker() {
                continue;
            }
            times.take(round(*tap, product, geth, &chain, &fed)?);
        }
    }
    for (_, times) in &mut ways {
        times.payload.sort_by(f64::total_cmp);
        times.choice.sort_by(f64::total_cmp);
    }
    let [(_, alone), ..] = &ways;
    for ((_, name), times) in &ways {
        println!("  {name:<12} {}", times.over(alone));
    }
    println!("  (goal: p99 at most 1.1 of geth alone)");
    Ok(())
}

impl Times {
    fn take(&mut self, mut more: Self) {
        self.payload.append(&mut more.payload);
        self.choice.append(&mut more.choice);
    }

    fn over(&self, alone: &Self) -> String {
        let row = |name: &str, own: &[f64], alone: &[f64]| {
            let [half, most] = [0.5, 0.99].map(|share| (quantile(own, share), quantile(alone, share)));
            let (half_over, most_over) = (half.0 / half.1, most.0 / most.1);
            let (half, most) = (half.0, most.0);
            format!("{name} p50 {half:>5.1} ms ({half_over:.2})  p99 {most:>5.1} ms ({most_over:.2})")
        };
        let payload = row("newPayload", &self.payload, &alone.payload);
        payload + "   " + &row("forkchoiceUpdated", &self.choice, &alone.choice)
    }
}

/// Requests of one block: `engine_newPayloadV4`, and the `engine_forkchoiceUpdatedV3` that makes it the head.
type Requests = [String; 2];

fn requests(path: &Path) -> Outcome<Vec<Requests>> {
    let text = fs::read_to_string(path).doing(|| format!("read {}", path.display()))?;
    let request = |method: &str, params: &Value| {
        json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).to_string()
    };
    let both = |line: &str| {
        let params: Value = serde_json::from_str(line).doing(|| format!("read {}", path.display()))?;
        let hash = params.pointer("/0/blockHash").cloned().unwrap_or_default();
        let zero = json!(format!("0x{:064x}", 0));
        let state = json!({"headBlockHash": hash, "safeBlockHash": zero, "finalizedBlockHash": zero});
        let choice = json!([state, null]);
        Ok([request("engine_newPayloadV4", &params), request("engine_forkchoiceUpdatedV3", &choice)])
    };
    text.lines().map(both).collect()
}

/// Feeds all blocks once to a new geth.
fn round(tap: Tap, product: &Product, geth: &Path, chain: &Path, fed: &[Requests]) -> Outcome<Times> {
    let imported = Chain::Import(chain.to_owned());
    if tap == Tap::None {
        let dir = TempDir::with_prefix("maidenlane-").doing(|| "create a directory".to_owned())?;
        let node = Node::prepared(geth, dir.path(), &imported, |node| node.tracer(Tracer::None))?;
        return feed(&node.engine()?, chain, fed);
    }
    let carrier = if tap == Tap::WithoutLog { Carrier::Kafka } else { Carrier::Segment };
    let mut net = Net::build_from(product.clone(), &Plan { chain: imported, carrier, replicas: 0 })?;
    net.start()?;
    match tap {
        Tap::WithoutLog => {
            let broker = net.broker().ok_or_else(|| Failure::new("no broker"))?;
            broker.freeze(true).map_err(Failure::new)?;
        }
        Tap::Stopped => net.tap().process().ok_or_else(|| Failure::new("no tap"))?.signal(Signal::STOP),
        Tap::None | Tap::Healthy => {}
    }
    feed(&net.node().engine()?, chain, fed)
}

fn feed(engine: &Engine, chain: &Path, fed: &[Requests]) -> Outcome<Times> {
    engine.announce(&chain.join("headfcu.json"))?;
    let mut times = Times::default();
    let begun = Instant::now();
    for (block, requests) in (0_u32..).zip(fed) {
        // A pace, not a wait for anybody.
        thread::sleep((PERIOD * block).saturating_sub(begun.elapsed()));
        for (request, times) in requests.iter().zip([&mut times.payload, &mut times.choice]) {
            let asked = Instant::now();
            let answer = engine.send(request.clone())?;
            times.push(asked.elapsed().as_secs_f64() * 1_000.0);
            if !answer.contains(r#""status":"VALID""#) {
                return Err(Failure::new(format!("geth does not take block {block}: {answer:.300}")));
            }
        }
    }
    Ok(times)
}
