//! Budgets, without a chain: the programs come as overrides.

use super::budget::{Budget, Spent};
use super::codes::Codes;
use super::database::{AccountOverride, Overrides, StateDb};
use super::*;
use crate::rpc::source::At;
use crate::rpc::tests::fake;
use revm::bytecode::Bytecode;
use revm::primitives::{Address, Bytes, TxKind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

fn run(code: &'static [u8], budget: Budget) -> Option<Result<ExecutionResult, Failure>> {
    let chain = fake::chain()?;
    let here = Address::repeat_byte(0x42);
    let code = Bytecode::new_legacy(Bytes::from_static(code));
    let wanted = AccountOverride { code: Some(code), ..AccountOverride::default() };
    let overrides: Overrides = [(here, wanted)].into_iter().collect();
    let codes = Codes::new(1 << 20);
    let tx = TxEnv { kind: TxKind::Call(here), gas_limit: u64::MAX, ..TxEnv::default() };
    let block = BlockEnv::default();
    let call = Call { spec: SpecId::OSAKA, chain_id: 1, block, tx, blob_update_fraction: None, moved: None };
    Some(execute(call, StateDb::new(&chain, At::Latest, 0, &codes, &overrides), budget))
}

const LOOP: &[u8] = &[0x5b, 0x60, 0x00, 0x56];

#[test]
fn time_ends_an_endless_call() {
    let Some(done) = run(LOOP, Budget::light(Duration::from_millis(1))) else { return };
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
        run(LOOP, Budget::until(far, flag))
    });
    running.recv().expect("it runs");
    cancelled.store(true, Ordering::Relaxed);
    let Some(done) = call.join().expect("no panic") else { return };
    assert!(matches!(done, Err(Failure::Spent(Spent::Cancelled))), "{done:?}");
}

#[test]
fn heavy_precompiles_do_not_start_on_a_light_budget() {
    // CALL(gas, 5, 0, 0, 0, 0, 0): modexp.
    const MODEXP: &[u8] = &[0x5f, 0x5f, 0x5f, 0x5f, 0x5f, 0x60, 0x05, 0x5a, 0xf1];
    let Some(light) = run(MODEXP, Budget::light(Duration::from_secs(60))) else { return };
    assert!(matches!(light, Err(Failure::Spent(Spent::Time))), "{light:?}");
    let patient = Budget::until(Instant::now() + Duration::from_secs(60), Arc::default());
    let done = run(MODEXP, patient).expect("fixtures are there");
    assert!(done.expect("it runs").is_success());
}
