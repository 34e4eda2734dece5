//! Recordings of a real geth, committed under `tests/vectors/` for machines without Go.
//!
//! `chain/` is our own chain through all forks, `spool/` what the hook wrote while geth imported it, `rpc/` what geth
//! answered afterwards, in the `.io` form that [`crate::rpc_compat`] reads, and `era/` what it exported of its history.

use std::{collections::BTreeMap, fs, path::Path};

use serde_json::json;

use crate::{
    chain::Chain,
    compare::{self, Question},
    failure::{Doing, Failure, Outcome},
    geth::chaingen,
    master::{self, Node},
    product,
    rpc::Client,
};

/// Long enough to pass through every fork, small enough to commit.
const BLOCKS: u32 = 64;
const TRANSACTIONS: u32 = 3;
/// The last block before the merge: `era1` has no others.
const BEFORE_MERGE: u32 = 23;
/// Of each method, spread over the whole chain.
const CASES_PER_METHOD: usize = 9;
/// Larger answers show nothing that smaller ones do not.
const ANSWER_MAX_BYTES: usize = 32 << 10;

/// Makes all recordings again.
///
/// # Errors
/// Go or geth fails.
pub fn run() -> Outcome<bool> {
    let home = product::vectors();
    let chain = home.join("chain");
    chaingen::write(&chain, BLOCKS, TRANSACTIONS)?;
    let dir = tempfile::Builder::new().prefix("maidenlane-").tempdir()?;
    let mut node = Node::start(&master::build()?, dir.path(), &Chain::Import(chain.clone()))?;
    node.engine()?.announce(&chain.join("headfcu.json"))?;
    let cases = rpc(&node.rpc(), &home.join("rpc"))?;
    // The first segment is the import's; the running node has opened no second one, as nothing was executed.
    let spool = node.spool();
    node.stop()?;
    let bytes = copy(&spool, &home.join("spool"))?;
    history(&node, &home.join("era"))?;
    println!("recorded {BLOCKS} blocks: {bytes} bytes of spool, {cases} answers, in {}", home.display());
    Ok(true)
}

/// geth's archives of the whole chain, and of what is before the merge.
fn history(stopped: &Node, to: &Path) -> Outcome<()> {
    if to.exists() {
        fs::remove_dir_all(to)?;
    }
    let path = to.display().to_string();
    for (format, last) in [("ere", BLOCKS), ("era1", BEFORE_MERGE)] {
        stopped.run(&["export-history", "--era.format", format, &path, "0", &last.to_string()])?;
    }
    Ok(fs::remove_file(to.join("checksums.txt"))?)
}

fn rpc(master: &Client, to: &Path) -> Outcome<usize> {
    let head = master.block_number()?;
    let mut methods: BTreeMap<&str, Vec<Question>> = BTreeMap::new();
    for question in compare::questions(master, head)? {
        methods.entry(question.method).or_default().push(question);
    }
    for all in methods.values_mut() {
        let step = all.len().div_ceil(CASES_PER_METHOD);
        *all = all.iter().step_by(step).cloned().collect();
    }
    for question in more(master)? {
        methods.entry(question.method).or_default().push(question);
    }
    if to.exists() {
        fs::remove_dir_all(to)?;
    }
    let mut cases = 0;
    for (method, all) in methods {
        fs::create_dir_all(to.join(method))?;
        for (number, question) in all.iter().enumerate() {
            let Question { method, params } = question;
            let request = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
            let answer = master.respond(method, params)?.to_string();
            if answer.len() > ANSWER_MAX_BYTES {
                continue;
            }
            let path = to.join(method).join(format!("{number:02}.io"));
            fs::write(&path, format!(">> {request}\n<< {answer}\n"))
                .doing(|| format!("write {}", path.display()))?;
            cases += 1;
        }
    }
    Ok(cases)
}

/// Questions that [`compare::questions`] leaves out: tags, which move with the head (here it stands still), and rarer
/// methods.
fn more(master: &Client) -> Outcome<Vec<Question>> {
    let uncle = master.block_hash("0x5")?;
    let balance = "0xba1a00ce00000000000000000000000000000001";
    let store = "0x5702e00000000000000000000000000000000001";
    let slot = |number: u64| format!("0x{number:064x}");
    let mut list = vec![
        Question { method: "eth_blockNumber", params: json!([]) },
        Question { method: "eth_getUncleByBlockHashAndIndex", params: json!([uncle, "0x0"]) },
        Question { method: "eth_getUncleByBlockHashAndIndex", params: json!([uncle, "0x1"]) },
        Question { method: "eth_getUncleByBlockNumberAndIndex", params: json!(["0x14", "0x0"]) },
        Question { method: "eth_getLogs", params: json!([{"fromBlock": "0x30", "toBlock": "0x34"}]) },
        Question {
            method: "eth_getStorageValues",
            params: json!([{store: [slot(1), slot(2), slot(3)]}, "latest"]),
        },
        Question {
            method: "eth_getStorageValues",
            params: json!([{store: [slot(1)], balance: [slot(0)]}, "0x5"]),
        },
        Question { method: "eth_call", params: json!([{"to": store, "data": slot(2)}, "latest"]) },
    ];
    for tag in ["latest", "safe", "finalized", "earliest"] {
        list.push(Question { method: "eth_getBlockByNumber", params: json!([tag, false]) });
        list.push(Question { method: "eth_getTransactionCount", params: json!([balance, tag]) });
        list.push(Question { method: "eth_getBalance", params: json!([balance, tag]) });
    }
    Ok(list)
}

fn copy(from: &Path, to: &Path) -> Outcome<u64> {
    if to.exists() {
        fs::remove_dir_all(to)?;
    }
    fs::create_dir_all(to)?;
    let mut bytes = 0;
    for entry in fs::read_dir(from).doing(|| format!("list {}", from.display()))? {
        let path = entry?.path();
        let name = path.file_name().ok_or_else(|| Failure::new("a segment without a name"))?;
        bytes += fs::copy(&path, to.join(name)).doing(|| format!("copy {}", path.display()))?;
    }
    Ok(bytes)
}
