//! Methods that never return, or need more than an IO thread's time.

use super::*;
use crate::rpc::tests::fake;
use crate::rpc::tests::still::Still;
use crate::rpc::{Rpc, Settings};
use maidenlane_jsonrpc::Api as _;

/// Replica with this timeout of calls, and a runtime of several threads as in a daemon.
fn scene(call_timeout: Duration) -> Option<(tokio::runtime::Runtime, Rpc)> {
    let settings = Settings { call_timeout, pool_threads: 2, ..Settings::default() };
    let rpc = Rpc::new(Arc::new(Still::new(fake::chain()?)), settings).expect("threads");
    Some((tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime"), rpc))
}

async fn run(rpc: &Rpc, start: Start, method: Method) -> Result<Json, Error> {
    let view = Arc::new(rpc.pin(None).await);
    answer(&rpc.shared, &view, None, start, method).await
}

#[test]
fn a_call_that_never_returns_costs_its_own_thread_only() {
    let Some((runtime, rpc)) = scene(Duration::from_millis(50)) else { return };
    let endless: Method = |_, _, _, _| {
        loop {
            std::thread::park();
        }
    };
    runtime.block_on(async {
        // As many as the pool has threads, and they are replaced: requests behind them are answered in the end.
        for _ in 0..2 {
            let late = run(&rpc, Start::OnPool, endless).await.expect_err("it never returns");
            assert_eq!(late.message, "execution aborted (timeout = 50ms)");
        }
        let view = Arc::new(rpc.pin(None).await);
        let cheap = rpc.call(&view, "eth_blockNumber", None).await;
        assert_eq!(cheap.expect("needs no thread").as_str(), "\"0x36\"");
        let fine: Method = |_, _, _, _| Ok(Json::TRUE);
        while run(&rpc, Start::OnPool, fine).await.is_err() {}
    });
}

#[test]
fn what_exceeds_an_io_threads_time_starts_again_on_the_pool() {
    let Some((runtime, rpc)) = scene(Duration::from_secs(60)) else { return };
    let tells_its_thread: Method = |_, _, _, budget| {
        budget.charge(10_000_000)?;
        Ok(Json::string(std::thread::current().name().unwrap_or_default()))
    };
    let answer =
        runtime.block_on(run(&rpc, Start::Here, tells_its_thread)).expect("there is time on the pool");
    assert!(answer.as_str().starts_with("\"evm-"), "{}", answer.as_str());
}

#[test]
fn long_parameters_are_not_read_on_an_io_thread() {
    let Some((runtime, rpc)) = scene(Duration::from_secs(60)) else { return };
    let tells_its_thread: Method =
        |_, _, _, _| Ok(Json::string(std::thread::current().name().unwrap_or_default()));
    let answer = |len: usize| {
        let params = RawValue::from_string(format!("[\"{}\"]", "x".repeat(len))).expect("JSON");
        runtime.block_on(async {
            let view = Arc::new(rpc.pin(None).await);
            answer(&rpc.shared, &view, Some(&params), Start::Here, tells_its_thread).await
        })
    };
    assert!(!answer(10).expect("an answer").as_str().starts_with("\"evm-"));
    assert!(answer(1 << 20).expect("an answer").as_str().starts_with("\"evm-"));
}
