//! The guide's table of every method, held to what a replica answers.

use super::{Still, ask, fake, rpc};
use maidenlane_jsonrpc::{Api as _, codes};
use serde_json::json;
use std::collections::BTreeMap;
use std::sync::Arc;

const GUIDE: &str = include_str!("../../../README.md");

/// Method to what the table says of it.
fn table() -> BTreeMap<&'static str, &'static str> {
    let (_, section) = GUIDE.split_once("\n## Every method\n").expect("the table's section");
    let section = section.split("\n## ").next().expect("a first part");
    let mut table = BTreeMap::new();
    for row in section.lines().filter(|line| line.starts_with("| ") && line.contains('`')) {
        let (what, names) = row.trim_matches(['|', ' ']).split_once(" | ").expect("two columns");
        for name in names.split('`').filter(|name| name.contains('_')) {
            assert_eq!(table.insert(name, what), None, "{name} stands there twice");
        }
    }
    table
}

#[test]
fn the_table_of_every_method_is_true() {
    let Some(chain) = fake::chain() else { return };
    let rpc = rpc(Arc::new(Still::new(chain)));
    let table = table();
    assert!(table.len() > 120, "{}", table.len());
    for (method, what) in &table {
        let code = ask(&rpc, method, json!([]))["error"]["code"].clone();
        if let Some(said) = what.strip_prefix("refused: ") {
            let said = said.split(',').next().expect("a first part");
            assert_eq!(code.to_string(), said, "{method}");
        } else if what.starts_with("empty") {
            assert!(code.is_null() || code == codes::INVALID_PARAMS, "{method}: {code}");
        } else if !what.contains("WebSocket") {
            assert!(what.starts_with("served"), "{method}: {what}");
            assert_ne!(code, codes::METHOD_NOT_FOUND, "{method}");
        }
    }
    for method in rpc.methods() {
        assert!(table.contains_key(method.name), "{} is served and not in the table", method.name);
    }
}
