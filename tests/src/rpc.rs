//! A JSON-RPC client over HTTP for geth and for the replica alike.

use std::time::Duration;

use serde_json::{Value, json};

use crate::{
    failure::{Doing, Failure, Outcome},
    wait,
};

/// Nothing asked here takes longer on a healthy node.
const TIMEOUT: Duration = Duration::from_secs(20);

/// One endpoint.
#[derive(Debug, Clone)]
pub struct Client {
    url: String,
    agent: ureq::Agent,
}

impl Client {
    /// A client of the endpoint at `url`. Opens nothing yet.
    #[must_use]
    pub fn new(url: impl Into<String>) -> Self {
        let config = ureq::Agent::config_builder().timeout_global(Some(TIMEOUT)).http_status_as_error(false);
        Self { url: url.into(), agent: config.build().into() }
    }

    /// Where it points.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Posts a JSON text and returns HTTP status and body.
    ///
    /// # Errors
    /// No answer.
    pub fn post(&self, body: &str) -> Outcome<(u16, String)> {
        self.post_with(body, &[])
    }

    /// The same, with more headers.
    ///
    /// # Errors
    /// No answer.
    pub fn post_with(&self, body: &str, headers: &[(&str, &str)]) -> Outcome<(u16, String)> {
        let mut request = self.agent.post(&self.url).header("content-type", "application/json");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let mut answer = request.send(body).doing(|| format!("ask {}", self.url))?;
        let limit = answer.body_mut().with_config().limit(256 << 20);
        let text = limit.read_to_string().doing(|| format!("read the answer of {}", self.url))?;
        Ok((answer.status().as_u16(), text))
    }

    /// The whole response object of one call.
    ///
    /// # Errors
    /// No answer, or one that is not JSON.
    pub fn respond(&self, method: &str, params: &Value) -> Outcome<Value> {
        let request = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
        let (status, text) = self.post(&request.to_string())?;
        serde_json::from_str(&text)
            .doing(|| format!("HTTP {status} from {} is not JSON ({text:.200})", self.url))
    }

    /// The result of one call.
    ///
    /// # Errors
    /// No answer, or an error in it.
    pub fn call(&self, method: &str, params: &Value) -> Outcome<Value> {
        let mut response = self.respond(method, params)?;
        match response.get_mut("result") {
            Some(result) => Ok(result.take()),
            None => Err(Failure::new(format!("{method} at {}: {response}", self.url))),
        }
    }

    /// A call whose result is a quantity.
    ///
    /// # Errors
    /// No answer, an error, or something else than a quantity.
    pub fn quantity(&self, method: &str, params: &Value) -> Outcome<u64> {
        let result = self.call(method, params)?;
        quantity(&result).ok_or_else(|| Failure::new(format!("{method} answered {result}, not a quantity")))
    }

    /// The head's number.
    ///
    /// # Errors
    /// As [`Client::quantity`].
    pub fn block_number(&self) -> Outcome<u64> {
        self.quantity("eth_blockNumber", &json!([]))
    }

    /// Waits for a block beyond `head`, of a chain that grows.
    ///
    /// # Errors
    /// There is none in time.
    pub fn next_block(&self, head: u64, within: Duration) -> Outcome<()> {
        wait::until("the next block", within, || {
            let now = self.block_number().map_err(|failure| failure.to_string())?;
            if now > head { Ok(()) } else { Err(format!("head {now}")) }
        })
    }

    /// Waits for the receipt of a transaction.
    ///
    /// # Errors
    /// It is not mined in time.
    pub fn receipt(&self, hash: &Value, within: Duration) -> Outcome<Value> {
        wait::until("a receipt", within, || {
            let receipt = self.call("eth_getTransactionReceipt", &json!([hash]));
            let receipt = receipt.map_err(|failure| failure.to_string())?;
            if receipt.is_null() { Err(format!("{hash} has none")) } else { Ok(receipt) }
        })
    }

    /// The hash of the block a tag or number stands for.
    ///
    /// # Errors
    /// No answer, or no such block.
    pub fn block_hash(&self, block: &str) -> Outcome<String> {
        let found = self.found(block)?;
        let hash = found.get("hash").and_then(Value::as_str).map(str::to_owned);
        hash.ok_or_else(|| self.unknown(block))
    }

    /// Hash and time of the block a tag or number stands for.
    ///
    /// # Errors
    /// No answer, or no such block.
    pub fn block(&self, block: &str) -> Outcome<(String, u64)> {
        let found = self.found(block)?;
        let hash = found.get("hash").and_then(Value::as_str).map(str::to_owned);
        hash.zip(found.get("timestamp").and_then(quantity)).ok_or_else(|| self.unknown(block))
    }

    fn found(&self, block: &str) -> Outcome<Value> {
        self.call("eth_getBlockByNumber", &json!([block, false]))
    }

    fn unknown(&self, block: &str) -> Failure {
        Failure::new(format!("no block {block} at {}", self.url))
    }
}

/// Reads a `0x…` quantity.
#[must_use]
pub fn quantity(value: &Value) -> Option<u64> {
    u64::from_str_radix(value.as_str()?.strip_prefix("0x")?, 16).ok()
}
