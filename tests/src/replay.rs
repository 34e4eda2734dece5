//! A master made of recordings, for machines that cannot build a geth: it stands where geth stands, at the tap's
//! socket and at an HTTP port, and knows only what `tests/vectors` has of a real geth.
//!
//! The blocks were executed when the spool was recorded; here their heads are announced again, one by one. Over
//! HTTP it answers, word for word, what geth was recorded to answer, and refuses everything else: it makes nothing
//! up. Tap, feed and replica behind it are the real ones.

mod serve;

use std::{
    collections::HashMap,
    fs,
    net::TcpListener,
    os::unix::net::{UnixListener, UnixStream},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use crate::{
    failure::{Doing, Failure, Outcome},
    interrupt::Interrupt,
    rpc::Client,
    rpc_compat,
};

/// Longer than any wait of a healthy tap for its own socket.
const WRITE_TIMEOUT: Duration = Duration::from_secs(5);
/// Between two looks whether the announcing should end.
const LOOK: Duration = Duration::from_millis(20);

/// Answers recorded of one geth.
#[derive(Debug)]
struct Recording {
    chain_id: u64,
    /// Block hashes by number.
    blocks: Vec<String>,
    /// The number of the block that was `safe` and `finalized` when the answers were recorded.
    settled: usize,
    /// Answers by method and parameters, given at the last block.
    answers: HashMap<String, Value>,
}

/// The announced head, and who knows of it.
#[derive(Debug, Default)]
struct Announced {
    head: usize,
    /// Heads up to which each filter has been asked.
    filters: Vec<usize>,
    closed: bool,
}

#[derive(Debug)]
struct Shared {
    recording: Recording,
    announced: Mutex<Announced>,
}

/// A running master. Dropping it closes its ports.
#[derive(Debug)]
pub struct Replay {
    shared: Arc<Shared>,
    spool: PathBuf,
    ipc: PathBuf,
    http: String,
}

impl Replay {
    /// Serves the recordings in `vectors` from sockets and a copy of the spool in `dir`. Stands at block 0.
    ///
    /// # Errors
    /// The recordings cannot be read, or a port not be bound.
    pub fn start(vectors: &Path, dir: &Path) -> Outcome<Self> {
        let dir = dir.join("geth");
        let (spool, ipc) = (dir.join("spool"), dir.join("geth.ipc"));
        fs::create_dir_all(&spool).doing(|| format!("create {}", spool.display()))?;
        let from = vectors.join("spool");
        for entry in fs::read_dir(&from).doing(|| format!("list {}", from.display()))? {
            let path = entry?.path();
            let name = path.file_name().unwrap_or_default();
            fs::copy(&path, spool.join(name)).doing(|| format!("copy {}", path.display()))?;
        }
        let shared = Arc::new(Shared { recording: Recording::load(vectors)?, announced: Mutex::default() });
        let socket = UnixListener::bind(&ipc).doing(|| format!("bind {}", ipc.display()))?;
        let port = TcpListener::bind("127.0.0.1:0").doing(|| "bind a loopback port".to_owned())?;
        let http = port.local_addr().doing(|| "bind a loopback port".to_owned())?.to_string();
        let (for_socket, for_port) = (Arc::clone(&shared), Arc::clone(&shared));
        thread::spawn(move || serve::socket(&for_socket, &socket));
        thread::spawn(move || serve::http(&for_port, &port));
        Ok(Self { shared, spool, ipc, http })
    }

    /// Where the recorded frames are.
    #[must_use]
    pub fn spool(&self) -> &Path {
        &self.spool
    }

    /// The socket that stands for geth's.
    #[must_use]
    pub fn ipc(&self) -> &Path {
        &self.ipc
    }

    /// Asks it.
    #[must_use]
    pub fn rpc(&self) -> Client {
        Client::new(format!("http://{}", self.http))
    }

    /// The number of the last recorded block.
    #[must_use]
    pub fn last(&self) -> usize {
        self.shared.recording.blocks.len().saturating_sub(1)
    }

    /// Announces block after block, one every `pace`, until the last one or an interrupt.
    pub fn play(&self, pace: Duration, stop: &Interrupt) {
        let mut due = Instant::now();
        while !stop.raised() && self.shared.announced().head < self.last() {
            if Instant::now() >= due {
                due += pace;
                self.shared.announce_next();
            }
            thread::sleep(LOOK.min(pace));
        }
    }
}

impl Drop for Replay {
    fn drop(&mut self) {
        self.shared.announced().closed = true;
        // A visitor each, so that the accepting threads look.
        let _gone =
            (UnixStream::connect(&self.ipc).is_ok(), std::net::TcpStream::connect(&self.http).is_ok());
    }
}

impl Shared {
    fn announced(&self) -> MutexGuard<'_, Announced> {
        self.announced.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn announce_next(&self) {
        self.announced().head += 1;
    }

    /// A new filter for announced heads.
    fn filter(&self) -> Value {
        let mut announced = self.announced();
        let head = announced.head;
        announced.filters.push(head);
        json!(format!("0x{:x}", announced.filters.len() - 1))
    }

    /// Hashes of the heads that were announced since a filter was last asked.
    fn changes(&self, filter: &Value) -> Option<Value> {
        let mut announced = self.announced();
        let head = announced.head;
        let filter = usize::from_str_radix(filter.as_str()?.strip_prefix("0x")?, 16).ok()?;
        let asked = std::mem::replace(announced.filters.get_mut(filter)?, head);
        self.recording.blocks.get(asked + 1..=head).map(|hashes| json!(hashes))
    }

    /// The answer to one request, without its id.
    fn answer(&self, method: &str, params: &Value) -> Value {
        let (recording, head) = (&self.recording, self.announced().head);
        // Answers were recorded at the last block: before it they would tell the future.
        if head + 1 == recording.blocks.len()
            && let Some(answer) = recording.answers.get(&key(method, params))
        {
            return answer.clone();
        }
        let result = match method {
            "eth_chainId" => Some(json!(format!("0x{:x}", recording.chain_id))),
            "net_version" => Some(json!(recording.chain_id.to_string())),
            "eth_newBlockFilter" => Some(self.filter()),
            "eth_getFilterChanges" => params.get(0).and_then(|filter| self.changes(filter)),
            "eth_blockNumber" => Some(json!(format!("0x{head:x}"))),
            "eth_getBlockByNumber" | "eth_getHeaderByNumber" => {
                params.get(0).and_then(|tag| recording.named(tag, head))
            }
            _ => None,
        };
        result.map_or_else(|| refusal(method), |result| json!({"jsonrpc": "2.0", "result": result}))
    }
}

fn refusal(method: &str) -> Value {
    let message = format!("no geth but its recordings, which have no answer to this {method} at this block");
    json!({"jsonrpc": "2.0", "error": {"code": -32000, "message": message}})
}

fn key(method: &str, params: &Value) -> String {
    format!("{method} {params}")
}

impl Recording {
    fn load(vectors: &Path) -> Outcome<Self> {
        let chain = vectors.join("chain");
        let json = |name: &str| -> Outcome<Value> {
            let path = chain.join(name);
            let text = fs::read_to_string(&path).doing(|| format!("read {}", path.display()))?;
            serde_json::from_str(&text).doing(|| format!("read {}", path.display()))
        };
        let chain_id = json("genesis.json")?.pointer("/config/chainId").and_then(Value::as_u64);
        let chosen = json("headfcu.json")?;
        let chosen = |name: &str| chosen.pointer(&format!("/params/0/{name}BlockHash")).cloned();
        let text = |hash: Option<Value>| hash.and_then(|hash| hash.as_str().map(str::to_owned));
        let (head, settled) = (text(chosen("head")), text(chosen("finalized")));
        let mangled = || Failure::new(format!("{} is no chain of ours", chain.display()));
        let blocks = fs::read(chain.join("chain.rlp")).doing(|| format!("read {}", chain.display()))?;
        let mut blocks = parents(&blocks).ok_or_else(mangled)?;
        blocks.push(head.ok_or_else(mangled)?);
        let settled = blocks.iter().position(|hash| Some(hash) == settled.as_ref());
        let mut answers = HashMap::new();
        for case in rpc_compat::load(&vectors.join("rpc"))? {
            for step in case.steps {
                let request: Value = serde_json::from_str(&step.request)?;
                let params = request.get("params").unwrap_or(&Value::Null);
                answers.insert(key(&case.method, params), step.response);
            }
        }
        Ok(Self {
            chain_id: chain_id.ok_or_else(mangled)?,
            blocks,
            settled: settled.ok_or_else(mangled)?,
            answers,
        })
    }

    /// A header, as far as the tap reads it.
    fn header(&self, number: usize) -> Value {
        json!({"number": format!("0x{number:x}"), "hash": self.blocks.get(number)})
    }

    fn named(&self, tag: &Value, head: usize) -> Option<Value> {
        let number = match tag.as_str()? {
            "latest" => head,
            "earliest" => 0,
            "safe" | "finalized" => self.settled,
            digits => usize::from_str_radix(digits.strip_prefix("0x")?, 16).ok()?,
        };
        (number <= head).then(|| self.header(number))
    }
}

/// The parent's hash of every block in a file of blocks: the first field of the first item of each.
fn parents(mut blocks: &[u8]) -> Option<Vec<String>> {
    let mut found = Vec::new();
    while !blocks.is_empty() {
        let (block, rest) = item(blocks)?;
        let (header, _) = item(block)?;
        let (parent, _) = item(header)?;
        let digits: String = parent.iter().map(|byte| format!("{byte:02x}")).collect();
        found.push(format!("0x{digits}"));
        blocks = rest;
    }
    Some(found)
}

/// The content of the first RLP item that is longer than 55 bytes or a hash, and what follows it.
fn item(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (first, rest) = bytes.split_first()?;
    let (length, rest) = match first {
        0xf8..=0xff => {
            let (digits, rest) = rest.split_at_checked(usize::from(first - 0xf7))?;
            (digits.iter().fold(0_usize, |length, digit| length << 8 | usize::from(*digit)), rest)
        }
        0xc0..=0xf7 => (usize::from(first - 0xc0), rest),
        0x80..=0xb7 => (usize::from(first - 0x80), rest),
        _ => return None,
    };
    rest.split_at_checked(length)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::product::vectors;

    fn ask(replay: &Replay, method: &str, params: &Value) -> Value {
        replay.rpc().respond(method, params).unwrap()
    }

    #[test]
    fn it_tells_only_what_was_recorded_and_nothing_before_its_time() {
        let dir = tempfile::tempdir().unwrap();
        let replay = Replay::start(&vectors(), dir.path()).unwrap();
        let pinned = json!(["0x7", true]);
        assert_eq!(replay.rpc().block_number().unwrap(), 0);
        assert!(ask(&replay, "eth_getBlockByNumber", &pinned).get("error").is_some());
        assert!(ask(&replay, "eth_getBlockByNumber", &json!(["finalized", false])).get("error").is_some());
        replay.play(Duration::ZERO, &Interrupt::default());
        assert_eq!(replay.rpc().block_number().unwrap(), 64);
        let block = ask(&replay, "eth_getBlockByNumber", &pinned);
        assert_eq!(block.pointer("/result/extraData"), Some(&json!("0x07")), "{block}");
        assert_eq!(ask(&replay, "eth_gasPrice", &json!([])).pointer("/error/code"), Some(&json!(-32000)));
        let head = replay.rpc().block_hash("latest").unwrap();
        assert_eq!(Some(&head), replay.shared.recording.blocks.last());
    }

    #[test]
    fn its_ports_go_with_it() {
        let dir = tempfile::tempdir().unwrap();
        let replay = Replay::start(&vectors(), dir.path()).unwrap();
        let (ipc, client) = (replay.ipc().to_owned(), replay.rpc());
        drop(replay);
        crate::wait::until("closed ports", Duration::from_secs(5), || {
            if UnixStream::connect(&ipc).is_ok() || client.block_number().is_ok() {
                return Err("open".to_owned());
            }
            Ok(())
        })
        .unwrap();
    }
}
