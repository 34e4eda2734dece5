//! The demo: the whole way from a real geth to a client, on one machine, for a person to look at.

mod view;

use std::{
    path::PathBuf,
    sync::atomic::{AtomicU64, Ordering},
    thread,
    time::Duration,
};

use serde_json::json;

use crate::{
    compare::{self, Comparison},
    failure::{Doing, Failure, Outcome},
    install,
    process::Interrupt,
    rpc::Client,
    scenario::{Carrier, Chain, Net, Plan},
    traffic::Traffic,
    wait,
};
use view::Meter;

/// Bursts of transactions, a block each, that `--once` sends before it compares.
const BURSTS: u32 = 12;
/// A replica on the same machine catches up faster than this, whatever the chain.
const CATCH_UP: Duration = Duration::from_secs(120);
/// Differences that are printed in full.
const SHOWN_MAX: usize = 5;

/// How to run it.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Compare all answers, print one summary line last, exit 0 only if all agree
    #[arg(long)]
    once: bool,
    /// Carry the feed over a real Kafka broker
    #[arg(long)]
    kafka: bool,
    /// Import `genesis.json`, `chain.rlp` and `headfcu.json` from here instead of starting a developer chain
    #[arg(long, value_name = "DIR")]
    chain: Option<PathBuf>,
    /// Print the endpoints as one line of JSON, everything else on standard error
    #[arg(long)]
    json: bool,
    /// No live view: serve until SIGINT
    #[arg(long)]
    hold: bool,
}

/// Runs it to its end and says whether all was well.
///
/// # Errors
/// Something could not be built, started or stopped.
pub fn run(arguments: &Arguments) -> Outcome<bool> {
    let json = arguments.json;
    let mut needs = install::BUILD.to_vec();
    if arguments.kafka {
        needs.extend(install::KAFKA);
    }
    install::ensure(&needs)?;
    install::ensure(&[install::GO])?;
    let stop = Interrupt::on_signals()?;
    say(json, "building (the first time takes some minutes) …");
    let plan = Plan {
        chain: arguments.chain.clone().map_or(Chain::Developer, Chain::Import),
        carrier: if arguments.kafka { Carrier::Kafka } else { Carrier::Segment },
        replicas: 1,
    };
    let mut net = Net::build(&plan)?;
    if let Some(chain) = &arguments.chain {
        net.node().engine()?.announce(&chain.join("headfcu.json"))?;
    }
    say(json, "starting geth, tap, feed and replica …");
    net.start()?;
    let (master, replica) = (net.master(), net.replica(0)?);
    announce(arguments, &mut net, &master, &replica)?;
    let verdict = arguments.once.then(|| once(arguments, &master, &replica)).transpose();
    let verdict = verdict.doing(|| format!("the daemons said last:\n{}\nand then", net.last_words()))?;
    if !arguments.once || arguments.hold {
        serve(arguments, &master, &replica, &stop)?;
    }
    say(json, "stopping …");
    net.stop()?;
    let Some((all_well, summary)) = verdict else { return Ok(true) };
    say(json, &summary);
    Ok(all_well)
}

fn announce(arguments: &Arguments, net: &mut Net, master: &Client, replica: &Client) -> Outcome<()> {
    if arguments.json {
        let (tap, own) = (net.tap().address("admin")?, net.replica_daemon(0)?.address("admin")?);
        let endpoints = json!({
            "master": master.url(),
            "replica": replica.url(),
            "tapAdmin": format!("http://{tap}"),
            "replicaAdmin": format!("http://{own}"),
        });
        println!("{endpoints}");
    } else {
        println!("master   {}\nreplica  {}", master.url(), replica.url());
    }
    Ok(())
}

/// Sends some transactions, lets them settle, and compares everything: whether all agreed, and a summary.
fn once(arguments: &Arguments, master: &Client, replica: &Client) -> Outcome<(bool, String)> {
    let json = arguments.json;
    if arguments.chain.is_none() {
        let mut traffic = Traffic::open(master)?;
        for _ in 0..BURSTS {
            let head = master.block_number()?;
            traffic.burst()?;
            next_block(master, head)?;
        }
        traffic.settle()?;
        say(json, &format!("{} transactions sent and mined", traffic.sent()));
    }
    let head = master.block_number()?;
    same_block(master, replica, head)?;
    let questions = compare::questions(master, head)?;
    let comparison = Comparison::of(master, replica, &questions)?;
    side_by_side(json, master, replica, head)?;
    for difference in comparison.differences.iter().take(SHOWN_MAX) {
        say(json, &format!("differs: {difference}"));
    }
    let differ = comparison.differences.len();
    let summary = format!("demo: {} answers agree, {differ} differ, head {head}", comparison.agreed);
    Ok((comparison.perfect(), summary))
}

/// Waits until the developer chain has grown beyond `head`, so that bursts land in different blocks.
fn next_block(master: &Client, head: u64) -> Outcome<()> {
    wait::until("the next block", Duration::from_secs(30), || {
        let now = master.block_number().map_err(|failure| failure.to_string())?;
        if now > head { Ok(()) } else { Err(format!("head {now}")) }
    })
}

/// Waits until the replica serves the master's block `number`.
fn same_block(master: &Client, replica: &Client, number: u64) -> Outcome<()> {
    let tag = format!("0x{number:x}");
    let wanted = master.block_hash(&tag)?;
    wait::until(&format!("the replica to serve block {number}"), CATCH_UP, || {
        let found = replica.block_hash(&tag).map_err(|failure| failure.to_string())?;
        if found == wanted { Ok(()) } else { Err(format!("hash {found}, not {wanted}")) }
    })
}

fn side_by_side(json: bool, master: &Client, replica: &Client, head: u64) -> Outcome<()> {
    let params = json!([format!("0x{head:x}"), false]);
    say(json, &format!("eth_getBlockByNumber {params}"));
    for (name, side) in [("geth", master), ("replica", replica)] {
        say(json, &format!("  {name:<8} {}", side.respond("eth_getBlockByNumber", &params)?));
    }
    Ok(())
}

/// Leaves everything running until interrupted, with traffic and a view of it unless only holding.
fn serve(arguments: &Arguments, master: &Client, replica: &Client, stop: &Interrupt) -> Outcome<()> {
    if arguments.hold || arguments.json {
        while !stop.raised() {
            thread::sleep(Duration::from_millis(50));
        }
        return Ok(());
    }
    let head = master.block_number()?;
    same_block(master, replica, head)?;
    side_by_side(false, master, replica, head)?;
    println!("Ctrl-C stops");
    let (meter, sent) = (Meter::default(), AtomicU64::new(0));
    thread::scope(|scope| {
        scope.spawn(|| meter.watch(master, replica, stop));
        scope.spawn(|| meter.load(replica, stop));
        let traffic = scope.spawn(|| match arguments.chain {
            None => send(master, &sent, stop),
            Some(_) => Ok(()),
        });
        let shown = view::show(&meter, &sent, stop);
        let traffic = traffic.join().map_err(|_| Failure::new("the traffic panicked"))?;
        shown.and(traffic)
    })?;
    if let (Some(half), Some(most)) = (meter.quantile_ms(0.5), meter.quantile_ms(0.99)) {
        println!("lag p50 {half:.0} ms, p99 {most:.0} ms");
    }
    Ok(())
}

fn send(master: &Client, sent: &AtomicU64, stop: &Interrupt) -> Outcome<()> {
    let outcome = Traffic::open(master)
        .and_then(|mut traffic| traffic.run(stop, |total| sent.store(total, Ordering::Relaxed)));
    // Without transactions the view would only look frozen.
    if outcome.is_err() {
        stop.raise();
    }
    outcome
}

fn say(json: bool, text: &str) {
    if json {
        eprintln!("{text}");
    } else {
        println!("{text}");
    }
}
