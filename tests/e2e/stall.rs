//! Short programs under every method that executes: a client beside them never waits long.

use maidenlane_tests::{process::Interrupt, stall};

const PROGRAMS: u32 = 3_000;
const SEED: u64 = 1;

#[test]
fn no_program_holds_what_others_need() {
    let mut net = stall::network().unwrap();
    let programs = if std::env::var_os("MAIDENLANE_LONG").is_some() { 50_000 } else { PROGRAMS };
    let findings = stall::run_all(&mut net, SEED, Some(programs), &Interrupt::default()).unwrap();
    println!("{findings}");
    assert!(findings.slow.is_empty(), "{findings}");
    assert_eq!(findings.programs, programs);
    net.stop().unwrap();
}
