//! Clients that ask for one costly thing again and again.

use std::{
    collections::BTreeMap,
    io::{Read, Write},
    net::TcpStream,
    sync::{Mutex, PoisonError},
};

use serde_json::{Value, json};

use super::{Target, clients::crowd};
use crate::{
    connection::Connection,
    failure::{Doing, Failure, Outcome},
    rpc::{Client, quantity},
};

/// Signed transactions: more than a sender may have on the way, and further ahead than it may be.
const SIGNED: u64 = 3_000;

/// A ClientHello of TLS 1.3: TLS_AES_128_GCM_SHA256, X25519 with a share, ECDSA on P-256. The answer costs a key agreement
/// and a signature.
const CLIENT_HELLO: &str = "16030100700100006c0303\
    000000000000000000000000000000000000000000000000000000000000000000\
    0002130101000041000a00040002001d000d000400020403002b0003020304\
    003300260024001d00200900000000000000000000000000000000000000000000000000000000000000";

/// Transactions of the developer's account, in the order of their nonces.
fn signed(master: &Client) -> Outcome<Vec<String>> {
    let accounts = master.call("eth_accounts", &json!([]))?;
    let from = accounts.get(0).ok_or_else(|| Failure::new("no account"))?;
    let first = master.quantity("eth_getTransactionCount", &json!([from, "pending"]))?;
    let price = master.call("eth_gasPrice", &json!([]))?;
    let price = quantity(&price).unwrap_or_default() * 100;
    let request = |turn: u64| {
        let transaction = json!({
            "from": from, "to": from, "value": "0x1", "gas": "0x5208", "gasPrice": format!("0x{price:x}"),
            "nonce": format!("0x{:x}", first + turn),
        });
        json!({"jsonrpc": "2.0", "id": turn, "method": "eth_signTransaction", "params": [transaction]})
    };
    let mut signed = Vec::new();
    for hundred in (0..SIGNED).step_by(100) {
        let batch: Vec<Value> = (hundred..hundred + 100).map(request).collect();
        let (_, text) = master.post(&Value::Array(batch).to_string())?;
        let answers: Vec<Value> = serde_json::from_str(&text)?;
        for answer in answers {
            let raw = answer.pointer("/result/raw").and_then(Value::as_str);
            signed
                .push(raw.ok_or_else(|| Failure::new(format!("eth_signTransaction: {answer}")))?.to_owned());
        }
    }
    Ok(signed)
}

/// Sends all transactions over and over.
pub(super) fn transactions(target: &Target) -> Outcome<String> {
    let signed = signed(&target.master)?;
    let answers = Mutex::new(BTreeMap::<String, u64>::new());
    let sent = crowd(|client| {
        let mut connection = Connection::open(&target.rpc, false)?;
        let mut sent = 0;
        for raw in signed.iter().cycle().skip(client * 500) {
            if target.over.raised() {
                break;
            }
            let request =
                json!({"jsonrpc": "2.0", "id": 1, "method": "eth_sendRawTransaction", "params": [raw]});
            let answer = connection.ask(&request.to_string()).and_then(|answer| {
                serde_json::from_slice::<Value>(answer).doing(|| "read an answer".to_owned())
            });
            let told = match answer {
                Ok(answer) => kind(&answer),
                Err(failure) => {
                    connection = Connection::open(&target.rpc, false)?;
                    failure.to_string().chars().take(30).collect()
                }
            };
            *answers.lock().unwrap_or_else(PoisonError::into_inner).entry(told).or_default() += 1;
            sent += 1;
        }
        Ok(sent)
    })?;
    Ok(format!("{sent} sent: {:?}", answers.into_inner().unwrap_or_else(PoisonError::into_inner)))
}

/// An answer without what differs from one transaction to the next.
fn kind(answer: &Value) -> String {
    let text = answer.pointer("/error/message").and_then(Value::as_str).unwrap_or("taken");
    text.split(':').next().unwrap_or_default().to_owned()
}

/// Begins handshakes, waits for the server's costly part, and leaves.
pub(super) fn handshakes(target: &Target) -> Outcome<String> {
    let hello = bytes(CLIENT_HELLO)?;
    let begun = crowd(|_| {
        let mut begun = 0;
        while !target.over.raised() {
            let mut stream = TcpStream::connect(&target.tls).doing(|| "connect".to_owned())?;
            let mut answer = [0; 512];
            let told = stream.write_all(&hello).and_then(|()| stream.read(&mut answer));
            // 0x16: a ServerHello, not an alert.
            begun += u64::from(told.is_ok_and(|length| length > 0) && answer.first() == Some(&0x16));
        }
        Ok(begun)
    })?;
    Ok(format!("{begun} handshakes"))
}

fn bytes(hex: &str) -> Outcome<Vec<u8>> {
    let pairs = (0..hex.len() / 2).map(|at| hex.get(2 * at..2 * at + 2).unwrap_or_default());
    pairs.map(|pair| u8::from_str_radix(pair, 16).doing(|| format!("read {pair}"))).collect()
}
