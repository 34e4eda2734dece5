//! Requests for rows of a large state, drawn with a seed: hardly one is drawn twice.

use std::{fs, path::Path};

use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    dice::Dice,
    failure::{Doing, Failure, Outcome},
    measure::rpc::requests::Row,
};

/// Requests of each row.
const DRAWN: usize = 3_000;
/// Slots that the contracts add up in one call.
const SLOTS_PER_CALL: usize = 10;

/// Facts that the generator tells of its state, in `large.json`.
#[derive(Debug, Deserialize)]
struct Large {
    accounts: u64,
    /// Slots of each contract, 1, 2, 3, …: the contracts are the first accounts.
    slots: Vec<u64>,
}

/// Reads of accounts and slots, calls, and proofs.
pub(super) fn draw(chain: &Path, seed: u64) -> Outcome<Vec<Row>> {
    let path = chain.join("large.json");
    let text = fs::read_to_string(&path).doing(|| format!("read {}", path.display()))?;
    let large: Large = serde_json::from_str(&text).doing(|| format!("read {}", path.display()))?;
    let mut dice = Dice::new(seed);
    let names =
        ["eth_getBalance", "eth_getStorageAt", "eth_call, 10 slots", "eth_getProof", "eth_getProof, a slot"];
    names.into_iter().map(|name| large.row(name, &mut dice)).collect()
}

impl Large {
    fn row(&self, name: &str, dice: &mut Dice) -> Outcome<Row> {
        let method = name.split_once(", ").map_or(name, |(method, _)| method);
        let bodies = (0..DRAWN).map(|_| {
            let params = self.params(name, dice)?;
            Some(json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).to_string())
        });
        let bodies = bodies.collect::<Option<_>>();
        let bodies = bodies.ok_or_else(|| Failure::new(format!("the state has nothing for {name}")))?;
        Ok(Row { name: name.to_owned(), bodies })
    }

    fn params(&self, name: &str, dice: &mut Dice) -> Option<Value> {
        let account = address(dice.roll(self.accounts));
        // One of the four that have most.
        let contract = dice.roll(4);
        let slots = *self.slots.get(usize::try_from(contract).ok()?)?;
        let contract = address(contract);
        let mut slot = || format!("{:064x}", 1 + dice.roll(slots));
        Some(match name {
            "eth_getBalance" => json!([account, "latest"]),
            "eth_getStorageAt" => json!([contract, format!("0x{}", slot()), "latest"]),
            "eth_getProof" => json!([account, [], "latest"]),
            "eth_getProof, a slot" => json!([contract, [format!("0x{}", slot())], "latest"]),
            _ => {
                let input: String = (0..SLOTS_PER_CALL).map(|_| slot()).collect();
                json!([{"to": contract, "input": format!("0x{input}")}, "latest"])
            }
        })
    }
}

/// Address of an account of the generator's.
fn address(account: u64) -> String {
    format!("0x{:024x}{account:016x}", 0x1a26e)
}
