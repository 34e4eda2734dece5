//! Clients that mean harm, one row each, and what a well-behaved client beside them notices. `cargo measure hostile` prints
//! the figures at full size; a test holds smaller ones to loose bounds.

mod beside;
mod clients;
mod flood;
mod slow;

use std::{
    fs, thread,
    time::{Duration, Instant},
};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

pub use self::beside::{Answers, Health};
use super::load::Server;
use crate::{
    failure::{Doing, Failure, Outcome},
    interrupt::Interrupt,
    product::Product,
    rpc::Client,
    scenario::{Carrier, Chain, Net, Plan},
    traffic::Traffic,
};

/// How much of everything.
#[derive(Debug, Clone, Copy)]
pub struct Size {
    /// Connections that the replica allows, and that a client takes who wants all.
    pub connections: usize,
    /// Bytes of the largest answer.
    pub answer_bytes: usize,
    /// Subscriptions that come and go.
    pub subscribed: usize,
    /// Transactions in each block, one a second.
    pub transactions: u64,
    /// Time that each row has.
    pub time: Duration,
}

/// The size that figures are told of: the limits are the settings' defaults.
pub const FULL: Size = Size {
    connections: 4_096,
    answer_bytes: 25_000_000,
    subscribed: 100_000,
    transactions: 250,
    time: Duration::from_secs(15),
};

/// A replica to attack.
#[derive(Debug)]
pub(super) struct Target {
    /// HTTP and WebSocket, `host:port`.
    rpc: String,
    /// The same over TLS.
    tls: String,
    /// The node of whose account transactions are sent.
    master: Client,
    size: Size,
    /// Raised when it has been enough.
    over: Interrupt,
}

/// One hostile client: a name, and its doing until it is over, which it tells in the end.
type Row = (&'static str, fn(&Target) -> Outcome<String>);

/// All of them.
const ROWS: [Row; 8] = [
    ("1,000 subscriptions, unread", clients::subscriptions),
    ("batches of 1,000 on cold blocks", clients::batches),
    ("200 large filters", clients::filters),
    ("transactions of one account", flood::transactions),
    ("slow readers of large answers", slow::readers),
    ("TLS handshakes without end", flood::handshakes),
    ("heads that never end", slow::heads),
    ("subscribe and unsubscribe", clients::churn),
];

/// One row's outcome.
#[derive(Debug)]
pub struct Figures {
    /// The hostile client.
    pub name: &'static str,
    /// The well-behaved client alone.
    pub alone: Answers,
    /// The same beside the hostile one.
    pub beside: Answers,
    /// Resident memory before.
    pub before_mb: u64,
    /// Memory and readiness meanwhile.
    pub health: Health,
    /// Doings of the hostile client, in its own words.
    pub did: String,
}

/// Prints a line for each row whose name has `wanted` in it.
pub(super) fn run(product: Product, wanted: &str, stop: &Interrupt) -> Outcome<()> {
    println!(
        "hostile clients: geth --dev, a block of {} transactions a second, limits as by default; another client asks 100 times a second",
        FULL.transactions
    );
    println!("{:>34} {:>17} {:>17} {:>6}", "", "alone p50/p99 ms", "beside p50/p99 ms", "ratio");
    let tell = |figures: &Figures| {
        let Figures { name, alone, beside, before_mb, health, did } = figures;
        println!(
            "  {name:<32} {:>8.1}/{:>8.1} {:>8.1}/{:>8.1} {:>6.1}  failed {} of {}, resident {before_mb} -> {} MB, ready {} of {}; {did}",
            alone.half_ms,
            alone.most_ms,
            beside.half_ms,
            beside.most_ms,
            beside.most_ms / alone.most_ms,
            beside.failed,
            beside.asked,
            health.peak_mb,
            health.ready,
            health.looks,
        );
    };
    observe(product, FULL, wanted, stop, tell)
}

/// Starts a network and has it bear each row whose name has `wanted` in it.
///
/// # Errors
/// Something does not start, or a daemon died.
pub fn observe(
    product: Product,
    size: Size,
    wanted: &str,
    stop: &Interrupt,
    mut tell: impl FnMut(&Figures),
) -> Outcome<()> {
    raise_descriptors()?;
    let mut net = network(product, size)?;
    let server = Server::replica(&mut net)?;
    let (tls, admin) = (net.replica_daemon(0)?.address("tls")?, net.replica_daemon(0)?.address("admin")?);
    let mut target =
        Target { rpc: server.address.clone(), tls, master: net.master(), size, over: Interrupt::default() };
    let mut traffic = Traffic::open(&net.master())?;
    let end = Interrupt::default();
    thread::scope(|scope| {
        let blocks = scope.spawn(|| blocks(&mut traffic, size.transactions, &end));
        let mut borne = Ok(());
        for row in ROWS.iter().filter(|(name, _)| name.contains(wanted)) {
            if stop.raised() || borne.is_err() {
                break;
            }
            target.over = Interrupt::default();
            borne = bear(&target, *row, &server, &admin).map(|figures| tell(&figures));
        }
        end.raise();
        let traffic = blocks.join().map_err(|_| Failure::new("the traffic panicked"))?;
        borne.and(traffic)
    })
    .doing(|| net.last_words())?;
    net.caught_up(0)?;
    net.stop()
}

/// Blocks for subscribers, one a second.
fn blocks(traffic: &mut Traffic, transactions: u64, end: &Interrupt) -> Outcome<()> {
    while !end.raised() {
        let begun = Instant::now();
        traffic.batch(transactions)?;
        // A pace, not a wait for anybody.
        thread::sleep(Duration::from_secs(1).saturating_sub(begun.elapsed()));
    }
    Ok(())
}

fn bear(target: &Target, (name, client): Row, server: &Server, admin: &str) -> Outcome<Figures> {
    let time = target.size.time;
    let alone = beside::ask(&target.rpc, time / 2)?;
    let before_mb = server.resident_mb()?;
    thread::scope(|scope| {
        let hostile = scope.spawn(|| client(target));
        let health = scope.spawn(|| beside::watch(server, admin, &target.over));
        let beside = beside::ask(&target.rpc, time);
        target.over.raise();
        let did = hostile.join().map_err(|_| Failure::new(format!("{name}: panicked")))?;
        let health = health.join().map_err(|_| Failure::new("the watch panicked"))?;
        Ok(Figures { name, alone, beside: beside?, before_mb, health: health?, did: did? })
    })
}

/// A network whose replica has the limits of `size`, takes transactions, and serves TLS, too.
fn network(product: Product, size: Size) -> Outcome<Net> {
    let plan = Plan { chain: Chain::Developer, carrier: Carrier::Segment, replicas: 1 };
    let mut net = Net::build_from(product, &plan)?;
    net.take_transactions()?;
    let secret = |name: &str, text: &str| -> Outcome<String> {
        let path = net.dir().join(name);
        fs::write(&path, text).doing(|| format!("write {}", path.display()))?;
        Ok(path.display().to_string())
    };
    let certificate = secret("certificate.pem", include_str!("certificate.pem"))?;
    let key = secret("key.pem", include_str!("key.pem"))?;
    let path = net.replica_daemon(0)?.config().to_owned();
    let text = fs::read_to_string(&path).doing(|| format!("read {}", path.display()))?;
    let listener =
        text.split_once("listeners = [").and_then(|(_, rest)| rest.split_once(" ], methodTimeouts"));
    let (listener, _) = listener.ok_or_else(|| Failure::new("settings without a listener"))?;
    let encrypted = format!(
        "{listener} // {{ name = \"tls\", tls = Some {{ certificate = \"{certificate}\", clientCa = None Text, key = \"{key}\" }} }}"
    );
    // Nearly every block is cold: each has some 150 kB of JSON.
    let text = text
        .replace(listener, &format!("{listener}, {encrypted}"))
        .replace("connectionsMax = 200", &format!("connectionsMax = {}", size.connections))
        .replace("responseMax_bytes = 160000000", &format!("responseMax_bytes = {}", size.answer_bytes))
        .replace("Timeout_ms = 30000", "Timeout_ms = 60000")
        .replace("writeTimeout_ms = 60000", "writeTimeout_ms = 10000")
        .replace("blockCache_MB = 64", "blockCache_MB = 1");
    fs::write(&path, text).doing(|| format!("write {}", path.display()))?;
    net.start()?;
    net.caught_up(0)?;
    Ok(net)
}

/// As many descriptors as this process and its children may have, as the unit gives them.
fn raise_descriptors() -> Outcome<()> {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum })
        .doing(|| "raise the descriptors".to_owned())
}
