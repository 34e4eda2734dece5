//! A client that polls a replica all the time and remembers every head it was shown.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use maidenlane_tests::rpc::{Client, quantity};
use serde_json::{Value, json};

/// Number, hash, and the balance of one account, read in one batch.
pub(crate) type Sight = (u64, String, u64);

/// Between two looks.
const PAUSE: Duration = Duration::from_millis(1);
/// After so many looks at nothing new, looks are rare.
const STILL: u32 = 500;
const PAUSE_STILL: Duration = Duration::from_millis(25);

#[derive(Default)]
struct Shared {
    replica: Mutex<Option<Client>>,
    seen: Mutex<Vec<Sight>>,
    finalized: Mutex<Vec<u64>>,
    last: Mutex<Option<Sight>>,
    /// Since the last choice of a head.
    looks: AtomicU32,
    stop: AtomicBool,
}

/// The running client.
pub(super) struct Watch {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl Watch {
    /// Polls `replica` for its head and the balance of `account` from now on.
    pub(super) fn of(replica: Client, account: &str) -> Self {
        let shared = Arc::new(Shared { replica: Mutex::new(Some(replica)), ..Shared::default() });
        let (theirs, request) = (Arc::clone(&shared), request(account));
        let thread = thread::spawn(move || {
            while !theirs.stop.load(Ordering::Acquire) {
                let replica = theirs.replica.lock().unwrap().clone();
                // No answer is no sight: the replica may be down, or know that it is behind.
                if let Some((sight, finalized)) = replica.and_then(|replica| look(&replica, &request)) {
                    note(&mut theirs.seen.lock().unwrap(), sight.clone());
                    note(&mut theirs.finalized.lock().unwrap(), finalized);
                    *theirs.last.lock().unwrap() = Some(sight);
                }
                // The replica shall have time for others too, and what stands still is no news.
                let still = theirs.looks.fetch_add(1, Ordering::Relaxed) >= STILL;
                thread::sleep(if still { PAUSE_STILL } else { PAUSE });
            }
        });
        Self { shared, thread: Some(thread) }
    }

    /// The replica listens elsewhere, since a restart.
    pub(super) fn moved(&self, replica: Client) {
        *self.shared.replica.lock().unwrap() = Some(replica);
    }

    /// Looks closely from now on: the head is about to change.
    pub(super) fn attend(&self) {
        self.shared.looks.store(0, Ordering::Relaxed);
    }

    /// Forgets the last sight and returns the next one.
    pub(super) fn next(&self) -> Option<Sight> {
        self.shared.last.lock().unwrap().take()
    }

    /// Every head seen, in order.
    pub(super) fn seen(&self) -> Vec<Sight> {
        self.shared.seen.lock().unwrap().clone()
    }

    /// Every finalized number seen, in order; 0 for none.
    pub(super) fn finalized(&self) -> Vec<u64> {
        self.shared.finalized.lock().unwrap().clone()
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Release);
        let ended = self.thread.take().is_some_and(|thread| thread.join().is_ok());
        assert!(ended || thread::panicking(), "the watching thread panicked");
    }
}

/// Notes what differs from what was noted last.
fn note<T: PartialEq>(all: &mut Vec<T>, next: T) {
    if all.last() != Some(&next) {
        all.push(next);
    }
}

fn request(account: &str) -> String {
    let calls = [
        ("eth_blockNumber", json!([])),
        ("eth_getBlockByNumber", json!(["latest", false])),
        ("eth_getBalance", json!([account, "latest"])),
        ("eth_getBlockByNumber", json!(["finalized", false])),
    ];
    let call = |(id, (method, params)): (usize, &(&str, Value))| json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params});
    Value::Array(calls.iter().enumerate().map(call).collect()).to_string()
}

fn look(replica: &Client, request: &str) -> Option<(Sight, u64)> {
    let (_, text) = replica.post(request).ok()?;
    let answers: Value = serde_json::from_str(&text).ok()?;
    let result = |id: usize| {
        answers.as_array()?.iter().find(|answer| answer.get("id") == Some(&json!(id)))?.get("result")
    };
    let hash = result(1)?.get("hash")?.as_str()?;
    let sight = (quantity(result(0)?)?, hash.to_owned(), quantity(result(2)?)?);
    let finalized = result(3).and_then(|block| quantity(block.get("number")?)).unwrap_or(0);
    Some((sight, finalized))
}
