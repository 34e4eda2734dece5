//! Effects of a hostile client on others: answers to a well-behaved one, the memory of the replica, and whether it stays ready.

use std::{
    net::Ipv4Addr,
    thread,
    time::{Duration, Instant},
};

use crate::{
    connection::Connection,
    failure::{Failure, Outcome},
    interrupt::Interrupt,
    measure::{load::Server, runs::quantile},
};

/// The well-behaved client's address; hostile ones come from 127.0.0.1.
const ELSEWHERE: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);
/// Time between two of its requests, on each of its two ways.
const PERIOD: Duration = Duration::from_millis(20);
/// An answer that takes longer is none.
const PATIENCE: Duration = Duration::from_secs(5);
/// Time between two looks at memory and readiness.
const LOOK: Duration = Duration::from_millis(50);
/// Questions that cost little; one answer is large enough to be counted with all that are on their way.
const QUESTIONS: [&str; 4] = [
    r#"{"jsonrpc":"2.0","id":1,"method":"eth_blockNumber","params":[]}"#,
    r#"{"jsonrpc":"2.0","id":1,"method":"eth_getBlockByNumber","params":["latest",false]}"#,
    r#"{"jsonrpc":"2.0","id":1,"method":"eth_getBlockByNumber","params":["latest",true]}"#,
    r#"{"jsonrpc":"2.0","id":1,"method":"eth_getBalance","params":["0x0000000000000000000000000000000000000001","latest"]}"#,
];

/// Answers to the well-behaved client.
#[derive(Debug, Clone, Copy)]
pub struct Answers {
    /// Median of their time, in milliseconds.
    pub half_ms: f64,
    /// 99th percentile.
    pub most_ms: f64,
    /// Requests without an answer, or with a refusal.
    pub failed: usize,
    /// All requests.
    pub asked: usize,
}

/// Asks on a kept connection and on new ones, for so long.
pub(super) fn ask(address: &str, time: Duration) -> Outcome<Answers> {
    let ways = thread::scope(|scope| {
        let kept = scope.spawn(|| way(address, time, true));
        (way(address, time, false), kept.join())
    });
    let (new, kept) = (ways.0, ways.1.map_err(|_| Failure::new("a client panicked"))?);
    let failed = kept.1 + new.1;
    let mut times = [kept.0, new.0].concat();
    times.sort_by(f64::total_cmp);
    let asked = times.len();
    Ok(Answers { half_ms: quantile(&times, 0.5), most_ms: quantile(&times, 0.99), failed, asked })
}

/// Milliseconds of each request from the moment it was due, and how many failed.
fn way(address: &str, time: Duration, keeps: bool) -> (Vec<f64>, usize) {
    let (mut times, mut failed, mut kept) = (Vec::new(), 0, None);
    let begun = Instant::now();
    for (turn, question) in (0_u32..).zip(QUESTIONS.iter().cycle()) {
        let due = PERIOD * turn;
        if due >= time || begun.elapsed() >= time + PATIENCE {
            break;
        }
        // A pace, not a wait for anybody.
        thread::sleep(due.saturating_sub(begun.elapsed()));
        let connection = kept
            .take()
            .filter(|_| keeps)
            .map_or_else(|| Connection::open_from(ELSEWHERE, address, PATIENCE), Ok);
        let answered = connection.and_then(|mut connection| {
            let answer = connection.ask(question)?;
            let is_result = answer.windows(9).any(|bytes| bytes == b"\"result\":");
            if is_result { Ok(connection) } else { Err(Failure::new("refused")) }
        });
        times.push((begun.elapsed().saturating_sub(due)).as_secs_f64() * 1_000.0);
        failed += usize::from(answered.is_err());
        kept = answered.ok();
    }
    (times, failed)
}

/// Memory and readiness of a replica.
#[derive(Debug, Clone, Copy, Default)]
pub struct Health {
    /// Most resident memory, in MB.
    pub peak_mb: u64,
    /// Looks at `/ready` that found it true.
    pub ready: usize,
    /// All looks.
    pub looks: usize,
}

/// Looks again and again until `over`.
pub(super) fn watch(server: &Server, admin: &str, over: &Interrupt) -> Outcome<Health> {
    let config = ureq::Agent::config_builder().timeout_global(Some(PATIENCE)).http_status_as_error(false);
    let agent: ureq::Agent = config.build().into();
    let url = format!("http://{admin}/ready");
    let mut health = Health::default();
    while !over.raised() {
        health.peak_mb = health.peak_mb.max(server.resident_mb()?);
        health.looks += 1;
        health.ready += usize::from(agent.get(&url).call().is_ok_and(|answer| answer.status().is_success()));
        thread::sleep(LOOK);
    }
    Ok(health)
}
