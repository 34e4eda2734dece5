//! A geth of its own user becomes a master, and a replica begins with its state, as root does both on an installed machine.

use std::time::Duration;

use maidenlane_tests::{
    install::GETH,
    rpc::Client,
    settings::{self, Log},
    traffic::Traffic,
    wait,
};
use serde_json::{Value, json};

use crate::lane::{Host, LOG, PATIENCE, REPLICA, SPOOL, TAP};

/// `geth --dev`.
const CHAIN_ID: u64 = 1337;
/// Blocks before it is adopted.
const BLOCKS: u64 = 10;
/// Time for the developer chain to make what comes before it final: epochs of 32 blocks.
const FINAL_WITHIN: Duration = Duration::from_secs(180);
const WORK: &str = "/var/lib/geth.adopt";

/// geth's service, with more flags.
fn service(port: u16, flags: &str) -> String {
    format!(
        "[Service]\nUser=geth\nStateDirectory=geth\nKillSignal=SIGINT\n\
         ExecStart=/opt/geth/geth --dev --datadir /var/lib/geth --ipcpath /run/geth/geth.ipc --nodiscover --maxpeers 0 \
         --http --http.port {port} --http.api eth,net,web3,debug,txpool,admin {flags}\n"
    )
}

/// A machine with such a geth.
fn host(port: u16) -> Option<Host> {
    let host = Host::with_geth(&service(port, ""))?;
    let (log, state) = (Log::Segment(LOG.into()), |name: &str| format!("/var/lib/maidenlane/{name}"));
    let ipc = "/run/geth/geth.ipc";
    let tap = settings::tap(SPOOL.as_ref(), ipc.as_ref(), CHAIN_ID, &log, state("tap-main").as_ref());
    host.configure("tap", &settings::adopting(&tap));
    host.configure("replica", &settings::replica(CHAIN_ID, &log, state("replica-main").as_ref()));
    Some(host)
}

/// Has the developer chain grow until something is seen.
fn grown(master: &Client, until: impl Fn() -> bool) {
    wait::until("geth to answer", PATIENCE, || master.block_number().map_err(|failure| failure.to_string()))
        .unwrap();
    let mut traffic = Traffic::open(master).unwrap();
    wait::until("the chain to have grown", FINAL_WITHIN, || {
        traffic.batch(1).and_then(|()| traffic.settle()).map_err(|failure| failure.to_string())?;
        if until() { Ok(()) } else { Err(format!("block {:?}", master.block_number())) }
    })
    .unwrap();
}

#[test]
fn a_node_of_another_user_is_adopted_and_its_state_imported_by_root() {
    if !GETH.met() {
        println!("not run: no {}", GETH.name);
        return;
    }
    let port = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port();
    let Some(host) = host(port) else { return };
    let master = Client::new(format!("http://127.0.0.1:{port}"));
    host.systemctl("start geth");
    grown(&master, || master.block_number().is_ok_and(|head| head >= BLOCKS));
    // A replica that was started too soon has left a directory of its dynamic user.
    let mut start = host.spawn_systemctl(&format!("start {REPLICA}"));
    host.becomes(REPLICA, "StatusText", "the feed is empty: is its tap running?");
    host.systemctl(&format!("stop {REPLICA}"));
    start.wait().unwrap();
    host.systemctl("stop geth");
    let hook = format!("{{\"spool\":\"{SPOOL}\",\"minFree_MB\":64}}");
    let adopt = format!(
        "maidenlane master adopt --dump --datadir /var/lib/geth --geth /opt/geth/geth --hook '{hook}' --ipc /run/geth/geth.ipc"
    );
    let adopted: Value = serde_json::from_str(&host.machine.shell(&adopt).unwrap()).unwrap();
    let owners = format!("find {WORK} {SPOOL} -mindepth 1 -not -user geth");
    assert_eq!(host.machine.run(&owners).unwrap(), "", "belongs to somebody else than geth's user");
    let flags = format!("--vmtrace maidenlane --vmtrace.jsonconfig '{hook}'");
    host.machine.write("/etc/systemd/system/geth.service", &service(port, &flags)).unwrap();
    host.machine.run("systemctl daemon-reload").unwrap();
    host.systemctl("start geth");
    let base = adopted["number"].as_u64().unwrap();
    let last_final = || master.call("eth_getBlockByNumber", &json!(["finalized", false]));
    let number =
        |block: &Value| block["number"].as_str().and_then(|text| u64::from_str_radix(&text[2..], 16).ok());
    grown(&master, || last_final().is_ok_and(|block| number(&block) >= Some(base)));
    let import = format!(
        "maidenlane replica import --config /etc/maidenlane/replica/main.dhall --dump {WORK}/dump --block {base} --node /run/geth/geth.ipc"
    );
    let imported: Value = serde_json::from_str(&host.machine.run(&import).unwrap()).unwrap();
    assert_eq!((&imported["number"], &imported["hash"]), (&adopted["number"], &adopted["hash"]));
    host.systemctl(&format!("start {TAP} {REPLICA}"));
    let head = master.block_hash("latest").unwrap();
    let replica = host.rpc("main");
    wait::until("the replica to have the head", PATIENCE, || {
        let seen = replica.block_hash("latest").map_err(|failure| failure.to_string())?;
        if seen == head { Ok(()) } else { Err(seen) }
    })
    .unwrap_or_else(|failure| panic!("{failure}\n{:#?}", host.logged(REPLICA)));
    host.machine.off().unwrap();
}
