//! Random questions to geth and a replica: the same answers, but for what is listed, and nothing is listed in vain.

use maidenlane_tests::{differ, process::Interrupt};

/// So many requests from this seed meet every line of the list.
const REQUESTS: u32 = 4_000;
const SEED: u64 = 5;

#[test]
fn random_requests_get_geths_answers() {
    let mut net = differ::network().unwrap();
    let (master, replica) = (net.master(), net.replica(0).unwrap());
    let findings = differ::ask_all(&master, &replica, SEED, Some(REQUESTS), &Interrupt::default()).unwrap();
    assert!(findings.differences.is_empty(), "{findings}");
    let unmet: Vec<_> = findings.listed.iter().filter(|(_, met)| *met == 0).collect();
    assert!(unmet.is_empty(), "listed, and no difference any more: {unmet:?}");
    assert!(findings.equal.len() > 35, "{findings}");
    net.stop().unwrap();
}
