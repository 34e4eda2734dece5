//! Load on one server: as much as it takes, or as much as it is told.

use std::{
    fs,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use crate::{
    connection::Connection,
    failure::{Doing, Failure, Outcome},
    measure::runs::quantile,
    scenario::Net,
};

/// Clients at a time.
const CONNECTIONS: usize = 16;
/// Clients at a time that ask for everything once.
const CONNECTIONS_ONCE: usize = 4;
/// Requests before those, which count for nothing.
const WARMED: usize = 400;
/// Linux tells processor time in ticks of this length to every process, whatever the kernel's own.
const TICK_MICROS: f64 = 10_000.0;

/// One server under load.
#[derive(Debug, Clone)]
pub(super) struct Server {
    /// The HTTP address.
    pub(super) address: String,
    /// The process id.
    pub(super) pid: u32,
}

/// Throughput of a server that is asked as fast as it answers.
#[derive(Debug, Clone, Copy)]
pub(super) struct Saturated {
    pub(super) per_second: f64,
    /// Processor time of the server's process for each request, in microseconds.
    pub(super) cpu_micros: f64,
}

/// Latencies at a fixed rate, from the moment a request was due, in milliseconds.
#[derive(Debug, Clone, Copy)]
pub(super) struct Paced {
    pub(super) half: f64,
    pub(super) most: f64,
}

/// Host and port of an HTTP address.
pub(super) fn address_of(url: &str) -> String {
    url.trim_start_matches("http://").to_owned()
}

impl Server {
    /// The first replica of a network.
    pub(super) fn replica(net: &mut Net) -> Outcome<Self> {
        let address = address_of(net.replica(0)?.url());
        let process = net.replica_daemon(0)?.process().ok_or_else(|| Failure::new("the replica is gone"))?;
        Ok(Self { address, pid: process.id() })
    }

    /// Asks as fast as it answers.
    pub(super) fn saturate(&self, bodies: &[String], gzip: bool, time: Duration) -> Outcome<Saturated> {
        // What is compiled, read or cached on first use is not what a request costs.
        self.drive(bodies, gzip, &Turns::open(time / 4))?;
        let (cpu, begun) = (self.cpu_micros()?, Instant::now());
        let asked = self.drive(bodies, gzip, &Turns::open(time))?.len();
        let (cpu, seconds) = (self.cpu_micros()? - cpu, begun.elapsed().as_secs_f64());
        let asked = f64::from(u32::try_from(asked).unwrap_or(u32::MAX));
        Ok(Saturated { per_second: asked / seconds, cpu_micros: cpu / asked })
    }

    /// Asks for everything once, on a few connections: processor time for each request, in microseconds.
    pub(super) fn once(&self, bodies: &[String], gzip: bool) -> Outcome<f64> {
        // The first connections and answers of a process cost it more than others, whatever they are.
        let nothing = r#"{"jsonrpc":"2.0","id":1,"method":"eth_chainId","params":[]}"#;
        self.all(&vec![nothing.to_owned(); WARMED], gzip)?;
        let cpu = self.cpu_micros()?;
        self.all(bodies, gzip)?;
        Ok((self.cpu_micros()? - cpu) / f64::from(u32::try_from(bodies.len().max(1)).unwrap_or(u32::MAX)))
    }

    fn all(&self, bodies: &[String], gzip: bool) -> Outcome<()> {
        let next = AtomicUsize::new(0);
        let ask = || -> Outcome<()> {
            let mut connection = Connection::open(&self.address, gzip)?;
            while let Some(body) = bodies.get(next.fetch_add(1, Ordering::Relaxed)) {
                connection.ask(body)?;
            }
            Ok(())
        };
        clients(CONNECTIONS_ONCE, &ask)
    }

    /// Asks `rate` times a second, whether it keeps up or not.
    pub(super) fn pace(&self, bodies: &[String], gzip: bool, rate: f64, time: Duration) -> Outcome<Paced> {
        let mut latencies = self.drive(bodies, gzip, &Turns::every(time, rate))?;
        latencies.sort_by(f64::total_cmp);
        Ok(Paced { half: quantile(&latencies, 0.5), most: quantile(&latencies, 0.99) })
    }

    /// Every request's latency in milliseconds.
    fn drive(&self, bodies: &[String], gzip: bool, turns: &Turns) -> Outcome<Vec<f64>> {
        let latencies = Mutex::new(Vec::new());
        let ask = || -> Outcome<()> {
            let mut connection = Connection::open(&self.address, gzip)?;
            let mut own = Vec::new();
            while let Some((turn, due)) = turns.next() {
                let Some(body) = bodies.get(turn % bodies.len().max(1)) else { break };
                if connection.ask(body)?.is_empty() {
                    return Err(Failure::new(format!("an empty answer to {body:.200}")));
                }
                own.push(due.elapsed().as_secs_f64() * 1_000.0);
            }
            latencies.lock().unwrap_or_else(PoisonError::into_inner).append(&mut own);
            Ok(())
        };
        clients(CONNECTIONS, &ask)?;
        Ok(latencies.into_inner().unwrap_or_else(PoisonError::into_inner))
    }

    /// Resident memory of the process, in MB.
    pub(super) fn resident_mb(&self) -> Outcome<u64> {
        self.resident_kb().map(|kilobytes| kilobytes / 1_024)
    }

    /// The same in kB.
    pub(super) fn resident_kb(&self) -> Outcome<u64> {
        self.status("VmRSS:")
    }

    /// Threads of the process.
    pub(super) fn threads(&self) -> Outcome<u64> {
        self.status("Threads:")
    }

    /// A number of the process's status, by the word before it.
    fn status(&self, word: &str) -> Outcome<u64> {
        let path = format!("/proc/{}/status", self.pid);
        let text = fs::read_to_string(&path).doing(|| format!("read {path}"))?;
        let line = text.lines().find_map(|line| line.strip_prefix(word));
        let number = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
        number.ok_or_else(|| Failure::new(format!("{path}: {text}")))
    }

    /// Processor time of the process so far.
    pub(super) fn cpu_micros(&self) -> Outcome<f64> {
        let path = format!("/proc/{}/stat", self.pid);
        let text = fs::read_to_string(&path).doing(|| format!("read {path}"))?;
        ticks(&text).map(|ticks| ticks * TICK_MICROS).ok_or_else(|| Failure::new(format!("{path}: {text}")))
    }
}

/// Clients side by side, until all have what they want.
pub(super) fn clients(count: usize, client: &(impl Fn() -> Outcome<()> + Sync)) -> Outcome<()> {
    thread::scope(|scope| {
        let clients: Vec<_> = (0..count).map(|_| scope.spawn(client)).collect();
        clients
            .into_iter()
            .try_for_each(|client| client.join().unwrap_or_else(|_| Err(Failure::new("a client panicked"))))
    })
}

/// User and system time: the 14th and 15th field, counted behind the name, which may hold anything.
fn ticks(stat: &str) -> Option<f64> {
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
    let mut next = || fields.next()?.parse::<f64>().ok();
    Some(next()? + next()?)
}

/// Times at which requests are due.
#[derive(Debug)]
struct Turns {
    taken: AtomicUsize,
    begun: Instant,
    time: Duration,
    /// Time from one request to the next; nothing when each follows an answer.
    gap: Option<f64>,
}

impl Turns {
    fn open(time: Duration) -> Self {
        Self { taken: AtomicUsize::new(0), begun: Instant::now(), time, gap: None }
    }

    fn every(time: Duration, rate: f64) -> Self {
        Self { gap: Some(1.0 / rate), ..Self::open(time) }
    }

    /// The next request's number and when it is due, once that moment has come; none when the time is over.
    fn next(&self) -> Option<(usize, Instant)> {
        let turn = self.taken.fetch_add(1, Ordering::Relaxed);
        let due = match self.gap {
            Some(gap) => {
                let after = gap * f64::from(u32::try_from(turn).unwrap_or(u32::MAX));
                self.begun + Duration::from_secs_f64(after)
            }
            None => Instant::now(),
        };
        if due >= self.begun + self.time {
            return None;
        }
        // The rate itself, not a wait for somebody.
        thread::sleep(due.saturating_duration_since(Instant::now()));
        Some((turn, due))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processor_time_is_found_behind_any_name() {
        let stat = "7 (a) b ) R 1 2 3 4 5 6 7 8 9 10 40 2 0 0";
        assert_eq!(ticks(stat), Some(42.0));
        assert_eq!(ticks("7 (geth) R 1 2"), None);
    }

    #[test]
    fn a_rate_gives_so_many_turns_in_its_time() {
        let turns = Turns::every(Duration::from_millis(50), 200.0);
        assert_eq!(std::iter::from_fn(|| turns.next()).count(), 10);
    }
}
