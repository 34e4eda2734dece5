//! A stream of real transactions from the developer account of a geth in `--dev` mode.

use std::{thread, time::Duration};

use serde_json::{Value, json};

use crate::{
    failure::{Failure, Outcome},
    interrupt::Interrupt,
    rpc::Client,
    wait,
};

/// Stores its argument under the block's number, counts its calls in slot 0, logs the argument with the block's
/// number as topic, and returns the count. 35 bytes of code behind 11 that return them.
const CONTRACT: &str = "0x602380600b6000396000f3\
    6000358043556000524360206000a16001600054016000556000546000526020\
    6000f3";

/// Fees where the node does not choose them: more than the developer chain ever asks for.
const FEE: &str = "0x174876e800";
const TIP: &str = "0x1";

/// Between two bursts.
const PAUSE: Duration = Duration::from_millis(300);

/// Code of a replica that takes no transactions at the moment, such as before its first look at who delivers them.
const NOT_TAKEN: i64 = -32_094;

/// Sends a transaction until the replica takes or refuses it.
fn taken(door: &Client, raw: &Value) -> Outcome<Value> {
    let answer = wait::until("the replica to take a transaction", Duration::from_secs(60), || {
        let answer = door.respond("eth_sendRawTransaction", raw).map_err(|failure| failure.to_string())?;
        let code = answer.pointer("/error/code").and_then(Value::as_i64);
        if code == Some(NOT_TAKEN) { Err(answer.to_string()) } else { Ok(answer) }
    })?;
    let hash = answer.get("result").cloned();
    hash.ok_or_else(|| Failure::new(format!("eth_sendRawTransaction: {answer}")))
}

/// Sends transactions.
#[derive(Debug)]
pub struct Traffic {
    node: Client,
    /// Where transactions are sent that the node has signed; `None` leaves both to the node.
    door: Option<Client>,
    from: String,
    contract: String,
    /// Chosen here: geth's own choice races with its pool at every new block.
    nonce: u64,
    sent: u64,
}

impl Traffic {
    /// Deploys the contract and waits for it.
    ///
    /// # Errors
    /// The node has no unlocked account, or refuses the deployment.
    pub fn open(node: &Client) -> Outcome<Self> {
        Self::new(node, None)
    }

    /// The same with transactions that the node only signs, and `door` takes.
    ///
    /// # Errors
    /// The node has no unlocked account, or the deployment is refused.
    pub fn through(node: &Client, door: &Client) -> Outcome<Self> {
        Self::new(node, Some(door.clone()))
    }

    fn new(node: &Client, door: Option<Client>) -> Outcome<Self> {
        let accounts = node.call("eth_accounts", &json!([]))?;
        let from = accounts.get(0).and_then(Value::as_str);
        let from =
            from.ok_or_else(|| Failure::new("the developer chain has no account of its own"))?.to_owned();
        let nonce = node.quantity("eth_getTransactionCount", &json!([from, "pending"]))?;
        let mut traffic = Self { node: node.clone(), door, from, contract: String::new(), nonce, sent: 0 };
        let deployment = traffic.deploy()?;
        traffic.contract = traffic.mined(&deployment)?;
        Ok(traffic)
    }

    /// The contract that the calls go to.
    #[must_use]
    pub fn contract(&self) -> &str {
        &self.contract
    }

    /// How many transactions were accepted.
    #[must_use]
    pub fn sent(&self) -> u64 {
        self.sent
    }

    /// One burst: transfers to old and new accounts, calls that write storage and log, now and then a deployment.
    ///
    /// # Errors
    /// The node refuses a transaction.
    pub fn burst(&mut self) -> Outcome<()> {
        for turn in 0..3 {
            let fresh = format!("0x{:040x}", 0xfeed_0000_u64 + (self.sent % 97) * 3 + turn);
            self.send(
                &json!({"from": self.from, "to": fresh, "value": format!("0x{:x}", 1_000 + self.sent)}),
            )?;
        }
        let word = format!("0x{:064x}", self.sent + 1);
        self.send(&json!({"from": self.from, "to": self.contract, "data": word, "gas": "0x30d40"}))?;
        if self.sent.is_multiple_of(5) {
            self.deploy()?;
        }
        Ok(())
    }

    /// `count` transactions in one request: transfers and contract calls, half each.
    ///
    /// # Errors
    /// The node refuses one of them.
    pub fn batch(&mut self, count: u64) -> Outcome<()> {
        let requests: Vec<Value> = (0..count).map(|turn| self.request(turn)).collect();
        let (_, text) = self.node.post(&Value::Array(requests).to_string())?;
        let answers: Vec<Value> = serde_json::from_str(&text)?;
        if let Some(refused) = answers.iter().find(|answer| answer.get("result").is_none()) {
            return Err(Failure::new(format!("eth_sendTransaction: {refused}")));
        }
        self.nonce += count;
        self.sent += count;
        Ok(())
    }

    fn request(&self, turn: u64) -> Value {
        let (nonce, serial) = (format!("0x{:x}", self.nonce + turn), self.sent + turn);
        let transaction = if turn.is_multiple_of(2) {
            let to = format!("0x{:040x}", 0xbeef_0000_u64 + serial % 4_999);
            json!({"from": self.from, "to": to, "value": format!("0x{:x}", 1_000 + serial), "nonce": nonce, "gas": "0x5208"})
        } else {
            let word = format!("0x{:064x}", serial + 1);
            json!({"from": self.from, "to": self.contract, "data": word, "nonce": nonce, "gas": "0x30d40"})
        };
        json!({"jsonrpc": "2.0", "id": turn, "method": "eth_sendTransaction", "params": [transaction]})
    }

    /// Bursts until interrupted, at a pace a person can follow; tells the total after each.
    ///
    /// # Errors
    /// The node refuses a transaction.
    pub fn run(&mut self, stop: &Interrupt, report: impl Fn(u64)) -> Outcome<()> {
        while !stop.raised() {
            match self.burst() {
                // It fails because the node was stopped.
                Err(_) if stop.raised() => break,
                other => other?,
            }
            report(self.sent);
            thread::sleep(PAUSE);
        }
        Ok(())
    }

    /// Waits until everything that was sent is in a block.
    ///
    /// # Errors
    /// The node stopped making blocks.
    pub fn settle(&self) -> Outcome<()> {
        wait::until("all transactions to be mined", Duration::from_secs(60), || {
            let nonce = |block| self.node.quantity("eth_getTransactionCount", &json!([self.from, block]));
            let (mined, known) = (nonce("latest"), nonce("pending"));
            let (mined, known) = (mined.map_err(|e| e.to_string())?, known.map_err(|e| e.to_string())?);
            // Those that go through a door reach the node later.
            let sent = self.nonce.max(known);
            if mined == sent { Ok(()) } else { Err(format!("{mined} of {sent} mined")) }
        })
    }

    fn deploy(&mut self) -> Outcome<String> {
        self.send(&json!({"from": self.from, "data": CONTRACT, "gas": "0x30d40"}))
    }

    fn send(&mut self, transaction: &Value) -> Outcome<String> {
        let mut transaction = transaction.clone();
        if let Some(fields) = transaction.as_object_mut() {
            fields.insert("nonce".to_owned(), format!("0x{:x}", self.nonce).into());
        }
        let hash = match &self.door {
            Some(door) => {
                let raw = self.signed(transaction)?;
                taken(door, &json!([raw]))?
            }
            None => self.node.call("eth_sendTransaction", &json!([transaction]))?,
        };
        self.nonce += 1;
        self.sent += 1;
        Ok(hash.as_str().unwrap_or_default().to_owned())
    }

    /// The transaction with all that a signature covers, signed by the node.
    fn signed(&self, mut transaction: Value) -> Outcome<Value> {
        if let Some(fields) = transaction.as_object_mut() {
            for (name, value) in [("gas", "0x30d40"), ("maxFeePerGas", FEE), ("maxPriorityFeePerGas", TIP)] {
                fields.entry(name).or_insert_with(|| value.into());
            }
        }
        let mut signed = self.node.call("eth_signTransaction", &json!([transaction]))?;
        Ok(signed.get_mut("raw").map_or(Value::Null, Value::take))
    }

    /// Waits for a deployment's receipt and returns the new contract's address.
    fn mined(&self, hash: &str) -> Outcome<String> {
        let receipt = self.node.receipt(&json!(hash), Duration::from_secs(30))?;
        let address = receipt.get("contractAddress").and_then(Value::as_str);
        address.map(str::to_owned).ok_or_else(|| Failure::new(format!("receipt {receipt}")))
    }
}
