//! Blocks with transactions, and without.

use maidenlane_tests::wait;
use serde_json::json;

use super::{Consensus, PATIENCE};

impl Consensus {
    /// Executes a block without transactions on `parent`: all of them leave the same state.
    pub(crate) fn idle(&mut self, parent: &str) -> String {
        let master = self.net.master();
        let mut recipient = u8::try_from(self.blocks.len()).unwrap();
        wait::until("a block without transactions", PATIENCE, || {
            recipient += 1;
            let hash = self.try_execute(parent, recipient, 1).map_err(|failure| failure.to_string())?;
            let count = master.quantity("eth_getBlockTransactionCountByHash", &json!([hash]));
            if count.map_err(|failure| failure.to_string())? == 0 { Ok(hash) } else { Err("busy".to_owned()) }
        })
        .unwrap()
    }

    /// Executes siblings on `parent` until geth has put transactions into one: it first builds an empty block.
    pub(crate) fn busy(&mut self, parent: &str) -> String {
        let master = self.net.master();
        let mut recipient = 100;
        wait::until("a block with transactions", PATIENCE, || {
            recipient += 1;
            let hash = self.execute(parent, recipient);
            let count = master.quantity("eth_getBlockTransactionCountByHash", &json!([hash]));
            if count.map_err(|failure| failure.to_string())? > 0 { Ok(hash) } else { Err("empty".to_owned()) }
        })
        .unwrap()
    }
}
