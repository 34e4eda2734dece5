//! The guide's table of every method, held to what a replica answers.

use super::{Still, ask, fake, rpc};
use maidenlane_jsonrpc::listener::namespace;
use maidenlane_jsonrpc::{Api as _, codes};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

const GUIDE: &str = include_str!("../../../README.md");

/// Guide's table: method to what it says of it.
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

/// All Rust source below a directory.
fn sources(dir: &Path, out: &mut String) {
    for entry in std::fs::read_dir(dir).expect("a directory of ours") {
        let path = entry.expect("readable").path();
        if path.is_dir() {
            sources(&path, out);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            out.push_str(&std::fs::read_to_string(&path).expect("text"));
        }
    }
}

#[test]
fn every_backend_function_has_a_file_and_a_test() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut code = String::new();
    for dir in ["src", "../lib", "../../tests/e2e"] {
        sources(&here.join(dir), &mut code);
    }
    let (_, section) = GUIDE.split_once("\n## Backend functions").expect("the table's section");
    let section = section.split("\n## ").next().expect("a first part");
    let rows: Vec<_> = section.lines().skip_while(|line| !line.starts_with("|---")).skip(1).collect();
    let rows: Vec<_> = rows.into_iter().filter(|line| line.starts_with("| ")).collect();
    assert_eq!(rows.len(), 26);
    for row in rows {
        let columns: Vec<_> = row.trim_matches(['|', ' ']).split(" | ").collect();
        let [_, what, test] = columns[..] else { panic!("three columns: {row}") };
        let test = test.trim_matches(['`', ' ', '|']);
        assert!(
            code.contains(&format!("#[test]\nfn {test}(")) || code.contains(&format!("    fn {test}(")),
            "{row}"
        );
        for file in what.split('`').filter(|word| word.ends_with(".rs")) {
            let root = if file.starts_with("daemons/") { here.join("../..") } else { here.join("src") };
            assert!(root.join(file).exists(), "{row}");
        }
    }
}

/// `rpc_modules` names all namespaces that are served: the listener leaves out what it does not serve.
#[test]
fn the_modules_are_the_namespaces_of_the_methods() {
    let Some(chain) = fake::chain() else { return };
    let rpc = rpc(Arc::new(Still::new(chain)));
    let named = ask(&rpc, "rpc_modules", json!([]))["result"].clone();
    let named: BTreeSet<&str> = named.as_object().expect("modules").keys().map(String::as_str).collect();
    let namespaces = rpc.methods().iter().map(|method| namespace(method.name)).collect();
    assert_eq!(named, namespaces);
}

#[test]
fn the_table_of_every_method_is_true() {
    let Some(chain) = fake::chain() else { return };
    let rpc = rpc(Arc::new(Still::new(chain)));
    let table = table();
    assert!(table.len() > 120, "{}", table.len());
    for (method, what) in &table {
        let params = match *method {
            "eth_sign" => json!([format!("0x{}", "11".repeat(20)), "0x"]),
            "eth_signTransaction" | "eth_sendTransaction" | "eth_resend" => json!([{}]),
            _ => json!([]),
        };
        let code = ask(&rpc, method, params)["error"]["code"].clone();
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
    let unknown = format!("refused: {}", codes::METHOD_NOT_FOUND);
    let known = table.iter().filter(|(_, what)| **what != unknown).map(|(method, _)| *method);
    let mut ours: Vec<_> = super::super::methods::names().collect();
    ours.sort_unstable();
    assert_eq!(known.collect::<Vec<_>>(), ours, "the guide's methods and the replica's");
}
