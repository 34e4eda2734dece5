//! geth's own workload tests: questions made from a geth, with the hashes of its answers, are put to a replica.

use std::{fs, path::Path, process::Command, time::Duration};

use maidenlane_tests::{
    geth::chaingen,
    install::GETH,
    process::Process,
    rpc::Client,
    scenario::{Carrier, Chain, Net, Plan},
    wait,
};
use serde_json::Value;

use crate::clients;

/// Questions about history are made of no fewer than 2,000 blocks.
const BLOCKS: u32 = 2_100;
/// The newest, of which geth still has the tries.
const PROVED_BLOCKS: u32 = 100;
/// Accounts and slots to prove, one in ten of which is not there.
const PROVED: u32 = 200;
/// Filters are made until there are files of them, which are written every 10 s.
const FILTERS_WAIT: Duration = Duration::from_secs(60);

/// Runs a command of the tool in `dir`, where it keeps its files, and returns what it printed.
fn workload(tool: &Path, dir: &Path, words: &[&str], side: &Client) -> String {
    let done = Command::new(tool).args(words).arg(side.url()).current_dir(dir).output().unwrap();
    let [said, errors] = [done.stdout, done.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    assert!(done.status.success(), "workload {words:?}: {}\n{said}{errors}", done.status);
    said
}

/// Has the tool make filters for as long as it takes to write some down.
fn filters(tool: &Path, dir: &Path, geth: &Client) {
    let (made, log) = (dir.join("filter_queries.json"), dir.join("filtergen.log"));
    let mut command = Command::new(tool);
    let command = command.args(["filtergen", geth.url()]).current_dir(dir);
    let mut tool = Process::start("filtergen", command, &log).unwrap();
    wait::until("filters", FILTERS_WAIT, || {
        tool.alive().map_err(|failure| failure.to_string())?;
        // Half of a file is none.
        let text = fs::read(&made).map_err(|_| "no file".to_owned())?;
        let sizes: Vec<Option<Vec<Value>>> =
            serde_json::from_slice(&text).map_err(|error| error.to_string())?;
        let blocks = |filter: &Value| Some(filter["toBlock"].as_u64()? + 1 - filter["fromBlock"].as_u64()?);
        let longest = sizes.iter().flatten().flatten().filter_map(blocks).max();
        // One of the tests takes those that span half of the chain.
        if longest > Some(u64::from(BLOCKS) / 2) {
            Ok(())
        } else {
            Err(format!("at most {longest:?} blocks"))
        }
    })
    .unwrap();
    tool.kill();
}

#[test]
fn a_replica_passes_geths_workload_tests() {
    if !GETH.met() {
        return println!("not run: no {}", GETH.name);
    }
    let Some(programs) = clients::go() else { return };
    let chain = chaingen::chain(BLOCKS, 3).unwrap();
    let plan = Plan { chain: Chain::Import(chain.clone()), carrier: Carrier::Segment, replicas: 1 };
    let mut net = Net::proving(&plan).unwrap();
    net.node().engine().unwrap().announce(&chain.join("headfcu.json")).unwrap();
    net.start().unwrap();
    net.caught_up(0).unwrap();
    let (geth, replica, dir) = (net.master(), net.replica(0).unwrap(), tempfile::tempdir().unwrap());
    let (tool, dir) = (programs.join("workload"), dir.path());
    let [from, to, count] = [BLOCKS - PROVED_BLOCKS, BLOCKS, PROVED].map(|number| number.to_string());
    workload(&tool, dir, &["historygen"], &geth);
    workload(&tool, dir, &["tracegen", "--trace-start", &from, "--trace-end", &to], &geth);
    let proofs = ["proofgen", "--proof-start", &from, "--proof-end", &to, "--proof-states", &count];
    workload(&tool, dir, &proofs, &geth);
    filters(&tool, dir, &geth);
    // Filter/LongRange wants ranges of more than 10,000 blocks.
    let said = workload(
        &tool,
        dir,
        &["test", "--archive", "--slow", "--run", "Short|Full|History|Trace|Proof"],
        &replica,
    );
    println!("{said}");
}
