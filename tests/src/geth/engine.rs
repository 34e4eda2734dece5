//! The engine API of a running geth: what a consensus client uses to build, feed and choose blocks.

use std::{
    fs,
    path::Path,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use hmac::{Hmac, Mac};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::{
    failure::{Doing, Failure, Outcome},
    wait,
};

/// geth builds an empty payload at once and improves it later; none of ours takes longer.
const TIMEOUT: Duration = Duration::from_secs(20);
/// 32 zero bytes.
const ZERO: &str = "0x0000000000000000000000000000000000000000000000000000000000000000";

/// Questions that geth answers while it fills a block.
const QUESTIONS_MEANWHILE: usize = 100;

/// Payload attributes, by which two blocks on one parent differ.
#[derive(Debug, Clone)]
pub struct Attributes {
    /// Seconds; above the parent's.
    pub timestamp: u64,
    /// Receiver of the fees.
    pub fee_recipient: String,
    /// Rides along, as `withdrawals` of the engine API.
    pub withdrawals: Vec<Value>,
}

impl Attributes {
    /// A block at `timestamp` whose fees go to an address that ends with `recipient`.
    #[must_use]
    pub fn new(timestamp: u64, recipient: u8) -> Self {
        Self { timestamp, fee_recipient: format!("0x{recipient:040x}"), withdrawals: Vec::new() }
    }
}

/// A built block that any geth of the same chain can be fed with.
#[derive(Debug, Clone)]
pub struct Payload(Value);

impl From<Value> for Payload {
    /// A block that geth built by another method.
    fn from(value: Value) -> Self {
        Self(value)
    }
}

impl Payload {
    /// Versioned hashes of the blobs (EIP-4844), from the commitments to them.
    fn versioned_hashes(&self) -> Vec<String> {
        let commitments = self.0.pointer("/blobsBundle/commitments").and_then(Value::as_array);
        let texts = commitments.into_iter().flatten().filter_map(Value::as_str);
        let hash = |text: &str| {
            let digits = text.as_bytes().get(2..).unwrap_or_default().chunks(2);
            let bytes = digits.filter_map(|two| u8::from_str_radix(std::str::from_utf8(two).ok()?, 16).ok());
            let hash = Sha256::digest(bytes.collect::<Vec<u8>>());
            let rest = hash.iter().skip(1).map(|byte| format!("{byte:02x}"));
            format!("0x01{}", rest.collect::<String>())
        };
        texts.map(hash).collect()
    }

    /// The block's hash.
    ///
    /// # Errors
    /// Not a payload.
    pub fn hash(&self) -> Outcome<&str> {
        self.field("blockHash")
    }

    /// A text field of the payload, in the engine API's spelling.
    ///
    /// # Errors
    /// It has none of that name.
    pub fn field(&self, name: &str) -> Outcome<&str> {
        let value = self.0.pointer("/executionPayload").and_then(|payload| payload.get(name));
        value.and_then(Value::as_str).ok_or_else(|| Failure::new(format!("a payload without {name}")))
    }

    /// The same block with one field changed: invalid, as its hash is that of the original.
    #[must_use]
    pub fn with(&self, name: &str, value: Value) -> Self {
        let mut changed = self.clone();
        if let Some(payload) = changed.0.get_mut("executionPayload").and_then(Value::as_object_mut) {
            payload.insert(name.to_owned(), value);
        }
        changed
    }
}

/// One geth's engine endpoint.
#[derive(Debug, Clone)]
pub struct Engine {
    url: String,
    secret: Vec<u8>,
    agent: ureq::Agent,
}

impl Engine {
    /// The endpoint on `port`, with the secret that geth wrote to `secret`.
    ///
    /// # Errors
    /// The secret cannot be read.
    pub fn new(port: u16, secret: &Path) -> Outcome<Self> {
        let text = fs::read_to_string(secret).doing(|| format!("read {}", secret.display()))?;
        let digits = text.trim().trim_start_matches("0x").as_bytes();
        let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
        let secret = digits.chunks(2).map(byte).collect::<Option<Vec<u8>>>();
        let secret = secret.ok_or_else(|| Failure::new("geth's JWT secret is not hexadecimal"))?;
        let config = ureq::Agent::config_builder().timeout_global(Some(TIMEOUT)).http_status_as_error(false);
        Ok(Self { url: format!("http://127.0.0.1:{port}"), secret, agent: config.build().into() })
    }

    /// One call.
    ///
    /// # Errors
    /// No answer, or an error in it.
    pub fn call(&self, method: &str, params: &Value) -> Outcome<Value> {
        let request = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
        let text = self.send(request.to_string())?;
        let mut response: Value = serde_json::from_str(&text).doing(|| format!("{method}: {text:.200}"))?;
        match response.get_mut("result") {
            Some(result) => Ok(result.take()),
            None => Err(Failure::new(format!("{method}: {response}"))),
        }
    }

    /// Sends a request that is text already, and returns the answer's.
    ///
    /// # Errors
    /// No answer.
    pub fn send(&self, request: String) -> Outcome<String> {
        let token = token(&self.secret, SystemTime::now())?;
        let post = self.agent.post(&self.url).header("content-type", "application/json");
        let post = post.header("authorization", format!("Bearer {token}"));
        let mut answer = post.send(request).doing(|| format!("ask {}", self.url))?;
        answer.body_mut().read_to_string().doing(|| format!("read an answer of {}", self.url))
    }

    /// Makes `head` the head; `settled` becomes both safe and finalized, none of them if it is `None`.
    ///
    /// # Errors
    /// geth does not find it valid.
    pub fn choose(&self, head: &str, settled: Option<&str>) -> Outcome<()> {
        let answer = self.forkchoice(head, settled, &Value::Null)?;
        status(answer.get("payloadStatus"), "forkchoice")
    }

    fn forkchoice(&self, head: &str, settled: Option<&str>, attributes: &Value) -> Outcome<Value> {
        let settled = settled.unwrap_or(ZERO);
        let state = json!({"headBlockHash": head, "safeBlockHash": settled, "finalizedBlockHash": settled});
        self.call("engine_forkchoiceUpdatedV3", &json!([state, attributes]))
    }

    /// Builds a block on `parent`, which becomes the head, from what is in the pool. It is not yet executed.
    ///
    /// # Errors
    /// geth refuses parent or attributes.
    pub fn build(&self, parent: &str, attributes: &Attributes) -> Outcome<Payload> {
        let id = self.begin(parent, attributes)?;
        self.take(&id)
    }

    /// The same with time for the transactions of the pool: geth first builds an empty block, and fills another one while it
    /// answers other questions.
    ///
    /// # Errors
    /// As [`Engine::build`].
    pub fn fill(&self, parent: &str, attributes: &Attributes) -> Outcome<Payload> {
        let id = self.begin(parent, attributes)?;
        for _ in 0..QUESTIONS_MEANWHILE {
            self.call("eth_getBlockByNumber", &json!(["pending", true]))?;
        }
        self.take(&id)
    }

    fn begin(&self, parent: &str, attributes: &Attributes) -> Outcome<Value> {
        let wanted = json!({
            "timestamp": format!("0x{:x}", attributes.timestamp),
            "prevRandao": ZERO,
            "suggestedFeeRecipient": attributes.fee_recipient,
            "withdrawals": attributes.withdrawals,
            "parentBeaconBlockRoot": ZERO,
        });
        let answer = self.forkchoice(parent, None, &wanted)?;
        let id = answer.get("payloadId").filter(|id| id.is_string());
        let id = id.cloned();
        id.ok_or_else(|| Failure::new(format!("geth builds nothing on {parent}: {answer}")))
    }

    fn take(&self, id: &Value) -> Outcome<Payload> {
        // The version follows the block's fork: Osaka, Prague, Cancun.
        let mut last = None;
        for version in ["engine_getPayloadV5", "engine_getPayloadV4", "engine_getPayloadV3"] {
            match self.call(version, &json!([id])) {
                Ok(payload) => return Ok(Payload(payload)),
                Err(failure) => last = Some(failure),
            }
        }
        Err(last.unwrap_or_else(|| Failure::new("no version of getPayload")))
    }

    /// Has geth execute a block. That makes it known, not the head.
    ///
    /// # Errors
    /// geth does not find it valid.
    pub fn execute(&self, payload: &Payload) -> Outcome<()> {
        let empty = json!([]);
        let block = payload.0.get("executionPayload").unwrap_or(&Value::Null);
        let requests = payload.0.get("executionRequests");
        let mut params = vec![block.clone(), json!(payload.versioned_hashes()), json!(ZERO)];
        let method = match requests {
            Some(requests) => {
                params.push(if requests.is_null() { empty } else { requests.clone() });
                "engine_newPayloadV4"
            }
            None => "engine_newPayloadV3",
        };
        status(Some(&self.call(method, &Value::Array(params))?), method)
    }

    /// Builds a block on `parent`, executes it and makes it the head. Returns its payload.
    ///
    /// # Errors
    /// Any of the three fails.
    pub fn extend(&self, parent: &str, attributes: &Attributes) -> Outcome<Payload> {
        let payload = self.build(parent, attributes)?;
        self.execute(&payload)?;
        self.choose(payload.hash()?, None)?;
        Ok(payload)
    }

    /// Sends the request of a chain's `headfcu.json`, until geth has taken it.
    ///
    /// # Errors
    /// The file is no such request, or geth does not take it in time.
    pub fn announce(&self, file: &Path) -> Outcome<()> {
        let text = fs::read_to_string(file).doing(|| format!("read {}", file.display()))?;
        let request: Value = serde_json::from_str(&text).doing(|| format!("read {}", file.display()))?;
        let method = request.get("method").and_then(Value::as_str).unwrap_or("engine_forkchoiceUpdatedV3");
        let params = request.get("params").unwrap_or(&Value::Null);
        wait::until("geth to take the chain's head", TIMEOUT, || {
            let answer = self.call(method, params).map_err(|failure| failure.to_string())?;
            status(answer.get("payloadStatus"), method).map_err(|failure| failure.to_string())
        })
    }
}

fn status(answer: Option<&Value>, method: &str) -> Outcome<()> {
    match answer.and_then(|answer| answer.get("status")).and_then(Value::as_str) {
        Some("VALID") => Ok(()),
        _ => Err(Failure::new(format!("{method}: {}", answer.unwrap_or(&Value::Null)))),
    }
}

/// A token as geth wants it: HS256, issued now.
fn token(secret: &[u8], now: SystemTime) -> Outcome<String> {
    let seconds = now.duration_since(UNIX_EPOCH).doing(|| "read the clock".to_owned())?.as_secs();
    let body = format!(
        "{}.{}",
        base64(br#"{"alg":"HS256","typ":"JWT"}"#),
        base64(json!({"iat": seconds}).to_string().as_bytes())
    );
    let mut mac = Hmac::<Sha256>::new_from_slice(secret).doing(|| "use the JWT secret".to_owned())?;
    mac.update(body.as_bytes());
    Ok(format!("{body}.{}", base64(&mac.finalize().into_bytes())))
}

/// Base64 for URLs, without padding.
fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let bits =
            chunk.iter().fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
        for place in (0..=chunk.len()).map(|at| bits >> (18 - 6 * at) & 63) {
            let letter = usize::try_from(place).ok().and_then(|place| ALPHABET.get(place));
            text.extend(letter.map(|letter| char::from(*letter)));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_that_of_the_rfc() {
        for (text, encoded) in [("", ""), ("f", "Zg"), ("fo", "Zm8"), ("foo", "Zm9v"), ("foob", "Zm9vYg")] {
            assert_eq!(base64(text.as_bytes()), encoded);
        }
        assert_eq!(base64(&[0xfb, 0xff]), "-_8");
    }

    #[test]
    fn a_token_is_that_of_a_known_implementation() {
        // python3: hmac.digest(b"\x01" * 32, b"<header>.<claims>", "sha256")
        let made = token(&[1; 32], UNIX_EPOCH + Duration::from_secs(1_700_000_000)).unwrap();
        let known = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJpYXQiOjE3MDAwMDAwMDB9.S3esM_43rSn57zYhtZ-FpifXBK_oKaYJ0Dx6M3iWn70";
        assert_eq!(made, known);
    }
}
