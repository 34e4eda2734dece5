//! Short programs under every method that executes, each asked for by several clients at once, and how long a client
//! beside them waits for an answer that costs nothing. No program may hold what others need.

mod program;
mod request;

use std::{
    fmt,
    sync::atomic::{AtomicUsize, Ordering},
    thread,
    time::{Duration, Instant},
};

use crate::{
    connection::Connection,
    differ,
    failure::{Doing, Failure, Outcome},
    interrupt::Interrupt,
    rpc::Client,
    scenario::Net,
};

/// Clients that ask for the same program at once.
const CLIENTS: usize = 4;
/// A client beside them must not wait longer. A body of 4 MiB is looked through in one piece, some 30 ms in the tests' build;
/// on a machine that others keep busy, four of them at once cost 120. What a call held was held for seconds.
const WAIT_MAX: Duration = Duration::from_millis(250);
/// Nor may those that ask, for each of their calls: it has [`CALL_TIMEOUT_MS`], and they share the threads.
const ANSWER_MAX: Duration = Duration::from_secs(2);
/// Short, since many programs run until it ends.
const CALL_TIMEOUT_MS: u32 = 50;
/// Tries of a request that was too slow: a machine that others use is slow now and then, a defect always.
const AGAIN: u32 = 4;
/// Programs that are told with their waits.
const PRINTED_MAX: usize = 5;

/// How many programs, and which.
#[derive(Debug, Clone, clap::Args)]
pub struct Arguments {
    /// Programs; without it they go on until an interrupt
    #[arg(long)]
    programs: Option<u32>,
    /// Chooses them
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

/// Outcome of one request.
#[derive(Debug, Clone)]
struct Trial {
    /// The longest that the client beside waited.
    wait: Duration,
    /// The longest that one who asked for it waited.
    answer: Duration,
    answer_max: Duration,
    request: String,
}

impl Trial {
    fn is_slow(&self) -> bool {
        self.wait > WAIT_MAX || self.answer > self.answer_max
    }
}

impl fmt::Display for Trial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (wait, answer) = (self.wait.as_secs_f64() * 1e3, self.answer.as_secs_f64() * 1e3);
        write!(f, "beside it {wait:.1} ms, itself {answer:.1} ms: {:.1500}", self.request)
    }
}

/// Outcome of all requests.
#[derive(Debug, Default)]
pub struct Findings {
    /// Programs that ran.
    pub programs: u32,
    /// Requests that were too slow each time, with their waits.
    pub slow: Vec<String>,
    /// The slowest of the others, slowest first.
    rest: Vec<Trial>,
}

impl Findings {
    fn take(&mut self, trial: Trial) {
        self.programs += 1;
        if trial.is_slow() {
            self.slow.push(trial.to_string());
            return;
        }
        let at = self.rest.partition_point(|slower| slower.wait > trial.wait);
        self.rest.insert(at, trial);
        self.rest.truncate(PRINTED_MAX);
    }
}

impl fmt::Display for Findings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for trial in &self.rest {
            writeln!(f, "{trial}")?;
        }
        for slow in &self.slow {
            writeln!(f, "TOO SLOW {slow}")?;
        }
        write!(f, "{} programs, {} too slow", self.programs, self.slow.len())
    }
}

/// The command: goes on until told to stop.
///
/// # Errors
/// Something does not build or start, or the replica died.
pub fn run(arguments: &Arguments) -> Outcome<bool> {
    let stop = Interrupt::on_signals()?;
    let mut net = network()?;
    let findings = run_all(&mut net, arguments.seed, arguments.programs, &stop)?;
    println!("{findings}");
    net.stop()?;
    Ok(findings.slow.is_empty())
}

/// A replica with trie nodes on a chain of all forks, with little time for each call.
///
/// # Errors
/// Something does not build or start.
pub fn network() -> Outcome<Net> {
    differ::network_with(|net| {
        let limit = |name| format!("{{ method = \"{name}\", timeout_ms = {CALL_TIMEOUT_MS} }}");
        let limits = request::methods().map(limit).collect::<Vec<_>>().join(", ");
        net.replica_daemon(0)?.edit(|text| {
            text.replace("[] : List { method : Text, timeout_ms : Natural }", &format!("[ {limits} ]"))
                .replace("callTimeout_ms = 5000", &format!("callTimeout_ms = {CALL_TIMEOUT_MS}"))
        })
    })
}

/// Runs so many programs, without a number until an interrupt.
///
/// # Errors
/// The replica does not answer any more.
pub fn run_all(net: &mut Net, seed: u64, programs: Option<u32>, stop: &Interrupt) -> Outcome<Findings> {
    let replica = net.replica(0)?;
    let mut crowd = Crowd::at(&replica)?;
    let mut requests = request::Requests::new(seed, request::Blocks::read(&replica)?);
    let (mut findings, mut reported) = (Findings::default(), Instant::now());
    while programs.is_none_or(|most| findings.programs < most) && !stop.raised() {
        let (request, calls) = requests.next();
        findings.take(crowd.ask(&request, ANSWER_MAX * calls)?);
        if programs.is_none() && reported.elapsed() > Duration::from_secs(10) {
            println!("{} programs, {} too slow", findings.programs, findings.slow.len());
            reported = Instant::now();
        }
    }
    Ok(findings)
}

/// Clients that ask for the same, and the one beside them.
#[derive(Debug)]
pub struct Crowd {
    clients: Vec<Connection>,
    beside: Connection,
}

impl Crowd {
    /// Connects all of them.
    ///
    /// # Errors
    /// Nobody is there.
    pub fn at(server: &Client) -> Outcome<Self> {
        let address = server.url().trim_start_matches("http://");
        let open = || Connection::open(address, false);
        Ok(Self { clients: (0..CLIENTS).map(|_| open()).collect::<Outcome<_>>()?, beside: open()? })
    }

    /// Asks, again if it was slow, and tells the least that was waited.
    ///
    /// # Errors
    /// Somebody got no answer.
    fn ask(&mut self, request: &str, answer_max: Duration) -> Outcome<Trial> {
        let mut best = Trial { answer_max, ..once(self, request)? };
        for _ in 0..AGAIN {
            if !best.is_slow() {
                break;
            }
            let again = once(self, request)?;
            best.wait = best.wait.min(again.wait);
            best.answer = best.answer.min(again.answer);
        }
        Ok(best)
    }

    /// Asks for what may take so long, and tells what was waited.
    ///
    /// # Errors
    /// Somebody waited for too long, each time.
    pub fn bear(&mut self, request: &str, answer_max: Duration) -> Outcome<String> {
        let trial = self.ask(request, answer_max)?;
        if trial.is_slow() { Err(Failure::new(format!("too slow: {trial}"))) } else { Ok(trial.to_string()) }
    }
}

/// All clients ask for it at once; meanwhile the one beside asks for what costs nothing, again and again.
fn once(crowd: &mut Crowd, request: &str) -> Outcome<Trial> {
    const CHEAP: &str = r#"{"jsonrpc":"2.0","id":1,"method":"eth_blockNumber","params":[]}"#;
    let Crowd { clients, beside } = crowd;
    let running = AtomicUsize::new(clients.len());
    let ask = |client: &mut Connection| {
        let begun = Instant::now();
        let asked = client.ask(request).map(|_| begun.elapsed());
        running.fetch_sub(1, Ordering::Relaxed);
        asked
    };
    thread::scope(|scope| {
        let asking: Vec<_> = clients.iter_mut().map(|client| scope.spawn(|| ask(client))).collect();
        let mut wait = Duration::ZERO;
        while running.load(Ordering::Relaxed) > 0 {
            let begun = Instant::now();
            beside.ask(CHEAP)?;
            wait = wait.max(begun.elapsed());
        }
        let mut answer = Duration::ZERO;
        for client in asking {
            let took = client.join().unwrap_or_else(|_| Err(Failure::new("a client panicked")));
            answer = answer.max(took.doing(|| format!("ask {request:.2000}"))?);
        }
        Ok(Trial { wait, answer, answer_max: ANSWER_MAX, request: request.to_owned() })
    })
}
