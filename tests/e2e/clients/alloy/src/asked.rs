//! Asks both sides and compares.

use alloy::providers::DynProvider;
use alloy::transports::{RpcError, TransportResult};
use serde::Serialize;
use serde_json::{Value, json};

/// Differences that are told.
const PRINTED_MAX: usize = 5;

/// Both sides of a comparison, and where their answers differed.
pub(crate) struct Asked {
    master: DynProvider,
    replica: DynProvider,
    agreed: usize,
    differ: Vec<String>,
}

impl Asked {
    pub(crate) fn new(master: DynProvider, replica: DynProvider) -> Self {
        Self { master, replica, agreed: 0, differ: Vec::new() }
    }

    /// Asks both, and returns what the master said unless it refused.
    pub(crate) async fn both<T, F>(&mut self, name: &str, call: impl Fn(DynProvider) -> F) -> Option<T>
    where
        T: Serialize,
        F: Future<Output = TransportResult<T>>,
    {
        let (master, replica) = (call(self.master.clone()).await, call(self.replica.clone()).await);
        let [ours, theirs] = [outcome(&replica), outcome(&master)];
        self.holds(&format!("{name}: geth {theirs:.300}, replica {ours:.300}"), ours == theirs);
        master.ok()
    }

    /// The same, and both must know it.
    pub(crate) async fn known<T, F>(
        &mut self,
        name: &str,
        call: impl Fn(DynProvider) -> F,
    ) -> Result<T, String>
    where
        T: Serialize,
        F: Future<Output = TransportResult<Option<T>>>,
    {
        self.both(name, call).await.flatten().ok_or_else(|| format!("geth does not know its {name}"))
    }

    /// Something that only the replica can be asked.
    pub(crate) fn holds(&mut self, name: &str, truth: bool) {
        if truth {
            self.agreed += 1;
        } else {
            self.differ.push(name.to_owned());
        }
    }

    /// Tells; true when enough was asked and nothing differs.
    pub(crate) fn end(&self, least: usize) -> bool {
        self.differ.iter().take(PRINTED_MAX).for_each(|name| println!("{name}"));
        println!("{} agree, {} differ", self.agreed, self.differ.len());
        self.differ.is_empty() && self.agreed >= least
    }
}

/// The typed result as JSON, or what it was refused with. What alloy cannot read is neither, and fails even when both
/// sides say it.
fn outcome<T: Serialize>(answer: &TransportResult<T>) -> Value {
    match answer {
        Ok(result) => serde_json::to_value(result).unwrap_or_else(|error| unread(&error)),
        Err(RpcError::ErrorResp(refused)) => {
            json!({"code": refused.code, "message": refused.message, "data": refused.data})
        }
        Err(error) => unread(error),
    }
}

/// Never equal to another.
fn unread(error: &dyn std::fmt::Display) -> Value {
    use std::sync::atomic::{AtomicU64, Ordering};
    static UNREAD: AtomicU64 = AtomicU64::new(0);
    json!({"unread": error.to_string(), "at": UNREAD.fetch_add(1, Ordering::Relaxed)})
}
