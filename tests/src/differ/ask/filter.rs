//! Criteria of logs.

use serde_json::{Map, Value, json};

use super::{Account, Asker, BlockHash, Number};

impl Asker {
    /// Up to four topics and one too many, each one, several or any; no, one or several addresses; a range or a block.
    pub(super) fn filter(&mut self) -> Value {
        let mut filter = Map::new();
        if self.dice.one_in(4) {
            filter.insert("blockHash".to_owned(), self.parameter(BlockHash));
        }
        if filter.is_empty() || self.dice.one_in(12) {
            for name in ["fromBlock", "toBlock"] {
                if !self.dice.one_in(6) {
                    filter.insert(name.to_owned(), self.parameter(Number));
                }
            }
        }
        let address = match self.dice.roll(6) {
            0 | 1 => Some(self.parameter(Account)),
            2 => Some((0..self.dice.roll(4)).map(|_| self.parameter(Account)).collect()),
            3 if self.dice.one_in(3) => Some(Value::Null),
            _ => None,
        };
        filter.extend(address.map(|address| ("address".to_owned(), address)));
        if !self.dice.one_in(4) {
            let length = if self.dice.one_in(24) { 5 } else { self.dice.roll(5) };
            let topics: Vec<Value> = (0..length).map(|_| self.topic()).collect();
            filter.insert("topics".to_owned(), json!(topics));
        }
        if self.dice.one_in(24) {
            let names = ["topics", "address", "blockHash", "fromBlock"];
            let name = self.dice.choice(&names).unwrap_or_default();
            filter.insert(name.to_owned(), self.spoilt());
        }
        Value::Object(filter)
    }

    fn topic(&mut self) -> Value {
        match self.dice.roll(8) {
            0..3 => Value::Null,
            3..6 => self.one(|chain| &chain.topics),
            6 => json!([self.one(|chain| &chain.topics), null]),
            _ => (0..self.dice.roll(4)).map(|_| self.one(|chain| &chain.topics)).collect(),
        }
    }
}
