//! A recorded geth's answers on a chain of ours through all forks: a replica must give the same.

use std::time::Duration;

use maidenlane_tests::{
    compare::Comparison,
    install::GETH,
    product,
    scenario::{Carrier, Chain, Net, Plan},
    wait,
};

#[test]
fn our_own_chain_is_served_as_geth_did() {
    if !GETH.met() {
        return println!("not run: no Go for a real geth");
    }
    let chain = product::vectors().join("chain");
    let plan = Plan { chain: Chain::Import(chain.clone()), carrier: Carrier::Segment, replicas: 1 };
    let mut net = Net::build(&plan).unwrap();
    net.node().engine().unwrap().announce(&chain.join("headfcu.json")).unwrap();
    net.start().unwrap();
    assert_eq!(net.caught_up(0).unwrap(), 64);
    let (master, replica) = (net.master(), net.replica(0).unwrap());
    let comparison = Comparison::with_recorded(&master, &replica).unwrap();
    assert_eq!(comparison.differences, Vec::<String>::new());
    assert!(comparison.agreed > 200, "{} answers are suspiciously few", comparison.agreed);
    net.stop().unwrap();
}

/// Blocks older than any bound keep the port closed: an operator must not have to guess why.
#[test]
fn a_replica_says_why_it_does_not_serve_yet() {
    let plan = Plan { chain: Chain::Recorded, carrier: Carrier::Segment, replicas: 1 };
    let mut net = Net::build(&plan).unwrap();
    let bounded = |text: &str| text.replace("maxHeadAge_s = None Natural", "maxHeadAge_s = Some 120");
    net.replica_daemon(0).unwrap().edit(bounded).unwrap();
    let says = |net: &mut Net, words: &str| {
        wait::until(&format!("{words:?} in the status"), Duration::from_secs(60), || {
            let status = net.replica_daemon(0).and_then(|replica| replica.status());
            let status = status.map_err(|failure| failure.to_string())?.to_string();
            if status.contains(words) { Ok(status) } else { Err(status) }
        })
        .unwrap()
    };
    net.replica_daemon(0).unwrap().start().unwrap();
    says(&mut net, "no sign of life");
    net.tap().start().unwrap();
    let status = says(&mut net, "recovering: ");
    assert!(status.contains("old") && !status.contains("\"rpc\""), "{status}");
    net.replica_daemon(0).unwrap().stop().unwrap();
    net.tap().stop().unwrap();
}
