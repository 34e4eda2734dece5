//! Tests of budgets, without a chain: the programs come as overrides.

use super::budget::{Budget, Spent};
use super::codes::Codes;
use super::database::{AccountOverride, Overrides, StateDb};
use super::*;
use alloy::eips::eip7702::{Authorization, SignedAuthorization};
use maidenlane_state::At;
use maidenlane_testkit::chain as fake;
use revm::bytecode::Bytecode;
use revm::primitives::{Address, Bytes, TxKind, U256};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

const HERE: Address = Address::repeat_byte(0x42);

fn run_tx(code: &[u8], tx: TxEnv, budget: &mut Budget) -> Option<Result<ExecutionResult, Failure>> {
    let chain = fake::chain()?;
    let code = Bytecode::new_legacy(Bytes::copy_from_slice(code));
    let wanted = AccountOverride { code: Some(code), ..AccountOverride::default() };
    let overrides: Overrides = [(HERE, wanted)].into_iter().collect();
    let codes = Codes::new(1 << 20);
    let block = BlockEnv::default();
    let call = Call { spec: SpecId::OSAKA, chain_id: 1, block, tx, blob_update_fraction: None, moved: None };
    Some(execute(call, StateDb::new(&chain, At::Latest, 0, &codes, &overrides), budget))
}

fn run(code: &[u8], budget: &mut Budget) -> Option<Result<ExecutionResult, Failure>> {
    let tx = TxEnv { kind: TxKind::Call(HERE), gas_limit: u64::MAX, ..TxEnv::default() };
    run_tx(code, tx, budget)
}

fn patient() -> Budget {
    Budget::until(Instant::now() + Duration::from_secs(60), Arc::default())
}

const LOOP: &[u8] = &[0x5b, 0x60, 0x00, 0x56];

#[test]
fn time_ends_an_endless_call() {
    let Some(done) = run(LOOP, &mut Budget::light(Duration::from_millis(1))) else { return };
    assert!(matches!(done, Err(Failure::Spent(Spent::Time))), "{done:?}");
}

#[test]
fn a_client_that_leaves_ends_it_too() {
    let cancelled = Arc::new(AtomicBool::new(false));
    let far = Instant::now() + Duration::from_secs(60);
    let flag = Arc::clone(&cancelled);
    let (started, running) = std::sync::mpsc::sync_channel(1);
    let call = std::thread::spawn(move || {
        started.send(()).expect("the test waits");
        run(LOOP, &mut Budget::until(far, flag))
    });
    running.recv().expect("it runs");
    cancelled.store(true, Ordering::Relaxed);
    let Some(done) = call.join().expect("no panic") else { return };
    assert!(matches!(done, Err(Failure::Spent(Spent::Cancelled))), "{done:?}");
}

#[test]
fn time_is_spent_by_all_runs_together() {
    let mut budget = Budget::light(Duration::from_millis(5));
    // One instruction, for which no clock is looked at.
    let ended = (0..10_000_000).find_map(|_| run(&[0x00], &mut budget)?.err());
    let Some(_) = fake::chain() else { return };
    assert!(matches!(ended, Some(Failure::Spent(Spent::Time))), "{ended:?}");
}

/// Checks that the program ends well with enough time, and is not begun with so little.
#[track_caller]
fn check_is_longer(code: &[u8], light: Duration) {
    let Some(light) = run(code, &mut Budget::light(light)) else { return };
    assert!(matches!(light, Err(Failure::Spent(Spent::Time))), "{light:?}");
    let done = run(code, &mut patient()).expect("fixtures are there");
    assert!(done.as_ref().is_ok_and(ExecutionResult::is_success), "{done:?}");
}

#[track_caller]
fn check_is_long(code: &[u8]) {
    check_is_longer(code, Duration::from_micros(100));
}

#[test]
fn long_instructions_do_not_start_on_a_light_budget() {
    // PUSH3 of 1 MiB, PUSH0 for what else it takes.
    let of_mib = |zeros: usize, op: u8| [&[0x62, 0x10, 0x00, 0x00][..], &vec![0x5f; zeros], &[op]].concat();
    check_is_long(&of_mib(1, 0x20));
    for copy in [0x37, 0x39, 0x5e] {
        check_is_long(&of_mib(2, copy));
    }
    check_is_long(&of_mib(3, 0x3c));
    check_is_long(&of_mib(1, 0xa0));
    // LOG1: the topic is below the length.
    check_is_long(&[&[0x5f][..], &of_mib(1, 0xa1)].concat());
}

#[test]
fn long_precompiles_do_not_start_on_a_light_budget() {
    // CALL(gas, n, 0, 0, 1 MiB, 0, 0): SHA-256, RIPEMD-160, identity.
    for address in 2..=4 {
        check_is_long(&[0x5f, 0x5f, 0x62, 0x10, 0x00, 0x00, 0x5f, 0x5f, 0x60, address, 0x5a, 0xf1]);
    }
    // The same without input: modexp.
    check_is_long(&[0x5f, 0x5f, 0x5f, 0x5f, 0x5f, 0x60, 0x05, 0x5a, 0xf1]);
    // A signature.
    let recover = [0x5f, 0x5f, 0x60, 0x80, 0x5f, 0x5f, 0x60, 0x01, 0x5a, 0xf1];
    check_is_longer(&recover, Duration::from_micros(50));
}

#[test]
fn an_operand_that_no_gas_pays_for_is_out_of_gas_and_not_of_time() {
    // KECCAK256(0, 2^64 - 1).
    let code = [&[0x67][..], &[0xff; 8], &[0x5f, 0x20]].concat();
    let tx = TxEnv { kind: TxKind::Call(HERE), gas_limit: 50_000_000, ..TxEnv::default() };
    let Some(done) = run_tx(&code, tx, &mut patient()) else { return };
    assert!(done.as_ref().is_ok_and(ExecutionResult::is_halt), "{done:?}");
}

#[test]
fn who_signed_is_found_out_within_the_budget() {
    let authorization = Authorization { chain_id: U256::ZERO, address: HERE, nonce: 0 };
    let signed = SignedAuthorization::new_unchecked(authorization, 1, U256::from(1), U256::from(7));
    let authorization_list = vec![Either::Left(signed); 10];
    let kind = TxKind::Call(HERE);
    let mut tx = TxEnv { tx_type: 4, kind, gas_limit: 1 << 20, authorization_list, ..TxEnv::default() };
    let light = || Budget::light(Duration::from_micros(100));
    let Some(done) = run_tx(&[0x00], tx.clone(), &mut light()) else { return };
    assert!(matches!(done, Err(Failure::Spent(Spent::Time))), "{done:?}");
    assert!(matches!(recover(&mut tx, &mut light()), Err(Failure::Spent(Spent::Time))));
    recover(&mut tx, &mut patient()).expect("there is time");
    assert!(tx.authorization_list.iter().all(Either::is_right));
    let poor = TxEnv { gas_limit: 240_000, authorization_list: tx.authorization_list.clone(), ..tx.clone() };
    recover(&mut TxEnv { gas_limit: 240_000, ..poor }, &mut light()).expect("nobody pays for it");
    let done = run_tx(&[0x00], tx, &mut patient()).expect("fixtures are there");
    assert!(done.as_ref().is_ok_and(ExecutionResult::is_success), "{done:?}");
}

#[test]
fn a_transactions_time_ends_with_it() {
    let mut budget = patient();
    budget.limit_each(Duration::from_millis(5));
    let Some(done) = run(&[0x00], &mut budget) else { return };
    assert!(done.is_ok(), "{done:?}");
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_millis(10) {
        budget.look().expect("only the deadline counts between transactions");
    }
    let done = run(LOOP, &mut budget).expect("fixtures are there");
    assert!(matches!(done, Err(Failure::Spent(Spent::Time))), "{done:?}");
    assert!(!budget.spend(1), "nothing is begun any more");
}
