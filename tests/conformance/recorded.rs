//! Our own chain through all forks: a replica must answer as the geth that was recorded did.

use maidenlane_tests::{
    compare::Comparison,
    geth::record,
    install::GETH,
    scenario::{Carrier, Chain, Net, Plan},
};

#[test]
fn our_own_chain_is_served_as_geth_did() {
    if !GETH.met() {
        return println!("not run: no Go for a real geth");
    }
    let chain = record::vectors().join("chain");
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
