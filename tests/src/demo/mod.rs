//! The demo: the whole way from a real geth to a client, on one machine, for a person to look at.
//!
//! Results go to standard output, what is being done to standard error. On a machine without Go the master is a
//! [`crate::replay`].

mod private;
mod view;
mod watch;
mod way;

use std::{path::PathBuf, sync::atomic::Ordering, thread, time::Duration};

use serde_json::{Value, json};

use crate::{
    compare::{self, Comparison, same_block},
    daemon::Daemon,
    failure::{Doing, Failure, Outcome},
    install,
    interrupt::Interrupt,
    product::Product,
    rpc::Client,
    scenario::{Carrier, Chain, Net, Plan},
    traffic::Traffic,
    wait,
};
use private::Private;
use view::Meter;
use watch::Watch;
use way::Counts;

/// Bursts of transactions, a block each, that `--once` sends before it compares.
const BURSTS: u32 = 12;
/// Between two blocks of a recorded chain: slow enough to watch, or not.
const PACE: Duration = Duration::from_millis(125);
const PACE_ONCE: Duration = Duration::from_millis(5);
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
    /// Watch everything with a health checker, and print the address of its page
    #[arg(long)]
    health: bool,
    /// Three replicas behind a real haproxy that goes by two health checkers
    #[arg(long)]
    cluster: bool,
    /// A relay with two simulated builders; a stock client hands in bundles, and says what became of them
    #[arg(long)]
    relay: bool,
}

/// A running demo.
struct Demo<'a> {
    arguments: &'a Arguments,
    chain: Chain,
    net: Net,
    master: Client,
    replica: Client,
    /// Where transactions are sent: a developer chain has an account for them.
    emitter: Option<Daemon>,
    watch: Option<Watch>,
    private: Option<Private>,
}

/// Runs it to its end and says whether all was well.
///
/// # Errors
/// Something could not be built, started or stopped.
pub fn run(arguments: &Arguments) -> Outcome<bool> {
    let stop = Interrupt::on_signals()?;
    wait::give_up_on(Some(&stop));
    let ran = up(arguments).and_then(|mut demo| {
        let verdict = demo.look(&stop)?;
        wait::give_up_on(None);
        eprintln!("stopping …");
        if let Some(private) = demo.private.take() {
            private.stop()?;
        }
        if let Some(watch) = demo.watch.take() {
            watch.stop(&mut demo.net)?;
        }
        if let Some(emitter) = &mut demo.emitter {
            emitter.stop()?;
        }
        demo.net.stop()?;
        Ok(verdict)
    });
    match ran {
        Err(_) if stop.raised() => Err(Failure::new("interrupted before it was done")),
        Err(failure) => Err(failure),
        Ok(None) => Ok(true),
        Ok(Some((all_well, summary))) => {
            arguments.say(&summary);
            Ok(all_well)
        }
    }
}

/// Brings everything up.
fn up(arguments: &Arguments) -> Outcome<Demo<'_>> {
    let mut needs = install::BUILD.to_vec();
    if arguments.kafka {
        needs.extend(install::KAFKA);
    }
    if arguments.cluster {
        needs.extend(install::BALANCER);
    }
    install::ensure(&needs)?;
    let chain = arguments.chain()?;
    eprintln!("building maidenlane (the first time takes 35 minutes of CPU time) …");
    let carrier = if arguments.kafka { Carrier::Kafka } else { Carrier::Segment };
    let plan =
        Plan { chain: chain.clone(), carrier, replicas: if arguments.cluster { watch::CLUSTER } else { 1 } };
    // With trie nodes, of which there is no recording, the replica proves accounts and simulates state roots as geth does.
    let proofs = chain != Chain::Recorded;
    let mut net = Net::prepare(Product::build()?, &plan, proofs)?;
    if let Chain::Import(dir) = &chain {
        net.node().engine()?.announce(&dir.join("headfcu.json"))?;
    }
    eprintln!("starting tap and replica …");
    let sends = chain == Chain::Developer;
    if arguments.relay && !sends {
        return Err(Failure::new("--relay needs a real geth that mines: leave out --chain, and install Go"));
    }
    if sends {
        net.take_transactions()?;
    }
    net.start()?;
    let emitter = sends.then(|| way::start(&net)).transpose()?;
    let (master, replica) = (net.master(), net.replica(0)?);
    let watch = Watch::start(arguments, &mut net)?;
    let private = arguments.relay.then(|| Private::start(&mut net)).transpose()?;
    Ok(Demo { arguments, chain, net, master, replica, emitter, watch, private })
}

impl Arguments {
    fn chain(&self) -> Outcome<Chain> {
        match (&self.chain, install::GETH.met()) {
            (Some(dir), true) => {
                let missing = ["genesis.json", "chain.rlp", "headfcu.json"];
                match missing.iter().find(|name| !dir.join(name).is_file()) {
                    None => Ok(Chain::Import(dir.clone())),
                    Some(name) => Err(Failure::new(format!("--chain: {} has no {name}", dir.display()))),
                }
            }
            (None, true) => Ok(Chain::Developer),
            (Some(_), false) => {
                let advice = install::GETH.advice();
                Err(Failure::new(format!("--chain needs a real geth, and this machine lacks Go: {advice}")))
            }
            (None, false) => {
                let advice = install::GETH.advice();
                eprintln!("no Go for a real geth: replaying what one was recorded to do ({advice})");
                Ok(Chain::Recorded)
            }
        }
    }

    /// A result.
    fn say(&self, text: &str) {
        if self.json {
            eprintln!("{text}");
        } else {
            println!("{text}");
        }
    }
}

impl Demo<'_> {
    /// Everything between start and stop: whether all agreed, and a summary, if that was asked for.
    fn look(&mut self, stop: &Interrupt) -> Outcome<Option<(bool, String)>> {
        self.announce()?;
        if let Some(private) = &mut self.private {
            match private.show(&self.master)? {
                Some(said) => self.arguments.say(&said),
                None => self.arguments.say("nobody hands in bundles: a stock client needs Node.js with npm"),
            }
        }
        let verdict = self.arguments.once.then(|| self.once()).transpose();
        let verdict =
            verdict.doing(|| format!("the daemons said last:\n{}\nand then", self.net.last_words()));
        let verdict = verdict?;
        if !self.arguments.once || self.arguments.hold {
            self.serve(stop)?;
        }
        Ok(verdict)
    }

    fn announce(&mut self) -> Outcome<()> {
        let mut watched = self.watch.as_ref().map(Watch::addresses).unwrap_or_default();
        if let Some(private) = &mut self.private {
            watched.extend(private.addresses()?);
        }
        if self.arguments.json {
            let (tap, own) =
                (self.net.tap().address("admin")?, self.net.replica_daemon(0)?.address("admin")?);
            let mut endpoints = json!({
                "master": self.master.url(),
                "replica": self.replica.url(),
                "tapAdmin": format!("http://{tap}"),
                "replicaAdmin": format!("http://{own}"),
            });
            if let Some(fields) = endpoints.as_object_mut() {
                fields.extend(watched.into_iter().map(|(name, address)| (name.to_owned(), address.into())));
            }
            println!("{endpoints}");
        } else {
            println!("master   {}\nreplica  {}", self.master.url(), self.replica.url());
            for (name, address) in watched {
                println!("{name:8} {address}");
            }
            for index in 0..if self.arguments.cluster { watch::CLUSTER } else { 0 } {
                let pid = self.net.replica_daemon(index)?.process().map(|process| process.id());
                println!("replica-{}  kill {}", index + 1, pid.unwrap_or_default());
            }
        }
        Ok(())
    }

    /// Lets something happen, and compares everything: whether all agreed, and a summary.
    fn once(&mut self) -> Outcome<(bool, String)> {
        if self.chain == Chain::Developer {
            let mut traffic = Traffic::through(&self.master, &self.replica)?;
            for _ in 0..BURSTS {
                let head = self.master.block_number()?;
                traffic.burst()?;
                // So that bursts land in different blocks.
                self.master.next_block(head, Duration::from_secs(30))?;
            }
            traffic.settle()?;
            self.arguments.say(&format!("{} transactions sent and mined", traffic.sent()));
        }
        if let Some(replay) = self.net.replay() {
            replay.play(PACE_ONCE, &Interrupt::default());
        }
        let head = self.net.caught_up(0)?;
        let comparison = self.compare(head)?;
        let (agree, differ) = (comparison.agreed, comparison.differences.len());
        let summary = format!("demo: {agree} answers agree, {differ} differ, head {head}");
        Ok((comparison.perfect(), summary))
    }

    /// Compares all answers, and shows one of them and what differs.
    fn compare(&self, head: u64) -> Outcome<Comparison> {
        let comparison = match self.chain {
            Chain::Recorded => Comparison::with_recorded(&self.master, &self.replica)?,
            _ => {
                let questions = compare::questions(&self.master, head)?;
                Comparison::of(&self.master, &self.replica, &questions)?
            }
        };
        self.side_by_side(head)?;
        for difference in comparison.differences.iter().take(SHOWN_MAX) {
            self.arguments.say(&format!("differs: {difference}"));
        }
        Ok(comparison)
    }

    /// The same answer from both sides.
    fn side_by_side(&self, head: u64) -> Outcome<()> {
        let recorded = self.chain == Chain::Recorded;
        // Of the recorded head, the tag was asked for.
        let block = if recorded { "latest".to_owned() } else { format!("0x{head:x}") };
        let params = json!([block, false]);
        let [left, right] = [&self.master, &self.replica].map(|side| -> Outcome<Value> {
            let mut answer = side.respond("eth_getBlockByNumber", &params)?;
            Ok(answer.get_mut("result").map_or(Value::Null, Value::take))
        });
        let names = if recorded { ["geth, recorded", "replica"] } else { ["geth", "replica"] };
        self.arguments.say(&format!("eth_getBlockByNumber {params}"));
        self.arguments.say(&view::columns(names, &left?, &right?));
        Ok(())
    }

    /// Leaves everything running until interrupted, with traffic and a view of it unless only holding.
    fn serve(&mut self, stop: &Interrupt) -> Outcome<()> {
        if self.arguments.hold || self.arguments.json {
            if let Some(replay) = self.net.replay() {
                replay.play(PACE, stop);
            }
            while !stop.raised() {
                thread::sleep(Duration::from_millis(50));
            }
            return Ok(());
        }
        if self.chain != Chain::Recorded {
            let head = self.net.caught_up(0)?;
            self.side_by_side(head)?;
        }
        println!("Ctrl-C stops");
        let (meter, counts, mut emitter) = (Meter::default(), Counts::default(), self.emitter.take());
        thread::scope(|scope| {
            scope.spawn(|| meter.watch(&self.master, &self.replica, stop));
            scope.spawn(|| meter.load(&self.replica, stop));
            if let Some(emitter) = &mut emitter {
                scope.spawn(|| counts.watch(emitter, stop));
            }
            let shown = match (&self.chain, self.net.replay()) {
                (Chain::Developer, _) => {
                    let traffic = scope.spawn(|| send(&self.master, &self.replica, &counts, stop));
                    let shown = view::show(&meter, Some(&counts), || stop.raised());
                    let traffic = traffic.join().map_err(|_| Failure::new("the traffic panicked"))?;
                    shown.and(traffic)
                }
                (_, Some(replay)) => {
                    let playing = scope.spawn(|| replay.play(PACE, stop));
                    let shown = view::show(&meter, None, || playing.is_finished());
                    shown.and_then(|()| self.end_of_recording(&meter, stop))
                }
                (_, None) => view::show(&meter, None, || stop.raised()),
            };
            // Whatever happened, the other threads must end too.
            stop.raise();
            shown
        })?;
        self.emitter = emitter;
        if let (Some(half), Some(most)) = (meter.quantile_ms(0.5), meter.quantile_ms(0.99)) {
            println!("lag p50 {half:.0} ms, p99 {most:.0} ms");
        }
        Ok(())
    }

    /// All recorded blocks are out: compares, and stays open.
    fn end_of_recording(&self, meter: &Meter, stop: &Interrupt) -> Outcome<()> {
        if stop.raised() {
            return Ok(());
        }
        let head = self.master.block_number()?;
        same_block(&self.master, &self.replica, &format!("0x{head:x}"))?;
        let Comparison { agreed, differences } = self.compare(head)?;
        println!("the recording ends here: {agreed} recorded answers agree, {} differ", differences.len());
        println!("Ctrl-C stops");
        view::show(meter, None, || stop.raised())
    }
}

fn send(master: &Client, replica: &Client, counts: &Counts, stop: &Interrupt) -> Outcome<()> {
    let outcome = Traffic::through(master, replica)
        .and_then(|mut traffic| traffic.run(stop, |total| counts.sent.store(total, Ordering::Relaxed)));
    // Without transactions the view would only look frozen.
    if outcome.is_err() {
        stop.raise();
    }
    outcome
}
