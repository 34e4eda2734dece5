//! `cargo measure`: the benchmarks. Each prints its setup and ratios against geth or a raw limit of the same run;
//! absolute numbers of a shared machine mean little. Nothing here passes or fails, but a soak in which something grows.

mod catch_up;
mod head_lag;
mod health;
mod hook;
pub mod hostile;
mod import;
mod large;
mod load;
mod log;
mod master;
mod relay;
mod rpc;
mod runs;
mod setup;
mod simulation;
mod soak;
mod transactions;

use clap::ValueEnum;

use crate::{failure::Outcome, geth::chaingen, install, interrupt::Interrupt, product::Product};

/// Blocks of the chain on a large genesis, through all forks, and transactions in each.
const BLOCKS: u32 = 60;
const TRANSACTIONS: u32 = 10;

/// Benchmarks to run, and their sizes.
#[derive(Debug, Clone, clap::Args)]
pub struct Arguments {
    /// Blocks of the generated chain
    #[arg(long, default_value_t = 500)]
    blocks: u32,
    /// Transactions in each of its blocks
    #[arg(long, default_value_t = 250)]
    transactions: u32,
    /// How often each way of importing or feeding it is run
    #[arg(long, default_value_t = 3)]
    rounds: u32,
    /// Blocks to take the lag of, for each load and each log
    #[arg(long, default_value_t = 60)]
    samples: usize,
    /// Seconds of load for each row of `rpc` in each of its ways
    #[arg(long, default_value_t = 4)]
    seconds: u32,
    /// Chooses the requests of `rpc`
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// `rpc` of what nobody asked for before: each request once, after a start of both servers
    #[arg(long)]
    cold: bool,
    /// Only the rows of `rpc`, `large` or `hostile` whose names have this in them
    #[arg(long, default_value = "")]
    row: String,
    /// Rows of the state of `import`
    #[arg(long, default_value_t = 20_000_000)]
    rows: u64,
    /// Rows of the genesis of `large`
    #[arg(long, default_value_t = 2_000_000)]
    genesis_rows: u64,
    /// Minutes of `soak`
    #[arg(long, default_value_t = 5)]
    minutes: u32,
    /// With the build of the tests, which is there sooner: for ratios and slopes, not for figures
    #[arg(long)]
    dev: bool,
    /// Only these
    #[arg(value_enum, value_name = "WHAT")]
    only: Vec<What>,
}

/// One benchmark.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum What {
    /// Cost to the master: importing a chain with the hook over without it, and being fed beside a tap, a tap without its
    /// log, and a stopped one
    Hook,
    /// A replica's blocks per second from the log over geth's import rate
    CatchUp,
    /// A state that geth exports into a replica, over RocksDB's writer of sorted files and over the disk
    Import,
    /// Reads of a large state over geth's, what readers feel of a snapshot, and a restore over a copy
    Large,
    /// Time from geth's newHeads to the replica answering with that block
    HeadLag,
    /// Append and read speed of both logs
    Log,
    /// Cost of answers, over what they cost geth
    Rpc,
    /// Transactions that a replica acknowledges, over geth's insertion of the same, and from the log to the first node
    Transactions,
    /// Bundles that a relay simulates, and what transactions cost that ran before
    Simulation,
    /// Clients that mean harm: what another client beside them waits, what the replica holds, and whether it stays ready
    Hostile,
    /// Bundles that a relay acknowledges, and the time from a client to a builder's socket
    Relay,
    /// Memory and processor time of a health checker of fifty targets
    Health,
    /// Head lag of a replica that is asked as fast as it answers; fails if what a daemon holds grows
    Soak,
}

/// Runs what was asked for, everything if nothing was named. False if a soak has found growth.
///
/// # Errors
/// Something does not build or start.
pub fn run(arguments: &Arguments) -> Outcome<bool> {
    install::ensure(&install::BUILD)?;
    install::ensure(&[install::GO])?;
    let stop = Interrupt::on_signals()?;
    let geth = crate::master::build()?;
    println!("{}", setup::describe(if arguments.dev { "dev" } else { "release" }));
    let mut is_fine = true;
    for what in What::value_variants() {
        if stop.raised() || !(arguments.only.is_empty() || arguments.only.contains(what)) {
            continue;
        }
        println!();
        match what {
            What::Hook => {
                let chain = chaingen::chain(arguments.blocks, arguments.transactions)?;
                hook::run(&geth, &chain, arguments.rounds)?;
                master::run(&arguments.product()?, &geth, arguments, &stop)?;
            }
            What::CatchUp => {
                let chain = chaingen::chain(arguments.blocks, arguments.transactions)?;
                catch_up::run(&arguments.product()?, &geth, &chain, arguments.blocks)?;
            }
            What::Import => {
                release()?;
                import::run(arguments.rows)?;
            }
            What::Large => {
                let chain = chaingen::large(BLOCKS, TRANSACTIONS, arguments.genesis_rows)?;
                large::run(&arguments.product()?, &chain, arguments.seed, &arguments.row, &stop)?;
                if arguments.row.is_empty() && !stop.raised() {
                    catch_up::run(&arguments.product()?, &geth, &chain, BLOCKS)?;
                }
            }
            What::HeadLag => head_lag::run(&arguments.product()?, arguments.samples, &stop)?,
            What::Log => {
                release()?;
                log::run()?;
            }
            What::Rpc => {
                let chain = chaingen::chain(arguments.blocks, arguments.transactions)?;
                let load = rpc::Load {
                    seconds: arguments.seconds,
                    seed: arguments.seed,
                    row: &arguments.row,
                    cold: arguments.cold,
                };
                rpc::run(&arguments.product()?, &chain, &load, &stop)?;
            }
            What::Simulation => {
                let chain = chaingen::chain(arguments.blocks, arguments.transactions)?;
                let profile = if arguments.dev { "dev" } else { "bench" };
                simulation::run(&arguments.product()?, &chain, profile)?;
            }
            What::Hostile => hostile::run(arguments.product()?, &arguments.row, &stop)?,
            What::Transactions => {
                let signed = u32::try_from(transactions::count()).unwrap_or(u32::MAX);
                let chain = chaingen::signed(64, signed)?;
                transactions::run(&arguments.product()?, &chain, &stop)?;
            }
            What::Relay => relay::run(&arguments.product()?, &stop)?,
            What::Health => health::run(&arguments.product()?, &stop)?,
            What::Soak => {
                is_fine &= soak::run(&arguments.product()?, arguments.minutes, arguments.seed, &stop)?;
            }
        }
    }
    Ok(is_fine)
}

impl Arguments {
    fn product(&self) -> Outcome<Product> {
        if self.dev { Product::build() } else { release() }
    }
}

fn release() -> Outcome<Product> {
    println!("building with optimisations (the first time takes some minutes) …");
    Product::build_release()
}
