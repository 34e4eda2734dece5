//! A real geth under a user of its own, which lets the tap in through the shipped drop-in and nothing else.

use std::time::Duration;

use maidenlane_tests::{
    install::GETH,
    rpc::Client,
    settings::{self, Log},
    traffic::Traffic,
    wait,
};
use serde_json::json;

use crate::lane::{Host, LOG, PATIENCE, REPLICA, SPOOL, TAP};

/// `geth --dev`.
const CHAIN_ID: u64 = 1337;
/// The developer chain finalizes by epochs of 32 blocks, two of them behind its head.
const UNTIL_FINAL: u64 = 100;
/// Between two looks of the tap for segments to delete, and some more.
const RECLAIMED: Duration = Duration::from_secs(60);

fn service(port: u16) -> String {
    format!(
        "[Service]\nUser=geth\nStateDirectory=geth\n\
         ExecStart=/opt/geth/geth --dev --datadir /var/lib/geth --ipcpath /run/geth/geth.ipc --nodiscover --maxpeers 0 \
         --http --http.port {port} --http.api eth,net,web3,debug,txpool,admin \
         --vmtrace maidenlane --vmtrace.jsonconfig '{{\"spool\":\"{SPOOL}\",\"minFree_MB\":64}}'\n"
    )
}

#[test]
fn geth_keeps_its_own_user_and_the_tap_gets_in_through_the_group() {
    if !GETH.met() {
        println!("not run: no {}", GETH.name);
        return;
    }
    let port = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port();
    let Some(host) = Host::with_geth(&service(port)) else { return };
    let (log, state) = (Log::Segment(LOG.into()), |name: &str| format!("/var/lib/maidenlane/{name}"));
    let tap = settings::tap(
        SPOOL.as_ref(),
        "/run/geth/geth.ipc".as_ref(),
        CHAIN_ID,
        &log,
        state("tap-main").as_ref(),
    );
    host.configure("tap", &tap);
    let replica = settings::replica(CHAIN_ID, &log, state("replica-main").as_ref());
    // It opens the topic of transactions for writing before it is fit.
    host.configure("replica", &settings::taking(&replica));
    host.systemctl("start geth");
    let owner = |path: &str| host.machine.run(&format!("stat --format=%U:%G {path}")).unwrap();
    assert_eq!(owner("/run/geth/geth.ipc"), "geth:maidenlane-master");
    host.systemctl(&format!("start {TAP} {REPLICA}"));
    let spooled = || host.machine.run(&format!("ls {SPOOL}")).unwrap();
    let first = spooled();
    assert_eq!(first.lines().count(), 1, "{first}");
    assert_eq!(owner(&format!("{SPOOL}/{first}")), "geth:maidenlane-master");
    // A new start is a new segment: the first is full of final blocks once the chain has gone on for long enough.
    host.systemctl("restart geth");
    let master = Client::new(format!("http://127.0.0.1:{port}"));
    // It is started when its socket is there, and opens its port a little later.
    wait::until("geth to answer", PATIENCE, || master.block_number().map_err(|failure| failure.to_string()))
        .unwrap();
    let mut traffic = Traffic::open(&master).unwrap();
    while master.block_number().unwrap() < UNTIL_FINAL {
        traffic.batch(1).unwrap();
        traffic.settle().unwrap();
    }
    let head = master.call("eth_getBlockByNumber", &json!(["latest", false])).unwrap();
    let replica = Client::new(format!("http://{}", host.address("replica-main", "rpc")));
    let followed = wait::until("the replica to have the head", PATIENCE, || {
        let seen = replica
            .call("eth_getBlockByNumber", &json!(["latest", false]))
            .map_err(|error| error.to_string())?;
        if seen == head { Ok(()) } else { Err(seen["number"].to_string()) }
    });
    followed.unwrap_or_else(|failure| panic!("{failure}\n{:#?}", host.logged(TAP)));
    let deleted = wait::until("the first segment to be deleted", RECLAIMED, || {
        let left = spooled();
        if left.lines().all(|name| name != first) { Ok(()) } else { Err(left) }
    });
    deleted.unwrap_or_else(|failure| panic!("{failure}\n{:#?}", host.logged(TAP)));
    host.machine.off().unwrap();
}
