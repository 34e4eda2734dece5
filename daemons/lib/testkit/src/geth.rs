//! Fake of a geth's IPC socket: knows a few blocks, and answers as a test wants.

use crate::spool::Sample;
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

/// Network id of the fake geth.
pub const NETWORK_ID: u64 = 7_000;

#[derive(Default)]
struct State {
    blocks: Vec<Sample>,
    head: usize,
    connections: Vec<UnixStream>,
    /// Heads that each filter has collected.
    filters: Vec<Vec<Value>>,
    up: bool,
    proves: bool,
    /// Number of the finalized block.
    finalized: Option<u64>,
}

/// Fake geth: the socket, and the blocks it answers from.
pub struct Geth {
    path: PathBuf,
    state: Arc<Mutex<State>>,
}

impl Geth {
    /// Listens at `path`; the last of `chain` is the head.
    pub fn start(path: &Path, chain: &[Sample]) -> Self {
        let state = State { blocks: chain.to_vec(), head: chain.len() - 1, ..State::default() };
        let geth = Self { path: path.to_owned(), state: Arc::new(Mutex::new(state)) };
        geth.back();
        geth
    }

    /// Adds blocks and announces the last as head.
    pub fn head(&self, blocks: &[Sample]) {
        let mut state = self.state.lock().unwrap();
        state.blocks.extend_from_slice(blocks);
        state.head = state.blocks.len() - 1;
        state.announce();
    }

    /// Announces an ancestor as head.
    pub fn shorten(&self, to: &Sample) {
        let mut state = self.state.lock().unwrap();
        state.head = state.blocks.iter().position(|known| known.block == to.block).unwrap();
        state.announce();
    }

    /// Sets whether it answers requests for proofs, and wrongly; otherwise it has none.
    pub fn prove(&self, proves: bool) {
        self.state.lock().unwrap().proves = proves;
    }

    /// Makes the block with this number final.
    pub fn finalize(&self, number: u64) {
        self.state.lock().unwrap().finalized = Some(number);
    }

    /// Forgets the filters, as for clients that did not ask for 5 minutes, with what they had collected.
    pub fn forget_filters(&self) {
        self.state.lock().unwrap().filters.clear();
    }

    /// Number of its head.
    pub fn number(&self) -> u64 {
        let state = self.state.lock().unwrap();
        state.blocks[state.head].block.number
    }

    /// Closes the socket, and loses the blocks after `to`.
    pub fn crash(&self, to: &Sample) {
        std::fs::remove_file(&self.path).unwrap();
        let mut state = self.state.lock().unwrap();
        state.up = false;
        for connection in state.connections.drain(..) {
            connection.shutdown(std::net::Shutdown::Both).unwrap();
        }
        state.filters.clear();
        let keep = state.blocks.iter().position(|known| known.block == to.block).unwrap();
        state.blocks.truncate(keep + 1);
        state.head = keep;
    }

    /// Listens again.
    pub fn back(&self) {
        let listener = UnixListener::bind(&self.path).unwrap();
        self.state.lock().unwrap().up = true;
        let state = Arc::clone(&self.state);
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                if !state.lock().unwrap().up {
                    return;
                }
                state.lock().unwrap().connections.push(stream.try_clone().unwrap());
                let state = Arc::clone(&state);
                std::thread::spawn(move || serve(stream, &state));
            }
        });
    }
}

impl State {
    fn announce(&mut self) {
        let hash = json!(self.blocks[self.head].block.hash);
        self.filters.iter_mut().for_each(|filter| filter.push(hash.clone()));
    }

    fn answer(&mut self, method: &str, params: &Value) -> Result<Value, &'static str> {
        if method == "debug_setHead" {
            let number =
                u64::from_str_radix(params[0].as_str().unwrap().trim_start_matches("0x"), 16).unwrap();
            self.head = self.blocks.iter().position(|known| known.block.number == number).unwrap();
            return Ok(Value::Null);
        }
        let known = |params: &Value| self.blocks.iter().find(|known| json!(known.block.hash) == params[0]);
        Ok(match method {
            "eth_chainId" => json!("0x7"),
            "net_version" => json!(NETWORK_ID.to_string()),
            "eth_newBlockFilter" => {
                self.filters.push(Vec::new());
                json!(self.filters.len().to_string())
            }
            "eth_getFilterChanges" => {
                let place = params[0].as_str().unwrap().parse::<usize>().unwrap() - 1;
                json!(std::mem::take(self.filters.get_mut(place).ok_or("filter not found")?))
            }
            "eth_getBlockByHash" => known(params).map_or(Value::Null, header),
            "eth_getBlockByNumber" | "eth_getHeaderByNumber" => match params[0].as_str().unwrap() {
                "0x0" => header(&self.blocks[0]),
                "latest" => header(&self.blocks[self.head]),
                "finalized" => {
                    let is_final = |known: &&Sample| Some(known.block.number) == self.finalized;
                    header(self.blocks.iter().find(is_final).ok_or("finalized block not found")?)
                }
                _ => return Err("no such block"),
            },
            "debug_getRawHeader" => json!(known(params).ok_or("header not found")?.header_raw),
            "debug_getRawBlock" => json!(known(params).ok_or("block not found")?.raw),
            "debug_getRawReceipts" => json!([]),
            // An empty proof proves nothing.
            "eth_getProof" if self.proves => json!({
                "address": params[0], "accountProof": [], "balance": "0x0", "codeHash": params[2],
                "nonce": "0x0", "storageHash": params[2], "storageProof": [],
            }),
            "eth_getProof" => return Err("header not found"),
            _ => return Err("no such method"),
        })
    }
}

fn header(sample: &Sample) -> Value {
    json!({"number": format!("{:#x}", sample.block.number), "hash": sample.block.hash})
}

fn serve(mut stream: UnixStream, state: &Mutex<State>) {
    let mut buffer = Vec::new();
    loop {
        let mut chunk = [0; 4096];
        match stream.read(&mut chunk) {
            Ok(0) | Err(_) => return,
            Ok(count) => buffer.extend_from_slice(&chunk[..count]),
        }
        let mut requests = serde_json::Deserializer::from_slice(&buffer).into_iter::<Value>();
        let mut consumed = 0;
        while let Some(Ok(request)) = requests.next() {
            consumed = requests.byte_offset();
            let mut state = state.lock().unwrap();
            let method = request["method"].as_str().unwrap();
            let answer = match state.answer(method, &request["params"]) {
                Ok(result) => json!({"jsonrpc": "2.0", "id": request["id"], "result": result}),
                Err(text) => {
                    json!({"jsonrpc": "2.0", "id": request["id"], "error": {"code": -32000, "message": text}})
                }
            };
            if stream.write_all(answer.to_string().as_bytes()).is_err() {
                return;
            }
        }
        buffer.drain(..consumed);
    }
}
