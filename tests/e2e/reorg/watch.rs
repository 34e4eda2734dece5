//! A client that polls a replica all the time and remembers every head it was shown.

use std::{
    collections::BTreeSet,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use maidenlane_tests::rpc::{Client, quantity};
use serde_json::{Value, json};

/// Number, hash, and the balance of one account, read in one batch.
pub(super) type Sight = (u64, String, u64);

#[derive(Default)]
struct Shared {
    replica: Mutex<Option<Client>>,
    seen: Mutex<BTreeSet<Sight>>,
    last: Mutex<Option<Sight>>,
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
                if let Some(sight) = replica.and_then(|replica| look(&replica, &request)) {
                    theirs.seen.lock().unwrap().insert(sight.clone());
                    *theirs.last.lock().unwrap() = Some(sight);
                }
                // The replica shall have time for others too.
                thread::sleep(Duration::from_millis(1));
            }
        });
        Self { shared, thread: Some(thread) }
    }

    /// The replica listens elsewhere, since a restart.
    pub(super) fn moved(&self, replica: Client) {
        *self.shared.replica.lock().unwrap() = Some(replica);
    }

    /// Forgets the last sight and returns the next one.
    pub(super) fn next(&self) -> Option<Sight> {
        self.shared.last.lock().unwrap().take()
    }

    /// Every head seen.
    pub(super) fn seen(&self) -> BTreeSet<Sight> {
        self.shared.seen.lock().unwrap().clone()
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Release);
        let ended = self.thread.take().is_some_and(|thread| thread.join().is_ok());
        assert!(ended || thread::panicking(), "the watching thread panicked");
    }
}

fn request(account: &str) -> String {
    let calls = [
        ("eth_blockNumber", json!([])),
        ("eth_getBlockByNumber", json!(["latest", false])),
        ("eth_getBalance", json!([account, "latest"])),
    ];
    let call = |(id, (method, params)): (usize, &(&str, Value))| json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params});
    Value::Array(calls.iter().enumerate().map(call).collect()).to_string()
}

fn look(replica: &Client, request: &str) -> Option<Sight> {
    let (_, text) = replica.post(request).ok()?;
    let answers: Value = serde_json::from_str(&text).ok()?;
    let result = |id: usize| {
        answers.as_array()?.iter().find(|answer| answer.get("id") == Some(&json!(id)))?.get("result")
    };
    let hash = result(1)?.get("hash")?.as_str()?;
    Some((quantity(result(0)?)?, hash.to_owned(), quantity(result(2)?)?))
}
