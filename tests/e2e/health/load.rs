//! Constant load on a balancer: many clients that ask for the head, and note what they got from whom.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use maidenlane_tests::{rpc::Client, traffic::Traffic, wait};
use serde_json::Value;

const SOON: Duration = Duration::from_secs(30);
/// Time after which a client gives a request up: longer than haproxy needs to find another server.
const PATIENCE: Duration = Duration::from_secs(15);
/// Requests in a row that must come from others before a server counts as out.
const OTHERS: usize = 40;

/// One request.
struct Sample {
    began: Instant,
    /// Number of the head that was told, and who told it; or what went wrong.
    told: Result<(u64, String), String>,
}

/// The load. Dropping it ends it.
pub(super) struct Load {
    samples: Arc<Mutex<Vec<Sample>>>,
    /// Heads of the master, and when it had them.
    heads: Arc<Mutex<Vec<(Instant, u64)>>>,
    phase: Mutex<(String, usize)>,
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

fn ask(agent: &ureq::Agent, url: &str) -> Result<(u64, String), String> {
    let request = r#"{"jsonrpc":"2.0","id":1,"method":"eth_getBlockByNumber","params":["latest",false]}"#;
    let post = agent.post(url).header("content-type", "application/json");
    let mut answer = post.send(request).map_err(|error| error.to_string())?;
    let server = answer
        .headers()
        .get("x-served-by")
        .and_then(|name| name.to_str().ok())
        .unwrap_or("nobody")
        .to_owned();
    let text = answer.body_mut().read_to_string().map_err(|error| error.to_string())?;
    let json: Value = serde_json::from_str(&text).map_err(|error| format!("{error}: {text}"))?;
    let number =
        json.pointer("/result/number").and_then(Value::as_str).and_then(|text| text.strip_prefix("0x"));
    let number = number.and_then(|text| u64::from_str_radix(text, 16).ok()).ok_or(text)?;
    Ok((number, server))
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
                while !stop.load(Ordering::Relaxed) {
                    let began = Instant::now();
                    let told = ask(&agent, &url);
                    samples.lock().unwrap_or_else(PoisonError::into_inner).push(Sample { began, told });
                }
            }));
        }
        let (told, ended, master) = (Arc::clone(&heads), Arc::clone(&stop), master.clone());
        threads.push(thread::spawn(move || {
            let mut traffic = Traffic::open(&master).unwrap();
            while !ended.load(Ordering::Relaxed) {
                traffic.burst().unwrap();
                let head = master.block_number().unwrap();
                told.lock().unwrap_or_else(PoisonError::into_inner).push((Instant::now(), head));
            }
        }));
        Self { samples, heads, phase: Mutex::default(), stop, threads }
    }

    /// Begins a phase, whose failures are counted.
    pub(super) fn phase(&self, name: &str) {
        let count = self.samples.lock().unwrap().len();
        *self.phase.lock().unwrap() = (name.to_owned(), count);
    }

    /// Checks how many requests of this phase failed.
    pub(super) fn failed_at_most(&self, most: usize) {
        let (name, from) = self.phase.lock().unwrap().clone();
        let samples = self.samples.lock().unwrap();
        let failed: Vec<&String> =
            samples[from..].iter().filter_map(|sample| sample.told.as_ref().err()).collect();
        println!("{name}: {} requests, {} failed", samples.len() - from, failed.len());
        assert!(failed.len() <= most, "{name}: {failed:?}");
    }

    /// Waits until a server gets nothing any more.
    pub(super) fn served_by_others(&self, server: &str) {
        let from = self.samples.lock().unwrap().len();
        let what = format!("{OTHERS} answers in a row that are not of {server}");
        wait::until(&what, SOON, || {
            let samples = self.samples.lock().unwrap();
            let newest: Vec<_> = samples[from..].iter().rev().take(OTHERS).collect();
            let of = |sample: &&&Sample| sample.told.as_ref().is_ok_and(|(_, name)| name == server);
            match newest.iter().find(of) {
                None if newest.len() == OTHERS => Ok(()),
                found => Err(format!("{} of {OTHERS}, {}", newest.len(), found.is_some())),
            }
        })
        .unwrap();
    }

    /// Waits until a server gets something.
    pub(super) fn served_by(&self, server: &str) {
        let from = self.samples.lock().unwrap().len();
        wait::until(&format!("an answer of {server}"), SOON, || {
            let samples = self.samples.lock().unwrap();
            let came = samples[from..]
                .iter()
                .any(|sample| sample.told.as_ref().is_ok_and(|(_, name)| name == server));
            if came { Ok(()) } else { Err(format!("{} answers", samples.len() - from)) }
        })
        .unwrap();
    }

    /// Checks that no answer was older than the head that the master had so long before.
    pub(super) fn never_stale(&self, limit: Duration) {
        let (samples, heads) = (self.samples.lock().unwrap(), self.heads.lock().unwrap());
        assert!(heads.len() > 10, "{} heads", heads.len());
        for sample in samples.iter() {
            let Ok((number, server)) = &sample.told else { continue };
            let known = heads.iter().take_while(|(at, _)| *at + limit < sample.began).last();
            if let Some((_, head)) = known {
                assert!(number >= head, "{server} told {number}, {limit:?} after the master had {head}");
            }
        }
        println!("{} requests, none stale", samples.len());
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            drop(thread.join());
        }
    }
}
