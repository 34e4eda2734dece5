//! Our own chain through all forks: a replica must answer as the geth that was recorded did.

use std::time::Duration;

use maidenlane_tests::{
    geth::record,
    install::GO,
    rpc_compat,
    scenario::{Carrier, Chain, Net, Plan},
    wait,
};

#[test]
fn our_own_chain_is_served_as_geth_did() {
    if !GO.met() {
        return println!("not run: no Go for a real geth");
    }
    let chain = record::vectors().join("chain");
    let plan = Plan { chain: Chain::Import(chain.clone()), carrier: Carrier::Segment, replicas: 1 };
    let mut net = Net::build(&plan).unwrap();
    net.node().engine().unwrap().announce(&chain.join("headfcu.json")).unwrap();
    net.start().unwrap();
    assert_eq!(net.caught_up(0).unwrap(), 64);
    let (master, replica) = (net.master(), net.replica(0).unwrap());
    wait::until("the replica to know what is final", Duration::from_secs(30), || {
        let [left, right] = [&master, &replica].map(|side| side.block_hash("finalized"));
        let (left, right) = (left.map_err(|failure| failure.to_string())?, right);
        match right {
            Ok(right) if right == left => Ok(()),
            Ok(right) => Err(right),
            Err(failure) => Err(failure.to_string()),
        }
    })
    .unwrap();
    let cases = rpc_compat::load(&record::vectors().join("rpc")).unwrap();
    let report = rpc_compat::run(&cases, |request| {
        replica.post(request).map(|(_, answer)| answer).map_err(|failure| failure.to_string())
    });
    println!("{report}");
    assert_eq!(report.failed(), 0);
    assert!(report.passed() > 200, "{} cases are suspiciously few", report.passed());
    net.stop().unwrap();
}
