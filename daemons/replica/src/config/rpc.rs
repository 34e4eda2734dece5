//! Settings of the JSON-RPC.

use crate::rpc::{Settings, methods};
use maidenlane_config::listeners::ListenerRaw;
use maidenlane_config::shapes::{megabytes, millis};
use maidenlane_config::{Checker, StaticType, nearest};
use maidenlane_jsonrpc::Limits;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::time::Duration;

/// JSON-RPC listeners, and limits on all that a client can cause.
#[derive(Clone, Debug, Deserialize, StaticType)]
#[expect(non_snake_case, reason = "the names of the Dhall fields")]
pub struct RpcRaw {
    /// Listeners for clients.
    pub listeners: Vec<ListenerRaw>,
    /// Largest request body.
    pub bodyMax_bytes: u64,
    /// Most calls in one batch.
    pub batchMax: u64,
    /// Largest answer, batch or not.
    pub responseMax_bytes: u64,
    /// Most open connections; more wait.
    pub connectionsMax: u64,
    /// Read timeout of a whole request; also ends idle HTTP connections.
    pub readTimeout_ms: u64,
    /// Answer timeout of a request.
    pub answerTimeout_ms: u64,
    /// Write timeout: a client that takes nothing of an answer for so long has gone.
    pub writeTimeout_ms: u64,
    /// Ping interval: a WebSocket that is silent for so long is pinged, and closed after as long again.
    pub ping_ms: u64,
    /// Messages of one WebSocket that are answered concurrently.
    pub messagesMax: u64,
    /// Subscriptions on one connection.
    pub subscriptionsMax: u64,
    /// Drain time given to requests in progress when the daemon stops.
    pub drain_ms: u64,
    /// Gas cap of one call.
    pub callGasCap: u64,
    /// Timeout of one call.
    pub callTimeout_ms: u64,
    /// Time a call may hold an IO thread before it moves to the pool.
    pub callInline_us: u64,
    /// Shorter timeouts of single methods.
    pub methodTimeouts: Vec<MethodTimeoutRaw>,
    /// Threads for long calls and log searches; `None` is one per core.
    pub poolThreads: Option<u64>,
    /// Calls that may wait for a pool thread.
    pub poolQueue: u64,
    /// Most logs in one answer.
    pub logsMax: u64,
    /// Memory for analysed bytecode.
    pub codeCache_MB: u64,
    /// Memory for decoded blocks, rendered JSON, trie nodes, and what each transaction of blocks that were traced
    /// changed.
    pub blockCache_MB: u64,
}

/// Timeout of one method.
#[derive(Clone, Debug, Deserialize, StaticType)]
pub struct MethodTimeoutRaw {
    /// Method name.
    pub method: String,
    /// Timeout of one call of the method.
    pub timeout_ms: u64,
}

/// Validates everything but the listeners.
pub(super) fn validate(raw: &RpcRaw, checker: &mut Checker) -> Option<Settings> {
    let body_bytes = checker.within("bodyMax_bytes", raw.bodyMax_bytes, 1_024..=1 << 30);
    let batch_calls = checker.within("batchMax", raw.batchMax, 1..=100_000);
    let answer_bytes = checker.within("responseMax_bytes", raw.responseMax_bytes, 65_536..=1 << 30);
    let connections = checker.within("connectionsMax", raw.connectionsMax, 1..=1_000_000);
    let read = millis("readTimeout_ms", raw.readTimeout_ms, 100..=3_600_000, checker);
    let answer = millis("answerTimeout_ms", raw.answerTimeout_ms, 100..=3_600_000, checker);
    let write = millis("writeTimeout_ms", raw.writeTimeout_ms, 100..=3_600_000, checker);
    let ping = millis("ping_ms", raw.ping_ms, 100..=3_600_000, checker);
    let messages = checker.within("messagesMax", raw.messagesMax, 1..=10_000);
    let subscriptions = checker.within("subscriptionsMax", raw.subscriptionsMax, 0..=1_000_000);
    // The lifecycle gives all tasks 30 s to end.
    let drain = millis("drain_ms", raw.drain_ms, 0..=25_000, checker);
    let call_gas_cap = checker.within("callGasCap", raw.callGasCap, 21_000..=u64::MAX);
    let call_timeout = millis("callTimeout_ms", raw.callTimeout_ms, 10..=600_000, checker);
    let call_inline = checker.within("callInline_us", raw.callInline_us, 0..=10_000);
    let time_limits = time_limits(&raw.methodTimeouts, checker);
    let threads = match raw.poolThreads {
        Some(threads) => checker.within("poolThreads", threads, 1..=1_024),
        None => Some(Settings::default().pool_threads),
    };
    let pool_queue = checker.within("poolQueue", raw.poolQueue, 0..=100_000);
    let logs_max = checker.within("logsMax", raw.logsMax, 1..=10_000_000);
    let code_cache_bytes = megabytes("codeCache_MB", raw.codeCache_MB, checker);
    let block_cache_bytes = megabytes("blockCache_MB", raw.blockCache_MB, checker);
    Some(Settings {
        limits: Limits {
            body_bytes: body_bytes?,
            batch_calls: batch_calls?,
            answer_bytes: answer_bytes?,
            connections: connections?,
            read: read?,
            answer: answer?,
            write: write?,
            ping: ping?,
            messages: messages?,
            subscriptions: subscriptions?,
            drain: drain?,
        },
        call_gas_cap: call_gas_cap?,
        call_timeout: call_timeout?,
        call_inline: Duration::from_micros(call_inline?),
        time_limits: time_limits?,
        pool_threads: threads?,
        pool_queue: pool_queue?,
        logs_max: logs_max?,
        code_cache_bytes: code_cache_bytes?,
        block_cache_bytes: block_cache_bytes?,
    })
}

/// Timeouts of single methods, each of one that there is.
fn time_limits(raw: &[MethodTimeoutRaw], checker: &mut Checker) -> Option<BTreeMap<String, Duration>> {
    let mut limits = BTreeMap::new();
    let mut sound = true;
    for (index, MethodTimeoutRaw { method, timeout_ms }) in raw.iter().enumerate() {
        let limit = checker.inside(&format!("methodTimeouts[{index}]"), |checker| {
            if !methods::names().any(|name| name == method) {
                let near = nearest(method, methods::names());
                let hint = near.map_or_else(String::new, |near| format!("; did you mean `{near}`?"));
                checker.wrong("method", format_args!("there is no method `{method}`{hint}"));
                return None;
            }
            if limits.contains_key(method) {
                checker.wrong("method", format_args!("`{method}` has a timeout already"));
                return None;
            }
            millis("timeout_ms", *timeout_ms, 1..=3_600_000, checker)
        });
        match limit {
            Some(limit) => drop(limits.insert(method.clone(), limit)),
            None => sound = false,
        }
    }
    sound.then_some(limits)
}
