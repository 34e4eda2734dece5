//! Constant load on a balancer: clients that ask for head and state, and note what they got from whom; and a chain that grows
//! meanwhile.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
        mpsc::{RecvTimeoutError, SyncSender, sync_channel},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use maidenlane_tests::{
    rpc::{Client, quantity},
    settings::BLOCK_MS,
    traffic::Traffic,
    wait,
};
use serde_json::{Value, json};

const SOON: Duration = Duration::from_secs(60);
/// Time after which a client gives a request up: longer than haproxy needs to find another server.
const PATIENCE: Duration = Duration::from_secs(15);
/// Requests in a row that must come from others before a server counts as out.
const OTHERS: usize = 40;
/// Nobody ever paid it: whoever tells another balance than none is wrong.
const POOR: &str = "0x00000000000000000000000000000000000d1e5e";

/// Answer of a server.
#[derive(Clone, Debug)]
enum Told {
    Head { number: u64, hash: String },
    Balance(String),
}

/// One request.
#[derive(Clone)]
struct Sample {
    began: Instant,
    /// Answer, and who gave it; or what went wrong.
    told: Result<(Told, String), String>,
}

/// The load. Dropping it ends it.
pub(super) struct Load {
    master: Client,
    samples: Arc<Mutex<Vec<Sample>>>,
    /// Heads of the master, and when it had them.
    heads: Arc<Mutex<Vec<(Instant, u64)>>>,
    stop: Arc<AtomicBool>,
    /// The chain grows until this is gone.
    chain: Option<SyncSender<()>>,
    threads: Vec<JoinHandle<()>>,
}

/// A fault, from its moment on: what is asked from then on belongs to it.
pub(super) struct Phase<'a> {
    load: &'a Load,
    name: &'a str,
    from: usize,
    began: Instant,
}

fn ask(agent: &ureq::Agent, url: &str, turn: usize) -> Result<(Told, String), String> {
    let (method, params) = match turn % 2 {
        0 => ("eth_getBlockByNumber", json!(["latest", false])),
        _ => ("eth_getBalance", json!([POOR, "latest"])),
    };
    let request = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
    let post = agent.post(url).header("content-type", "application/json");
    let mut answer = post.send(request.to_string()).map_err(|error| error.to_string())?;
    let server = answer.headers().get("x-served-by").and_then(|name| name.to_str().ok());
    let server = server.unwrap_or("nobody").to_owned();
    let text = answer.body_mut().read_to_string().map_err(|error| error.to_string())?;
    let json: Value = serde_json::from_str(&text).map_err(|error| format!("{error}: {text}"))?;
    let result = &json["result"];
    let told = match (result.as_str(), quantity(&result["number"]), result["hash"].as_str()) {
        (Some(balance), ..) => Told::Balance(balance.to_owned()),
        (None, Some(number), Some(hash)) => Told::Head { number, hash: hash.to_owned() },
        _ => return Err(text),
    };
    Ok((told, server))
}

impl Load {
    pub(super) fn start(url: &str, master: &Client, clients: usize) -> Self {
        let (samples, heads) = (Arc::<Mutex<Vec<Sample>>>::default(), Arc::<Mutex<Vec<_>>>::default());
        let stop = Arc::new(AtomicBool::new(false));
        let mut threads = Vec::new();
        for _ in 0..clients {
            let (samples, stop, url) = (Arc::clone(&samples), Arc::clone(&stop), url.to_owned());
            threads.push(thread::spawn(move || {
                let config = ureq::Agent::config_builder().timeout_global(Some(PATIENCE));
                let agent: ureq::Agent = config.build().into();
                for turn in 0.. {
                    if stop.load(Ordering::Relaxed) {
                        break;
                    }
                    let began = Instant::now();
                    let told = ask(&agent, &url, turn);
                    samples.lock().unwrap_or_else(PoisonError::into_inner).push(Sample { began, told });
                }
            }));
        }
        let (chain, ended) = sync_channel(1);
        let (told, node) = (Arc::clone(&heads), master.clone());
        threads.push(thread::spawn(move || {
            let mut traffic = Traffic::open(&node).unwrap();
            let pace = Duration::from_millis(BLOCK_MS);
            while ended.recv_timeout(pace) == Err(RecvTimeoutError::Timeout) {
                let head = node.block_number().unwrap();
                traffic.batch(1).unwrap();
                node.next_block(head, SOON).unwrap();
                let head = node.block_number().unwrap();
                told.lock().unwrap_or_else(PoisonError::into_inner).push((Instant::now(), head));
            }
        }));
        let load = Self { master: master.clone(), samples, heads, stop, chain: Some(chain), threads };
        load.wait("blocks and answers", |load| {
            let (heads, samples) = (load.heads.lock().unwrap().len(), load.count());
            if heads > 2 && samples > OTHERS { Ok(()) } else { Err(format!("{heads} and {samples}")) }
        });
        load
    }

    fn wait(&self, what: &str, probe: impl Fn(&Self) -> Result<(), String>) {
        wait::until(what, SOON, || probe(self)).unwrap();
    }

    fn count(&self) -> usize {
        self.samples.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    fn since(&self, from: usize) -> Vec<Sample> {
        self.samples.lock().unwrap_or_else(PoisonError::into_inner)[from..].to_vec()
    }

    /// Begins a phase with a fault.
    pub(super) fn phase<'a>(&'a self, name: &'a str) -> Phase<'a> {
        Phase { load: self, name, from: self.count(), began: Instant::now() }
    }

    /// Hashes that the master has at these heights.
    fn hashes(&self, heights: &[u64]) -> BTreeMap<u64, String> {
        let mut found = BTreeMap::new();
        for some in heights.chunks(100) {
            let call = |number: &u64| {
                let params = json!([format!("{number:#x}"), false]);
                json!({"jsonrpc": "2.0", "id": number, "method": "eth_getBlockByNumber", "params": params})
            };
            let asked: Value = some.iter().map(call).collect();
            let (_, text) = self.master.post(&asked.to_string()).unwrap();
            let answers: Vec<Value> = serde_json::from_str(&text).unwrap();
            found.extend(answers.iter().filter_map(|answer| {
                Some((answer["id"].as_u64()?, answer["result"]["hash"].as_str()?.to_owned()))
            }));
        }
        found
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        self.chain = None;
        for thread in self.threads.drain(..) {
            drop(thread.join());
        }
    }
}

impl Phase<'_> {
    fn of(sample: &Sample, server: &str) -> bool {
        sample.told.as_ref().is_ok_and(|(_, name)| name == server)
    }

    /// Time since the fault.
    pub(super) fn elapsed(&self) -> Duration {
        self.began.elapsed()
    }

    /// Waits until a server gets nothing any more; when it got its last request, counted from the fault.
    pub(super) fn served_by_others(&self, server: &str) -> Duration {
        let from = self.load.count();
        self.load.wait(&format!("{OTHERS} answers in a row that are not of {server}"), |load| {
            let all = load.since(from);
            let newest: Vec<_> = all.iter().rev().take(OTHERS).collect();
            match newest.iter().any(|sample| Self::of(sample, server)) {
                false if newest.len() == OTHERS => Ok(()),
                some => Err(format!("{} of {OTHERS}, {some}", newest.len())),
            }
        });
        let all = self.load.since(self.from);
        let last = all.iter().rev().find(|sample| Self::of(sample, server));
        last.map(|sample| sample.began.saturating_duration_since(self.began)).unwrap_or_default()
    }

    /// Waits until a server gets something; how long that took.
    pub(super) fn served_by(&self, server: &str) -> Duration {
        let from = self.load.count();
        self.load.wait(&format!("an answer of {server}"), |load| {
            let all = load.since(from);
            if all.iter().any(|sample| Self::of(sample, server)) {
                Ok(())
            } else {
                Err(format!("{} answers", all.len()))
            }
        });
        self.elapsed()
    }

    /// Counts requests, failures and wrong and stale answers since the fault, and refuses more than `failed`, anything wrong
    /// `within` after the fault, and anything staler than that.
    pub(super) fn held(self, failed: usize, within: Duration) {
        let all = self.load.since(self.from);
        let failures: Vec<&String> = all.iter().filter_map(|sample| sample.told.as_ref().err()).collect();
        let wrong = self.wrong(&all);
        let (stalest, of) = self.stalest(&all);
        println!(
            "{}: {} requests, {} failed, {} wrong (the last after {} ms), the stalest {} ms behind",
            self.name,
            all.len(),
            failures.len(),
            wrong.len(),
            wrong.last().map_or(0, |(after, _)| after.as_millis()),
            stalest.as_millis()
        );
        assert!(failures.len() <= failed, "{}: {failures:?}", self.name);
        let late: Vec<_> = wrong.iter().filter(|(after, _)| *after > within).collect();
        assert!(late.is_empty(), "{}, {within:?} after the fault: {late:?}", self.name);
        assert!(stalest <= within, "{}: {of} was {stalest:?} behind", self.name);
    }

    /// Wrong answers, and how long after the fault they were asked for.
    fn wrong(&self, all: &[Sample]) -> Vec<(Duration, String)> {
        let told = all.iter().filter_map(|sample| Some((sample.began, sample.told.as_ref().ok()?)));
        let mut heights: Vec<u64> = told
            .clone()
            .filter_map(|(_, (told, _))| match told {
                Told::Head { number, .. } => Some(*number),
                Told::Balance(_) => None,
            })
            .collect();
        heights.sort_unstable();
        heights.dedup();
        let right = self.load.hashes(&heights);
        let is_wrong = |told: &Told| match told {
            Told::Head { number, hash } => right.get(number) != Some(hash),
            Told::Balance(balance) => balance != "0x0",
        };
        told.filter(|(_, (told, _))| is_wrong(told))
            .map(|(began, (told, server))| {
                (began.saturating_duration_since(self.began), format!("{server} told {told:?}"))
            })
            .collect()
    }

    /// How long ago, at most, the master had left a head that was told, and who told it.
    fn stalest(&self, all: &[Sample]) -> (Duration, String) {
        let heads = self.load.heads.lock().unwrap_or_else(PoisonError::into_inner);
        let mut stalest = (Duration::ZERO, String::new());
        for sample in all {
            let Ok((Told::Head { number, .. }, server)) = &sample.told else { continue };
            let Some((left, _)) = heads.iter().find(|(_, head)| head > number) else { continue };
            let behind = sample.began.saturating_duration_since(*left);
            if behind > stalest.0 {
                stalest = (behind, server.clone());
            }
        }
        stalest
    }
}
