//! Clients that ask for much with few requests.

use std::{thread, time::Duration};

use serde_json::{Value, json};

use super::Target;
use crate::{
    connection::Connection,
    failure::{Failure, Outcome},
    rpc::Client,
    socket::Socket,
};

/// Subscriptions on one connection.
const SUBSCRIPTIONS: usize = 1_000;
/// Calls of one batch.
const BATCH: u64 = 1_000;
/// Filters, and how many addresses and topics of each place they have: as many as geth allows.
const FILTERS: u64 = 200;
const TERMS: u64 = 1_000;
/// Clients of one kind at once.
const CROWD: usize = 4;
/// Time between two signs of life.
const SIGN: Duration = Duration::from_millis(500);

/// Methods that are cheap for one block: of its number, of a place in it, or of an account at it.
const OF_BLOCK: [&str; 7] = [
    "eth_getBlockByNumber",
    "eth_getHeaderByNumber",
    "eth_getBlockTransactionCountByNumber",
    "eth_getUncleCountByBlockNumber",
    "eth_getBlockReceipts",
    "debug_getRawHeader",
    "debug_getRawReceipts",
];
const OF_PLACE: [&str; 2] =
    ["eth_getTransactionByBlockNumberAndIndex", "eth_getRawTransactionByBlockNumberAndIndex"];
const OF_ACCOUNT: [&str; 3] = ["eth_getBalance", "eth_getTransactionCount", "eth_getCode"];
const OF_CHAIN: [&str; 4] = ["eth_blockNumber", "eth_chainId", "eth_gasPrice", "net_version"];

/// Subscribes to all logs as often as one connection may, reads nothing, and does it again when the connection is closed.
pub(super) fn subscriptions(target: &Target) -> Outcome<String> {
    let mut opened = 0;
    while !target.over.raised() {
        let mut socket = Socket::connect(&target.rpc)?;
        opened += 1;
        for _ in 0..SUBSCRIPTIONS {
            socket.ask("eth_subscribe", &json!(["logs", {}]))?;
        }
        while !target.over.raised() && socket.ask("eth_blockNumber", &json!([])).is_ok() {
            thread::sleep(SIGN);
        }
    }
    Ok(format!("{opened} connections, one after the other"))
}

/// Sends batches of each method in turn, over blocks of which each is asked for once.
pub(super) fn batches(target: &Target) -> Outcome<String> {
    let head = Client::new(format!("http://{}", target.rpc)).block_number()?.max(1);
    let crowd = crowd(|client| {
        let mut connection = Connection::open(&target.rpc, false)?;
        let mut sent = 0_u64;
        for turn in client.. {
            if target.over.raised() {
                break;
            }
            match connection.ask(&batch(turn, head)) {
                Ok(_) => sent += 1,
                Err(_) => connection = Connection::open(&target.rpc, false)?,
            }
        }
        Ok(sent)
    })?;
    Ok(format!("{crowd} batches"))
}

fn batch(turn: usize, head: u64) -> String {
    let kinds = OF_BLOCK.len() + OF_PLACE.len() + OF_ACCOUNT.len() + OF_CHAIN.len();
    let all = || OF_BLOCK.iter().chain(&OF_PLACE).chain(&OF_ACCOUNT).chain(&OF_CHAIN);
    let method = all().nth(turn % kinds).copied().unwrap_or("eth_blockNumber");
    let call = |number: u64| {
        let block = format!("0x{:x}", number % (head + 1));
        let params = match method {
            "eth_getBlockByNumber" => json!([block, false]),
            _ if OF_PLACE.contains(&method) => json!([block, "0x0"]),
            _ if OF_ACCOUNT.contains(&method) => json!([format!("0x{number:040x}"), block]),
            _ if OF_CHAIN.contains(&method) => json!([]),
            _ => json!([block]),
        };
        json!({"jsonrpc": "2.0", "id": number, "method": method, "params": params})
    };
    Value::Array((0..BATCH).map(call).collect()).to_string()
}

/// Makes filters that are as large as they may be, and polls them as fast as it can.
pub(super) fn filters(target: &Target) -> Outcome<String> {
    let terms = |filter: u64, digits: usize| -> Vec<String> {
        (0..TERMS).map(|number| format!("0x{:0digits$x}", (filter << 32) | number)).collect()
    };
    let criteria = |filter| json!([{"address": terms(filter, 40), "topics": vec![terms(filter, 64); 4]}]);
    let client = Client::new(format!("http://{}", target.rpc));
    let (mut ids, mut refused, mut polls) = (Vec::new(), String::new(), 0_usize);
    for filter in 0..FILTERS {
        match client.call("eth_newFilter", &criteria(filter)) {
            Ok(id) => ids.push(id),
            Err(failure) => refused = format!(", refused: {failure:.200}"),
        }
        if target.over.raised() {
            break;
        }
    }
    while !target.over.raised() && !ids.is_empty() {
        for id in &ids {
            polls += usize::from(
                !target.over.raised() && client.call("eth_getFilterChanges", &json!([id])).is_ok(),
            );
        }
    }
    Ok(format!("{} filters of {} terms, {polls} polls{refused}", ids.len(), 5 * TERMS))
}

/// Subscribes and unsubscribes, on some connections at once.
pub(super) fn churn(target: &Target) -> Outcome<String> {
    let wanted = target.size.subscribed / CROWD;
    let done = crowd(|_| {
        let mut socket = Socket::connect(&target.rpc)?;
        let mut done = 0;
        while done < wanted && !target.over.raised() {
            let subscribed = socket.respond("eth_subscribe", &json!(["logs", {}]))?;
            let id = subscribed.get("result").ok_or_else(|| Failure::new(subscribed.to_string()))?;
            socket.respond("eth_unsubscribe", &json!([id]))?;
            done += 1;
        }
        u64::try_from(done).map_err(|error| Failure::new(error.to_string()))
    })?;
    Ok(format!("{done} times"))
}

/// The same client a few times at once, each with a number of its own; the sum of what they tell.
pub(super) fn crowd(client: impl Fn(usize) -> Outcome<u64> + Sync) -> Outcome<u64> {
    thread::scope(|scope| {
        let client = &client;
        let all: Vec<_> = (0..CROWD).map(|number| scope.spawn(move || client(number))).collect();
        let told =
            all.into_iter().map(|one| one.join().unwrap_or_else(|_| Err(Failure::new("a client panicked"))));
        told.sum()
    })
}
