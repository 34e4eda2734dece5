//! Transactions: acknowledged by a replica, which makes each durable first, over geth's insertion of the same into its pool; and
//! the time from the log to the first node that has one.

use std::{
    fs,
    path::Path,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use super::{
    load::{Server, clients},
    rpc::pair::servers,
    runs::quantile,
};
use crate::{
    connection::Connection,
    daemon::Daemon,
    failure::{Doing, Failure, Outcome},
    interrupt::Interrupt,
    product::Product,
    scenario::{Carrier, Chain, Net, Plan},
    wait,
};

/// Transactions of each part: sent at once, sent at half of that rate, and sent to be delivered.
pub(super) const EACH: usize = 10_000;
/// Parts, the first of which warms both servers up.
const PARTS: usize = 4;
/// Transactions a second that are delivered.
const DELIVERED_PER_S: f64 = 200.0;
/// geth's pool keeps all of them: by default it holds some five thousand.
const POOL: [&str; 3] =
    ["--txpool.globalslots=1000000", "--txpool.globalqueue=1000000", "--txpool.accountslots=1000"];
const PATIENCE: Duration = Duration::from_secs(120);

/// Figures of one server for a part.
struct Taken {
    per_second: f64,
    cpu_micros: f64,
    latencies_ms: Vec<f64>,
}

/// Number of transactions that are needed.
#[must_use]
pub(super) const fn count() -> usize {
    EACH * PARTS
}

/// Sends the same to geth and to a replica, and then has an emitter deliver some.
pub(super) fn run(product: &Product, chain: &Path, stop: &Interrupt) -> Outcome<()> {
    println!("transactions: transfers of 1,000 accounts, {EACH} in each part, 16 connections; segment log");
    let bodies = bodies(&chain.join("signed.txt"))?;
    let parts: Vec<_> = bodies.chunks(EACH).collect();
    let [warm, at_once, paced, delivered] = parts[..] else {
        return Err(Failure::new(format!("{} transactions are not enough", bodies.len())));
    };
    let plan = Plan { chain: Chain::Import(chain.to_owned()), carrier: Carrier::Segment, replicas: 1 };
    let mut net = Net::build_from(product.clone(), &plan)?;
    net.take_transactions()?;
    POOL.iter().for_each(|argument| net.node().argument(argument));
    net.node().stop()?;
    net.node().restart()?;
    net.node().engine()?.announce(&chain.join("headfcu.json"))?;
    net.start()?;
    net.caught_up(0)?;
    let (geth, replica) = servers(&mut net)?;
    let mut rates = Vec::new();
    for (name, server) in [("geth", &geth), ("replica", &replica)] {
        send(server, warm, None)?;
        let Taken { per_second, cpu_micros, latencies_ms } = send(server, at_once, None)?;
        println!(
            "  {name:<8} {per_second:>7.0} acknowledged/s  {cpu_micros:>6.1} us CPU each  p50 {:>6.2} ms  p99 {:>6.2} ms",
            quantile(&latencies_ms, 0.5),
            quantile(&latencies_ms, 0.99),
        );
        rates.push((per_second, cpu_micros));
        if stop.raised() {
            return Ok(());
        }
    }
    if let [(_, geth), (per_second, replica_micros)] = rates[..] {
        println!("  CPU of geth over that of the replica {:.2} (goal: 2)", geth / replica_micros);
        let half = send(&replica, paced, Some(per_second / 2.0))?.latencies_ms;
        let most = quantile(&half, 0.99);
        println!(
            "  replica at half of that rate: p50 {:.2} ms  p99 {most:.2} ms (goal: 10)",
            quantile(&half, 0.5)
        );
    }
    deliver(&mut net, &replica, delivered)?;
    net.stop()
}

/// Has an emitter deliver transactions, and tells how soon geth had them.
fn deliver(net: &mut Net, replica: &Server, bodies: &[String]) -> Outcome<()> {
    let mut emitter = net.emitter("emitter", &[("master", &net.master_ipc())])?;
    // Nothing is mined here, so that all stay on their way.
    let patient = |text: &str| {
        text.replace("pendingMax = 10000", "pendingMax = 1000000")
            .replace("again_s = 5\n", "again_s = 3600\n")
    };
    emitter.edit(patient)?;
    emitter.start()?;
    let caught_up = |emitter: &mut Daemon, wanted: usize| {
        wait::until("the emitter to have delivered all", PATIENCE, || {
            let metrics = emitter.admin("metrics").map_err(|failure| failure.to_string())?;
            let seen = accepted(&metrics);
            let count = seen.last().map_or(0, |(_, count)| *count);
            if count >= wanted as u64 { Ok(seen) } else { Err(format!("{count} of {wanted}")) }
        })
    };
    // What was sent before waits in the log, and geth has some of it.
    let waiting = EACH * (PARTS - 1);
    let before = caught_up(&mut emitter, waiting)?;
    let few = bodies.get(..2_000).unwrap_or(bodies);
    send(replica, few, Some(DELIVERED_PER_S))?;
    let after = caught_up(&mut emitter, waiting + few.len())?;
    let half_ms = median_ms(&before, &after);
    println!(
        "  from the log to geth's acceptance, {DELIVERED_PER_S:.0} a second: p50 {half_ms:.1} ms (goal: 3), {} transactions",
        after.last().map_or(0, |(_, count)| *count) - before.last().map_or(0, |(_, count)| *count),
    );
    emitter.stop()
}

/// Upper bounds of the emitter's times to the first accept in seconds, and how many were within each.
fn accepted(metrics: &str) -> Vec<(f64, u64)> {
    let name = "maidenlane_emitter_first_accept_seconds_bucket{le=\"";
    let bucket = |line: &str| {
        let (bound, count) = line.strip_prefix(name)?.split_once("\"} ")?;
        let bound = if bound == "+Inf" { f64::INFINITY } else { bound.parse().ok()? };
        Some((bound, count.trim().parse().ok()?))
    };
    metrics.lines().filter_map(bucket).collect()
}

/// The median of what came between two looks, in milliseconds, evenly spread within its bucket.
#[expect(clippy::cast_precision_loss, reason = "thousands")]
fn median_ms(before: &[(f64, u64)], after: &[(f64, u64)]) -> f64 {
    let earlier =
        |bound: f64| before.iter().find(|(other, _)| *other == bound).map_or(0, |(_, count)| *count);
    let counts: Vec<_> =
        after.iter().map(|(bound, count)| (*bound, (count - earlier(*bound)) as f64)).collect();
    let half = counts.last().map_or(0.0, |(_, all)| all / 2.0);
    let (mut low, mut under) = (0.0, 0.0);
    for (bound, count) in counts {
        if count >= half && count > under {
            return 1_000.0 * (bound - low).mul_add((half - under) / (count - under), low);
        }
        (low, under) = (bound, count);
    }
    f64::NAN
}

fn bodies(signed: &Path) -> Outcome<Vec<String>> {
    let text = fs::read_to_string(signed).doing(|| format!("read {}", signed.display()))?;
    let body = |raw: &str| {
        format!(r#"{{"jsonrpc":"2.0","id":1,"method":"eth_sendRawTransaction","params":["{raw}"]}}"#)
    };
    Ok(text.lines().map(body).collect())
}

/// Sends each once, as fast as they are acknowledged or so many a second.
fn send(server: &Server, bodies: &[String], per_second: Option<f64>) -> Outcome<Taken> {
    let (next, latencies) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    let (cpu, begun) = (server.cpu_micros()?, Instant::now());
    let client = || -> Outcome<()> {
        let mut connection = Connection::open(&server.address, false)?;
        let mut own = Vec::new();
        loop {
            let at = next.fetch_add(1, Ordering::Relaxed);
            let Some(body) = bodies.get(at) else { break };
            let mut due = Instant::now();
            if let Some(rate) = per_second {
                due =
                    begun + Duration::from_secs_f64(f64::from(u32::try_from(at).unwrap_or(u32::MAX)) / rate);
                thread::sleep(due.saturating_duration_since(Instant::now()));
            }
            let answer = connection.ask(body)?;
            own.push(due.elapsed().as_secs_f64() * 1_000.0);
            if !answer.windows(8).any(|word| word == b"\"result\"") {
                return Err(Failure::new(format!("not taken: {}", String::from_utf8_lossy(answer))));
            }
        }
        latencies.lock().unwrap_or_else(PoisonError::into_inner).append(&mut own);
        Ok(())
    };
    clients(16, &client)?;
    let seconds = begun.elapsed().as_secs_f64();
    let count = f64::from(u32::try_from(bodies.len()).unwrap_or(u32::MAX));
    let mut latencies_ms = latencies.into_inner().unwrap_or_else(PoisonError::into_inner);
    latencies_ms.sort_by(f64::total_cmp);
    Ok(Taken { per_second: count / seconds, cpu_micros: (server.cpu_micros()? - cpu) / count, latencies_ms })
}

#[cfg(test)]
mod tests {
    use super::{accepted, median_ms};

    #[test]
    fn the_median_is_of_what_came_between_two_looks() {
        let text = |counts: [u64; 3]| {
            let bounds = ["0.001", "0.002", "+Inf"];
            let lines = bounds.iter().zip(counts);
            let lines = lines.map(|(bound, count)| {
                format!("maidenlane_emitter_first_accept_seconds_bucket{{le=\"{bound}\"}} {count}\n")
            });
            lines.collect::<String>()
        };
        let [before, after] = [[5, 5, 9], [6, 9, 13]].map(|counts| accepted(&text(counts)));
        // One within 1 ms, three more within 2 ms.
        let half = median_ms(&before, &after);
        assert!((half - 1.333).abs() < 0.01, "{half}");
    }
}
